import { lockCase } from '../../db/cases.ts'
import type { Db, Tx } from '../../db/connect.ts'
import {
  blobKeysOf,
  deleteAuditBefore,
  deleteContent,
  deleteLayers,
  forgetReceipt,
  lockLiveTips,
  slottedTips,
} from '../../db/retention.ts'
import { tipIdsOf } from '../../db/tips.ts'
import { addDays, dayOf, startOfDay, type Day } from '../../domain/day.ts'
import { daysOn, isDue, type RetentionRule } from '../../domain/retention.ts'
import { recordAudit } from '../audit.ts'
import type { Deps } from '../ports.ts'
import type { WrapLocks } from '../wrap-locks.ts'
import type { RetentionFates } from './fates.ts'

/** The end of what is kept. */
export interface RetentionDestroying {
  /**
   * Destroys what is due, once a day: the keys of the wraps first, so that nothing of a tip opens from that moment on,
   * then blobs and rows. Whatever a crash leaves half-done opens already nowhere and is finished the next time. A case
   * that fails keeps no other waiting. Answers how many cases.
   * @param stop what is left is done next time
   */
  run(stop?: AbortSignal): Promise<number>
  /**
   * After the store of slot keys was lost with its backups: counts as destroyed what its missing files would have opened,
   * so that tips can be taken again. Answers how many tips.
   */
  acceptLoss(): Promise<number>
}

/** The day only: when a citizen's words went is nobody's business to the minute. */
const note = (
  on: Db | Tx,
  day: Day,
  object: string,
  data: Readonly<Record<string, unknown>>,
): Promise<void> =>
  recordAudit(on, { at: startOfDay(day), memberId: null, role: null, action: 'retention', object, data })

export function createRetentionDestroying(
  deps: Deps,
  { schedule, fates, endedBy, layersOf, receiptsBy }: RetentionFates,
  locks: WrapLocks,
): RetentionDestroying {
  const { db, clock, files, random } = deps
  let ranOn: Day | null = null

  async function destroyLayers(
    caseNo: string,
    name: 'identity' | 'payee',
    rules: readonly RetentionRule[],
    today: Day,
  ): Promise<void> {
    await db.transaction().execute(async (tx) => {
      const row = await lockCase(tx, caseNo)
      const fate = row && (await fates(tx, [row], rules)).get(row.id)
      if (!row || !fate || !isDue(fate[name], today)) return
      await deleteLayers(tx, await tipIdsOf(tx, row.id), `tip.${name}`)
      await note(tx, today, row.case_no, { class: name })
    })
  }

  /** Answers whether it was still due, with the case held so that no hold, hand-over or reward comes between. */
  async function destroyContent(
    caseNo: string,
    rules: readonly RetentionRule[],
    today: Day,
  ): Promise<boolean> {
    return db.transaction().execute(async (tx) => {
      const row = await lockCase(tx, caseNo)
      const fate = row && (await fates(tx, [row], rules)).get(row.id)
      if (!row || !fate || row.attached_to !== null || !isDue(fate.content, today)) return false
      const tips = await lockLiveTips(tx, row.id)
      if (tips.length === 0) return false
      const tipIds = tips.map(({ id }) => id)
      // From here on nothing opens any more, whatever becomes of the transaction.
      await locks.destroy(tips.flatMap(({ slot }) => slot ?? []))
      for (const key of await blobKeysOf(tx, tipIds)) await files.delete(key)
      await deleteContent(tx, tipIds, today)
      await note(tx, today, row.case_no, { class: fate.contentClass, tips: tips.length })
      return true
    })
  }

  async function run(stop?: AbortSignal): Promise<number> {
    const today = dayOf(clock.now())
    if (ranOn === today) return 0
    const rules = await schedule()
    let cases = 0
    const failures: unknown[] = []
    for await (const { row, fate } of endedBy(today, rules)) {
      if (stop?.aborted) return cases
      if (!isDue(fate.content, today)) continue
      try {
        if (await destroyContent(row.case_no, rules, today)) cases += 1
      } catch (error) {
        failures.push(error)
      }
    }
    for (const name of ['identity', 'payee'] as const) {
      for await (const { row, fate } of layersOf(name, rules)) {
        if (stop?.aborted) return cases
        if (!isDue(fate[name], today)) continue
        try {
          await destroyLayers(row.case_no, name, rules, today)
        } catch (error) {
          failures.push(error)
        }
      }
    }
    let receipts = 0
    for await (const { tipId, fate } of receiptsBy(today, rules)) {
      if (stop?.aborted) return cases
      if (!isDue(fate.receipt, today)) continue
      await db.transaction().execute((tx) => forgetReceipt(tx, tipId, Buffer.from(random.bytes(32)), today))
      receipts += 1
    }
    await locks.sweep()
    const audit = await deleteAuditBefore(db, startOfDay(addDays(today, -daysOn(rules, 'audit', today))))
    for (const [name, count] of Object.entries({ receipt: receipts, audit })) {
      if (count > 0) await note(db, today, name, { class: name, count })
    }
    if (failures.length > 0) throw failures[0]
    ranOn = today
    return cases
  }

  return {
    run,

    async acceptLoss() {
      const lost: string[] = []
      for (const { id, slot } of await slottedTips(db)) if (!(await deps.shredKeys.has(slot))) lost.push(id)
      const today = dayOf(clock.now())
      for (const tipId of lost) {
        await db.transaction().execute(async (tx) => {
          for (const key of await blobKeysOf(tx, [tipId])) await files.delete(key)
          await deleteContent(tx, [tipId], today)
        })
      }
      await recordAudit(db, {
        at: clock.now(),
        memberId: null,
        role: 'admin',
        action: 'retention.loss',
        object: 'wraps',
        data: { tips: lost.length },
      })
      return lost.length
    },
  }
}
