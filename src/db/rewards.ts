import { sql, type Updateable } from 'kysely'
import type { Outcome } from '../domain/case.ts'
import type { Day } from '../domain/day.ts'
import type {
  Findings,
  InspectionResult,
  RewardLine,
  RewardStatus,
  RewardTerms,
  SendBackReason,
  TipArrival,
} from '../domain/reward.ts'
import type { Db, Tx } from './connect.ts'
import type { RewardTable } from './tables.ts'

/** After these the case may be assessed again. */
const DEAD = ['sent-back', 'released'] as const

/** A reward with what its steps depend on: the case as it stands, the schedule, the inspection. */
export interface RewardRow {
  readonly id: string
  readonly tipId: string
  readonly department: string
  readonly findings: Findings
  readonly lines: readonly RewardLine[]
  readonly eligible: boolean
  readonly amountFen: number
  readonly status: RewardStatus
  readonly budgetYear: number | null
  readonly proposedBy: string
  readonly proposerName: string
  readonly proposedDay: Day
  readonly decidedBy: string | null
  readonly deciderName: string | null
  readonly decidedDay: Day | null
  readonly sendBackReason: RewardTable['send_back_reason']
  readonly claimedDay: Day | null
  readonly codeHash: Buffer | null
  readonly paidBy: string | null
  readonly payerName: string | null
  readonly paidDay: Day | null
  readonly voucherNo: string | null
  readonly releasedDay: Day | null
  readonly releaseReason: RewardTable['release_reason']
  readonly terms: RewardTerms
  readonly caseId: string
  readonly caseNo: string
  readonly caseState: string
  readonly holder: string
  readonly category: string
  readonly accused: string | null
  readonly outcome: Outcome | null
  readonly publishedDay: Day | null
  readonly workedBy: readonly string[]
  readonly concludedBy: string | null
  /** The share of cases that was inspected when this one was drawn for; 0: there was no guard. */
  readonly drawnPerMille: number
  readonly selected: boolean
  readonly inspection: InspectionResult | null
}

function joined(db: Db | Tx) {
  return db
    .selectFrom('reward')
    .innerJoin('case_file', 'case_file.id', 'reward.case_id')
    .innerJoin('reward_schedule', 'reward_schedule.id', 'reward.schedule_id')
    .innerJoin('member as proposer', 'proposer.id', 'reward.proposed_by')
    .leftJoin('member as decider', 'decider.id', 'reward.decided_by')
    .leftJoin('member as payer', 'payer.id', 'reward.paid_by')
    .leftJoin('reward_inspection', 'reward_inspection.case_id', 'reward.case_id')
    .select([
      'reward.id',
      'reward.tip_id as tipId',
      'reward.department_id as department',
      'reward.findings',
      'reward.lines',
      'reward.eligible',
      'reward.amount_fen as amountFen',
      'reward.status',
      'reward.budget_year as budgetYear',
      'reward.proposed_by as proposedBy',
      'proposer.display_name as proposerName',
      'reward.proposed_day as proposedDay',
      'reward.decided_by as decidedBy',
      'decider.display_name as deciderName',
      'reward.decided_day as decidedDay',
      'reward.send_back_reason as sendBackReason',
      'reward.claimed_day as claimedDay',
      'reward.code_hash as codeHash',
      'reward.paid_by as paidBy',
      'payer.display_name as payerName',
      'reward.paid_day as paidDay',
      'reward.voucher_no as voucherNo',
      'reward.released_day as releasedDay',
      'reward.release_reason as releaseReason',
      'reward_schedule.terms',
      'case_file.id as caseId',
      'case_file.case_no as caseNo',
      'case_file.state as caseState',
      'case_file.holder_id as holder',
      'case_file.category_id as category',
      'case_file.accused_department_id as accused',
      sql<Outcome | null>`case_file.outcome`.as('outcome'),
      'case_file.published_day as publishedDay',
      'case_file.worked_by as workedBy',
      'case_file.concluded_by as concludedBy',
      sql<number>`coalesce(reward_inspection.per_mille, 0)`.as('drawnPerMille'),
      sql<boolean>`coalesce(reward_inspection.selected, false)`.as('selected'),
      'reward_inspection.result as inspection',
    ])
}

export async function findReward(db: Db | Tx, id: string): Promise<RewardRow | undefined> {
  return joined(db).where('reward.id', '=', id).executeTakeFirst()
}

export async function findRewardByCode(db: Db | Tx, codeHash: Buffer): Promise<RewardRow | undefined> {
  return joined(db).where('reward.code_hash', '=', codeHash).executeTakeFirst()
}

export async function findRewardByVoucher(db: Db | Tx, voucherNo: string): Promise<RewardRow | undefined> {
  return joined(db).where('reward.voucher_no', '=', voucherNo).executeTakeFirst()
}

/** The live reward of a case. */
export async function rewardOfCase(db: Db | Tx, caseId: string): Promise<RewardRow | undefined> {
  return joined(db)
    .where('reward.case_id', '=', caseId)
    .where('reward.status', 'not in', DEAD)
    .executeTakeFirst()
}

/** The live reward of a tip. */
export async function rewardOfTip(db: Db | Tx, tipId: string): Promise<RewardRow | undefined> {
  return joined(db)
    .where('reward.tip_id', '=', tipId)
    .where('reward.status', 'not in', DEAD)
    .executeTakeFirst()
}

/** Rewards in these states, the longest waiting first. */
export async function rewardsIn(
  db: Db,
  statuses: readonly RewardStatus[],
  limit: number,
): Promise<RewardRow[]> {
  return joined(db)
    .where('reward.status', 'in', statuses)
    .orderBy('reward.proposed_day')
    .orderBy('reward.id')
    .limit(limit)
    .execute()
}

/** Drawn and not looked at again yet, the longest waiting first; of one department, or (null) of all. */
export async function rewardsToInspect(
  db: Db,
  department: string | null,
  limit: number,
): Promise<RewardRow[]> {
  return joined(db)
    .where('reward.status', '=', 'proposed')
    .where('reward_inspection.selected', '=', true)
    .where('reward_inspection.result', 'is', null)
    .$if(department !== null, (query) => query.where('case_file.holder_id', '=', department ?? ''))
    .orderBy('reward.proposed_day')
    .orderBy('reward.id')
    .limit(limit)
    .execute()
}

/** Why the latest assessment of a case was sent back; null when none was. */
export async function lastSentBack(
  db: Db | Tx,
  caseId: string,
): Promise<{ readonly reason: SendBackReason; readonly day: Day } | null> {
  const row = await db
    .selectFrom('reward')
    .select(['send_back_reason', 'decided_day'])
    .where('case_id', '=', caseId)
    .where('status', '=', 'sent-back')
    .orderBy('decided_day', 'desc')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return row?.send_back_reason && row.decided_day
    ? { reason: row.send_back_reason, day: row.decided_day }
    : null
}

/** All that are approved and neither paid nor lapsed: what can lapse, and what a review can undo. */
export async function openRewards(db: Db): Promise<RewardRow[]> {
  return joined(db).where('reward.status', 'in', ['approved', 'claimed']).orderBy('reward.id').execute()
}

/**
 * The reward again, with its case and itself locked until the transaction ends. The case is locked first everywhere: a
 * step of the case and a step of its reward wait for each other in one order.
 */
export async function lockReward(tx: Tx, id: string): Promise<RewardRow | undefined> {
  const found = await tx.selectFrom('reward').select('case_id').where('id', '=', id).executeTakeFirst()
  if (!found) return undefined
  await tx.selectFrom('case_file').select('id').where('id', '=', found.case_id).forUpdate().execute()
  await tx.selectFrom('reward').select('id').where('id', '=', id).forUpdate().execute()
  return findReward(tx, id)
}

export interface NewReward {
  readonly id: string
  readonly caseId: string
  readonly tipId: string
  readonly department: string
  readonly scheduleId: string
  readonly findings: Findings
  readonly lines: readonly RewardLine[]
  readonly eligible: boolean
  readonly amountFen: number
  readonly proposedBy: string
  readonly proposedDay: Day
}

export async function insertReward(tx: Tx, reward: NewReward): Promise<void> {
  await tx
    .insertInto('reward')
    .values({
      id: reward.id,
      case_id: reward.caseId,
      tip_id: reward.tipId,
      department_id: reward.department,
      schedule_id: reward.scheduleId,
      findings: JSON.stringify(reward.findings),
      lines: JSON.stringify(reward.lines),
      eligible: reward.eligible,
      amount_fen: reward.amountFen,
      status: 'proposed',
      proposed_by: reward.proposedBy,
      proposed_day: reward.proposedDay,
    })
    .execute()
}

export async function updateReward(tx: Tx, id: string, changes: Updateable<RewardTable>): Promise<void> {
  await tx.updateTable('reward').set(changes).where('id', '=', id).execute()
}

/** Stores the draw for a case unless it was drawn for before. */
export async function storeDraw(
  tx: Tx,
  caseId: string,
  draw: { readonly perMille: number; readonly selected: boolean; readonly day: Day },
): Promise<void> {
  await tx
    .insertInto('reward_inspection')
    .values({ case_id: caseId, per_mille: draw.perMille, selected: draw.selected, drawn_day: draw.day })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export async function storeInspection(
  tx: Tx,
  caseId: string,
  found: { readonly result: InspectionResult; readonly by: string; readonly day: Day },
): Promise<void> {
  await tx
    .updateTable('reward_inspection')
    .set({ result: found.result, inspected_by: found.by, inspected_day: found.day })
    .where('case_id', '=', caseId)
    .where('result', 'is', null)
    .execute()
}

/** Tips of a case and of those folded into it. */
export async function tipArrivals(db: Db | Tx, caseId: string): Promise<TipArrival[]> {
  return db
    .selectFrom('tip')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .select(['tip.id', 'tip.day', 'tip.arrival'])
    .where((eb) => eb.or([eb('case_file.id', '=', caseId), eb('case_file.attached_to', '=', caseId)]))
    .execute()
}

/** Document number of the decision, as the case's proof names it; the latest of several. */
export async function decisionNoOf(db: Db | Tx, caseId: string): Promise<string | null> {
  const row = await db
    .selectFrom('proof')
    .select('caption')
    .where('case_id', '=', caseId)
    .where('kind', '=', 'decision-number')
    .orderBy('added_at', 'desc')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return row?.caption ?? null
}

/** A case that may be assessed. */
export interface AssessableCase {
  readonly caseNo: string
  readonly category: string
  readonly outcome: Outcome
  readonly concludedDay: Day
  readonly receivedDay: Day
}

/** What a department has concluded as true with a decision, received since `from`, and nobody has assessed. */
export async function assessableCases(
  db: Db,
  department: string,
  from: Day,
  limit: number,
): Promise<AssessableCase[]> {
  const rows = await db
    .selectFrom('case_file')
    .select(['case_no', 'category_id', 'outcome', 'concluded_day', 'received_day'])
    .where('holder_id', '=', department)
    .where('state', 'in', ['concluded', 'published', 'closed'])
    .where('outcome', 'in', ['substantiated', 'partly'])
    .where('received_day', '>=', from)
    .where((eb) =>
      eb.or([eb('accused_department_id', 'is', null), eb('accused_department_id', '<>', department)]),
    )
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('proof')
          .select('proof.id')
          .whereRef('proof.case_id', '=', 'case_file.id')
          .where('proof.kind', '=', 'decision-number'),
      ),
    )
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('reward')
            .select('reward.id')
            .whereRef('reward.case_id', '=', 'case_file.id')
            .where('reward.status', 'not in', DEAD),
        ),
      ),
    )
    .orderBy('concluded_day')
    .orderBy('case_no')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    caseNo: row.case_no,
    category: row.category_id,
    outcome: row.outcome as Outcome,
    concludedDay: row.concluded_day ?? '',
    receivedDay: row.received_day,
  }))
}
