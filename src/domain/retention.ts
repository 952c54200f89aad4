import { addDays, type Day } from './day.ts'

/** What is kept for a time of its own. What is not named here (the public ledger, events, counts) stays for ever. */
export const RETENTION_CLASSES = [
  'draft',
  'filing',
  'unverified',
  'case',
  'receipt',
  'identity',
  'payee',
  'audit',
] as const
export type RetentionClass = (typeof RETENTION_CLASSES)[number]

export const RETENTION_LABELS: Readonly<Record<RetentionClass, string>> = {
  draft: '没有提交的草稿和照片',
  filing: '防止重复提交的回执',
  unverified: '无人受理的待核实举报、不属本区职责的举报',
  case: '办结举报的内容：文字、照片、留言、办理笔记',
  receipt: '查询码',
  identity: '实名举报人的姓名和联系方式',
  payee: '领奖人的收款信息',
  audit: '工作人员操作记录',
}

/** From when the days count. */
export const RETENTION_ANCHORS: Readonly<Record<RetentionClass, string>> = {
  draft: '开始填写',
  filing: '提交',
  unverified: '收到（无人受理的）或归档（不属本区职责的）',
  case: '归档',
  receipt: '内容销毁',
  identity: '奖励发放，或领取期限结束',
  payee: '奖励发放',
  audit: '记录',
}

/** How long a class is kept, from a day on until a later rule for the same class holds. */
export interface RetentionRule {
  readonly class: RetentionClass
  readonly days: number
  readonly from: Day
}

/** Earlier than any case. */
const ALWAYS: Day = '2017-01-01'

/**
 * The schedule as shipped; the operator's own rules come after it. What is only passing through (drafts, replies to a
 * repeated filing) is as short as its use; the other terms are ours.
 *
 * @source 中华人民共和国个人信息保护法（2021-11-01）第十九条: personal information is kept for the shortest time that its
 *   purpose needs; 第四十七条: it is deleted when the time is over. 第五十六条: records of handling are kept three years.
 *   No archive rule of the operator's is known to us: 由运营单位填写.
 */
export const SHIPPED_SCHEDULE: readonly RetentionRule[] = (
  [
    ['draft', 1],
    ['filing', 7],
    ['unverified', 90],
    ['case', 365],
    ['receipt', 365],
    ['identity', 30],
    ['payee', 30],
    ['audit', 3 * 365 + 1],
  ] as const
).map(([name, days]) => ({ class: name, days, from: ALWAYS }))

/** The reporter is told this many days before, and nothing is destroyed that was not announced so long. */
export const WARNING_DAYS = 14
/** How far the console looks ahead. */
export const AHEAD_DAYS = 30
/** Days after closing in which a reward can still come and be collected; a named reporter must be reachable so long. */
export const CLAIM_WINDOW_DAYS = 180

/** What the operator may change in the console, and within which bounds (days). */
export const CHANGEABLE = {
  unverified: { min: 30, max: 365 },
  case: { min: 90, max: 3650 },
  receipt: { min: 30, max: 3650 },
} as const satisfies Partial<Record<RetentionClass, { min: number; max: number }>>
export type ChangeableClass = keyof typeof CHANGEABLE

export const HOLD_REASONS = ['litigation', 'review', 'investigation', 'audit'] as const
export type HoldReason = (typeof HOLD_REASONS)[number]

export const HOLD_LABELS: Readonly<Record<HoldReason, string>> = {
  litigation: '行政诉讼',
  review: '行政复议',
  investigation: '纪检或者公安机关调查',
  audit: '审计检查',
}

/** An auditor's word that nothing of a case is destroyed. */
export interface Hold {
  readonly placedDay: Day
  /** Null while it stands. */
  readonly liftedDay: Day | null
}

/** What the rules need to know of a case as it is worked (of the whole, when others are folded into it). */
export interface RetentionFacts {
  readonly receivedDay: Day
  /** Null while it is not closed. */
  readonly closedDay: Day | null
  /** It came without a proof and nobody has accepted it. */
  readonly unproven: boolean
  /** It turned out to be somebody else's business. */
  readonly outside: boolean
  /** A reward of it is being decided, collected or paid. */
  readonly rewardOpen: boolean
  /** The last day on which something about a reward of it was decided or paid. */
  readonly rewardDay: Day | null
  /** The day its reward was paid. */
  readonly paidDay: Day | null
  /** The day its content was destroyed. */
  readonly destroyedDay: Day | null
}

/** What becomes of a class: the day it goes, or why it stays. */
export type Fate =
  { readonly due: Day } | { readonly kept: 'open' | 'reward' | 'held' | 'waits' | 'for-ever' }

export interface Fates {
  /** By which rule the content goes. */
  readonly contentClass: 'unverified' | 'case'
  readonly content: Fate
  readonly receipt: Fate
  readonly identity: Fate
  readonly payee: Fate
  readonly ledger: Fate
}

/** Days that a class is kept by the rule that holds on a day. */
export function daysOn(schedule: readonly RetentionRule[], name: RetentionClass, day: Day): number {
  return versionsOf(schedule, name).findLast((rule) => rule.from <= day)?.days ?? Number.POSITIVE_INFINITY
}

/**
 * The first day on which a class is over, by the rule that holds on that day: a shorter term makes nothing due before
 * the day from which it holds, a longer one keeps what is not due by then.
 */
export function dueDayOf(schedule: readonly RetentionRule[], name: RetentionClass, anchor: Day): Day | null {
  const versions = versionsOf(schedule, name)
  for (const [index, { days, from }] of versions.entries()) {
    const at = later(from, addDays(anchor, days))
    const next = versions[index + 1]
    if (!next || at < next.from) return at
  }
  return null
}

/**
 * What becomes of everything that is kept about a case. A hold keeps all of it; what could have gone before the hold was
 * lifted, or before its reward was decided, goes once it was announced anew.
 */
export function fatesOf(
  facts: RetentionFacts,
  schedule: readonly RetentionRule[],
  holds: readonly Hold[],
  today: Day,
): Fates {
  const { closedDay, paidDay, rewardDay } = facts
  const unverified = facts.unproven || (facts.outside && closedDay !== null)
  const contentClass = unverified ? 'unverified' : 'case'
  const held = holds.some(({ liftedDay }) => liftedDay === null || liftedDay > today)
  const announced = [rewardDay, ...holds.map(({ liftedDay }) => liftedDay)]
    .filter((day) => day !== null)
    .map((day) => addDays(day, WARNING_DAYS))

  const fate = (name: RetentionClass, anchor: Day | null, waits: 'open' | 'waits'): Fate => {
    if (held) return { kept: 'held' }
    if (facts.rewardOpen) return { kept: 'reward' }
    const due = anchor === null ? null : dueDayOf(schedule, name, anchor)
    return due === null ? { kept: waits } : { due: announced.reduce(later, due) }
  }

  return {
    contentClass,
    content: fate(contentClass, facts.unproven ? facts.receivedDay : closedDay, 'open'),
    receipt: fate('receipt', facts.destroyedDay, 'waits'),
    identity: fate(
      'identity',
      paidDay ?? (closedDay === null ? null : addDays(closedDay, CLAIM_WINDOW_DAYS)),
      'open',
    ),
    payee: fate('payee', paidDay, 'waits'),
    ledger: { kept: 'for-ever' },
  }
}

/** Whether something is to go by now. */
export function isDue(fate: Fate, today: Day): boolean {
  return 'due' in fate && fate.due <= today
}

/** The day to tell the reporter about, from {@link WARNING_DAYS} before; null earlier, or when nothing goes. */
export function warningOf(fate: Fate, today: Day): Day | null {
  return 'due' in fate && addDays(fate.due, -WARNING_DAYS) <= today ? fate.due : null
}

const later = (one: Day, other: Day): Day => (one > other ? one : other)

/** Of one class, the earliest first; of the same day, the one given last comes last. */
function versionsOf(schedule: readonly RetentionRule[], name: RetentionClass): RetentionRule[] {
  return schedule
    .filter((rule) => rule.class === name)
    .sort((one, other) => (one.from < other.from ? -1 : one.from > other.from ? 1 : 0))
}
