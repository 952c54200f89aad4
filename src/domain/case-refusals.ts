import {
  isFinished,
  OUTCOMES,
  RETURN_REASONS,
  type Actor,
  type CaseAction,
  type CaseState,
  type Outcome,
} from './case.ts'
import type { Day } from './day.ts'
import type { FieldError, ProblemCode } from './errors.ts'
import { DISPATCHER_DEPARTMENT } from './plan.ts'

/** Returns in all, over all departments, before the dispatcher decides. */
export const MAX_RETURNS = 2

/** An earlier case into which this one would be folded. */
export interface AttachTarget {
  readonly holder: string
  readonly state: CaseState
  readonly accused: string | null
  /** Received before this case (by day, then by case number). */
  readonly earlier: boolean
}

/** What the actor supplies with the action; each action reads only its own part. */
export interface ActionInput {
  /** A closed-list reason for `return`; free text, sealed by the caller, for `extend`, `send_back`, `audit_reopen`. */
  readonly reason?: string
  /** The department that shall hold the case next: `route`, `return`, `decide_arbitration`, `hand_over`, `route_again`. */
  readonly target?: string
  /** The tip's secret has been wrapped to the target: `hand_over`. */
  readonly rewrapped?: boolean
  readonly attachTo?: AttachTarget
  readonly outcome?: Outcome
  readonly statement?: string
  readonly proofCount?: number
  readonly competentBody?: string
}

/** All that the rules need to know about a case and its actor. */
export interface TransitionFacts {
  readonly holder: string
  /** The department complained of; not null exactly for inaction cases. */
  readonly accused: string | null
  /** Member id and department of the actor; null for the reporter and the system. */
  readonly member: string | null
  readonly memberDepartment: string | null
  /** Departments that have returned the case so far, in order. */
  readonly returnedBy: readonly string[]
  /** The dispatcher has decided once; that is final for departments. */
  readonly arbitrated: boolean
  /** The one pause for the reporter has been used. */
  readonly pauseUsed: boolean
  readonly extended: boolean
  readonly complex: boolean
  /** The reporter has used the one dispute. */
  readonly disputed: boolean
  /** Members who accepted or worked the case since it was last routed again. */
  readonly workedBy: readonly string[]
  readonly concludedBy: string | null
  /** Members who worked or concluded a round that was disputed or reopened: another officer takes it up. */
  readonly barred: readonly string[]
  readonly today: Day
  /** Last day of the dispute window; null before publication. */
  readonly disputeUntil: Day | null
  readonly input: ActionInput
}

/** Why an action is not possible; the message is for whoever tried. */
export interface Refusal {
  readonly ok: false
  readonly code: Extract<ProblemCode, 'case-transition' | 'forbidden' | 'invalid-input' | 'two-people'>
  readonly message: string
  readonly fields: readonly FieldError[]
}

export function refuse(code: Refusal['code'], message: string, field?: string): Refusal {
  return { ok: false, code, message, fields: field === undefined ? [] : [{ field, message }] }
}

const isBlank = (text: string | undefined): boolean => text === undefined || text.trim() === ''

/** The department must not hold, read or decide an inaction case: the one accused, and the dispatcher's. */
function isExcluded(facts: TransitionFacts, department: string): boolean {
  return facts.accused !== null && (department === facts.accused || department === DISPATCHER_DEPARTMENT)
}

export function checkTarget({ input, ...facts }: TransitionFacts): Refusal | null {
  if (input.target === undefined || isBlank(input.target)) {
    return refuse('invalid-input', '请选择接收的单位。', 'target')
  }
  if (isExcluded({ input, ...facts }, input.target)) {
    return refuse('forbidden', '反映不作为的举报件不能交给被反映的单位，也不能交给区大气办。', 'target')
  }
  return null
}

function checkOtherTarget(facts: TransitionFacts): Refusal | null {
  if (facts.input.target === facts.holder) {
    return refuse('invalid-input', '接收单位就是现在的承办单位，请另选一个。', 'target')
  }
  return checkTarget(facts)
}

export function checkReason(facts: TransitionFacts): Refusal | null {
  return isBlank(facts.input.reason) ? refuse('invalid-input', '请写明理由。', 'reason') : null
}

function belongs(facts: TransitionFacts): Refusal | null {
  return facts.memberDepartment === facts.holder
    ? null
    : refuse('forbidden', '这件举报不在您的单位，只有承办单位的承办员可以操作。')
}

function notBarred(facts: TransitionFacts): Refusal | null {
  return facts.member !== null && facts.barred.includes(facts.member)
    ? refuse('two-people', '重办的举报件要换一位承办员，请由同事办理。')
    : null
}

export function mayOfficer(facts: TransitionFacts): Refusal | null {
  return belongs(facts) ?? notBarred(facts)
}

const REFUSED_AFTER_ARBITRATION = '区大气办已经裁定由本单位承办，裁定是最终的，不能再退单或转办。'

export function needsArbitration(facts: TransitionFacts): boolean {
  return facts.returnedBy.includes(facts.holder) || facts.returnedBy.length >= MAX_RETURNS
}

export function mayReturn(facts: TransitionFacts): Refusal | null {
  const refused = mayOfficer(facts)
  if (refused) return refused
  if (facts.arbitrated) return refuse('case-transition', REFUSED_AFTER_ARBITRATION)
  if (facts.accused !== null && needsArbitration(facts)) {
    // Arbitration sits with the dispatcher, who must not read it.
    return refuse('case-transition', '反映不作为的举报件不进入区大气办裁定，请继续办理。')
  }
  return null
}

export function checkReturn(facts: TransitionFacts): Refusal | null {
  if (!RETURN_REASONS.some((reason) => reason === facts.input.reason)) {
    return refuse('invalid-input', '请从列表里选一个退单理由。', 'reason')
  }
  return checkOtherTarget(facts)
}

export function mayHandOver(facts: TransitionFacts): Refusal | null {
  if (facts.accused !== null && facts.memberDepartment === DISPATCHER_DEPARTMENT) {
    return refuse('forbidden', '反映不作为的举报件不经过区大气办。')
  }
  return null
}

export function checkHandOver(facts: TransitionFacts): Refusal | null {
  const refused = checkOtherTarget(facts)
  if (refused) return refused
  return facts.input.rewrapped === true
    ? null
    : refuse('invalid-input', '请先解锁，再把密封内容的钥匙交给接收单位。', 'rewrapped')
}

export function checkAttach({ input: { attachTo }, holder, accused }: TransitionFacts): Refusal | null {
  const field = 'attachTo'
  if (!attachTo) return refuse('invalid-input', '请填写要并入的受理编号。', field)
  if (attachTo.holder !== holder) return refuse('invalid-input', '只能并入本单位承办的举报件。', field)
  if (attachTo.accused !== accused) return refuse('invalid-input', '两件反映的单位不同，不能并案。', field)
  if (isFinished(attachTo.state)) return refuse('invalid-input', '那一件已经办结，不能并入。', field)
  if (!attachTo.earlier) return refuse('invalid-input', '只能并入更早收到的举报件。', field)
  return null
}

export function checkConclusion({ input }: TransitionFacts): Refusal | null {
  const fields: FieldError[] = []
  if (!OUTCOMES.some((outcome) => outcome === input.outcome)) {
    fields.push({ field: 'outcome', message: '请选择查实情况。' })
  }
  if (isBlank(input.statement)) fields.push({ field: 'statement', message: '请写出向社会公开的办理情况。' })
  if (input.outcome === 'outside') {
    if (isBlank(input.competentBody)) {
      fields.push({ field: 'competentBody', message: '请写明应当向哪个单位反映。' })
    }
  } else if ((input.proofCount ?? 0) < 1) {
    fields.push({ field: 'proof', message: '请至少提供一项佐证：检查照片、决定文号或整改说明。' })
  }
  const [first] = fields
  return first ? { ok: false, code: 'invalid-input', message: first.message, fields } : null
}

export function mayPublish(facts: TransitionFacts): Refusal | null {
  if (facts.memberDepartment !== null && isExcluded(facts, facts.memberDepartment)) {
    return refuse('forbidden', '被反映的单位和区大气办不能公开这件举报。')
  }
  const { member } = facts
  if (member === null || member === facts.concludedBy || facts.workedBy.includes(member)) {
    return refuse('two-people', '受理、办理或办结这件举报的人不能自己公开，请由另一位发布员公开。')
  }
  return null
}

export function mayAskReporter(facts: TransitionFacts): Refusal | null {
  return (
    mayOfficer(facts) ??
    (facts.pauseUsed ? refuse('case-transition', '每件举报只能请举报人补充一次，这一件已经用过了。') : null)
  )
}

export function mayExtend(facts: TransitionFacts): Refusal | null {
  return (
    mayOfficer(facts) ??
    (facts.extended ? refuse('case-transition', '每件举报只能延期一次，这一件已经延过了。') : null)
  )
}

export function mayMarkComplex(facts: TransitionFacts): Refusal | null {
  return mayOfficer(facts) ?? (facts.complex ? refuse('case-transition', '这一件已经是复杂件。') : null)
}

export function mayDispute(facts: TransitionFacts): Refusal | null {
  if (facts.disputed) return refuse('case-transition', '每件举报只能提出一次异议，这一件已经提过了。')
  if (facts.disputeUntil === null || facts.today > facts.disputeUntil) {
    return refuse('case-transition', '提出异议的期限已经过了。如有新的情况，请重新举报。')
  }
  return null
}

export function mayClose({ disputeUntil, today }: TransitionFacts): Refusal | null {
  return disputeUntil !== null && today > disputeUntil
    ? null
    : refuse('case-transition', '提出异议的期限还没有过，不能归档。')
}

/** Rules that depend on the role that does it: an officer hands over only what the own department holds. */
export function mayByRole(action: CaseAction, actor: Actor, facts: TransitionFacts): Refusal | null {
  if (action !== 'hand_over' || actor !== 'officer') return null
  const refused = belongs(facts)
  if (refused) return refused
  return facts.arbitrated ? refuse('case-transition', REFUSED_AFTER_ARBITRATION) : null
}
