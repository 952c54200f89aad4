import { giveBackPinTry } from '../db/claim-pins.ts'
import { PIN_TRIES } from '../domain/claim-pin.ts'
import { addDays, dayOf, startOfDay, type Day } from '../domain/day.ts'
import type { Cases } from './cases.ts'
import type { Drafts } from './drafts.ts'
import type { Deps } from './ports.ts'
import type { Identity } from './identity.ts'
import type { Retention } from './retention.ts'
import type { Rewards } from './rewards.ts'
import type { TipWraps } from './tip-wraps.ts'
import type { WrapLocks } from './wrap-locks.ts'
import type { Uploads } from './uploads.ts'

/** What nobody does by hand. */
export interface Upkeep {
  /**
   * Ends pauses, dispute and collection windows, forgets stale drafts and uploads, old replies, sent mails and spent proofs; once a
   * day also what is kept no longer (see services/retention.ts) and blobs that no row names. Every midnight one more
   * try of a claim PIN.
   * @param stop ends it early; what is left is done next time
   */
  run(stop?: AbortSignal): Promise<void>
}

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
  verbs: {
    readonly cases: Cases
    readonly rewards: Rewards
    readonly drafts: Drafts
    readonly uploads: Uploads
    readonly identity: Identity
    readonly retention: Retention
    readonly tipWraps: TipWraps
    readonly locks: Pick<WrapLocks, 'sweep'>
  },
): Upkeep {
  const { db, clock, files } = deps
  const { cases, rewards, drafts, uploads, identity, retention, tipWraps, locks } = verbs
  let sweptOn: Day | null = null
  // A process that has just begun gives no try back: it may have been started anew many times today.
  let triedOn: Day | null = null
  // Only what was there before its wraps were locked: once done, done.
  let lockedAll = false

  /** Those of the keys that a row names. In one statement, so that a draft that turns into a tip is always seen. */
  async function namedAmong(keys: readonly string[]): Promise<Set<string | null>> {
    const rows = await db
      .selectFrom('tip_part')
      .select('blob_key')
      .where('blob_key', 'in', keys)
      .union(db.selectFrom('proof').select('blob_key').where('blob_key', 'in', keys))
      .union(db.selectFrom('message_photo').select('blob_key').where('blob_key', 'in', keys))
      .union(db.selectFrom('upload').select('blob_key').where('blob_key', 'in', keys))
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
      if (triedOn !== null && triedOn !== today) await giveBackPinTry(db, PIN_TRIES)
      triedOn = today
      await drafts.purge(addDays(today, -(await retention.days('draft'))))
      await uploads.purge(addDays(today, -(await retention.days('draft'))))
      // Two processes' clocks may stand on two sides of midnight.
      await db.deleteFrom('spent_proof').where('day', '<', addDays(today, -1)).execute()
      await db
        .deleteFrom('filing')
        .where('day', '<', addDays(today, -(await retention.days('filing'))))
        .execute()
      await db
        .deleteFrom('mail')
        .where('state', '=', 'sent')
        .where('day', '<', addDays(today, -MAIL_DAYS))
        .execute()
      if (!lockedAll) {
        await tipWraps.lockRest(stop)
        lockedAll = !(stop?.aborted ?? false)
      }
      await retention.run(stop)
      await locks.sweep()
      if (sweptOn === today) return
      if (await sweepBlobs(startOfDay(addDays(today, -ORPHAN_DAYS)), stop)) sweptOn = today
    },
  }
}
