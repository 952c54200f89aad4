import type { CaseRow } from '../../db/cases.ts'
import type { Actor, CaseAction, CaseState, Role } from '../../domain/case.ts'
import type { ActionInput, TransitionFacts } from '../../domain/case-refusals.ts'
import { allowedActions, transition } from '../../domain/case-transition.ts'
import type { Day } from '../../domain/day.ts'
import type { Reader } from '../case-access.ts'
import type { ActRequest } from './request.ts'

/** A row as the rules read it. `reader` is null when the reporter or time acts. */
export function factsOf(
  row: CaseRow,
  today: Day,
  reader: Reader | null,
  input: ActionInput,
): TransitionFacts {
  return {
    holder: row.holder_id,
    accused: row.accused_department_id,
    member: reader?.memberId ?? null,
    memberDepartment: reader?.departmentId ?? null,
    returnedBy: row.returned_by,
    arbitrated: row.arbitrated,
    pauseUsed: row.pause_used,
    extended: row.extended,
    complex: row.complex,
    disputed: row.disputed,
    workedBy: row.worked_by,
    concludedBy: row.concluded_by,
    barred: row.barred,
    today,
    disputeUntil: row.dispute_until,
    input,
  }
}

/** Whether a case came before another: two are never both earlier. */
export function isEarlier(one: CaseRow, other: CaseRow): boolean {
  return (
    one.received_day < other.received_day ||
    (one.received_day === other.received_day && one.case_no < other.case_no)
  )
}

/** A request as the rules read it. `parent` is the case into which this one would be folded. */
export function inputOf(
  row: CaseRow,
  request: ActRequest,
  proofCount: number,
  parent: CaseRow | undefined,
): ActionInput {
  return {
    // A free-text reason is sealed: for the rules it is enough that there is one.
    ...(request.reason !== undefined ? { reason: request.reason } : request.note ? { reason: 'sealed' } : {}),
    ...(request.target !== undefined ? { target: request.target } : {}),
    rewrapped: request.wraps !== undefined,
    ...(parent
      ? {
          attachTo: {
            holder: parent.holder_id,
            state: parent.state as CaseState,
            accused: parent.accused_department_id,
            earlier: isEarlier(parent, row),
          },
        }
      : {}),
    ...(request.outcome !== undefined ? { outcome: request.outcome } : {}),
    ...(request.statement !== undefined ? { statement: request.statement } : {}),
    ...(request.competentBody !== undefined ? { competentBody: request.competentBody } : {}),
    proofCount,
  }
}

/** What the reader may do, and in which role: the rules are asked once for each. */
export function allowedFor(
  row: CaseRow,
  reader: Reader,
  roles: readonly Role[],
  today: Day,
): Partial<Record<CaseAction, Role>> {
  const facts = factsOf(row, today, reader, {})
  const allowed: Partial<Record<CaseAction, Role>> = {}
  for (const role of roles) {
    for (const action of allowedActions(row.state as CaseState, role, facts)) {
      allowed[action] ??= role
    }
  }
  return allowed
}

/** The role in which the reader acts: one that may, else the one whose refusal is worth telling. */
export function actorFor(
  row: CaseRow,
  reader: Reader,
  roles: readonly Role[],
  action: CaseAction,
  facts: TransitionFacts,
): Actor {
  return (
    allowedFor(row, reader, roles, facts.today)[action] ??
    roles.find((role) => isRefusedFor(row.state as CaseState, action, role, facts)) ??
    roles[0] ??
    'officer'
  )
}

/** The role could do it, were it not for something else. */
function isRefusedFor(state: CaseState, action: CaseAction, role: Role, facts: TransitionFacts): boolean {
  const result = transition(state, action, role, facts)
  return !result.ok && result.code !== 'forbidden'
}
