import { sql } from 'kysely'
import { createMemoryFiles } from '../../src/adapters/memory-files.ts'
import type { Db } from '../../src/db/connect.ts'
import type { FileStore } from '../../src/services/file-store.ts'

/** What a dump holds: every row, and where the counters stand. */
export interface DatabaseBackup {
  /** All rows of a table as JSON. */
  readonly rows: ReadonlyMap<string, string>
  readonly counters: readonly { readonly name: string; readonly value: number }[]
}

export async function backUpDatabase(db: Db): Promise<DatabaseBackup> {
  const tables = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public' and tablename not like 'kysely_%'`.execute(
    db,
  )
  const rows = new Map<string, string>()
  for (const { name } of tables.rows) {
    const all = await sql<{ rows: string }>`
      select coalesce(json_agg(dumped), '[]')::text as rows from ${sql.table(name)} as dumped`.execute(db)
    rows.set(name, all.rows[0]?.rows ?? '[]')
  }
  const counters = await sql<{ name: string; value: number }>`
    select sequencename as name, last_value as value from pg_sequences
    where schemaname = 'public' and last_value is not null`.execute(db)
  return { rows, counters: counters.rows }
}

/** Puts a backup in the place of whatever a migrated database holds. */
export async function restoreDatabase(db: Db, { rows, counters }: DatabaseBackup): Promise<void> {
  await db.transaction().execute(async (tx) => {
    // Neither the order of the tables nor the ledger's guards stand in the way, as in a restore of a dump.
    await sql`set local session_replication_role = replica`.execute(tx)
    await sql`truncate ${sql.join([...rows.keys()].map((name) => sql.table(name)))}`.execute(tx)
    for (const [name, all] of rows) {
      await sql`insert into ${sql.table(name)} overriding system value
        select * from json_populate_recordset(null::${sql.table(name)}, ${all}::json)`.execute(tx)
    }
    for (const { name, value } of counters) await sql`select setval(${name}, ${value}::bigint)`.execute(tx)
  })
}

/** The blobs as they are now. */
export async function backUpFiles(files: FileStore): Promise<FileStore> {
  const copy = createMemoryFiles()
  for await (const { key } of files.list()) {
    const bytes = await files.get(key)
    if (bytes) await copy.put(key, bytes)
  }
  return copy
}
