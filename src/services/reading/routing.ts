import type { HolderCount } from '../../db/public-cases.ts'
import type { Category } from '../../domain/plan.ts'
import type { PlanSnapshot } from '../plan-store.ts'
import type { Deps } from '../ports.ts'
import { departmentSummary, type DepartmentSummary } from './departments.ts'
import { departmentRef, measureRefOf, ref, type Ref } from './refs.ts'

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

/** Who answers for what: the rule table, and the hotlines that follow from it. */
export function createRoutingReading({ plan }: Pick<Deps, 'plan'>) {
  return {
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
  }
}
