import { startServer } from './server.ts'

/** One server with demonstration data for the whole end-to-end run; its address is every page's base. */
export default async function setup(): Promise<() => Promise<void>> {
  const server = await startServer({ env: { DEMO: 'on' } })
  process.env['LANTIAN_E2E_URL'] = server.url
  process.env['LANTIAN_E2E_DATA'] = server.dataDir
  return async () => {
    await server.stop()
  }
}
