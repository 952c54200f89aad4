import type { PlanSnapshot } from '../services/plan-store.ts'

/** A department's printed name; an id outside the plan stands for itself. */
export function departmentName({ departments }: PlanSnapshot, id: string): string {
  return departments.get(id)?.name ?? id
}
