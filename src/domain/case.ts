import type { Day } from './day.ts'

/** The life of a case (D§5) in words; `transition` in case-transition.ts decides every change of it. */
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
  photo: '现场照片',
  'decision-number': '处罚或处理决定文号',
  'rectification-note': '整改说明',
}

const FINISHED: readonly CaseState[] = ['concluded', 'published', 'closed', 'attached']

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
