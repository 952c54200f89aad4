import { addDays, dayOf, startOfDay } from '../domain/day.ts'
import type { Cases } from './cases.ts'
import type { Drafts } from './drafts.ts'
import type { Deps } from './ports.ts'

/** What nobody does by hand. */
export interface Upkeep {
  /** Ends pauses and dispute windows, forgets stale drafts, old replies, sent mails, spent proofs and blobs that no row names. */
  run(): Promise<void>
}

/** Days for which a repeated filing still gets its first reply. */
const FILING_DAYS = 7
/** Days for which the console shows a mail that went out. */
const MAIL_DAYS = 90
/** A blob without a row this old was left by a crash; younger ones may belong to a filing under way. */
const ORPHAN_DAYS = 7

export function createUpkeep(deps: Deps, cases: Cases, drafts: Drafts): Upkeep {
  const { db, clock, files } = deps

  async function isNamed(key: string): Promise<boolean> {
    const rows = await db
      .selectFrom('tip_part')
      .select('blob_key')
      .where('blob_key', '=', key)
      .union(db.selectFrom('proof').select('blob_key').where('blob_key', '=', key))
      .union(db.selectFrom('draft_blob').select('blob_key').where('blob_key', '=', key))
      .limit(1)
      .execute()
    return rows.length > 0
  }

  return {
    async run() {
      const today = dayOf(clock.now())
      await cases.tick()
      await drafts.purge(addDays(today, -1))
      // Two processes' clocks may stand on two sides of midnight.
      await db.deleteFrom('spent_proof').where('day', '<', addDays(today, -1)).execute()
      await db.deleteFrom('filing').where('day', '<', addDays(today, -FILING_DAYS)).execute()
      await db
        .deleteFrom('mail')
        .where('state', '=', 'sent')
        .where('day', '<', addDays(today, -MAIL_DAYS))
        .execute()
      const oldest = startOfDay(addDays(today, -ORPHAN_DAYS))
      for await (const blob of files.list()) {
        if (blob.storedAt < oldest && !(await isNamed(blob.key))) await files.delete(blob.key)
      }
    },
  }
}
