import { DomainError, type FieldError, type ProblemCode } from './errors.ts'
import type { Day } from './day.ts'
import { DISPATCHER_DEPARTMENT } from './plan.ts'

/** The life of a case (D§5). Nothing but {@link transition} decides a change of state. */
export const CASE_STATES = [
  'received',
  'routed',
  'accepted',
  'working',
  'concluded',
  'published',
  'closed',
  'returned',
  'arbitration',
  'awaiting_reporter',
  'reopened',
  'attached',
] as const
export type CaseState = (typeof CASE_STATES)[number]

export const STATE_LABELS: Readonly<Record<CaseState, string>> = {
  received: '已收到',
  routed: '已派单',
  accepted: '已受理',
  working: '办理中',
  concluded: '已办结，待公开',
  published: '已公开',
  closed: '已归档',
  returned: '已退单',
  arbitration: '待裁定',
  awaiting_reporter: '等待举报人补充',
  reopened: '重办',
  attached: '已并入其他举报件',
}

export const CASE_ACTIONS = [
  'route',
  'accept',
  'work',
  'note',
  'return',
  'decide_arbitration',
  'hand_over',
  'attach',
  'ask_reporter',
  'resume',
  'extend',
  'mark_complex',
  'conclude',
  'publish',
  'send_back',
  'dispute',
  'audit_reopen',
  'route_again',
  'close',
] as const
export type CaseAction = (typeof CASE_ACTIONS)[number]

export const ACTION_LABELS: Readonly<Record<CaseAction, string>> = {
  route: '派单',
  accept: '受理',
  work: '开始办理',
  note: '记录',
  return: '退单',
  decide_arbitration: '裁定',
  hand_over: '转办',
  attach: '并案',
  ask_reporter: '请举报人补充',
  resume: '继续办理',
  extend: '延期',
  mark_complex: '列为复杂件',
  conclude: '办结',
  publish: '公开',
  send_back: '退回补办',
  dispute: '提出异议',
  audit_reopen: '抽查重办',
  route_again: '重新派单',
  close: '归档',
}

/** The roles a member can have. */
export const ROLES = [
  'officer',
  'dispatcher',
  'publisher',
  'custodian',
  'approver',
  'finance',
  'auditor',
  'admin',
] as const
export type Role = (typeof ROLES)[number]

export const ROLE_LABELS: Readonly<Record<Role, string>> = {
  officer: '承办员',
  dispatcher: '调度员',
  publisher: '发布员',
  custodian: '身份保管人',
  approver: '审批人',
  finance: '财务',
  auditor: '审计员',
  admin: '管理员',
}

/** Who can act on a case: members by role, the reporter by receipt code, and the system by itself. */
export const ACTORS = [...ROLES, 'reporter', 'system'] as const
export type Actor = (typeof ACTORS)[number]

export const OUTCOMES = ['substantiated', 'partly', 'unsubstantiated', 'unverifiable', 'outside'] as const
export type Outcome = (typeof OUTCOMES)[number]

export const OUTCOME_LABELS: Readonly<Record<Outcome, string>> = {
  substantiated: '属实',
  partly: '部分属实',
  unsubstantiated: '不属实',
  unverifiable: '无法核实',
  outside: '不属本区职责',
}

export const RETURN_REASONS = [
  'other-department',
  'other-area',
  'other-category',
  'shared-site',
  'needs-permit-holder',
] as const
export type ReturnReason = (typeof RETURN_REASONS)[number]

export const RETURN_REASON_LABELS: Readonly<Record<ReturnReason, string>> = {
  'other-department': '按方案由其他单位牵头',
  'other-area': '地点不在本单位辖区',
  'other-category': '污染类别选错，属于另一类',
  'shared-site': '同一现场由其他单位主管',
  'needs-permit-holder': '应由发证或审批的单位处理',
}

/** What proves a conclusion; for `outside` the competent body stands instead. */
export const PROOF_KINDS = ['photo', 'decision-number', 'rectification-note'] as const
export type ProofKind = (typeof PROOF_KINDS)[number]

export const PROOF_LABELS: Readonly<Record<ProofKind, string>> = {
  photo: '现场检查照片',
  'decision-number': '处罚或处理决定文号',
  'rectification-note': '整改说明',
}

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

export interface Transition {
  readonly action: CaseAction
  readonly actor: Actor
  readonly from: CaseState
  readonly to: CaseState
  /** The holder afterwards. */
  readonly holder: string
}

export interface Refusal {
  readonly ok: false
  readonly code: Extract<ProblemCode, 'case-transition' | 'forbidden' | 'invalid-input' | 'two-people'>
  readonly message: string
  readonly fields: readonly FieldError[]
}

export type TransitionResult =
  { readonly ok: true; readonly next: CaseState; readonly event: Transition } | Refusal

function refuse(code: Refusal['code'], message: string, field?: string): Refusal {
  return { ok: false, code, message, fields: field === undefined ? [] : [{ field, message }] }
}

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

const isBlank = (text: string | undefined): boolean => text === undefined || text.trim() === ''

/** The department must not hold, read or decide an inaction case: the one accused, and the dispatcher's. */
function isExcluded(facts: TransitionFacts, department: string): boolean {
  return facts.accused !== null && (department === facts.accused || department === DISPATCHER_DEPARTMENT)
}

function checkTarget({ input, ...facts }: TransitionFacts): Refusal | null {
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

function checkReason(facts: TransitionFacts): Refusal | null {
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

function mayOfficer(facts: TransitionFacts): Refusal | null {
  return belongs(facts) ?? notBarred(facts)
}

const REFUSED_AFTER_ARBITRATION = '区大气办已经裁定由本单位承办，裁定是最终的，不能再退单或转办。'

function needsArbitration(facts: TransitionFacts): boolean {
  return facts.returnedBy.includes(facts.holder) || facts.returnedBy.length >= MAX_RETURNS
}

function mayReturn(facts: TransitionFacts): Refusal | null {
  const refused = mayOfficer(facts)
  if (refused) return refused
  if (facts.arbitrated) return refuse('case-transition', REFUSED_AFTER_ARBITRATION)
  if (facts.accused !== null && needsArbitration(facts)) {
    // Arbitration sits with the dispatcher, who must not read it.
    return refuse('case-transition', '反映不作为的举报件不进入区大气办裁定，请继续办理。')
  }
  return null
}

function checkReturn(facts: TransitionFacts): Refusal | null {
  if (!RETURN_REASONS.some((reason) => reason === facts.input.reason)) {
    return refuse('invalid-input', '请从列表里选一个退单理由。', 'reason')
  }
  return checkOtherTarget(facts)
}

function mayHandOver(facts: TransitionFacts): Refusal | null {
  if (facts.accused !== null && facts.memberDepartment === DISPATCHER_DEPARTMENT) {
    return refuse('forbidden', '反映不作为的举报件不经过区大气办。')
  }
  return null
}

function checkHandOver(facts: TransitionFacts): Refusal | null {
  const refused = checkOtherTarget(facts)
  if (refused) return refused
  return facts.input.rewrapped === true
    ? null
    : refuse('invalid-input', '请先解锁，再把密封内容的钥匙交给接收单位。', 'rewrapped')
}

const FINISHED: readonly CaseState[] = ['concluded', 'published', 'closed', 'attached']

function checkAttach({ input: { attachTo }, holder, accused }: TransitionFacts): Refusal | null {
  const field = 'attachTo'
  if (!attachTo) return refuse('invalid-input', '请填写要并入的受理编号。', field)
  if (attachTo.holder !== holder) return refuse('invalid-input', '只能并入本单位承办的举报件。', field)
  if (attachTo.accused !== accused) return refuse('invalid-input', '两件反映的单位不同，不能并案。', field)
  if (FINISHED.includes(attachTo.state)) return refuse('invalid-input', '那一件已经办结，不能并入。', field)
  if (!attachTo.earlier) return refuse('invalid-input', '只能并入更早收到的举报件。', field)
  return null
}

function checkConclusion({ input }: TransitionFacts): Refusal | null {
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

function mayPublish(facts: TransitionFacts): Refusal | null {
  if (facts.memberDepartment !== null && isExcluded(facts, facts.memberDepartment)) {
    return refuse('forbidden', '被反映的单位和区大气办不能公开这件举报。')
  }
  const { member } = facts
  if (member === null || member === facts.concludedBy || facts.workedBy.includes(member)) {
    return refuse('two-people', '受理、办理或办结这件举报的人不能自己公开，请由另一位发布员公开。')
  }
  return null
}

function mayDispute(facts: TransitionFacts): Refusal | null {
  if (facts.disputed) return refuse('case-transition', '每件举报只能提出一次异议，这一件已经提过了。')
  if (facts.disputeUntil === null || facts.today > facts.disputeUntil) {
    return refuse('case-transition', '提出异议的期限已经过了。如有新的情况，请重新举报。')
  }
  return null
}

const OFFICER = ['officer'] as const

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
    may: (facts) =>
      mayOfficer(facts) ??
      (facts.pauseUsed
        ? refuse('case-transition', '每件举报只能请举报人补充一次，这一件已经用过了。')
        : null),
  },
  resume: { from: ['awaiting_reporter'], by: ['reporter', 'system'], to: ['working'] },
  extend: {
    from: ['accepted', 'working'],
    by: OFFICER,
    to: ['stay'],
    may: (facts) =>
      mayOfficer(facts) ??
      (facts.extended ? refuse('case-transition', '每件举报只能延期一次，这一件已经延过了。') : null),
    check: checkReason,
  },
  mark_complex: {
    from: ['accepted', 'working'],
    by: OFFICER,
    to: ['stay'],
    may: (facts) =>
      mayOfficer(facts) ?? (facts.complex ? refuse('case-transition', '这一件已经是复杂件。') : null),
  },
  conclude: { from: ['working'], by: OFFICER, to: ['concluded'], may: mayOfficer, check: checkConclusion },
  publish: { from: ['concluded'], by: ['publisher'], to: ['published'], may: mayPublish },
  send_back: {
    from: ['concluded'],
    by: ['publisher'],
    to: ['working'],
    may: mayPublish,
    check: checkReason,
  },
  dispute: { from: ['published'], by: ['reporter'], to: ['reopened'], may: mayDispute },
  audit_reopen: { from: ['published', 'closed'], by: ['auditor'], to: ['reopened'], check: checkReason },
  route_again: { from: ['reopened'], by: ['system'], to: ['routed'], check: checkTarget, moves: true },
  close: {
    from: ['published'],
    by: ['system'],
    to: ['closed'],
    may: ({ disputeUntil, today }) =>
      disputeUntil !== null && today > disputeUntil
        ? null
        : refuse('case-transition', '提出异议的期限还没有过，不能归档。'),
  },
}

/** Rules that depend on the role that does it: an officer hands over only what the own department holds. */
function mayByRole(action: CaseAction, actor: Actor, facts: TransitionFacts): Refusal | null {
  if (action !== 'hand_over' || actor !== 'officer') return null
  const refused = belongs(facts)
  if (refused) return refused
  return facts.arbitrated ? refuse('case-transition', REFUSED_AFTER_ARBITRATION) : null
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

/** Whether the holder's officers are done with a case; a concluded one still waits for its publisher. */
export function isFinished(state: CaseState): boolean {
  return FINISHED.includes(state)
}

/** What the holder owes next, and by when; a null day waits for a calendar. */
export interface NextDue {
  readonly step: 'accept' | 'arbitrate' | 'conclude'
  readonly day: Day | null
}

/** The deadline to show in a queue: the soonest of those that run in this state; null when nothing is owed any more. */
export function nextDue(
  state: CaseState,
  due: { readonly accept: Day | null; readonly conclude: Day | null; readonly arbitrate: Day | null },
): NextDue | null {
  if (isFinished(state)) return null
  const step = state === 'routed' ? 'accept' : state === 'arbitration' ? 'arbitrate' : 'conclude'
  const own = due[step]
  return own !== null && (due.conclude === null || own <= due.conclude)
    ? { step, day: own }
    : { step: 'conclude', day: due.conclude }
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
