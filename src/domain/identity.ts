import { addDays, type Day } from './day.ts'

/** Who a named reporter is: as told, nothing checked. */
export interface NamedReporter {
  readonly name: string
  /** Telephone, e-mail or address, whichever the reporter chose. */
  readonly contact: string
}

/** Characters, not bytes: both together with their JSON stay within one bucket of a sealed text. */
export const MAX_NAME = 40
export const MAX_CONTACT = 100

/** What a request is for: to read who it is, or to give a new receipt code to somebody who lost it. */
export const REQUEST_KINDS = ['read', 'reissue'] as const
export type RequestKind = (typeof REQUEST_KINDS)[number]

export const REQUEST_STATES = ['asked', 'stripped', 'passed', 'reissued', 'refused', 'expired'] as const
export type RequestState = (typeof REQUEST_STATES)[number]

/** Why somebody asks; the reporter is told which. `lost-code` is that of a new receipt code, the others of reading. */
export const REQUEST_REASONS = ['clarify', 'protect', 'reward', 'court', 'lost-code'] as const
export type RequestReason = (typeof REQUEST_REASONS)[number]

export const REASON_LABELS: Readonly<Record<RequestReason, string>> = {
  clarify: '核实情况，要当面或者打电话问举报人',
  protect: '有人打击报复，要保护举报人',
  reward: '核对奖励发给谁',
  court: '法院、检察院依法要求',
  'lost-code': '举报人丢了查询码，要补办',
}

export const STATE_WORDS: Readonly<Record<RequestState, string>> = {
  asked: '等审批人',
  stripped: '审批人已同意，等身份保管人',
  passed: '已转给申请人',
  reissued: '查询码已补办',
  refused: '已拒绝',
  expired: '已过期',
}

/** How long whoever asked can read it, and how long a request waits for the two others, in days. */
export const READABLE_DAYS = 7
export const WAITING_DAYS = 14

/** The last day on which what was passed on today can be read. */
export function readableUntil(today: Day): Day {
  return addDays(today, READABLE_DAYS)
}

/** What the reporter is told of a request: never which member of staff. */
export interface RequestNews {
  readonly day: Day
  readonly department: string
  readonly kind: RequestKind
  readonly reason: RequestReason
  /** Whether both agreed; null while it is open. */
  readonly agreed: boolean | null
  /** The day of the last step. */
  readonly decidedDay: Day | null
}

/** Who may do the next step of a request, apart from whether the case is theirs to see. */
export interface RequestSituation {
  readonly state: RequestState
  readonly askedBy: string
  readonly approverId: string | null
}

/**
 * Why a member may not take the next step; null when the member may.
 * @param role in which the member acts.
 */
export function stepRefusal(
  at: RequestSituation,
  role: 'approver' | 'custodian',
  memberId: string,
): { readonly code: 'two-people' | 'case-transition'; readonly message: string } | null {
  if (at.state !== (role === 'approver' ? 'asked' : 'stripped')) {
    return { code: 'case-transition', message: '这个申请已经处理过了，请刷新页面。' }
  }
  if (at.askedBy === memberId || at.approverId === memberId) {
    return { code: 'two-people', message: '申请、审批、保管要由三个不同的人来做。' }
  }
  return null
}
