import { DomainError } from '../../domain/errors.ts'
import { mayApprove, mayPropose, type ListKind } from '../../domain/list.ts'
import { listKind, LIST_KINDS } from '../../domain/lists/index.ts'

/** The part of a staff session that decides about lists. */
export interface ListStaff {
  readonly memberId: string
  readonly departmentId: string
  readonly roles: readonly string[]
}

/** The declaration of a list. @throws {DomainError} `not-found` */
export function kindOf(list: string): ListKind {
  const kind = listKind(list)
  if (!kind) throw new DomainError('not-found', '没有这个名单。')
  return kind
}

/** The same for somebody who may propose to it. @throws {DomainError} `not-found`, `forbidden` */
export function kindToChange(staff: ListStaff, list: string): ListKind {
  const kind = kindOf(list)
  if (!mayPropose(kind, staff)) {
    throw new DomainError('forbidden', `只有${kind.name}主管部门的承办员能提出改动。`)
  }
  return kind
}

/** Whether a member may propose to, or decide about, a list. @throws {DomainError} `not-found` */
export function rightsOf(
  staff: ListStaff,
  list: string,
): { readonly propose: boolean; readonly approve: boolean } {
  const kind = kindOf(list)
  return { propose: mayPropose(kind, staff), approve: mayApprove(kind, staff) }
}

/** The lists a member has to do with in the console. */
export function readableLists(staff: ListStaff): string[] {
  return LIST_KINDS.filter(
    (kind) => mayPropose(kind, staff) || mayApprove(kind, staff) || staff.roles.includes('auditor'),
  ).map(({ id }) => id)
}
