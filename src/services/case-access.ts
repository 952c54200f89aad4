import { findCase, type CaseRow } from '../db/cases.ts'
import type { Db } from '../db/connect.ts'
import type { QueueScope } from '../db/queue.ts'
import type { Role } from '../domain/case.ts'
import { DomainError } from '../domain/errors.ts'
import { DISPATCHER_DEPARTMENT } from '../domain/plan.ts'

/** Who asks, as far as reading and working a case goes. */
export interface Reader {
  readonly memberId: string
  readonly departmentId: string
  readonly roles: readonly Role[]
}

/** The department must never see this case: it is the one complained of, or the dispatcher's (D§6). */
export function isExcluded(found: Pick<CaseRow, 'accused_department_id'>, departmentId: string): boolean {
  return (
    found.accused_department_id !== null &&
    (departmentId === found.accused_department_id || departmentId === DISPATCHER_DEPARTMENT)
  )
}

/** The roles in which somebody may look at this case at all; empty when it does not exist for them. */
export function rolesFor(
  found: Pick<CaseRow, 'holder_id' | 'state' | 'accused_department_id'>,
  reader: Reader,
): Role[] {
  return reader.roles.filter((role) => {
    switch (role) {
      case 'officer':
        return found.holder_id === reader.departmentId && !isExcluded(found, reader.departmentId)
      case 'dispatcher':
        return found.accused_department_id === null
      case 'publisher':
        return (
          ['concluded', 'published', 'closed'].includes(found.state) &&
          !isExcluded(found, reader.departmentId)
        )
      case 'auditor':
        return !isExcluded(found, reader.departmentId)
      default:
        return false
    }
  })
}

/** For a case that is not there and for one that is not the reader's alike. */
export const noSuchCase = (): DomainError => new DomainError('not-found', '没有这件举报，或者它不归您办理。')

/** The case and the roles in which the reader sees it. @throws {DomainError} `not-found` */
export async function findVisible(
  db: Db,
  reader: Reader,
  caseNo: string,
): Promise<{ row: CaseRow; roles: Role[] }> {
  const row = await findCase(db, caseNo)
  const roles = row ? rolesFor(row, reader) : []
  if (!row || roles.length === 0) throw noSuchCase()
  return { row, roles }
}

/** Whether somebody may have the sealed parts and the wraps of the own department. */
export function mayOpen(found: CaseRow, reader: Reader): boolean {
  return rolesFor(found, reader).some((role) => role === 'officer' || role === 'dispatcher')
}

/**
 * {@link rolesFor} for a query over many cases: what of the whole table somebody may look at.
 * @throws {DomainError} `forbidden` for roles that look at none
 */
export function scopeOf({ roles, departmentId }: Reader): QueueScope {
  if (!roles.some((role) => ['officer', 'dispatcher', 'publisher', 'auditor'].includes(role))) {
    throw new DomainError('forbidden', '您的角色不能查看办理队列。')
  }
  return {
    department: departmentId,
    own: roles.includes('officer'),
    withoutInaction: roles.includes('dispatcher'),
    finished: roles.includes('publisher'),
    all: roles.includes('auditor'),
  }
}
