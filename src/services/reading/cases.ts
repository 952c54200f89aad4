import {
  SETTLED_STATES,
  countPublicCases,
  countSince,
  findPublicCase,
  listPublicCases,
  newestPublished,
  type LedgerPosition,
  type MonthCount,
  type PublicCaseFilter,
  type PublicCaseRow,
} from '../../db/public-cases.ts'
import type { PublicProof } from '../../db/tables.ts'
import type { Day } from '../../domain/day.ts'
import { DomainError } from '../../domain/errors.ts'
import { publicDay } from '../../domain/privacy.ts'
import { decodeCursor, encodeCursor } from '../cursor.ts'
import type { CompleteRow } from '../ledger-row.ts'
import type { PlanSnapshot } from '../plan-store.ts'
import type { Deps } from '../ports.ts'
import { remembered } from '../remembered.ts'
import { departmentRef, measureRefOf, ref, type Ref } from './refs.ts'

/** A case as anybody may see it (D§5.1). */
export interface CaseView {
  readonly caseNo: string
  readonly holder: Ref
  readonly hotline: string | null
  readonly mailbox: string | null
  /** Mondays: the public sees weeks (D§5.1). */
  readonly receivedWeek: Day
  readonly dueWeek: Day | null
  readonly dueText: string
  readonly handOvers: number
  readonly state: string
  readonly published: boolean
  readonly overdue: boolean
  /** Null while guarded, or coarsened to its group. */
  readonly category: Ref | null
  readonly group: Ref | null
  /** Null while guarded, or coarsened to the whole district. */
  readonly area: Ref | null
  readonly measures: readonly Ref[]
  readonly outcome: string | null
  readonly statement: string | null
  readonly competentBody: string | null
  readonly proof: readonly PublicProof[]
  readonly publishedDay: Day | null
  readonly concludedWeek: Day | null
  readonly onTime: boolean | null
}

export interface LedgerPage {
  readonly items: readonly CaseView[]
  /** Opaque; null on the last page. */
  readonly next: string | null
  /** Counted one past `countCap` at most: then it is "more than". */
  readonly count: number
  readonly countCap: number
}

export interface HomeView {
  readonly concluded: readonly CaseView[]
  /** First day of the month counted. */
  readonly month: Day
  readonly counts: MonthCount
}

/** Beyond this a count is "more than". */
export const COUNT_CAP = 1000
const PAGE_SIZE = 20
const MAX_PAGE_SIZE = 200

const monthOf = (day: Day): Day => `${day.slice(0, 7)}-01`

/** @throws {DomainError} `bad-cursor` */
function positionOf(cursor: string): LedgerPosition {
  const [week = '', caseNo = ''] = decodeCursor(cursor, 2)
  if (/^\d{4}-\d{2}-\d{2}$/.test(week) && !Number.isNaN(Date.parse(`${week}T00:00:00Z`)))
    return { week, caseNo }
  throw new DomainError('bad-cursor', '这个翻页位置无效，请回到第一页重新翻。')
}

export function caseView(snapshot: PlanSnapshot, row: PublicCaseRow, at: Day): CaseView {
  const category = row.category_id === null ? null : snapshot.categories.get(row.category_id)
  const group = row.group_id === null ? null : snapshot.groups.get(row.group_id)
  const area = row.area_id === null ? null : snapshot.areas.get(row.area_id)
  const settled = SETTLED_STATES.some((state) => state === row.state)
  return {
    caseNo: row.case_no,
    holder: departmentRef(snapshot, row.holder_id),
    hotline: snapshot.departments.get(row.holder_id)?.hotline ?? null,
    mailbox: snapshot.departments.get(row.holder_id)?.mailbox ?? null,
    receivedWeek: row.received_week,
    dueWeek: row.due_week,
    dueText: row.due_text,
    handOvers: row.hand_overs,
    state: row.state,
    published: settled,
    overdue: !settled && row.overdue_from !== null && row.overdue_from <= at,
    category: category ? ref(category) : null,
    group: group ? ref(group) : null,
    area: area ? ref(area) : null,
    measures: row.measure_refs.map(measureRefOf),
    outcome: row.outcome,
    statement: row.statement,
    competentBody: row.competent_body,
    proof: row.proof,
    publishedDay: row.published_day,
    concludedWeek: row.concluded_week,
    onTime: row.on_time,
  }
}

/** The public side of the cases. */
export function createCaseReading({ db, clock, plan, versions }: Deps) {
  const today = (): Day => publicDay(clock.now())
  const monthCounts = remembered(versions, 'cases', (day) => countSince(db, day, monthOf(day)))

  return {
    /** The public day: what happened later is not shown yet. */
    publicDay: today,

    async home(): Promise<HomeView> {
      const at = today()
      const snapshot = await plan.current()
      const concluded = await newestPublished(db, at, 5)
      return {
        concluded: concluded.map((row) => caseView(snapshot, row, at)),
        month: monthOf(at),
        counts: await monthCounts(at),
      }
    },

    /**
     * One page of the ledger. Filters match only what is public: a guarded case has no category to be found by.
     * @throws {DomainError} `bad-cursor`
     */
    async cases(
      filter: PublicCaseFilter = {},
      cursor: string | null = null,
      limit = PAGE_SIZE,
    ): Promise<LedgerPage> {
      const after = cursor === null ? null : positionOf(cursor)
      const at = today()
      const snapshot = await plan.current()
      const size = Math.min(Math.max(1, limit), MAX_PAGE_SIZE)
      const rows = await listPublicCases(db, at, filter, after, size + 1)
      const page = rows.slice(0, size)
      const last = page.at(-1)
      return {
        items: page.map((row) => caseView(snapshot, row, at)),
        next: rows.length > size && last ? encodeCursor([last.received_week, last.case_no]) : null,
        count: await countPublicCases(db, at, filter, COUNT_CAP + 1),
        countCap: COUNT_CAP,
      }
    },

    /** A case by its canonical number; null when there is none, or none that shows yet. */
    async case(caseNo: string): Promise<CaseView | null> {
      const at = today()
      const row = await findPublicCase(db, at, caseNo)
      return row ? caseView(await plan.current(), row, at) : null
    },

    /** A row that is not in the ledger yet, shown exactly as the ledger would. */
    async asPublic(row: CompleteRow): Promise<CaseView> {
      const proof = JSON.parse(row.proof) as PublicProof[]
      return caseView(await plan.current(), { ...row, proof }, today())
    },
  }
}
