import type { Measure, Plan, PlanRow } from './plan.ts'

/** The rows with units, deadlines and targets of their own: a measure's numbered items, or the measure itself when it has none. */
export function rowsOf(measure: Measure): readonly PlanRow[] {
  return measure.items.length > 0 ? measure.items : [measure]
}

/** All 76 rows of the plan in printed order. */
export function planRows(plan: Plan): readonly PlanRow[] {
  return plan.measures.flatMap(rowsOf)
}

/** How the plan numbers a row, for people: `2017-15.2` is 措施15(2). Anything else is answered as it came. */
export function rowLabel(id: string): string {
  const match = /^\d{4}-(\d+)(?:\.(\d+))?$/.exec(id)
  if (!match) return id
  return match[2] === undefined ? `措施${match[1]}` : `措施${match[1]}(${match[2]})`
}
