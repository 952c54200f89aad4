import type { CaseRow } from '../db/cases.ts'
import type { ProofRow } from '../db/proofs.ts'
import type { NewPublicCase } from '../db/tips.ts'
import type { CaseState, Outcome, ProofKind } from '../domain/case.ts'
import { addDays, startOfDay, weekOf } from '../domain/day.ts'
import type { Category, CategoryGroup } from '../domain/plan.ts'
import { publicFrom, toPublic, type CaseFacts, type CaseProof } from '../domain/privacy.ts'
import type { PlanSnapshot } from './plan-store.ts'

/** All columns given, none left to the database. */
export type CompleteRow = {
  readonly [Column in keyof NewPublicCase]-?: Exclude<NewPublicCase[Column], undefined>
}

/** What a case has before anybody worked on it. */
export const UNDECIDED: Omit<
  CaseFacts,
  'caseNo' | 'holder' | 'area' | 'receivedDay' | 'dueDay' | 'dueCount' | 'dueUnit'
> = {
  state: 'routed',
  handOvers: 0,
  outcome: null,
  statement: null,
  competentBody: null,
  proof: [],
  concludedDay: null,
  publishedDay: null,
  disputeUntil: null,
  disputed: false,
  attachedToState: null,
  hideCategory: false,
  hideArea: false,
}

/** A proof without the key of its picture. */
export function toProof(row: ProofRow): CaseProof {
  return { id: row.id, kind: row.kind as ProofKind, caption: row.caption, photo: row.blob_key !== null }
}

/** A row as the one allow-list reads it. */
export function publicFacts(
  row: CaseRow,
  proofs: readonly ProofRow[],
  attachedToState: CaseState | null,
): CaseFacts {
  return {
    caseNo: row.case_no,
    holder: row.holder_id,
    state: row.state as CaseState,
    area: row.area_id,
    receivedDay: row.received_day,
    dueDay: row.conclude_due,
    dueCount: row.due_count,
    dueUnit: row.due_unit,
    handOvers: row.hand_overs,
    outcome: row.outcome as Outcome | null,
    statement: row.statement,
    competentBody: row.competent_body,
    proof: proofs.map(toProof),
    concludedDay: row.concluded_day,
    publishedDay: row.published_day,
    disputeUntil: row.dispute_until,
    disputed: row.disputed,
    attachedToState,
    hideCategory: row.hide_category,
    hideArea: row.hide_area,
  }
}

/** The category and group of an id. @throws {Error} for an id that the plan does not have: a broken row, not bad input */
export function namesOf(
  snapshot: PlanSnapshot,
  categoryId: string,
): { category: Category; group: CategoryGroup } {
  const category = snapshot.categories.get(categoryId)
  const group = category && snapshot.groups.get(category.group)
  if (!category || !group) throw new Error(`no category ${categoryId}`)
  return { category, group }
}

/**
 * The ledger's row of a case: what the one allow-list lets through, as it will be on the first morning or is today.
 * The row carries its day, and no query answers it before.
 */
export function ledgerRow(
  facts: CaseFacts,
  category: Category,
  group: CategoryGroup,
  measureRefs: readonly string[],
): CompleteRow {
  const firstMorning = new Date(startOfDay(addDays(facts.receivedDay, 1)).getTime() + 6 * 3_600_000)
  const seen = toPublic(facts, { category, group }, firstMorning)
  if (!seen) throw new Error('a case is public on its first morning')
  const inTime = facts.concludedDay !== null && facts.dueDay !== null && facts.concludedDay <= facts.dueDay
  return {
    case_no: seen.caseNo,
    visible_from: publicFrom(facts.receivedDay),
    holder_id: seen.holder,
    received_week: seen.receivedWeek,
    due_week: seen.dueWeek,
    due_text: seen.dueText,
    // In time is no delay, even while the conclusion waits for its publisher.
    overdue_from: seen.dueWeek === null || inTime ? null : addDays(seen.dueWeek, 7),
    hand_overs: seen.handOvers,
    state: seen.state,
    category_id: seen.category,
    group_id: seen.group,
    area_id: seen.area,
    measure_refs: seen.category === null ? [] : [...measureRefs],
    outcome: seen.outcome,
    statement: seen.statement,
    competent_body: seen.competentBody,
    proof: JSON.stringify(
      seen.proof.map(({ id, kind, caption, photo }) => ({ kind, caption, photo: photo ? id : null })),
    ),
    published_day: seen.publishedDay,
    concluded_week:
      seen.publishedDay === null || facts.concludedDay === null ? null : weekOf(facts.concludedDay),
    on_time: seen.onTime,
  }
}
