import type { Deps } from './ports.ts'
import { createCaseReading } from './reading/cases.ts'
import { createDepartmentReading } from './reading/departments.ts'
import { createMeasureReading } from './reading/measures.ts'
import { createRoutingReading } from './reading/routing.ts'

export { COUNT_CAP, type CaseView, type LedgerPage } from './reading/cases.ts'
export type { DeadlineState, UnitView } from './reading/measures.ts'
export type { RuleView } from './reading/routing.ts'

/** What the reading pages and the public API show: the plan, the departments, the public side of the cases. */
export function createReading(deps: Deps) {
  return {
    ...createMeasureReading(deps),
    ...createDepartmentReading(deps),
    ...createRoutingReading(deps),
    ...createCaseReading(deps),
  }
}

export type Reading = ReturnType<typeof createReading>
