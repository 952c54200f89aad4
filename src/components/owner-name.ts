import { ROLE_LABELS } from '../domain/case.ts'
import { roleOfOwner } from '../domain/roles.ts'

/** Whose a key is, in words: a department's or a role's. */
export function ownerName(
  departments: ReadonlyMap<string, { readonly name: string }>,
  owner: string,
): string {
  const role = roleOfOwner(owner)
  return role === null ? (departments.get(owner)?.name ?? owner) : ROLE_LABELS[role]
}
