import type { Category, CategoryGroup, Plan } from '../../domain/plan.ts'

/** The categories whose words hold what was typed, in their groups; all of them for ''. */
export function findCategories(
  plan: Plan,
  query: string,
): readonly (CategoryGroup & { readonly categories: readonly Category[] })[] {
  return plan.groups
    .map((group) => ({
      ...group,
      categories: plan.categories.filter(
        ({ group: own, name, examples, notes }) =>
          own === group.id && `${group.name}${name}${examples}${notes}`.includes(query),
      ),
    }))
    .filter(({ categories }) => categories.length > 0)
}
