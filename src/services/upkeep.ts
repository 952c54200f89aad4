import { addDays, dayOf, startOfDay, type Day } from '../domain/day.ts'
import type { Cases } from './cases.ts'
import type { Drafts } from './drafts.ts'
import type { Deps } from './ports.ts'
import type { Identity } from './identity.ts'
import type { Rewards } from './rewards.ts'

/** What nobody does by hand. */
export interface Upkeep {
  /**
   * Ends pauses, dispute and collection windows, forgets stale drafts, old replies, sent mails and spent proofs; once a
   * day also blobs that no row names.
   * @param stop ends it early; what is left is done next time
   */
  run(stop?: AbortSignal): Promise<void>
}

/** Days for which a repeated filing still gets its first reply. */
const FILING_DAYS = 7
/** Days for which the console shows a mail that went out. */
const MAIL_DAYS = 90
/**
 * A blob without a row this old was left by a crash, or by a database that went away between the blob and the row;
 * younger ones may belong to a filing under way.
 */
const ORPHAN_DAYS = 7
/** Blobs looked up at once: one walk through the table of parts for so many. */
const BATCH = 5000

export function createUpkeep(
  deps: Deps,
  cases: Cases,
  rewards: Rewards,
  drafts: Drafts,
  identity: Identity,
): Upkeep {
  const { db, clock, files } = deps
  let sweptOn: Day | null = null

  /** Those of the keys that a row names. In one statement, so that a draft that turns into a tip is always seen. */
  async function namedAmong(keys: readonly string[]): Promise<Set<string | null>> {
    const rows = await db
      .selectFrom('tip_part')
      .select('blob_key')
      .where('blob_key', 'in', keys)
      .union(db.selectFrom('proof').select('blob_key').where('blob_key', 'in', keys))
      .union(db.selectFrom('draft_blob').select('blob_key').where('blob_key', 'in', keys))
      .execute()
    return new Set(rows.map((row) => row.blob_key))
  }

  async function deleteUnnamed(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return
    const named = await namedAmong(keys)
    for (const key of keys) if (!named.has(key)) await files.delete(key)
  }

  /** Answers whether it came to the end. */
  async function sweepBlobs(before: Date, stop?: AbortSignal): Promise<boolean> {
    await files.forgetUnfinished(before)
    let old: string[] = []
    for await (const { key, storedAt } of files.list()) {
      if (stop?.aborted) return false
      if (storedAt >= before) continue
      old.push(key)
      if (old.length < BATCH) continue
      await deleteUnnamed(old)
      old = []
    }
    await deleteUnnamed(old)
    return true
  }

  return {
    async run(stop) {
      const today = dayOf(clock.now())
      await cases.tick()
      await rewards.tick()
      await identity.tick()
      await drafts.purge(addDays(today, -1))
      // Two processes' clocks may stand on two sides of midnight.
      await db.deleteFrom('spent_proof').where('day', '<', addDays(today, -1)).execute()
      await db.deleteFrom('filing').where('day', '<', addDays(today, -FILING_DAYS)).execute()
      await db
        .deleteFrom('mail')
        .where('state', '=', 'sent')
        .where('day', '<', addDays(today, -MAIL_DAYS))
        .execute()
      if (sweptOn === today) return
      if (await sweepBlobs(startOfDay(addDays(today, -ORPHAN_DAYS)), stop)) sweptOn = today
    },
  }
}
