import { loadCalendar } from '../../db/seed/calendar.ts'
import { loadPlan } from '../../db/seed/plan.ts'
import type { Db } from '../db/connect.ts'
import { loadDeadlineRules, loadDepartments, loadPoliceByArea, loadRoutingRules } from '../db/plan.ts'
import type { DeadlineRule, WorkCalendar } from '../domain/deadline.ts'
import type {
  Area,
  Category,
  CategoryGroup,
  Department,
  Measure,
  Plan,
  PlanRow,
  Section,
} from '../domain/plan.ts'
import type { RoutingRule } from '../domain/routing.ts'
import type { DataVersions } from './versions.ts'

/** Everything the rules need to know at one moment, with look-ups by id. */
export interface PlanSnapshot {
  readonly plan: Plan
  readonly rules: readonly RoutingRule[]
  readonly deadlineRules: readonly DeadlineRule[]
  readonly calendar: WorkCalendar
  /** Which police branch answers for an area; empty until the operator fills it in. */
  readonly policeByArea: ReadonlyMap<string, string>
  readonly departments: ReadonlyMap<string, Department>
  readonly areas: ReadonlyMap<string, Area>
  readonly categories: ReadonlyMap<string, Category>
  readonly groups: ReadonlyMap<string, CategoryGroup>
  readonly sections: ReadonlyMap<number, Section>
  /** By `2017-14`. */
  readonly measures: ReadonlyMap<string, Measure>
  /** Measures and items by id: `2017-14`, `2017-15.2`. */
  readonly rows: ReadonlyMap<string, PlanRow>
}

export interface PlanStore {
  current(): Promise<PlanSnapshot>
}

const byId = <K, T extends { readonly id: K }>(list: readonly T[]): ReadonlyMap<K, T> =>
  new Map(list.map((item) => [item.id, item]))

async function read(db: Db): Promise<PlanSnapshot> {
  const source = loadPlan()
  // One after the other: the embedded database has one connection.
  const edited = await loadDepartments(db)
  const rules = await loadRoutingRules(db)
  const deadlineRules = await loadDeadlineRules(db)
  const policeByArea = await loadPoliceByArea(db)
  const departments = source.departments.map((department) => ({
    ...department,
    ...edited.get(department.id),
  }))
  const plan: Plan = { ...source, departments }
  return {
    plan,
    rules,
    deadlineRules,
    calendar: loadCalendar(),
    policeByArea,
    departments: byId(departments),
    areas: byId(plan.areas),
    categories: byId(plan.categories),
    groups: byId(plan.groups),
    sections: new Map(plan.sections.map((section) => [section.no, section])),
    measures: byId(plan.measures),
    rows: new Map(
      plan.measures.flatMap((measure) => [measure, ...measure.items]).map((row) => [row.id, row]),
    ),
  }
}

/** Reads the plan with the operator's edits once per data version; the text of 2017 itself never changes. */
export function createPlanStore(db: Db, versions: DataVersions): PlanStore {
  let held: { version: string; snapshot: PlanSnapshot } | null = null
  return {
    async current() {
      const version = await versions.of('plan')
      if (held?.version !== version) held = { version, snapshot: await read(db) }
      return held.snapshot
    },
  }
}
