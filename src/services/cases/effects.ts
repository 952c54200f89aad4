import {
  appendEvent,
  findCase,
  updateAttached,
  updateCase,
  type CaseRow,
  type StoredEvent,
} from '../../db/cases.ts'
import type { Tx } from '../../db/connect.ts'
import { noteArrival } from '../../db/notices.ts'
import { hasOtherOfficer } from '../../db/staff.ts'
import type { CaseState } from '../../domain/case.ts'
import { normalizeCaseNumber } from '../../domain/case-number.ts'
import { mustTransition, type Transition } from '../../domain/case-transition.ts'
import { addDays, daysBetween, type Day } from '../../domain/day.ts'
import { dueDay, termEnd, type DeadlineStep, type Due } from '../../domain/deadline.ts'
import { SUPERVISION_DEPARTMENT } from '../../domain/plan.ts'
import type { Reader } from '../case-access.ts'
import type { Keys } from '../keys.ts'
import type { PlanSnapshot } from '../plan-store.ts'
import type { TipWraps } from '../tip-wraps.ts'
import { coarseningOf } from './ledger.ts'
import type { ActRequest } from './request.ts'
import { factsOf } from './rules.ts'
import { dropWraps, moveWraps } from './wraps.ts'

/** One action on a locked case, inside its transaction. */
export interface Step {
  readonly tx: Tx
  /** As it was before. */
  readonly row: CaseRow
  readonly snapshot: PlanSnapshot
  readonly now: Date
  readonly today: Day
  /** Null when the reporter or time acts. */
  readonly reader: Reader | null
  readonly request: Partial<ActRequest>
}

/** Appends an accepted transition to the case's history. What no member did carries the day only. */
export async function record(
  step: Step,
  event: Transition,
  data: Readonly<Record<string, unknown>>,
): Promise<StoredEvent> {
  return appendEvent(step.tx, {
    caseId: step.row.id,
    day: step.today,
    at: step.reader === null ? null : step.now,
    actorId: step.reader?.memberId ?? null,
    role: event.actor,
    action: event.action,
    from: event.from,
    to: event.to,
    data,
  })
}

const WEEK = 7

/** Does to the rows what follows from an accepted transition. */
export async function applyEvent(
  means: { readonly keys: Keys; readonly tipWraps: TipWraps },
  step: Step,
  event: Transition,
): Promise<void> {
  const { tx, row, today, snapshot, request } = step
  const member = step.reader?.memberId ?? ''
  const worked = [...new Set([...row.worked_by, member])]
  const target = request.target ?? ''
  const change = (changes: Parameters<typeof updateCase>[2]): Promise<void> =>
    updateCase(tx, row.id, { state: event.to, ...changes })
  const handWrapsTo = (department: string): Promise<void> =>
    moveWraps(tx, means, row, department, request.wraps ?? [])

  switch (event.action) {
    case 'accept':
      return change({ accepted_day: today, worked_by: worked })
    case 'work':
    case 'note':
      return change({ worked_by: worked })
    case 'return': {
      const returnedBy = [...row.returned_by, row.holder_id]
      if (event.to === 'arbitration') {
        return change({
          returned_by: returnedBy,
          proposed_holder_id: target,
          arbitrate_due: dueFrom(step, 'arbitrate').day,
        })
      }
      await handWrapsTo(target)
      await change({ returned_by: returnedBy })
      return routeTo(step, 'route', 'returned', target)
    }
    case 'decide_arbitration':
      if (target !== row.holder_id) await handWrapsTo(target)
      await change({ arbitrated: true })
      return arrive(step, target)
    case 'hand_over':
      await handWrapsTo(target)
      return arrive(step, target)
    case 'attach': {
      const parent = await findCase(tx, normalizeCaseNumber(request.attachTo ?? '') ?? '')
      const attachedTo = parent?.id ?? null
      await updateAttached(tx, row.id, { attached_to: attachedTo })
      return change({ attached_to: attachedTo })
    }
    case 'ask_reporter': {
      // Without a calendar a week: a pause always ends.
      const until = dueFrom(step, 'reporter-answer').day ?? addDays(today, WEEK)
      const due = row.conclude_due && addDays(row.conclude_due, daysBetween(today, until))
      return change({ pause_used: true, paused_until: until, conclude_due: due, worked_by: worked })
    }
    case 'resume': {
      // The term stood still for the whole pause; what was not needed of it is given back.
      const unused = row.paused_until === null ? 0 : Math.max(0, daysBetween(today, row.paused_until))
      const due = row.conclude_due && addDays(row.conclude_due, -unused)
      return change({ paused_until: null, conclude_due: due })
    }
    case 'extend': {
      const { count, unit } = dueFrom(step, 'conclude')
      const end = row.conclude_due === null ? null : termEnd(snapshot.calendar, row.conclude_due, count, unit)
      return change({ extended: true, conclude_due: end })
    }
    case 'mark_complex': {
      const due = dueFrom(step, 'conclude-complex', row.received_day)
      return change({ complex: true, conclude_due: due.day, due_count: due.count, due_unit: due.unit })
    }
    case 'conclude':
      return change({
        outcome: request.outcome ?? null,
        statement: (request.statement ?? '').trim(),
        competent_body: request.outcome === 'outside' ? (request.competentBody ?? '').trim() : null,
        concluded_by: member,
        concluded_day: today,
        worked_by: worked,
      })
    case 'send_back':
      return change({ concluded_by: null, concluded_day: null })
    case 'publish': {
      const coarse = await coarseningOf(tx, row, today)
      return change({
        published_by: member,
        published_day: today,
        dispute_until: dueFrom(step, 'dispute').day,
        hide_area: coarse.hideArea || request.hideArea === true,
        hide_category: coarse.hideCategory || request.hideCategory === true,
      })
    }
    case 'dispute':
      await change({ disputed: true })
      return reopen(step)
    case 'audit_reopen':
      return reopen(step)
    case 'close':
      return change({ closed_day: today })
    case 'route':
    case 'route_again':
      throw new Error('routing follows from another action')
  }
}

/** When a step of this case ends that starts today, or on the day given. */
function dueFrom({ snapshot, row, today }: Step, step: DeadlineStep, from = today): Due {
  return dueDay(snapshot.deadlineRules, snapshot.calendar, row.category_id, step, from)
}

/** The system's own step after a return or a reopening. */
async function routeTo(
  step: Step,
  action: 'route' | 'route_again',
  from: CaseState,
  target: string,
): Promise<void> {
  const facts = factsOf({ ...step.row, state: from }, step.today, null, { target })
  const event = mustTransition(from, action, 'system', facts)
  await record({ ...step, reader: null }, event, { department: target })
  await arrive(step, target)
}

/** The case comes to a department: a new term to accept it, and a notice. The term to conclude runs on. */
async function arrive(step: Step, target: string): Promise<void> {
  const { tx, row } = step
  await updateCase(tx, row.id, {
    state: 'routed',
    holder_id: target,
    accept_due: dueFrom(step, 'accept').day,
    accepted_day: null,
    proposed_holder_id: null,
    arbitrate_due: null,
    ...(target === row.holder_id ? {} : { hand_overs: row.hand_overs + 1, worked_by: [] }),
  })
  // What was folded into it goes along.
  await updateAttached(tx, row.id, { holder_id: target })
  await noteArrival(tx, target, row.case_no, step.today)
}

/** After a dispute or an audit: another officer of the holder, or 区政府督查室 when there is none. */
async function reopen(step: Step): Promise<void> {
  const { tx, row } = step
  const barred = [
    ...new Set([...row.barred, ...row.worked_by, ...(row.concluded_by ? [row.concluded_by] : [])]),
  ]
  const hasOther = await hasOtherOfficer(tx, row.holder_id, barred)
  const target = hasOther ? row.holder_id : SUPERVISION_DEPARTMENT
  // Nobody else is left at 区政府督查室 itself: then the same officer looks again.
  const nobody = !hasOther && row.holder_id === SUPERVISION_DEPARTMENT
  await updateCase(tx, row.id, {
    state: 'reopened',
    barred: nobody ? [] : barred,
    worked_by: [],
    concluded_by: null,
    concluded_day: null,
    published_by: null,
    dispute_until: null,
    closed_day: null,
    conclude_due: dueFrom(step, 'conclude').day,
  })
  await routeTo(step, 'route_again', 'reopened', target)
  if (target !== row.holder_id) await dropWraps(tx, row, target)
}
