import { sql, type Insertable, type Selectable } from 'kysely'
import type { Db, Tx } from './connect.ts'
import type { TipWrapTable, TwoLayerPartTable } from './tables.ts'

/** Wraps as stored: locked once more when their tip has a slot. Only services/tip-wraps.ts reads them. */
export type WrapRow = Selectable<TipWrapTable> & { slot: number | null }

/** The number of the next run of slots. */
export async function nextSlotRun(db: Db): Promise<number> {
  const { rows } = await sql<{ run: number }>`select nextval('wrap_slot_run') as run`.execute(db)
  const run = rows[0]?.run
  if (run === undefined) throw new Error('a sequence has no next value')
  return Number(run)
}

/** The slot given last to what is not destroyed yet; null without any. */
export async function liveSlot(db: Db): Promise<number | null> {
  const row = await db
    .selectFrom('tip')
    .select('slot')
    .where('slot', 'is not', null)
    .where('destroyed_day', 'is', null)
    .orderBy('slot', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.slot ?? null
}

/** The wraps of some tips, for whatever department. */
export async function wrapsOf(db: Db, tipIds: readonly string[]): Promise<WrapRow[]> {
  return db
    .selectFrom('tip_wrap')
    .innerJoin('tip', 'tip.id', 'tip_wrap.tip_id')
    .selectAll('tip_wrap')
    .select('tip.slot')
    .where('tip_wrap.tip_id', 'in', tipIds)
    .where('tip.destroyed_day', 'is', null)
    .execute()
}

/** Those of some tips that a department can open. */
export async function wrappedTipIds(
  tx: Tx,
  tipIds: readonly string[],
  departmentId: string,
): Promise<Set<string>> {
  const rows = await tx
    .selectFrom('tip_wrap')
    .select('tip_id')
    .where('tip_id', 'in', tipIds)
    .where('department_id', '=', departmentId)
    .execute()
  return new Set(rows.map((row) => row.tip_id))
}

/**
 * The slot of a tip, with the tip held so that it is not destroyed or locked anew meanwhile. Undefined when it is
 * destroyed.
 */
export async function heldSlot(tx: Tx, tipId: string): Promise<{ slot: number | null } | undefined> {
  return tx
    .selectFrom('tip')
    .select('slot')
    .where('id', '=', tipId)
    .where('destroyed_day', 'is', null)
    .forShare()
    .executeTakeFirst()
}

export async function insertWrap(tx: Tx, wrap: Insertable<TipWrapTable>): Promise<void> {
  await tx.insertInto('tip_wrap').values(wrap).execute()
}

/** Takes some tips away from every department but those given. */
export async function keepWraps(
  tx: Tx,
  tipIds: readonly string[],
  departmentIds: readonly string[],
): Promise<void> {
  // In the order of the tips, as whoever moves them to a newer key takes them.
  await tx
    .selectFrom('tip_wrap')
    .select('tip_id')
    .where('tip_id', 'in', tipIds)
    .orderBy('tip_id')
    .orderBy('department_id')
    .forUpdate()
    .execute()
  await tx
    .deleteFrom('tip_wrap')
    .where('tip_id', 'in', tipIds)
    .where('department_id', 'not in', departmentIds)
    .execute()
}

/** Tips whose case is not closed and that a department still opens with a key older than `epoch`. */
const oldWraps = (db: Db | Tx, departmentId: string, epoch: number) =>
  db
    .selectFrom('tip_wrap')
    .innerJoin('tip', 'tip.id', 'tip_wrap.tip_id')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .leftJoin('case_file as whole', 'whole.id', 'case_file.attached_to')
    .where('tip_wrap.department_id', '=', departmentId)
    .where('tip_wrap.epoch', '<', epoch)
    .where((eb) => eb(eb.fn.coalesce('whole.state', 'case_file.state'), '<>', 'closed'))

export async function countOldWraps(db: Db | Tx, departmentId: string, epoch: number): Promise<number> {
  const row = await oldWraps(db, departmentId, epoch)
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return row.count
}

export async function someOldWraps(
  db: Db | Tx,
  departmentId: string,
  epoch: number,
  limit: number,
): Promise<WrapRow[]> {
  return oldWraps(db, departmentId, epoch)
    .selectAll('tip_wrap')
    .select('tip.slot')
    .orderBy('tip_wrap.tip_id')
    .limit(limit)
    .execute()
}

/** Puts a wrap under a newer key in the place of an older one; never where there was none. */
export async function replaceWrap(tx: Tx, wrap: Insertable<TipWrapTable>): Promise<boolean> {
  const row = await tx
    .updateTable('tip_wrap')
    .set({ epoch: wrap.epoch, wrapped: wrap.wrapped })
    .where('tip_id', '=', wrap.tip_id)
    .where('department_id', '=', wrap.department_id)
    .where('epoch', '<', wrap.epoch)
    .returning('tip_id')
    .executeTakeFirst()
  return row !== undefined
}

/** Tips whose wraps are not locked, as they were before there were such locks. */
export async function unlockedTipIds(db: Db, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('tip')
    .select('id')
    .where('slot', 'is', null)
    .where('destroyed_day', 'is', null)
    .limit(limit)
    .execute()
  return rows.map((row) => row.id)
}

/** The wraps of a tip that is not locked yet, with the tip held for it; null when it was locked meanwhile. */
export async function lockableWraps(tx: Tx, tipId: string): Promise<Selectable<TipWrapTable>[] | null> {
  const tip = await tx
    .selectFrom('tip')
    .select('id')
    .where('id', '=', tipId)
    .where('slot', 'is', null)
    .where('destroyed_day', 'is', null)
    .forUpdate()
    .executeTakeFirst()
  if (!tip) return null
  return tx.selectFrom('tip_wrap').selectAll().where('tip_id', '=', tipId).execute()
}

/** Stores what was locked, and under which slot. */
export async function storeLocked(
  tx: Tx,
  tipId: string,
  slot: number,
  wraps: readonly { readonly departmentId: string; readonly wrapped: Buffer }[],
): Promise<void> {
  await tx.updateTable('tip').set({ slot }).where('id', '=', tipId).execute()
  for (const { departmentId, wrapped } of wraps) {
    await tx
      .updateTable('tip_wrap')
      .set({ wrapped })
      .where('tip_id', '=', tipId)
      .where('department_id', '=', departmentId)
      .execute()
  }
}

/** Deletes what is sealed in two layers; its slots' keys are destroyed after the commit, see {@link droppedSlots}. */
export async function dropLayers(
  tx: Tx,
  tipIds: readonly string[],
  purpose: TwoLayerPartTable['purpose'],
): Promise<void> {
  // In the order of the tips, as whoever moves them to a newer key takes them.
  await tx
    .selectFrom('two_layer_part')
    .select('tip_id')
    .where('tip_id', 'in', tipIds)
    .where('purpose', '=', purpose)
    .orderBy('tip_id')
    .forUpdate()
    .execute()
  const gone = await tx
    .deleteFrom('two_layer_part')
    .where('tip_id', 'in', tipIds)
    .where('purpose', '=', purpose)
    .returning('slot')
    .execute()
  if (gone.length > 0) await tx.insertInto('dropped_slot').values(gone).execute()
}

/** Some slots whose keys are to be destroyed: what they locked is gone already. */
export async function droppedSlots(db: Db, limit: number): Promise<number[]> {
  const rows = await db.selectFrom('dropped_slot').select('slot').orderBy('slot').limit(limit).execute()
  return rows.map(({ slot }) => slot)
}

export async function forgetSlots(db: Db, slots: readonly number[]): Promise<void> {
  await db.deleteFrom('dropped_slot').where('slot', 'in', slots).execute()
}
