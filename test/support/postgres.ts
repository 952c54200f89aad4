import { userInfo } from 'node:os'
import pg from 'pg'

/** The first PostgreSQL that can be tested on, or why there is none. */
export type FoundPostgres = { readonly url: string } | { readonly reason: string }

const OLDEST = 15

function candidates(): string[] {
  const named = process.env['TEST_DATABASE_URL']
  if (named) return [named]
  const password = process.env['PGPASSWORD'] ? `:${encodeURIComponent(process.env['PGPASSWORD'])}` : ''
  const users = new Set([process.env['PGUSER'] ?? userInfo().username, 'root', 'postgres'])
  return [...users].map((user) => `postgres://${encodeURIComponent(user)}${password}@127.0.0.1:5432/postgres`)
}

/** Null when the server is good for the tests, else the reason. */
async function refusal(url: string): Promise<string | null> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3000 })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ version: number; may: boolean }>(
      `select current_setting('server_version_num')::int / 10000 as version, rolcreatedb or rolsuper as may
         from pg_roles where rolname = current_user`,
    )
    const [server] = rows
    if (!server || server.version < OLDEST)
      return `version ${String(server?.version)} is older than ${OLDEST}`
    return server.may ? null : 'its user may not create databases'
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string }
    return code ?? message ?? 'no answer'
  } finally {
    await client.end().catch(() => {})
  }
}

/** Looks for `TEST_DATABASE_URL`, else for a server on this machine that lets us in. */
export async function findPostgres(): Promise<FoundPostgres> {
  const reasons: string[] = []
  for (const url of candidates()) {
    const reason = await refusal(url)
    if (reason === null) return { url }
    const { username, host } = new URL(url)
    reasons.push(`${username}@${host}: ${reason}`)
  }
  return { reason: reasons.join('; ') }
}
