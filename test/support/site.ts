import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { createRecipientPin } from '../../src/adapters/recipient-pin.ts'
import { openServerSecrets } from '../../src/adapters/server-secrets.ts'
import { systemRandom } from '../../src/adapters/system.ts'
import type { Db } from '../../src/db/connect.ts'
import { openTestApp } from './app.ts'
import { prepareData, startServer, type TestServer } from './server.ts'

/** The built program on a database of the engine under test, with keys and without demonstration data. */
export interface TestSite extends TestServer {
  /** Address of the database; null for the embedded one, which only the server may open. */
  readonly databaseUrl: string | null
  close(): Promise<void>
}

/**
 * @param fill puts rows into the database before the server starts
 * @param through rewrites the database's address, e.g. to go through a proxy
 * @param env settings beside the database
 */
export async function openTestSite(
  fill: (db: Db) => Promise<void> = () => Promise.resolve(),
  through: (url: string) => Promise<string> = (url) => Promise.resolve(url),
  env: Readonly<Record<string, string>> = {},
): Promise<TestSite> {
  const dataDir = mkdtempSync(join(tmpdir(), 'lantian-site-'))
  const remove = (): void => {
    rmSync(dataDir, { recursive: true, force: true })
  }
  if (inject('testDatabase').engine === 'pglite') {
    await prepareData(dataDir, ({ deps }) => fill(deps.db))
    const server = await startServer({ dataDir, env: { DEMO: 'off', ...env } })
    const close = async (): Promise<void> => {
      await server.stop()
      remove()
    }
    return { ...server, databaseUrl: null, close }
  }
  const app = await openTestApp()
  await fill(app.database.db)
  await openServerSecrets(join(dataDir, 'keys'), systemRandom, { create: true })
  const pinned = await app.deps.pin.read()
  if (pinned) await createRecipientPin(join(dataDir, 'keys', 'recipients.json'), systemRandom).write(pinned)
  const databaseUrl = app.database.url ?? ''
  const server = await startServer({ dataDir, env: { DATABASE_URL: await through(databaseUrl), ...env } })
  const close = async (): Promise<void> => {
    await server.stop()
    await app.close()
    remove()
  }
  return { ...server, databaseUrl, close }
}
