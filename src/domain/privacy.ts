import type { CaseState, Outcome, ProofKind } from './case.ts'
import { addDays, dayOf, weekOf, type Day } from './day.ts'
import type { DeadlineUnit } from './deadline.ts'
import type { Category, CategoryGroup } from './plan.ts'

/** One item of proof as stored. */
export interface CaseProof {
  readonly id: string
  readonly kind: ProofKind
  readonly caption: string
  readonly photo: boolean
}

/**
 * What the filter needs to know of a case. Callers may hand in more; nothing else is ever read. Outcome, statement,
 * proof and `concludedDay` are those of the latest conclusion.
 */
export interface CaseFacts {
  readonly caseNo: string
  readonly holder: string
  readonly state: CaseState
  readonly area: string
  readonly receivedDay: Day
  /** The day by which the case shall be concluded; null while its calendar is missing. */
  readonly dueDay: Day | null
  readonly dueCount: number
  readonly dueUnit: DeadlineUnit
  readonly handOvers: number
  readonly outcome: Outcome | null
  readonly statement: string | null
  /** Where to turn, for `outside`. */
  readonly competentBody: string | null
  readonly proof: readonly CaseProof[]
  readonly concludedDay: Day | null
  readonly publishedDay: Day | null
  readonly disputeUntil: Day | null
  /** The reporter has used the one dispute. */
  readonly disputed: boolean
  /** State of the case this one was folded into; null when it is its own. */
  readonly attachedToState: CaseState | null
  /** Coarsening decided at publication ({@link coarsen} or the publisher): show the group, the whole district. */
  readonly hideCategory: boolean
  readonly hideArea: boolean
}

export const PUBLIC_STATES = ['routed', 'accepted', 'working', 'reviewing', 'published', 'closed'] as const
export type PublicState = (typeof PUBLIC_STATES)[number]

export const PUBLIC_STATE_LABELS: Readonly<Record<PublicState, string>> = {
  routed: '已派单',
  accepted: '已受理',
  working: '办理中',
  reviewing: '复核中',
  published: '已公开',
  closed: '已归档',
}

/** Everything the public may learn of a case: pages, API, feeds, filters, counts, sorting and ETags read only this. */
export interface PublicCase {
  readonly caseNo: string
  readonly holder: string
  readonly receivedWeek: Day
  readonly dueWeek: Day | null
  /** The due date waits for a calendar that is not published yet. */
  readonly duePending: boolean
  /** zh-CN: the week, or the length of the term while the date is pending. */
  readonly dueText: string
  readonly handOvers: number
  readonly state: PublicState
  readonly category: string | null
  readonly group: string | null
  /** Null is 全区, or not shown yet. */
  readonly area: string | null
  readonly outcome: Outcome | null
  readonly statement: string | null
  readonly competentBody: string | null
  readonly proof: readonly CaseProof[]
  readonly publishedDay: Day | null
  /** After publication: concluded by the due day; null when that day was never known. */
  readonly onTime: boolean | null
  readonly overdue: boolean
}

const BATCH_HOUR_MS = 6 * 3_600_000

/** The day whose morning batch is out: a case is public when it was received before it. A batch is at 06:00 at +08:00. */
export function publicDay(now: Date): Day {
  return dayOf(new Date(now.getTime() - BATCH_HOUR_MS))
}

/**
 * The first day on whose morning (06:00 at +08:00) a case received on `receivedDay` may be seen by the public. For
 * queries only: shown, it would give the day of receipt away, so it is no field of {@link PublicCase}.
 */
export function publicFrom(receivedDay: Day): Day {
  return addDays(receivedDay, 1)
}

/** How a state looks from outside; `reviewing` and `closed` may override it below. */
const OUTSIDE: Readonly<Record<CaseState, PublicState>> = {
  received: 'routed',
  routed: 'routed',
  returned: 'routed',
  arbitration: 'routed',
  accepted: 'accepted',
  working: 'working',
  awaiting_reporter: 'working',
  attached: 'working',
  concluded: 'working',
  reopened: 'reviewing',
  published: 'published',
  closed: 'closed',
}

function isPublished({ state }: Pick<CaseFacts, 'state'>): boolean {
  return state === 'published' || state === 'closed'
}

function publicState(facts: CaseFacts): PublicState {
  if (facts.state === 'attached' && facts.attachedToState !== null) {
    return isPublished({ state: facts.attachedToState }) ? 'closed' : 'working'
  }
  // What was published once and is worked again is under review until it is published again.
  if (facts.publishedDay !== null && !isPublished(facts)) return 'reviewing'
  return OUTSIDE[facts.state]
}

function dueWords(day: Day | null, count: number, unit: DeadlineUnit): string {
  return day === null
    ? `${count}个${unit === 'working' ? '工作日' : '自然日'}，具体日期待放假安排公布后确定`
    : day
}

/** Concluded by the due day; null while either day is not known. */
function isOnTime(facts: CaseFacts): boolean | null {
  if (facts.dueDay === null || facts.concludedDay === null) return null
  return facts.concludedDay <= facts.dueDay
}

function isOverdue(facts: CaseFacts, state: PublicState, today: Day): boolean {
  if (facts.dueDay === null || state === 'published' || state === 'closed') return false
  // A conclusion in time is no delay, even while it waits for its publisher.
  if (facts.state === 'concluded' && isOnTime(facts) === true) return false
  // Not before the week after the due week: the day itself would tell on which day the tip came in.
  return today >= addDays(weekOf(facts.dueDay), 7)
}

/**
 * THE allow-list (D§5.1): what the public sees of a case at an instant, or null before its first morning batch. Fields
 * are named one by one; what is not named here does not exist for the public.
 */
export function toPublic(
  facts: CaseFacts,
  named: { readonly category: Category; readonly group: CategoryGroup },
  now: Date,
): PublicCase | null {
  const today = publicDay(now)
  if (today < publicFrom(facts.receivedDay)) return null
  const state = publicState(facts)
  const published = isPublished(facts)
  // Once shown, category and area stay shown during a review.
  const revealed = published || facts.publishedDay !== null || named.category.visibility === 'open'
  const dueWeek = facts.dueDay === null ? null : weekOf(facts.dueDay)
  return {
    caseNo: facts.caseNo,
    holder: facts.holder,
    receivedWeek: weekOf(facts.receivedDay),
    dueWeek,
    duePending: facts.dueDay === null,
    dueText: dueWeek === null ? dueWords(null, facts.dueCount, facts.dueUnit) : `${dueWeek}起的一周内`,
    handOvers: facts.handOvers,
    state,
    category: revealed && !facts.hideCategory ? named.category.id : null,
    group: revealed ? named.group.id : null,
    area: revealed && !facts.hideArea ? facts.area : null,
    outcome: published ? facts.outcome : null,
    statement: published ? facts.statement : null,
    competentBody: published ? facts.competentBody : null,
    proof: published ? facts.proof.map(({ id, kind, caption, photo }) => ({ id, kind, caption, photo })) : [],
    publishedDay: facts.publishedDay,
    onTime: published ? isOnTime(facts) : null,
    overdue: isOverdue(facts, state, today),
  }
}

/** Cases of a rolling 90 days with which one would share its description, itself included. */
export interface SimilarCases {
  /** Same category, same area. */
  readonly inArea: number
  /** Same category, the whole district. */
  readonly inDistrict: number
}

/**
 * How far a case must be coarsened before its category and area are shown: with fewer than `threshold` alike in its
 * area it counts for the whole district, with fewer in the district it names only its group.
 */
export function coarsen(
  counts: SimilarCases,
  threshold = 5,
): { readonly hideArea: boolean; readonly hideCategory: boolean } {
  const hideArea = counts.inArea < threshold
  return { hideArea, hideCategory: hideArea && counts.inDistrict < threshold }
}

/** What the holder of the receipt code sees: every state, promises to the day, the decision once it is public. */
export interface ReporterCase {
  readonly caseNo: string
  readonly holder: string
  readonly state: CaseState
  readonly category: string
  readonly area: string
  readonly receivedDay: Day
  readonly dueDay: Day | null
  readonly duePending: boolean
  readonly dueText: string
  readonly overdue: boolean
  readonly handOvers: number
  readonly outcome: Outcome | null
  readonly statement: string | null
  readonly competentBody: string | null
  readonly proof: readonly CaseProof[]
  readonly publishedDay: Day | null
  /** Last day to dispute; null when there is nothing to dispute. */
  readonly disputeUntil: Day | null
}

/** The reporter's own view; `now` decides whether the promise is broken and whether a dispute is still possible. */
export function reporterView(facts: CaseFacts, category: Category, now: Date): ReporterCase {
  const today = dayOf(now)
  const published = isPublished(facts)
  const canDispute =
    facts.state === 'published' &&
    !facts.disputed &&
    facts.disputeUntil !== null &&
    today <= facts.disputeUntil
  const concluded = published || facts.state === 'concluded'
  const overdue = concluded ? isOnTime(facts) === false : facts.dueDay !== null && today > facts.dueDay
  return {
    caseNo: facts.caseNo,
    holder: facts.holder,
    state: facts.state,
    category: category.id,
    area: facts.area,
    receivedDay: facts.receivedDay,
    dueDay: facts.dueDay,
    duePending: facts.dueDay === null,
    dueText: dueWords(facts.dueDay, facts.dueCount, facts.dueUnit),
    overdue: overdue && facts.state !== 'attached',
    handOvers: facts.handOvers,
    outcome: published ? facts.outcome : null,
    statement: published ? facts.statement : null,
    competentBody: published ? facts.competentBody : null,
    proof: published ? facts.proof.map(({ id, kind, caption, photo }) => ({ id, kind, caption, photo })) : [],
    publishedDay: facts.publishedDay,
    disputeUntil: canDispute ? facts.disputeUntil : null,
  }
}
