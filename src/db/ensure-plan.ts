import { loadPlan } from '../../db/seed/plan.ts'
import { DEFAULT_DEADLINE_RULES } from '../domain/deadline.ts'
import { buildRules, checkRules } from '../domain/routing.ts'
import type { Db } from './connect.ts'
import { storePlan } from './plan.ts'

/**
 * Writes the plan into a database that has none.
 * @throws {Error} when the rules do not give every tip exactly one owner
 */
export async function ensurePlan(db: Db): Promise<void> {
  const found = await db.selectFrom('measure').select('id').limit(1).executeTakeFirst()
  if (found) return
  const plan = loadPlan()
  const rules = buildRules(plan)
  const violations = checkRules(plan, rules)
  if (violations.length > 0)
    throw new Error(`routing rules are not total: ${violations.slice(0, 3).join('; ')}`)
  await db.transaction().execute((tx) => storePlan(tx, plan, rules, DEFAULT_DEADLINE_RULES))
}
