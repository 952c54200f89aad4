import type { Db, Tx } from '../db/connect.ts'
import type { OldWrap } from '../db/keys.ts'
import {
  heldSlot,
  insertWrap,
  lockableWraps,
  replaceWrap,
  someOldWraps,
  storeLocked,
  unlockedTipIds,
  wrapsOf,
  type WrapRow,
} from '../db/wraps.ts'
import type { FreshSlot, WrapLocks } from './wrap-locks.ts'

/** A tip's secret, wrapped to one generation of a department's key. */
export interface TipWrap {
  readonly tipId: string
  readonly department: string
  readonly epoch: number
  readonly wrapped: Uint8Array
}

/** The wraps of tips: nobody else reads or writes them, since as stored they are locked once more ({@link WrapLocks}). */
export interface TipWraps {
  /** Locks the wraps of a tip that is being filed. */
  lock(slot: FreshSlot, wraps: readonly TipWrap[]): Promise<TipWrap[]>
  /** Those of some tips, for whatever department. What was destroyed has none. */
  of(tipIds: readonly string[]): Promise<TipWrap[]>
  /** Open tips that a department still opens with a key older than `epoch`. */
  old(departmentId: string, epoch: number, limit: number): Promise<OldWrap[]>
  /** Adds a wrap. False when the tip is destroyed. */
  add(tx: Tx, wrap: TipWrap): Promise<boolean>
  /** Puts a wrap in the place of one under an older key; false when there is none, or the tip is destroyed. */
  replace(tx: Tx, wrap: TipWrap): Promise<boolean>
  /**
   * Locks the wraps of tips from before there were such locks. Answers how many tips.
   * @param stop what is left is done next time
   */
  lockRest(stop?: AbortSignal): Promise<number>
}

const BATCH = 100

const purposeOf = (tipId: string, department: string): string => `tip-wrap:${tipId}:${department}`

export function createTipWraps(db: Db, locks: WrapLocks): TipWraps {
  const toWrap = async (row: WrapRow): Promise<TipWrap[]> => {
    const { tip_id: tipId, department_id: department, epoch, slot } = row
    const wrapped =
      slot === null ? row.wrapped : await locks.unlock(slot, purposeOf(tipId, department), row.wrapped)
    return wrapped === null ? [] : [{ tipId, department, epoch, wrapped }]
  }
  const open = async (rows: readonly WrapRow[]): Promise<TipWrap[]> =>
    (await Promise.all(rows.map(toWrap))).flat()

  /** The row to be stored; null when the tip is destroyed. */
  async function toRow(tx: Tx, { tipId, department, epoch, wrapped }: TipWrap) {
    const held = await heldSlot(tx, tipId)
    if (!held) return null
    const locked =
      held.slot === null ? wrapped : await locks.lock(held.slot, purposeOf(tipId, department), wrapped)
    return locked && { tip_id: tipId, department_id: department, epoch, wrapped: Buffer.from(locked) }
  }

  async function lockAll(slot: FreshSlot, wraps: readonly TipWrap[]): Promise<TipWrap[]> {
    return Promise.all(
      wraps.map(async (wrap) => {
        const wrapped = await locks.lock(slot, purposeOf(wrap.tipId, wrap.department), wrap.wrapped)
        if (wrapped === null) throw new Error('a fresh slot has a key')
        return { ...wrap, wrapped }
      }),
    )
  }

  return {
    lock: lockAll,

    of: async (tipIds) => (tipIds.length === 0 ? [] : open(await wrapsOf(db, tipIds))),

    old: async (departmentId, epoch, limit) =>
      (await open(await someOldWraps(db, departmentId, epoch, limit))).map((wrap) => ({
        ...wrap,
        purpose: 'tip.key',
      })),

    async add(tx, wrap) {
      const row = await toRow(tx, wrap)
      if (row) await insertWrap(tx, row)
      return row !== null
    },

    async replace(tx, wrap) {
      const row = await toRow(tx, wrap)
      return row !== null && replaceWrap(tx, row)
    },

    async lockRest(stop) {
      let done = 0
      for (;;) {
        const tipIds = await unlockedTipIds(db, BATCH)
        for (const tipId of tipIds) {
          if (stop?.aborted) return done
          const slot = await locks.draw()
          await db.transaction().execute(async (tx) => {
            const rows = await lockableWraps(tx, tipId)
            if (!rows) return
            const wraps = rows.map((row) => ({
              tipId,
              department: row.department_id,
              epoch: row.epoch,
              wrapped: row.wrapped,
            }))
            const locked = await lockAll(slot, wraps)
            await storeLocked(
              tx,
              tipId,
              slot.slot,
              locked.map(({ department, wrapped }) => ({
                departmentId: department,
                wrapped: Buffer.from(wrapped),
              })),
            )
            done += 1
          })
        }
        if (tipIds.length < BATCH) return done
      }
    },
  }
}
