import {
  SETTLED_STATES,
  countByHolder,
  countPublicCases,
  countSince,
  findPublicCase,
  listPublicCases,
  newestPublished,
  type HolderCount,
  type LedgerPosition,
  type MonthCount,
  type PublicCaseFilter,
  type PublicCaseRow,
} from '../db/public-cases.ts'
import type { PublicProof } from '../db/tables.ts'
import { MEASURE_TEXTS, type MeasureText } from '../content/measures/index.ts'
import { dayOf, type Day } from '../domain/day.ts'
import { DomainError } from '../domain/errors.ts'
import { rowLabel, rowsOf } from '../domain/plan-rows.ts'
import {
  DEPARTMENT_KINDS,
  type Category,
  type Department,
  type DepartmentKind,
  type Measure,
  type MeasureTarget,
  type PlanRow,
} from '../domain/plan.ts'
import { publicDay } from '../domain/privacy.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { CompleteRow } from './ledger-row.ts'
import type { PlanSnapshot } from './plan-store.ts'
import type { Deps } from './ports.ts'
import { remembered } from './remembered.ts'

/** A thing with an address of its own. */
export interface Ref {
  readonly id: string
  readonly name: string
}

/**
 * Where a date of the plan stands. `past` is not "overdue": the plan's year is over and no result was published here.
 * `recurring` comes round or follows the works (每月, 开工前3天), so it never passes.
 */
export const DEADLINE_STATES = ['past', 'ahead', 'recurring', 'none'] as const
export type DeadlineState = (typeof DEADLINE_STATES)[number]

export interface DeadlineView {
  readonly date: string
  readonly precision: string | null
  readonly what: string
  readonly kind: string
  readonly state: Exclude<DeadlineState, 'none'>
  /** 措施15(2) */
  readonly row: string
}

export interface TargetView extends MeasureTarget {
  readonly row: string
}

/** A unit as the plan prints it, and who that is. */
export interface UnitView {
  readonly printed: string
  /** Null for a group. */
  readonly department: Ref | null
  /** The members of 各街道办事处; null for a single unit and for groups whose members the plan does not name. */
  readonly members: readonly Ref[] | null
}

export interface RowView {
  readonly id: string
  readonly label: string
  readonly title: string
  readonly titleInSource: boolean
  readonly text: string | null
  readonly lead: readonly UnitView[]
  readonly responsible: readonly UnitView[]
}

export interface MeasureSummary {
  readonly id: string
  readonly no: number
  readonly title: string
  readonly section: { readonly no: number; readonly title: string }
  readonly summary: string
  readonly rows: number
  readonly lead: readonly string[]
  readonly deadlineStates: readonly DeadlineState[]
  readonly deadlines: readonly DeadlineView[]
}

export interface MeasureFilter {
  readonly section?: number | undefined
  readonly department?: string | undefined
  /** True keeps measures with any date, false those without. */
  readonly deadline?: boolean | undefined
  readonly state?: DeadlineState | undefined
}

export interface MeasureView extends MeasureSummary {
  readonly text: MeasureText | null
  readonly units: RowView
  readonly items: readonly RowView[]
  readonly targets: readonly TargetView[]
  readonly sourceLines: readonly [number, number]
  readonly categories: readonly (Ref & { readonly examples: string })[]
  readonly cases: readonly CaseView[]
  readonly previous: Ref | null
  readonly next: Ref | null
}

export interface DepartmentSummary extends Ref {
  readonly kind: DepartmentKind
  readonly fullName: string
  readonly hotline: string | null
  readonly mailbox: string | null
  readonly inSource: boolean
  /** Rows of the plan in which it leads, or is responsible. */
  readonly leadRows: number
  readonly responsibleRows: number
  readonly counts: HolderCount
}

export interface DepartmentRole {
  readonly id: string
  readonly label: string
  readonly title: string
  readonly measureId: string
}

export interface DepartmentView extends DepartmentSummary {
  readonly leads: readonly DepartmentRole[]
  readonly responsible: readonly DepartmentRole[]
  /** Categories that are routed to it, in some area or for some answer at least. */
  readonly categories: readonly (Ref & { readonly partly: boolean })[]
}

export interface HotlineOwner {
  /** Null when the place decides: the subdistrict office of the area. */
  readonly department: DepartmentSummary | null
  /** The answers of the category's question for which this one owns it; empty when it always does. */
  readonly answers: readonly string[]
}

export interface HotlineRow extends Ref {
  readonly owners: readonly HotlineOwner[]
  readonly measures: readonly Ref[]
}

export interface HotlineTable {
  readonly groups: readonly (Ref & { readonly categories: readonly HotlineRow[] })[]
  readonly subdistricts: readonly DepartmentSummary[]
}

/** One line of the published rule table. */
export interface RuleView {
  readonly category: Ref
  readonly answer: string | null
  readonly area: string | null
  readonly department: Ref
  readonly coDepartments: readonly Ref[]
  /** The subdistrict office of the place is a co-department besides. */
  readonly territorial: boolean
  readonly measures: readonly Ref[]
  readonly derived: boolean
  readonly basis: string
}

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
const SUBDISTRICTS_PRINTED = '各街道办事处'
const NO_COUNT: HolderCount = { open: 0, overdue: 0, published: 0 }

const monthOf = (day: Day): Day => `${day.slice(0, 7)}-01`
const ref = (thing: Ref): Ref => ({ id: thing.id, name: thing.name })

/** `2017-10-31` with the day the term ends; a season counts until the end of the following year. */
function deadlineState(kind: string, date: string, calendarDay: Day): DeadlineView['state'] {
  if (kind === 'recurring' || kind === 'relative') return 'recurring'
  if (/^\d{4}-\d{2}-\d{2}$/.test(date)) return date < calendarDay ? 'past' : 'ahead'
  const year = /^(\d{4})年/.exec(date)?.[1]
  if (year === undefined) return 'recurring'
  return calendarDay > `${Number(year) + 1}-12-31` ? 'past' : 'ahead'
}

/** @throws {DomainError} `bad-cursor` */
function positionOf(cursor: string): LedgerPosition {
  const [week = '', caseNo = ''] = decodeCursor(cursor, 2)
  if (/^\d{4}-\d{2}-\d{2}$/.test(week) && !Number.isNaN(Date.parse(`${week}T00:00:00Z`)))
    return { week, caseNo }
  throw new DomainError('bad-cursor', '这个翻页位置无效，请回到第一页重新翻。')
}

/** What the reading pages and the public API show: the plan, the departments, the public side of the cases. */
export function createReading({ db, clock, plan, versions }: Deps) {
  const today = (): Day => publicDay(clock.now())
  const holderCounts = remembered(versions, 'cases', (day) => countByHolder(db, day))
  const monthCounts = remembered(versions, 'cases', (day) => countSince(db, day, monthOf(day)))

  const departmentRef = (snapshot: PlanSnapshot, id: string): Ref =>
    ref(snapshot.departments.get(id) ?? { id, name: id })

  const measureRefOf = (id: string): Ref => ({ id: id.split('.')[0] ?? id, name: rowLabel(id) })

  function unit(snapshot: PlanSnapshot, printed: string): UnitView {
    const departments = snapshot.plan.departments
    const found = departments.find(({ name }) => name === printed)
    const members =
      printed === SUBDISTRICTS_PRINTED
        ? departments.filter(({ kind }) => kind === 'subdistrict').map(ref)
        : null
    return { printed, department: found ? ref(found) : null, members }
  }

  function rowView(snapshot: PlanSnapshot, row: PlanRow, text: string | null): RowView {
    return {
      id: row.id,
      label: rowLabel(row.id),
      title: row.title,
      titleInSource: row.titleInSource,
      text,
      lead: row.leadNames.map((name) => unit(snapshot, name)),
      responsible: row.responsibleNames.map((name) => unit(snapshot, name)),
    }
  }

  function deadlines(measure: Measure, calendarDay: Day): DeadlineView[] {
    return rowsOf(measure).flatMap((row) =>
      row.deadlines.map((deadline) => ({
        date: deadline.date,
        precision: deadline.precision,
        what: deadline.what,
        kind: deadline.kind,
        state: deadlineState(deadline.kind, deadline.date, calendarDay),
        row: rowLabel(row.id),
      })),
    )
  }

  function summary(snapshot: PlanSnapshot, measure: Measure, calendarDay: Day): MeasureSummary {
    const found = deadlines(measure, calendarDay)
    return {
      id: measure.id,
      no: measure.no,
      title: measure.title,
      section: snapshot.sections.get(measure.section) ?? { no: measure.section, title: '' },
      summary: MEASURE_TEXTS.get(measure.id)?.summary ?? '',
      rows: rowsOf(measure).length,
      lead: [...new Set(rowsOf(measure).flatMap((row) => row.leadNames))],
      deadlines: found,
      deadlineStates: found.length === 0 ? ['none'] : [...new Set(found.map(({ state }) => state))],
    }
  }

  function departmentSummary(
    snapshot: PlanSnapshot,
    department: Department,
    counts: ReadonlyMap<string, HolderCount>,
  ): DepartmentSummary {
    const rows = snapshot.plan.measures.flatMap(rowsOf)
    return {
      ...ref(department),
      kind: department.kind,
      fullName: department.fullName,
      hotline: department.hotline,
      mailbox: department.mailbox,
      inSource: department.inSource,
      leadRows: rows.filter((row) => row.lead.includes(department.id)).length,
      responsibleRows: rows.filter((row) => row.responsible.includes(department.id)).length,
      counts: counts.get(department.id) ?? NO_COUNT,
    }
  }

  function caseView(snapshot: PlanSnapshot, row: PublicCaseRow, at: Day): CaseView {
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

  /** Who owns a category: one department, several by answer, or the subdistrict office of the place. */
  function owners(
    snapshot: PlanSnapshot,
    category: Category,
  ): readonly { id: string | null; answers: string[] }[] {
    const split = snapshot.plan.splits.find(({ categories }) => categories.includes(category.id))
    const found = new Map<string | null, string[]>()
    const own = (answer: string | null, label: string | null) => {
      const rules = snapshot.rules.filter((rule) => rule.category === category.id && rule.answer === answer)
      const byArea = rules.some((rule) => rule.area !== null)
      for (const id of byArea ? [null] : rules.map(({ department }) => department)) {
        found.set(id, [...(found.get(id) ?? []), ...(label === null ? [] : [label])])
      }
    }
    if (split === undefined) own(null, null)
    else {
      // An answer that leads elsewhere belongs to that other category's line.
      for (const answer of split.answers) {
        if ((answer.category ?? category.id) === category.id) own(answer.id, answer.label)
      }
      if (found.size === 0) own(null, null)
    }
    return [...found].map(([id, answers]) => ({ id, answers: found.size === 1 ? [] : answers }))
  }

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

    /** The measures that match, in the plan's order; unknown filter values match nothing. */
    async measures(filter: MeasureFilter = {}): Promise<readonly MeasureSummary[]> {
      const snapshot = await plan.current()
      const calendarDay = dayOf(clock.now())
      return snapshot.plan.measures
        .filter(({ section }) => filter.section === undefined || section === filter.section)
        .filter(
          (measure) =>
            filter.department === undefined ||
            rowsOf(measure).some((row) =>
              [...row.lead, ...row.responsible].includes(filter.department ?? ''),
            ),
        )
        .map((measure) => summary(snapshot, measure, calendarDay))
        .filter((found) => filter.deadline === undefined || found.deadlines.length > 0 === filter.deadline)
        .filter((found) => filter.state === undefined || found.deadlineStates.includes(filter.state))
    },

    /** A measure with all that hangs on it; null when there is none of that id. */
    async measure(id: string): Promise<MeasureView | null> {
      const snapshot = await plan.current()
      const measure = snapshot.measures.get(id)
      if (!measure) return null
      const at = today()
      const text = MEASURE_TEXTS.get(id) ?? null
      const ids = [measure.id, ...measure.items.map((item) => item.id)]
      const at47 = snapshot.plan.measures.indexOf(measure)
      const neighbour = (index: number): Ref | null => {
        const found = snapshot.plan.measures[index]
        return found ? { id: found.id, name: `${found.no}. ${found.title}` } : null
      }
      const cases = await newestPublished(db, at, 5, ids)
      return {
        ...summary(snapshot, measure, dayOf(clock.now())),
        text,
        units: rowView(snapshot, measure, null),
        items: measure.items.map((item) =>
          rowView(snapshot, item, text?.items.find((each) => each.id === item.id)?.text ?? null),
        ),
        targets: rowsOf(measure).flatMap((row) =>
          row.targets.map((target) => ({ ...target, row: rowLabel(row.id) })),
        ),
        sourceLines: measure.sourceLines,
        categories: snapshot.plan.categories
          .filter((category) => category.measureRefs.some((each) => ids.includes(each)))
          .map((category) => ({ ...ref(category), examples: category.examples })),
        cases: cases.map((row) => caseView(snapshot, row, at)),
        previous: neighbour(at47 - 1),
        next: neighbour(at47 + 1),
      }
    },

    /** All departments, grouped by kind, with what they hold. */
    async departments(): Promise<readonly DepartmentSummary[]> {
      const snapshot = await plan.current()
      const counts = await holderCounts(today())
      return [...snapshot.plan.departments]
        .sort((a, b) => DEPARTMENT_KINDS.indexOf(a.kind) - DEPARTMENT_KINDS.indexOf(b.kind))
        .map((department) => departmentSummary(snapshot, department, counts))
    },

    /** A department, its duties and its categories; null when there is none of that id. */
    async department(id: string): Promise<DepartmentView | null> {
      const snapshot = await plan.current()
      const department = snapshot.departments.get(id)
      if (!department) return null
      const counts = await holderCounts(today())
      const roles = (part: 'lead' | 'responsible'): DepartmentRole[] =>
        snapshot.plan.measures.flatMap((measure) =>
          rowsOf(measure)
            .filter((row) => row[part].includes(id))
            .map((row) => ({ id: row.id, label: rowLabel(row.id), title: row.title, measureId: measure.id })),
        )
      return {
        ...departmentSummary(snapshot, department, counts),
        leads: roles('lead'),
        responsible: roles('responsible'),
        categories: snapshot.plan.categories.flatMap((category) => {
          const rules = snapshot.rules.filter((rule) => rule.category === category.id)
          const own = rules.filter((rule) => rule.department === id)
          return own.length === 0 ? [] : [{ ...ref(category), partly: own.length < rules.length }]
        }),
      }
    },

    /** Hotlines by pollution source (safeguard 四(六)), to print. */
    async hotlineTable(): Promise<HotlineTable> {
      const snapshot = await plan.current()
      const counts = new Map<string, HolderCount>()
      const department = (id: string): DepartmentSummary | null => {
        const found = snapshot.departments.get(id)
        return found ? departmentSummary(snapshot, found, counts) : null
      }
      return {
        groups: snapshot.plan.groups.map((group) => ({
          ...ref(group),
          categories: snapshot.plan.categories
            .filter((category) => category.group === group.id)
            .map((category) => ({
              ...ref(category),
              owners: owners(snapshot, category).map(({ id, answers }) => ({
                department: id === null ? null : department(id),
                answers,
              })),
              measures: category.measureRefs.map(measureRefOf),
            })),
        })),
        subdistricts: snapshot.plan.departments
          .filter(({ kind }) => kind === 'subdistrict')
          .map((found) => departmentSummary(snapshot, found, counts)),
      }
    },

    /** The complete rule table, in the order of the categories. */
    async rules(): Promise<readonly RuleView[]> {
      const snapshot = await plan.current()
      const labels = new Map(
        snapshot.plan.splits.flatMap((split) =>
          split.categories.flatMap((category) =>
            split.answers.map((answer) => [`${category}:${answer.id}`, answer.label] as const),
          ),
        ),
      )
      return snapshot.plan.categories.flatMap((category) =>
        snapshot.rules
          .filter((rule) => rule.category === category.id)
          .map((rule) => ({
            category: ref(category),
            answer:
              rule.answer === null ? null : (labels.get(`${category.id}:${rule.answer}`) ?? rule.answer),
            area: rule.area === null ? null : (snapshot.areas.get(rule.area)?.name ?? rule.area),
            department: departmentRef(snapshot, rule.department),
            coDepartments: rule.coDepartments.map((id) => departmentRef(snapshot, id)),
            territorial: category.territorial,
            measures: rule.measureRefs.map(measureRefOf),
            derived: rule.derived,
            basis: rule.basis,
          })),
      )
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

export type Reading = ReturnType<typeof createReading>
