import { sql } from 'kysely'
import type { Db, Tx } from '../db/connect.ts'
import type { Clock } from './ports.ts'

/** Which part of the published data changed. */
export type Scope = 'plan' | 'cases' | 'lists' | 'rewards' | 'keys'

/** Says whether anything rendered earlier still holds. */
export interface DataVersions {
  /** One string that differs whenever published data differs. */
  current(): Promise<string>
  /** The same for one part of the data. */
  of(scope: Scope): Promise<string>
  /** Marks a change inside the transaction that makes it. */
  bump(tx: Tx, ...scopes: Scope[]): Promise<void>
  /** To be called after a transaction that bumped has been committed. */
  expire(): void
}

/**
 * @param maxAgeMs how long another process's change may stay unseen; a change of this process shows at once.
 *   Infinite when no other process can write (embedded database).
 */
export function createDataVersions(db: Db, clock: Clock, maxAgeMs: number): DataVersions {
  let known: { key: string; at: number } | null = null
  let pending: Promise<string> | null = null
  let generation = 0

  async function read(): Promise<string> {
    const started = generation
    const rows = await db.selectFrom('data_version').select(['scope', 'version']).orderBy('scope').execute()
    const key = rows.map((row) => `${row.scope}${row.version}`).join('.')
    if (started === generation) known = { key, at: clock.now().getTime() }
    return key
  }

  async function current(): Promise<string> {
    if (known && clock.now().getTime() - known.at < maxAgeMs) return known.key
    pending ??= read().finally(() => {
      pending = null
    })
    return pending
  }

  return {
    current,
    async of(scope) {
      return (await current()).split('.').find((part) => part.startsWith(scope)) ?? ''
    },
    async bump(tx, ...scopes) {
      await tx
        .updateTable('data_version')
        .set({ version: sql<number>`version + 1` })
        .where('scope', 'in', scopes)
        .execute()
    },
    expire() {
      generation += 1
      known = null
      pending = null
    },
  }
}
