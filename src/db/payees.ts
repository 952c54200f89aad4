import type { Insertable, Selectable } from 'kysely'
import type { Db, Tx } from './connect.ts'
import type { PayeeReleaseTable, TwoLayerPartTable } from './tables.ts'
import { dropLayers } from './wraps.ts'

/** Where a claimed reward is to be paid, and whether an approver has taken the outer layer off. */
export interface PayeeRow {
  readonly part: Selectable<TwoLayerPartTable>
  readonly release: Selectable<PayeeReleaseTable> | null
}

export async function findPayee(db: Db | Tx, tipId: string): Promise<PayeeRow | null> {
  const part = await db
    .selectFrom('two_layer_part')
    .selectAll()
    .where('tip_id', '=', tipId)
    .where('purpose', '=', 'tip.payee')
    .executeTakeFirst()
  if (!part) return null
  const release = await db
    .selectFrom('payee_release')
    .selectAll()
    .where('tip_id', '=', tipId)
    .executeTakeFirst()
  return { part, release: release ?? null }
}

/** Puts a payee in the place of whatever was there; an approver has to look at it anew. */
export async function replacePayee(
  tx: Tx,
  part: Omit<Insertable<TwoLayerPartTable>, 'purpose'>,
): Promise<void> {
  await dropPayee(tx, part.tip_id)
  await tx
    .insertInto('two_layer_part')
    .values({ ...part, purpose: 'tip.payee' })
    .execute()
}

/** Destroys what is known of where a reward goes: it was paid, or never will be. */
export async function dropPayee(tx: Tx, tipId: string): Promise<void> {
  await tx.deleteFrom('payee_release').where('tip_id', '=', tipId).execute()
  await dropLayers(tx, [tipId], 'tip.payee')
}

/** Answers false when somebody was first. */
export async function insertRelease(tx: Tx, row: Insertable<PayeeReleaseTable>): Promise<boolean> {
  const made = await tx
    .insertInto('payee_release')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .returning('tip_id')
    .executeTakeFirst()
  return made !== undefined
}

/** Tips with a payee: released ones, or those that wait for it. */
export async function payeeTips(db: Db, released: boolean): Promise<Set<string>> {
  const rows = await db
    .selectFrom('two_layer_part')
    .leftJoin('payee_release', 'payee_release.tip_id', 'two_layer_part.tip_id')
    .select('two_layer_part.tip_id')
    .where('purpose', '=', 'tip.payee')
    .where('payee_release.tip_id', released ? 'is not' : 'is', null)
    .execute()
  return new Set(rows.map((row) => row.tip_id))
}
