import { readFileSync } from 'node:fs'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, inject } from 'vitest'
import { connectPglite, connectPostgres, type Connection, type Db } from '../../src/db/connect.ts'

/** What integration-setup.ts made: the database that every test file copies. */
export type TestDatabaseSource =
  | { readonly engine: 'pglite'; readonly image: string }
  | { readonly engine: 'postgres'; readonly server: string; readonly template: string }

declare module 'vitest' {
  interface ProvidedContext {
    testDatabase: TestDatabaseSource
  }
}

export interface TestDatabase {
  readonly db: Db
  readonly engine: Connection['engine']
  readonly execute: Connection['execute']
  /** Where another connection finds the same database; null on PGlite, which has only one. */
  readonly url: string | null
  /** Empties every table but the plan's. Make the services anew afterwards: theirs may remember what was. */
  reset(): Promise<void>
  close(): Promise<void>
}

/** The plan's tables; no test deletes from them. */
const REFERENCE = new Set([
  'department',
  'area',
  'category',
  'measure',
  'routing_rule',
  'deadline_rule',
  'data_version',
  'kysely_migration',
  'kysely_migration_lock',
])

/** The address of another database on the same server. */
export function databaseUrl(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** Tables that refuse to be emptied: the reward ledger. */
const APPEND_ONLY = ['reward_account', 'reward_entry', 'reward_posting']

async function guardLedger(db: Db, guard: 'enable' | 'disable'): Promise<void> {
  for (const table of APPEND_ONLY) await sql.raw(`alter table ${table} ${guard} trigger user`).execute(db)
}

async function emptyTables(db: Db): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public'`.execute(db)
  const names = rows.map((row) => row.name).filter((name) => !REFERENCE.has(name))
  await guardLedger(db, 'disable')
  await sql`truncate ${sql.join(names.map((name) => sql.table(name)))} restart identity`.execute(db)
  await guardLedger(db, 'enable')
  await sql`update department set hotline = null, mailbox = null, version = 1 where version <> 1`.execute(db)
  await sql`update data_version set version = version + 1`.execute(db)
}

/** Runs one statement outside any transaction, as making and dropping databases needs. */
export async function administer(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

let copies = 0

async function copyOf(server: string, template: string): Promise<{ url: string; drop: () => Promise<void> }> {
  copies += 1
  const name = `lantian_test_copy_${process.pid}_${copies}`
  await administer(server, `create database ${name} template ${template}`)
  return {
    url: databaseUrl(server, name),
    drop: () => administer(server, `drop database if exists ${name} with (force)`),
  }
}

/**
 * Opens a database of the test file's own, migrated and with the plan stored: PGlite from one image, or PostgreSQL
 * from one template when `LANTIAN_TEST_ENGINE=postgres`. Close it in `afterAll`.
 */
export async function openTestDatabase(): Promise<TestDatabase> {
  const source = inject('testDatabase')
  if (source.engine === 'pglite') {
    const connection = await connectPglite('memory://', new Blob([readFileSync(source.image)]))
    return { ...connection, url: null, reset: () => emptyTables(connection.db) }
  }
  const { url, drop } = await copyOf(source.server, source.template)
  const connection = connectPostgres(url)
  return {
    ...connection,
    url,
    reset: () => emptyTables(connection.db),
    close: async () => {
      await connection.close()
      await drop()
    },
  }
}

/** {@link openTestDatabase} for a whole test file: closed after it, and emptied before each test. */
export function useTestDatabase(): { readonly db: Db } {
  let database: TestDatabase | undefined
  const opened = (): TestDatabase => {
    if (!database) throw new Error('the database is opened before the first test')
    return database
  }
  beforeAll(async () => {
    database = await openTestDatabase()
  })
  afterAll(async () => {
    await database?.close()
  })
  beforeEach(async () => {
    await opened().reset()
  })
  return {
    get db() {
      return opened().db
    },
  }
}

/** An empty database of the engine under test, for tests of the migrations themselves. */
export async function openEmptyDatabase(): Promise<Pick<TestDatabase, 'db' | 'engine' | 'close'>> {
  const source = inject('testDatabase')
  if (source.engine === 'pglite') return connectPglite('memory://')
  const { url, drop } = await copyOf(source.server, 'template0')
  const connection = connectPostgres(url, 2)
  return {
    ...connection,
    close: async () => {
      await connection.close()
      await drop()
    },
  }
}
