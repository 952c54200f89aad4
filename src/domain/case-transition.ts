import {
  ACTION_LABELS,
  CASE_ACTIONS,
  STATE_LABELS,
  type Actor,
  type CaseAction,
  type CaseState,
} from './case.ts'
import {
  checkAttach,
  checkConclusion,
  checkHandOver,
  checkReason,
  checkReturn,
  checkTarget,
  mayAskReporter,
  mayByRole,
  mayClose,
  mayDispute,
  mayExtend,
  mayHandOver,
  mayMarkComplex,
  mayOfficer,
  mayPublish,
  mayReturn,
  needsArbitration,
  refuse,
  type Refusal,
  type TransitionFacts,
} from './case-refusals.ts'
import { DomainError } from './errors.ts'

/** An accepted change, as the history keeps it. */
export interface Transition {
  readonly action: CaseAction
  readonly actor: Actor
  readonly from: CaseState
  readonly to: CaseState
  /** The holder afterwards. */
  readonly holder: string
}

export type TransitionResult =
  { readonly ok: true; readonly next: CaseState; readonly event: Transition } | Refusal

interface Rule {
  readonly from: readonly CaseState[]
  readonly by: readonly Actor[]
  /** Every state the action can lead to, `stay` meaning the one it came from. */
  readonly to: readonly (CaseState | 'stay')[]
  /** Whether the case itself allows it, before the actor has filled anything in. */
  readonly may?: (facts: TransitionFacts) => Refusal | null
  /** Whether what the actor filled in will do. */
  readonly check?: (facts: TransitionFacts) => Refusal | null
  /** The holder afterwards is the input's target. */
  readonly moves?: true
}

const OFFICER = ['officer'] as const

/** The whole life of a case: what is not here does not happen. */
const RULES: Readonly<Record<CaseAction, Rule>> = {
  route: { from: ['received', 'returned'], by: ['system'], to: ['routed'], check: checkTarget, moves: true },
  accept: { from: ['routed'], by: OFFICER, to: ['accepted'], may: mayOfficer },
  work: { from: ['accepted'], by: OFFICER, to: ['working'], may: mayOfficer },
  note: { from: ['accepted', 'working'], by: OFFICER, to: ['working'], may: mayOfficer },
  return: {
    from: ['routed', 'accepted'],
    by: OFFICER,
    to: ['returned', 'arbitration'],
    may: mayReturn,
    check: checkReturn,
  },
  decide_arbitration: {
    from: ['arbitration'],
    by: ['dispatcher'],
    to: ['routed'],
    may: mayHandOver,
    check: checkTarget,
    moves: true,
  },
  hand_over: {
    from: ['routed', 'accepted', 'working'],
    by: ['officer', 'dispatcher'],
    to: ['routed'],
    may: mayHandOver,
    check: checkHandOver,
    moves: true,
  },
  attach: {
    from: ['routed', 'accepted', 'working'],
    by: OFFICER,
    to: ['attached'],
    may: mayOfficer,
    check: checkAttach,
  },
  ask_reporter: {
    from: ['accepted', 'working'],
    by: OFFICER,
    to: ['awaiting_reporter'],
    may: mayAskReporter,
  },
  resume: { from: ['awaiting_reporter'], by: ['reporter', 'system'], to: ['working'] },
  extend: { from: ['accepted', 'working'], by: OFFICER, to: ['stay'], may: mayExtend, check: checkReason },
  mark_complex: { from: ['accepted', 'working'], by: OFFICER, to: ['stay'], may: mayMarkComplex },
  conclude: { from: ['working'], by: OFFICER, to: ['concluded'], may: mayOfficer, check: checkConclusion },
  publish: { from: ['concluded'], by: ['publisher'], to: ['published'], may: mayPublish },
  send_back: { from: ['concluded'], by: ['publisher'], to: ['working'], may: mayPublish, check: checkReason },
  dispute: { from: ['published'], by: ['reporter'], to: ['reopened'], may: mayDispute },
  audit_reopen: { from: ['published', 'closed'], by: ['auditor'], to: ['reopened'], check: checkReason },
  route_again: { from: ['reopened'], by: ['system'], to: ['routed'], check: checkTarget, moves: true },
  close: { from: ['published'], by: ['system'], to: ['closed'], may: mayClose },
}

function gate(state: CaseState, action: CaseAction, actor: Actor, facts: TransitionFacts): Refusal | null {
  const rule = RULES[action]
  if (!rule.by.includes(actor)) return refuse('forbidden', `您的角色不能“${ACTION_LABELS[action]}”。`)
  if (!rule.from.includes(state)) {
    return refuse(
      'case-transition',
      `“${STATE_LABELS[state]}”的举报件不能“${ACTION_LABELS[action]}”，请刷新页面。`,
    )
  }
  return mayByRole(action, actor, facts) ?? rule.may?.(facts) ?? null
}

function nextState(state: CaseState, action: CaseAction, facts: TransitionFacts): CaseState {
  if (action === 'return') return needsArbitration(facts) ? 'arbitration' : 'returned'
  const [to = 'stay'] = RULES[action].to
  return to === 'stay' ? state : to
}

/**
 * Decides one change of a case: pure, total, the only place where states change. Codes: `forbidden` (role, department,
 * or an inaction case's excluded department), `case-transition` (the state or a limit forbids it), `two-people`,
 * `invalid-input` (with fields `target`, `reason`, `rewrapped`, `attachTo`, `outcome`, `statement`, `proof`,
 * `competentBody`).
 */
export function transition(
  state: CaseState,
  action: CaseAction,
  actor: Actor,
  facts: TransitionFacts,
): TransitionResult {
  const refused = gate(state, action, actor, facts) ?? RULES[action].check?.(facts) ?? null
  if (refused) return refused
  const next = nextState(state, action, facts)
  const holder = RULES[action].moves && facts.input.target !== undefined ? facts.input.target : facts.holder
  return { ok: true, next, event: { action, actor, from: state, to: next, holder } }
}

/** {@link transition} for services: the event, or the refusal thrown. @throws {DomainError} with the refusal's code. */
export function mustTransition(
  state: CaseState,
  action: CaseAction,
  actor: Actor,
  facts: TransitionFacts,
): Transition {
  const result = transition(state, action, actor, facts)
  if (!result.ok) throw new DomainError(result.code, result.message, result.fields)
  return result.event
}

/** The actions to offer an actor; what must be filled in with them is not looked at. */
export function allowedActions(state: CaseState, actor: Actor, facts: TransitionFacts): CaseAction[] {
  return CASE_ACTIONS.filter((action) => gate(state, action, actor, facts) === null)
}

/** The life of a case as a Mermaid state diagram, drawn from the table the code obeys. */
export function diagram(): string {
  const lines = CASE_ACTIONS.flatMap((action) => {
    const { from, by, to } = RULES[action]
    return from.flatMap((state) =>
      to.map((next) => `  ${state} --> ${next === 'stay' ? state : next}: ${action} (${by.join(', ')})`),
    )
  })
  return [
    'stateDiagram-v2',
    '  [*] --> received',
    ...lines,
    '  closed --> [*]',
    '  attached --> [*]',
    '',
  ].join('\n')
}
