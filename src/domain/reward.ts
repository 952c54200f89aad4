import type { Outcome } from './case.ts'
import type { Day } from './day.ts'
import { termEnd, type DeadlineUnit, type WorkCalendar } from './deadline.ts'
import type { FieldError, ProblemCode } from './errors.ts'
import { yuanText } from './money.ts'

/**
 * Rewards for tip-offs. A schedule says what is paid; {@link assess} applies it line by line, so that whoever reads the
 * lines can follow every fen; {@link rewardRefusal} says who may take which step. Money is integer fen.
 */

/** What the department decided against the polluter, the heaviest if there were several. */
export const PENALTY_KINDS = ['none', 'warning', 'correction', 'shutdown', 'fine'] as const
export type PenaltyKind = (typeof PENALTY_KINDS)[number]

export const PENALTY_LABELS: Readonly<Record<PenaltyKind, string>> = {
  none: '没有处罚，只作其他处理',
  warning: '警告、通报批评',
  correction: '责令改正',
  shutdown: '关停、取缔',
  fine: '罚款',
}

export interface Penalty {
  readonly kind: PenaltyKind
  /** The fine; 0 for every other kind. */
  readonly fineFen: number
}

/** From this fine on (inclusive) the amount is paid, until the next tier begins. */
export interface FineTier {
  readonly fromFen: number
  readonly amountFen: number
}

export const TIERED_PENALTIES = ['warning', 'correction', 'shutdown'] as const
export type TieredPenalty = (typeof TIERED_PENALTIES)[number]

/** What a schedule promises. Data: the operator writes it, the program only adds it up. */
export interface RewardTerms {
  /** By category; one that is missing is not rewarded. */
  readonly fixedFen: Readonly<Record<string, number>>
  readonly penaltyFen: Readonly<Record<TieredPenalty, number>>
  /** Ascending, the first from 0; empty when fines make no difference. */
  readonly fineTiers: readonly FineTier[]
  /** What is paid of it when a tip proved true in part, 0 to 100. */
  readonly partlyPercent: number
  /** The most for one tip. */
  readonly capFen: number
  /** The most that a calendar year's approvals may come to. */
  readonly yearBudgetFen: number
  /** How long an approved reward can be collected. */
  readonly window: { readonly count: number; readonly unit: DeadlineUnit }
}

/** One confirmed version. It holds for tips received from `validFrom` to `validUntil`, both inclusive. */
export interface RewardSchedule {
  readonly id: string
  readonly version: number
  readonly title: string
  /** The document it rests on. */
  readonly basis: string
  readonly validFrom: Day
  readonly validUntil: Day | null
  /** Made up for a demonstration; every page that shows it says so. */
  readonly example: boolean
  readonly terms: RewardTerms
}

/** Amounts beyond this are slips of the pen. */
const MAX_FEN = 10_000_000_000

const isFen = (value: number): boolean => Number.isSafeInteger(value) && value >= 0 && value <= MAX_FEN

/** What is wrong with terms before anybody may confirm them; fields as the console's form names them. */
export function checkTerms(terms: RewardTerms, categories: ReadonlySet<string>): FieldError[] {
  const problems: FieldError[] = []
  const refuse = (field: string, message: string): void => {
    problems.push({ field, message })
  }
  const fixed = Object.entries(terms.fixedFen)
  for (const [category, amount] of fixed) {
    if (!categories.has(category)) refuse('fixed', `没有“${category}”这个类别。`)
    else if (!isFen(amount) || amount === 0) refuse(`fixed.${category}`, '金额要大于 0；不奖励的留空。')
  }
  if (fixed.length === 0) refuse('fixed', '至少要有一个类别给奖励。')
  for (const kind of TIERED_PENALTIES) {
    if (!isFen(terms.penaltyFen[kind])) refuse(`penalty.${kind}`, '请填写不小于 0 的金额。')
  }
  for (const [index, tier] of terms.fineTiers.entries()) {
    const before = terms.fineTiers[index - 1]
    if (!isFen(tier.fromFen) || !isFen(tier.amountFen)) refuse(`tier.${index}`, '请填写不小于 0 的金额。')
    else if (index === 0 && tier.fromFen !== 0) refuse('tier.0', '第一档要从 0 元罚款起。')
    else if (before && tier.fromFen <= before.fromFen)
      refuse(`tier.${index}`, '每一档的罚款起点要比上一档高。')
    else if (before && tier.amountFen < before.amountFen)
      refuse(`tier.${index}`, '罚款更重的一档，奖励不能更少。')
  }
  if (!Number.isInteger(terms.partlyPercent) || terms.partlyPercent < 0 || terms.partlyPercent > 100)
    refuse('partlyPercent', '请填写 0 到 100 的整数。')
  if (!isFen(terms.capFen) || terms.capFen === 0) refuse('cap', '请填写每件最多奖励多少。')
  if (!isFen(terms.yearBudgetFen) || terms.yearBudgetFen === 0) refuse('budget', '请填写全年预算。')
  else if (terms.yearBudgetFen < terms.capFen) refuse('budget', '全年预算不能少于一件的上限。')
  const { count } = terms.window
  if (!Number.isInteger(count) || count < 1 || count > 1000)
    refuse('window', '领取期限请填写 1 到 1000 的整数。')
  return problems
}

/**
 * The schedule that governs a tip received on `day`: the latest version begun by then; null when there is none, or when
 * that one has ended. A later version therefore ends the ones before it, also by ending itself.
 */
export function scheduleOn(schedules: readonly RewardSchedule[], day: Day): RewardSchedule | null {
  const begun = schedules.filter(({ validFrom }) => validFrom <= day)
  const latest = begun.sort((a, b) => (a.validFrom < b.validFrom ? 1 : -1))[0]
  return latest && (latest.validUntil === null || day <= latest.validUntil) ? latest : null
}

/** Last day on which a reward can be collected; null while the working-day calendar of the year is missing. */
export function lastCollectionDay(
  terms: Pick<RewardTerms, 'window'>,
  calendar: WorkCalendar,
  approvedDay: Day,
  publishedDay: Day,
): Day | null {
  // A case that was reviewed is published again: the time of the review is not taken from the reporter.
  const from = approvedDay > publishedDay ? approvedDay : publishedDay
  return termEnd(calendar, from, terms.window.count, terms.window.unit)
}

/** What the authority knew before the tip came. */
export const KNOWN_BEFORE = ['new', 'investigated', 'disclosed', 'reported'] as const
export type KnownBefore = (typeof KNOWN_BEFORE)[number]

export const KNOWN_BEFORE_LABELS: Readonly<Record<KnownBefore, string>> = {
  new: '举报以前没有掌握',
  investigated: '举报以前已经立案或正在查处',
  disclosed: '举报以前已在本站或媒体公开',
  reported: '举报以前已有人从其他渠道反映',
}

/** What the tip did for the investigation. */
export const EVIDENCE_USES = ['led', 'vague', 'contradicted'] as const
export type EvidenceUse = (typeof EVIDENCE_USES)[number]

export const EVIDENCE_LABELS: Readonly<Record<EvidenceUse, string>> = {
  led: '线索具体，凭它找到了现场',
  vague: '线索太笼统，没有帮上调查',
  contradicted: '线索与查到的情况不符',
}

/** What the officer states; closed lists, since whatever somebody writes about a tip is sealed (D§7). */
export interface Findings {
  readonly knownBefore: KnownBefore
  readonly evidence: EvidenceUse
  readonly penalty: Penalty
}

export interface RewardFacts {
  readonly category: string
  readonly categoryName: string
  readonly outcome: Outcome | null
  /** Document number of the decision; null when the case has none. */
  readonly decisionNo: string | null
  /** This tip was the first of its case, see {@link firstTip}. */
  readonly first: boolean
  /** Null before an officer has stated them: then only the lines that need none are told. */
  readonly findings: Findings | null
}

export const CONDITION_RULES = [
  'schedule',
  'first',
  'outcome',
  'category',
  'decision',
  'unknown',
  'evidence',
] as const
export const AMOUNT_RULES = ['fixed', 'penalty', 'partly', 'cap'] as const

/** One line of the account, in words for the reporter. An amount line carries the amount after it. */
export type RewardLine =
  | {
      readonly kind: 'condition'
      readonly rule: (typeof CONDITION_RULES)[number]
      readonly met: boolean
      readonly text: string
    }
  | {
      readonly kind: 'amount'
      readonly rule: (typeof AMOUNT_RULES)[number]
      readonly amountFen: number
      readonly text: string
    }

export interface Assessment {
  readonly eligible: boolean
  /** 0 when not eligible. */
  readonly amountFen: number
  readonly lines: readonly RewardLine[]
}

/** A tip as far as its place in the queue of a case goes. */
export interface TipArrival {
  readonly id: string
  readonly day: Day
  /** Ordinal of the filing: no two are alike, and no time of day is needed to tell them apart. */
  readonly arrival: number
}

/** The first tip of a case, those of the cases folded into it included; null for none. */
export function firstTip<T extends TipArrival>(tips: readonly T[]): T | null {
  const [first] = [...tips].sort((a, b) => (a.day === b.day ? a.arrival - b.arrival : a.day < b.day ? -1 : 1))
  return first ?? null
}

const REWARDED_OUTCOMES: readonly (Outcome | null)[] = ['substantiated', 'partly']

/** Whether a conclusion can earn a reward at all. */
export function isRewardedOutcome(outcome: Outcome | null): boolean {
  return REWARDED_OUTCOMES.includes(outcome)
}

function conditions(facts: RewardFacts, schedule: RewardSchedule | null): RewardLine[] {
  const lines: RewardLine[] = []
  const say = (rule: (typeof CONDITION_RULES)[number], met: boolean, text: string): void => {
    lines.push({ kind: 'condition', rule, met, text })
  }
  if (!schedule) {
    say('schedule', false, '收到举报的那一天，没有生效的奖励标准。')
    return lines
  }
  say('schedule', true, `按收到举报那一天生效的标准：${schedule.title}（第${schedule.version}版）。`)
  say(
    'first',
    facts.first,
    facts.first ? '您是这件事的第一个举报人。' : '这件事已有人先举报；同一件事只奖励第一个举报人。',
  )
  const rewarded = isRewardedOutcome(facts.outcome)
  say(
    'outcome',
    rewarded,
    rewarded
      ? `查实情况：${facts.outcome === 'partly' ? '部分属实' : '属实'}。`
      : '查实情况不是“属实”或“部分属实”。',
  )
  const listed = schedule.terms.fixedFen[facts.category] !== undefined
  say('category', listed, `${listed ? '类别在奖励范围内' : '类别不在奖励范围内'}：${facts.categoryName}。`)
  const { findings } = facts
  if (!findings) return lines
  say(
    'decision',
    facts.decisionNo !== null,
    facts.decisionNo === null ? '没有处罚或处理决定的文号。' : `有处理决定：${facts.decisionNo}。`,
  )
  say('unknown', findings.knownBefore === 'new', `${KNOWN_BEFORE_LABELS[findings.knownBefore]}。`)
  say('evidence', findings.evidence === 'led', `${EVIDENCE_LABELS[findings.evidence]}。`)
  return lines
}

/** What the penalty is worth by the schedule, and how that tier is called. */
function penaltyAmount({ kind, fineFen }: Penalty, terms: RewardTerms): { amountFen: number; text: string } {
  if (kind === 'none') return { amountFen: 0, text: '' }
  if (kind !== 'fine') return { amountFen: terms.penaltyFen[kind], text: PENALTY_LABELS[kind] }
  const index = terms.fineTiers.findLastIndex(({ fromFen }) => fromFen <= fineFen)
  const tier = terms.fineTiers[index]
  return tier
    ? { amountFen: tier.amountFen, text: fineTierText(terms.fineTiers, index) }
    : { amountFen: 0, text: '' }
}

/** `罚款3万元以上、不满20万元` in plain figures. */
export function fineTierText(tiers: readonly FineTier[], index: number): string {
  const from = tiers[index]?.fromFen ?? 0
  const next = tiers[index + 1]
  if (from === 0) return next ? `罚款不满${yuanText(next.fromFen)}` : '罚款，不论多少'
  return next ? `罚款${yuanText(from)}以上、不满${yuanText(next.fromFen)}` : `罚款${yuanText(from)}以上`
}

function amounts(facts: RewardFacts, findings: Findings, terms: RewardTerms): RewardLine[] {
  const lines: RewardLine[] = []
  let amountFen = 0
  const say = (rule: (typeof AMOUNT_RULES)[number], next: number, text: string): void => {
    amountFen = next
    lines.push({ kind: 'amount', rule, amountFen, text })
  }
  const fixed = terms.fixedFen[facts.category] ?? 0
  say('fixed', fixed, `定额${yuanText(fixed)}：${facts.categoryName}。`)
  const penalty = penaltyAmount(findings.penalty, terms)
  if (penalty.amountFen > fixed)
    say(
      'penalty',
      penalty.amountFen,
      `${penalty.text}，对应${yuanText(penalty.amountFen)}，比定额高，按它算。`,
    )
  else if (penalty.text !== '')
    say('penalty', fixed, `${penalty.text}，对应${yuanText(penalty.amountFen)}，不高于定额，仍按定额算。`)
  if (facts.outcome === 'partly') {
    // Down to the fen: a rounding in anybody's favour would have to be explained.
    const part = Math.floor((amountFen * terms.partlyPercent) / 100)
    say('partly', part, `部分属实，按${terms.partlyPercent}%算。`)
  }
  if (amountFen > terms.capFen) say('cap', terms.capFen, `每件最多${yuanText(terms.capFen)}。`)
  return lines
}

/**
 * Whether a tip earns a reward and how much, line by line. Conditions come first and all of them are told; the amount
 * is the higher of the category's fixed sum and the penalty's tier, then the share for "in part", then the cap.
 */
export function assess(facts: RewardFacts, schedule: RewardSchedule | null): Assessment {
  const told = conditions(facts, schedule)
  const { findings } = facts
  if (!schedule || !findings || told.some((line) => line.kind === 'condition' && !line.met))
    return { eligible: false, amountFen: 0, lines: told }
  const added = amounts(facts, findings, schedule.terms)
  const last = added.at(-1)
  const amountFen = last?.kind === 'amount' ? last.amountFen : 0
  return { eligible: amountFen > 0, amountFen, lines: [...told, ...added] }
}

/** The life of a reward. `sent-back` and `released` are ends after which the case may be assessed again. */
export const REWARD_STATUSES = [
  'proposed',
  'sent-back',
  'denied',
  'approved',
  'claimed',
  'paid',
  'lapsed',
  'released',
] as const
export type RewardStatus = (typeof REWARD_STATUSES)[number]

export const REWARD_STATUS_LABELS: Readonly<Record<RewardStatus, string>> = {
  proposed: '等待审批',
  'sent-back': '已退回重核',
  denied: '不予奖励',
  approved: '已批准，待领取',
  claimed: '已出领取码，待发放',
  paid: '已发放',
  lapsed: '逾期未领',
  released: '已撤销',
}

export const REWARD_ACTIONS = ['approve', 'send-back', 'claim', 'pay', 'lapse', 'release', 'voucher'] as const
export type RewardAction = (typeof REWARD_ACTIONS)[number]

export const SEND_BACK_REASONS = ['amount', 'evidence', 'known', 'inspection'] as const
export type SendBackReason = (typeof SEND_BACK_REASONS)[number]

export const SEND_BACK_LABELS: Readonly<Record<SendBackReason, string>> = {
  amount: '处理结果或罚款数额与决定书不符',
  evidence: '线索的作用与案卷不符',
  known: '是否事先掌握与案卷不符',
  inspection: '抽查没有通过',
}

export const RELEASE_REASONS = ['review', 'assessment', 'returned'] as const
export type ReleaseReason = (typeof RELEASE_REASONS)[number]

export const RELEASE_LABELS: Readonly<Record<ReleaseReason, string>> = {
  review: '复核后结论改变',
  assessment: '核定有误，重新核定',
  returned: '款项已经退回',
}

/** What the second inspection of a case has come to; `none` when the case was not drawn. */
export type InspectionState = 'none' | 'waiting' | 'confirmed' | 'refuted'

export const INSPECTION_RESULTS = ['confirmed', 'refuted'] as const
export type InspectionResult = (typeof INSPECTION_RESULTS)[number]

export const INSPECTION_LABELS: Readonly<Record<InspectionResult, string>> = {
  confirmed: '复查一致，情况属实',
  refuted: '复查不一致',
}

/** All that the rules of a step need to know. */
export interface RewardSituation {
  readonly status: RewardStatus
  readonly eligible: boolean
  readonly proposedBy: string
  readonly decidedBy: string | null
  readonly paidBy: string | null
  /** Who acts; null for the reporter and the system. */
  readonly member: string | null
  /** The case is published (or closed) with a conclusion that can be rewarded. */
  readonly caseStands: boolean
  readonly inspection: InspectionState
  readonly today: Day
  /** See {@link lastCollectionDay}; null when nothing runs or the day is not known yet. */
  readonly lastDay: Day | null
  /** `pay`: the operator lets rewards be collected without a name. */
  readonly anonymousAllowed: boolean
  /** `pay`: the desk has seen an identity document. */
  readonly identityChecked: boolean
}

export interface RewardRefusal {
  readonly code: Extract<ProblemCode, 'reward-transition' | 'two-people' | 'invalid-input'>
  readonly message: string
  readonly field?: string
}

const FROM: Readonly<Record<RewardAction, readonly RewardStatus[]>> = {
  approve: ['proposed'],
  'send-back': ['proposed'],
  claim: ['approved', 'claimed'],
  pay: ['claimed'],
  lapse: ['approved', 'claimed'],
  release: ['denied', 'approved', 'claimed', 'paid', 'lapsed'],
  voucher: ['paid'],
}

const two = (message: string): RewardRefusal => ({ code: 'two-people', message })
const no = (message: string): RewardRefusal => ({ code: 'reward-transition', message })

function people(action: RewardAction, { member, proposedBy, decidedBy, paidBy }: RewardSituation) {
  if (member === null) return null
  if ((action === 'approve' || action === 'send-back') && member === proposedBy)
    return two('核定的人不能自己审批，请由另一位审批人处理。')
  if (action === 'pay' && (member === proposedBy || member === decidedBy))
    return two('核定、审批、发放要由三个人分别完成，请由另一位财务人员发放。')
  if (action === 'release' && member === paidBy) return two('发放的人不能自己撤销，请由审批人处理。')
  return null
}

const OVERDUE = '领取期限已过。'

function circumstances(action: RewardAction, at: RewardSituation): RewardRefusal | null {
  const late = at.lastDay !== null && at.today > at.lastDay
  switch (action) {
    case 'approve':
      if (!at.caseStands) return no('案件还没有公开结果，或正在复核，现在不能批准奖励。')
      if (at.eligible && at.inspection === 'waiting')
        return no('这件案子被抽中复查，要由另一位承办员复查属实后才能批准。')
      if (at.eligible && at.inspection === 'refuted') return no('复查不一致，不能批准，请退回重核。')
      return null
    case 'claim':
      if (!at.caseStands) return no('案件正在复核，暂时不能领取。复核结束以后，领取期限重新计算。')
      return late ? no(OVERDUE) : null
    case 'pay':
      if (!at.caseStands) return no('案件正在复核，暂停发放。')
      if (late) return no(OVERDUE)
      return at.anonymousAllowed || at.identityChecked
        ? null
        : {
            code: 'invalid-input',
            message: '还没有开放匿名领取：请先核对领取人的身份证件。',
            field: 'identity',
          }
    case 'lapse':
      return at.caseStands && late ? null : no('领取期限还没有过。')
    case 'send-back':
    case 'release':
    case 'voucher':
      return null
  }
}

/** Why a step is not possible, or null. Pure and total: the only place where these rules stand. */
export function rewardRefusal(action: RewardAction, at: RewardSituation): RewardRefusal | null {
  if (!FROM[action].includes(at.status))
    return no(`这笔奖励现在是“${REWARD_STATUS_LABELS[at.status]}”，不能这样操作，请刷新页面。`)
  return people(action, at) ?? circumstances(action, at)
}
