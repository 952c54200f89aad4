import { rowLabel } from '../../domain/plan-rows.ts'
import type { PlanSnapshot } from '../plan-store.ts'

/** A thing with an address of its own. */
export interface Ref {
  readonly id: string
  readonly name: string
}

export const ref = (thing: Ref): Ref => ({ id: thing.id, name: thing.name })

export const departmentRef = (snapshot: PlanSnapshot, id: string): Ref =>
  ref(snapshot.departments.get(id) ?? { id, name: id })

/** The measure of a row, under the row's own label: 措施15(2). */
export const measureRefOf = (id: string): Ref => ({ id: id.split('.')[0] ?? id, name: rowLabel(id) })
