import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { sql } from 'kysely'
import type { Db } from '../../src/db/connect.ts'
import type { Haystack } from './search.ts'

/** Where a server's process writes its errors when the server keeps no log file itself; null when not into a file. */
function stderrOf(pid: number): string | null {
  if (!readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres')) return null
  const path = readlinkSync(`/proc/${pid}/fd/2`)
  return path.startsWith('/') && !path.startsWith('/dev/') ? path : null
}

const one = async <T>(db: Db, query: ReturnType<typeof sql<T>>): Promise<T> => {
  const [row] = (await query.execute(db)).rows
  if (!row) throw new Error('no row')
  return row
}

function skipped(what: string, error: unknown): [] {
  const why = error instanceof Error ? error.message : String(error)
  console.warn(`SKIPPED: ${what} of PostgreSQL cannot be read here (${why}); it was not searched.`)
  return []
}

/** @param from a position in bytes */
async function readWal(db: Db, from: number, size: number): Promise<Haystack[]> {
  const { to } = await one(
    db,
    sql<{ to: number }>`select (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint as to`,
  )
  const pieces: Haystack[] = []
  for (let at = from; at < to;) {
    const start = at - (at % size)
    const end = Math.min(start + size, to)
    // Null when a checkpoint has taken the segment away meanwhile.
    const { name, bytes } = await one(
      db,
      sql<{ name: string; bytes: Buffer | null }>`
        select name, pg_read_binary_file('pg_wal/' || name, ${at - start}, ${end - at}, true) as bytes
        from pg_walfile_name('0/0'::pg_lsn + (${start}::numeric + 1)) as name`,
    )
    if (bytes) pieces.push({ name: `write-ahead log ${name}`, bytes })
    at = end
  }
  return pieces
}

async function logPath(db: Db): Promise<string> {
  const { own, pid } = await one(
    db,
    sql<{ own: string | null; pid: number }>`select pg_current_logfile() as own, pg_backend_pid() as pid`,
  )
  const path = own ?? stderrOf(pid)
  if (path === null) throw new Error('it goes into no file')
  return path
}

async function readLog(db: Db, path: string, from: number): Promise<Haystack[]> {
  const marker = randomUUID()
  await sql.raw(`do $$ begin raise log '${marker}'; end $$`).execute(db)
  const { bytes } = await one(
    db,
    sql<{ bytes: Buffer }>`select pg_read_binary_file(${path}, ${from}, 1 << 29) as bytes`,
  )
  if (!bytes.includes(marker)) throw new Error(`${path} is not it`)
  return [{ name: 'log of PostgreSQL', bytes }]
}

/** What a PostgreSQL server has written beside its tables. */
export interface PostgresFiles {
  wal(): Promise<Haystack[]>
  log(): Promise<Haystack[]>
}

/**
 * Reads, through the server itself, what all its databases have written from here on. It takes a superuser; what
 * cannot be read is empty, and said loudly.
 */
export async function watchPostgresFiles(db: Db): Promise<PostgresFiles> {
  const wal = await one(
    db,
    sql<{ at: number; size: number }>`
      select (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint as at, setting::int as size
      from pg_settings where name = 'wal_segment_size'`,
  )
  const log = await logPath(db)
    .then(async (path) => ({
      path,
      ...(await one(db, sql<{ size: number }>`select size from pg_stat_file(${path})`)),
    }))
    .catch((error: unknown) => ({ error }))
  return {
    wal: () => readWal(db, wal.at, wal.size).catch((error: unknown) => skipped('the write-ahead log', error)),
    log: async () =>
      'error' in log
        ? skipped('the log', log.error)
        : readLog(db, log.path, log.size).catch((error: unknown) => skipped('the log', error)),
  }
}
