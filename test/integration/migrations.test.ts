import { readdirSync, readFileSync } from 'node:fs'
import { sql } from 'kysely'
import ts from 'typescript'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MIGRATIONS } from '../../db/migrations/index.ts'
import { migrate, migrateDown, pendingMigrations } from '../../src/db/migrate.ts'
import { openEmptyDatabase } from '../support/database.ts'

type Tables = Record<string, readonly string[]>

const BOOKKEEPING = new Set(['kysely_migration', 'kysely_migration_lock'])

let database: Awaited<ReturnType<typeof openEmptyDatabase>>

/** `name` for a column that must have a value, `name?` for one that may be null. */
async function columnsInDatabase(): Promise<Tables> {
  const { rows } = await sql<{ table_name: string; column_name: string; is_nullable: string }>`
    select table_name, column_name, is_nullable from information_schema.columns where table_schema = 'public'
  `.execute(database.db)
  const tables: Record<string, string[]> = {}
  for (const row of rows) {
    if (BOOKKEEPING.has(row.table_name)) continue
    const columns = (tables[row.table_name] ??= [])
    columns.push(row.is_nullable === 'YES' ? `${row.column_name}?` : row.column_name)
  }
  for (const columns of Object.values(tables)) columns.sort()
  return tables
}

/** The same, from the row types that are kept by hand. */
function columnsInRowTypes(): Tables {
  const path = new URL('../../src/db/tables.ts', import.meta.url)
  const source = ts.createSourceFile('tables.ts', readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true)
  const members = new Map<string, { name: string; type: string }[]>()
  source.forEachChild((node) => {
    if (!ts.isInterfaceDeclaration(node)) return
    members.set(
      node.name.text,
      node.members
        .filter(ts.isPropertySignature)
        .map((member) => ({ name: member.name.getText(source), type: member.type?.getText(source) ?? '' })),
    )
  })
  const tables = members.get('Database') ?? []
  return Object.fromEntries(
    tables.map((table) => [
      table.name,
      (members.get(table.type) ?? [])
        .map(({ name, type }) => (/\bnull\b/.test(type) ? `${name}?` : name))
        .sort(),
    ]),
  )
}

describe('migrations', () => {
  it('are all listed, in the order of their names', () => {
    const folder = readdirSync(new URL('../../db/migrations/', import.meta.url))
    const files = folder.filter((name) => name !== 'index.ts').map((name) => name.replace(/\.ts$/, ''))
    expect(Object.keys(MIGRATIONS)).toEqual(files.sort())
  })

  describe('on an empty database', () => {
    beforeEach(async () => {
      database = await openEmptyDatabase()
    })

    afterEach(async () => {
      await database.close()
    })

    it('go up, down to nothing, and up again', async () => {
      expect(await migrate(database.db)).toEqual(Object.keys(MIGRATIONS))
      const first = await columnsInDatabase()
      await migrateDown(database.db)
      expect(await columnsInDatabase()).toEqual({})
      expect(await pendingMigrations(database.db)).toEqual(Object.keys(MIGRATIONS))
      await migrate(database.db)
      expect(await columnsInDatabase()).toEqual(first)
      expect(await migrate(database.db)).toEqual([])
    })

    it('make exactly the tables and columns that the row types describe', async () => {
      await migrate(database.db)
      expect(columnsInRowTypes()).toEqual(await columnsInDatabase())
    })
  })
})
