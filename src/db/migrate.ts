import { Migrator } from 'kysely/migration'
import { MIGRATIONS } from '../../db/migrations/index.ts'
import type { Db } from './connect.ts'

function migratorOf(db: Db): Migrator {
  return new Migrator({ db, provider: { getMigrations: () => Promise.resolve({ ...MIGRATIONS }) } })
}

/** Applies what is missing; answers the names applied. */
export async function migrate(db: Db): Promise<string[]> {
  const { error, results } = await migratorOf(db).migrateToLatest()
  if (error) throw error
  return (results ?? []).map((result) => result.migrationName)
}

/** Undoes every migration (tests only need it to prove that `down` works). */
export async function migrateDown(db: Db): Promise<void> {
  const migrator = migratorOf(db)
  for (;;) {
    const { error, results } = await migrator.migrateDown()
    if (error) throw error
    if (!results?.length) return
  }
}

/** Names of migrations the database does not have yet. */
export async function pendingMigrations(db: Db): Promise<string[]> {
  const all = await migratorOf(db).getMigrations()
  return all.filter((migration) => !migration.executedAt).map((migration) => migration.name)
}
