import { countByHolder, type HolderCount } from '../../db/public-cases.ts'
import { rowLabel, rowsOf } from '../../domain/plan-rows.ts'
import { DEPARTMENT_KINDS, type Department, type DepartmentKind } from '../../domain/plan.ts'
import { publicDay } from '../../domain/privacy.ts'
import type { PlanSnapshot } from '../plan-store.ts'
import type { Deps } from '../ports.ts'
import { remembered } from '../remembered.ts'
import { ref, type Ref } from './refs.ts'

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

const NO_COUNT: HolderCount = { open: 0, overdue: 0, published: 0 }

/** @param counts of all departments; without one, it has no cases */
export function departmentSummary(
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

/** The departments, with their duties and what they hold. */
export function createDepartmentReading({ db, clock, plan, versions }: Deps) {
  const holderCounts = remembered(versions, 'cases', (day) => countByHolder(db, day))

  return {
    /** All departments, grouped by kind, with what they hold. */
    async departments(): Promise<readonly DepartmentSummary[]> {
      const snapshot = await plan.current()
      const counts = await holderCounts(publicDay(clock.now()))
      return [...snapshot.plan.departments]
        .sort((a, b) => DEPARTMENT_KINDS.indexOf(a.kind) - DEPARTMENT_KINDS.indexOf(b.kind))
        .map((department) => departmentSummary(snapshot, department, counts))
    },

    /** A department, its duties and its categories; null when there is none of that id. */
    async department(id: string): Promise<DepartmentView | null> {
      const snapshot = await plan.current()
      const department = snapshot.departments.get(id)
      if (!department) return null
      const counts = await holderCounts(publicDay(clock.now()))
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
  }
}
