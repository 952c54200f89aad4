import { sql, type Expression, type ExpressionBuilder, type Insertable, type SqlBool } from 'kysely'
import type { Day } from '../domain/day.ts'
import { DISPATCHER_DEPARTMENT } from '../domain/plan.ts'
import type { Hold, HoldReason, RetentionRule } from '../domain/retention.ts'
import type { CaseRow } from './cases.ts'
import type { Db, Tx } from './connect.ts'
import type { CaseFileTable, Database, RetentionHoldTable, RetentionRuleTable } from './tables.ts'
import { dropLayers } from './wraps.ts'

/** The operator's own rules, in the order they were given. */
export async function operatorRules(db: Db | Tx): Promise<RetentionRule[]> {
  return db
    .selectFrom('retention_rule')
    .select(['class', 'days', 'valid_from as from'])
    .orderBy('id')
    .execute()
}

export async function insertRule(tx: Tx, rule: Insertable<RetentionRuleTable>): Promise<void> {
  await tx.insertInto('retention_rule').values(rule).execute()
}

/** What the rules ask about a case's rewards. */
export interface RewardDays {
  readonly open: boolean
  readonly lastDay: Day | null
  readonly paidDay: Day | null
}

/** Of some cases as worked, those that have rewards; a reward of what is folded in counts for the whole. */
export async function rewardDaysOf(
  db: Db | Tx,
  caseIds: readonly string[],
): Promise<Map<string, RewardDays>> {
  if (caseIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('reward')
    .innerJoin('case_file', 'case_file.id', 'reward.case_id')
    .select((eb) => [
      eb.fn.coalesce('case_file.attached_to', 'case_file.id').as('whole'),
      sql<boolean>`bool_or(reward.status in ('proposed', 'approved', 'claimed'))`.as('open'),
      sql<Day | null>`max(greatest(reward.decided_day, reward.claimed_day, reward.paid_day, reward.released_day))`.as(
        'last',
      ),
      sql<Day | null>`max(reward.paid_day) filter (where reward.status = 'paid')`.as('paid'),
    ])
    .where((eb) => eb.or([eb('case_file.id', 'in', caseIds), eb('case_file.attached_to', 'in', caseIds)]))
    .groupBy('whole')
    .execute()
  return new Map(rows.map(({ whole, open, last, paid }) => [whole, { open, lastDay: last, paidDay: paid }]))
}

/** All holds ever placed on some cases. */
export async function holdsOf(db: Db | Tx, caseIds: readonly string[]): Promise<Map<string, Hold[]>> {
  const found = new Map<string, Hold[]>()
  if (caseIds.length === 0) return found
  const rows = await db
    .selectFrom('retention_hold')
    .select(['case_id', 'placed_day', 'lifted_day'])
    .where('case_id', 'in', caseIds)
    .execute()
  for (const row of rows) {
    const holds = found.get(row.case_id) ?? []
    found.set(row.case_id, [...holds, { placedDay: row.placed_day, liftedDay: row.lifted_day }])
  }
  return found
}

/** Some cases as worked, in the order of their ids. */
interface Batch {
  /** The last id of the batch before. */
  readonly after: string | null
  readonly limit: number
}

type TipOfWhole = ExpressionBuilder<Database & { own: CaseFileTable }, 'case_file' | 'tip' | 'own'>

/** A batch of the cases as worked in which some tip, its own or of what is folded in, is as asked. */
function casesWithTip(db: Db, { after, limit }: Batch, which: (tip: TipOfWhole) => Expression<SqlBool>) {
  return db
    .selectFrom('case_file')
    .selectAll()
    .where('attached_to', 'is', null)
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('tip')
          .innerJoin('case_file as own', 'own.id', 'tip.case_id')
          .select('tip.id')
          .where((tip) =>
            tip.or([
              tip('own.id', '=', tip.ref('case_file.id')),
              tip('own.attached_to', '=', tip.ref('case_file.id')),
            ]),
          )
          .where(which),
      ),
    )
    .$if(after !== null, (query) => query.where('id', '>', after ?? ''))
    .orderBy('id')
    .limit(limit)
}

const UNPROVEN = sql<SqlBool>`lane = 'unverified' and state = 'routed' and published_day is null`

/**
 * Cases as worked whose content may be over: closed by the one day, closed as somebody else's business by the other, or
 * received by that and never accepted. In the order of their ids.
 */
export async function endedCases(
  db: Db,
  {
    closedBy,
    unverifiedBy,
    ...batch
  }: Batch & {
    readonly closedBy: Day
    readonly unverifiedBy: Day
  },
): Promise<CaseRow[]> {
  return casesWithTip(db, batch, (tip) => tip('tip.destroyed_day', 'is', null))
    .where((eb) =>
      eb.or([
        eb('closed_day', '<=', closedBy),
        eb.and([eb('outcome', '=', 'outside'), eb('closed_day', '<=', unverifiedBy)]),
        eb.and([UNPROVEN, eb('received_day', '<=', unverifiedBy)]),
      ]),
    )
    .execute()
}

/** What is to be destroyed of a case: its tips and those folded in, held until the transaction ends. */
export async function lockLiveTips(tx: Tx, caseId: string): Promise<{ id: string; slot: number | null }[]> {
  return tx
    .selectFrom('tip')
    .select(['id', 'slot'])
    .where('destroyed_day', 'is', null)
    .where('case_id', 'in', (eb) =>
      eb
        .selectFrom('case_file')
        .select('id')
        .where((or) => or.or([or('id', '=', caseId), or('attached_to', '=', caseId)])),
    )
    .orderBy('id')
    .forUpdate()
    .execute()
}

/** Every tip that has a slot and content. */
export async function slottedTips(db: Db): Promise<{ id: string; slot: number }[]> {
  const rows = await db
    .selectFrom('tip')
    .select(['id', 'slot'])
    .where('slot', 'is not', null)
    .where('destroyed_day', 'is', null)
    .execute()
  return rows.flatMap(({ id, slot }) => (slot === null ? [] : [{ id, slot }]))
}

export async function blobKeysOf(tx: Tx, tipIds: readonly string[]): Promise<string[]> {
  const rows = await tx
    .selectFrom('tip_part')
    .select('blob_key')
    .where('tip_id', 'in', tipIds)
    .where('blob_key', 'is not', null)
    .execute()
  const photos = await tx
    .selectFrom('message_photo')
    .select('blob_key')
    .where('tip_id', 'in', tipIds)
    .execute()
  return [...rows, ...photos].flatMap((row) => row.blob_key ?? [])
}

/** A case whose reporter's name is still sealed somewhere, or whose account is, as worked. In the order of their ids. */
export async function casesWithLayers(
  db: Db,
  purpose: 'tip.identity' | 'tip.payee',
  batch: Batch,
): Promise<CaseRow[]> {
  return casesWithTip(db, batch, (tip) =>
    tip('tip.id', 'in', tip.selectFrom('two_layer_part').select('tip_id').where('purpose', '=', purpose)),
  ).execute()
}

/** Takes what two people opened together, and what they made of it. Who asked, and when, stays. */
export async function deleteLayers(
  tx: Tx,
  tipIds: readonly string[],
  purpose: 'tip.identity' | 'tip.payee',
): Promise<void> {
  if (tipIds.length === 0) return
  await dropLayers(tx, tipIds, purpose)
  if (purpose === 'tip.payee') await tx.deleteFrom('payee_release').where('tip_id', 'in', tipIds).execute()
  else {
    await tx
      .updateTable('identity_request')
      .set({ inner_layer: null, passed: null, state: 'expired' })
      .where('tip_id', 'in', tipIds)
      .where('state', 'in', ['asked', 'stripped', 'passed'])
      .execute()
  }
}

/** Takes the rows of some tips' content. What stays is the tip itself: that there was one, and when. */
export async function deleteContent(tx: Tx, tipIds: readonly string[], day: Day): Promise<void> {
  for (const table of [
    'follow_mail',
    'message_photo',
    'message',
    'case_note',
    'tip_wrap',
    'tip_part',
  ] as const) {
    await tx.deleteFrom(table).where('tip_id', 'in', tipIds).execute()
  }
  await tx.updateTable('tip').set({ destroyed_day: day }).where('id', 'in', tipIds).execute()
}

/** A tip without content whose receipt still opens, with the case it is worked in. */
export interface EmptyTip {
  readonly id: string
  readonly destroyed_day: Day
  readonly whole: string
}

/** Tips whose content was destroyed by a day and whose receipts are not forgotten, in the order of their ids. */
export async function emptyTips(
  db: Db,
  destroyedBy: Day,
  after: string | null,
  limit: number,
): Promise<EmptyTip[]> {
  const rows = await db
    .selectFrom('tip')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .select((eb) => [
      'tip.id',
      'tip.destroyed_day',
      eb.fn.coalesce('case_file.attached_to', 'case_file.id').as('whole'),
    ])
    .where('tip.destroyed_day', '<=', destroyedBy)
    .where('tip.forgotten_day', 'is', null)
    .$if(after !== null, (query) => query.where('tip.id', '>', after ?? ''))
    .orderBy('tip.id')
    .limit(limit)
    .execute()
  return rows.flatMap(({ destroyed_day: day, ...row }) =>
    day === null ? [] : [{ ...row, destroyed_day: day }],
  )
}

/** Makes a receipt open nothing: its look-up becomes what no code leads to. */
export async function forgetReceipt(tx: Tx, tipId: string, lookup: Buffer, day: Day): Promise<void> {
  await tx
    .updateTable('tip')
    .set({
      lookup,
      reporter_recipient: '',
      reporter_signature: null,
      recipient_mac: null,
      claim_pin: null,
      forgotten_day: day,
    })
    .where('id', '=', tipId)
    .where('forgotten_day', 'is', null)
    .execute()
}

/**
 * Takes the beginning of the audit's chain, as far as all of it is older; where the rest begins is kept beside its end.
 * Answers how many lines.
 */
export async function deleteAuditBefore(db: Db, instant: Date): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const head = await tx.selectFrom('audit_head').select('count').forUpdate().executeTakeFirst()
    if (!head) return 0
    const kept = await tx
      .selectFrom('staff_audit')
      .select((eb) => eb.fn.min('no').as('no'))
      .where('at', '>=', instant)
      .executeTakeFirst()
    const last = await tx
      .selectFrom('staff_audit')
      .select(['no', 'hash'])
      .where('no', '<', kept?.no ?? head.count + 1)
      .orderBy('no', 'desc')
      .limit(1)
      .executeTakeFirst()
    if (!last) return 0
    const { numDeletedRows } = await tx
      .deleteFrom('staff_audit')
      .where('no', '<=', last.no)
      .executeTakeFirst()
    await tx.updateTable('audit_head').set({ gone: last.no, gone_hash: last.hash }).execute()
    return Number(numDeletedRows)
  })
}

export async function insertHold(
  tx: Tx,
  hold: Omit<Insertable<RetentionHoldTable>, 'lifted_by' | 'lifted_day'>,
): Promise<void> {
  await tx
    .insertInto('retention_hold')
    .values({ ...hold, lifted_by: null, lifted_day: null })
    .execute()
}

/** Answers whether there was a hold to lift. */
export async function liftHold(tx: Tx, caseId: string, memberId: string, day: Day): Promise<boolean> {
  const row = await tx
    .updateTable('retention_hold')
    .set({ lifted_by: memberId, lifted_day: day })
    .where('case_id', '=', caseId)
    .where('lifted_day', 'is', null)
    .returning('id')
    .executeTakeFirst()
  return row !== undefined
}

export interface StandingHold {
  readonly caseNo: string
  readonly reason: HoldReason
  readonly placedBy: string
  readonly placedDay: Day
}

/** Nobody of the accused department, nor of the dispatcher's, meets a case of inaction (D§6). */
export function metBy(departmentId: string): Expression<SqlBool> {
  return sql<SqlBool>`(accused_department_id is null
    or (accused_department_id <> ${departmentId} and ${departmentId} <> ${DISPATCHER_DEPARTMENT}))`
}

/** The holds that stand, on cases that somebody of the department may meet. */
export async function standingHolds(db: Db, departmentId: string): Promise<StandingHold[]> {
  return db
    .selectFrom('retention_hold')
    .innerJoin('case_file', 'case_file.id', 'retention_hold.case_id')
    .innerJoin('member', 'member.id', 'retention_hold.placed_by')
    .select([
      'case_file.case_no as caseNo',
      'retention_hold.reason',
      'member.display_name as placedBy',
      'retention_hold.placed_day as placedDay',
    ])
    .where('retention_hold.lifted_day', 'is', null)
    .where(metBy(departmentId))
    .orderBy('retention_hold.placed_day')
    .orderBy('case_file.case_no')
    .execute()
}
