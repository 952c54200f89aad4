import { MEASURE_TEXTS, type MeasureText } from '../../content/measures/index.ts'
import { newestPublished } from '../../db/public-cases.ts'
import { dayOf, type Day } from '../../domain/day.ts'
import { rowLabel, rowsOf } from '../../domain/plan-rows.ts'
import type { Measure, MeasureTarget, PlanRow } from '../../domain/plan.ts'
import { publicDay } from '../../domain/privacy.ts'
import type { PlanSnapshot } from '../plan-store.ts'
import type { Deps } from '../ports.ts'
import { caseView, type CaseView } from './cases.ts'
import { ref, type Ref } from './refs.ts'

/**
 * Where a date of the plan stands. `past` is not "overdue": the plan's year is over and no result was published here.
 * `recurring` comes round or follows the works (每月, 开工前3天), so it never passes.
 */
export type DeadlineState = 'past' | 'ahead' | 'recurring' | 'none'

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

const SUBDISTRICTS_PRINTED = '各街道办事处'

/** `2017-10-31` with the day the term ends; a season counts until the end of the following year. */
function deadlineState(kind: string, date: string, calendarDay: Day): DeadlineView['state'] {
  if (kind === 'recurring' || kind === 'relative') return 'recurring'
  if (/^\d{4}-\d{2}-\d{2}$/.test(date)) return date < calendarDay ? 'past' : 'ahead'
  const year = /^(\d{4})年/.exec(date)?.[1]
  if (year === undefined) return 'recurring'
  return calendarDay > `${Number(year) + 1}-12-31` ? 'past' : 'ahead'
}

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

/** The plan's measures, with what hangs on them. */
export function createMeasureReading({ db, clock, plan }: Pick<Deps, 'db' | 'clock' | 'plan'>) {
  return {
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
      const at = publicDay(clock.now())
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
  }
}
