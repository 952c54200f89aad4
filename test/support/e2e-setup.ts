import { startServer } from './server.ts'

/** One server with demonstration data for the whole end-to-end run; its address is every page's base. */
export default async function setup(): Promise<() => Promise<void>> {
  const clock = new URL('movable-clock.ts', import.meta.url).href
  const server = await startServer({ env: { DEMO: 'on', NODE_OPTIONS: `--import=${clock}` } })
  process.env['LANTIAN_E2E_URL'] = server.url
  process.env['LANTIAN_E2E_DATA'] = server.dataDir
  process.env['LANTIAN_E2E_PID'] = String(server.pid)
  return async () => {
    await server.stop()
  }
}
