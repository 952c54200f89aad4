import { z } from 'zod'
import { parseYuan, yuanFigure } from '../domain/money.ts'
import type { FieldError } from '../domain/errors.ts'
import {
  AMOUNT_RULES,
  CONDITION_RULES,
  EVIDENCE_USES,
  KNOWN_BEFORE,
  PENALTY_KINDS,
  TIERED_PENALTIES,
  type Findings,
  type RewardSchedule,
  type RewardTerms,
} from '../domain/reward.ts'

const day = z.iso.date()
const fen = z.int().describe('分')
const month = z.string().describe('如 2026-11')
const ref = z.object({ id: z.string(), name: z.string() })

const scheduleReply = z.object({
  version: z.int(),
  title: z.string(),
  basis: z.string().describe('依据的文件'),
  validFrom: day.describe('从哪天收到的举报起适用'),
  validUntil: day.nullable(),
  example: z.boolean().describe('演示用的例子，不是真的标准'),
  fixed: z
    .array(z.object({ category: z.string(), amountFen: fen }))
    .describe('各类别的定额；没有列出的类别不奖励'),
  penalties: z
    .array(z.object({ penalty: z.enum(TIERED_PENALTIES), amountFen: fen }))
    .describe('按处理结果；比定额高时按它算'),
  fines: z.array(z.object({ fromFen: fen, amountFen: fen })).describe('按罚款数额分档，起点含本数'),
  partlyPercent: z.int().describe('部分属实时，按百分之几算'),
  capFen: fen.describe('每件最多'),
  yearBudgetFen: fen.describe('全年预算'),
  window: z
    .object({ count: z.int(), unit: z.enum(['working', 'calendar']) })
    .describe('批准以后多少天内可以领'),
})

/** A schedule as programs read it. */
export function scheduleView({ terms, ...schedule }: RewardSchedule): z.infer<typeof scheduleReply> {
  const { version, title, basis, validFrom, validUntil, example } = schedule
  return {
    version,
    title,
    basis,
    validFrom,
    validUntil,
    example,
    fixed: Object.entries(terms.fixedFen).map(([category, amountFen]) => ({ category, amountFen })),
    penalties: TIERED_PENALTIES.map((penalty) => ({ penalty, amountFen: terms.penaltyFen[penalty] })),
    fines: terms.fineTiers.map(({ fromFen, amountFen }) => ({ fromFen, amountFen })),
    partlyPercent: terms.partlyPercent,
    capFen: terms.capFen,
    yearBudgetFen: terms.yearBudgetFen,
    window: { ...terms.window },
  }
}

const paidSum = { payments: z.int(), amountFen: fen.describe('净额：当期收回的已减去') }

/** One published sum. */
export const paidGroupReply = z.object({
  from: month,
  until: month.describe('笔数太少的月份并入以后的月份，这时和 from 不同'),
  department: ref.nullable().describe('几个部门合并时是 null'),
  ...paidSum,
})
export type PaidGroupReply = z.infer<typeof paidGroupReply>

export const rewardsReply = z.object({
  open: z.boolean().describe('今天有没有生效的标准'),
  schedule: scheduleReply.nullable(),
  upcoming: z.array(scheduleReply).describe('已经确认、还没有生效的'),
  anonymousCollection: z.boolean().describe('凭领取码就能领，不用出示证件'),
  minPayments: z.int().describe('一个合计至少包含多少笔'),
  total: z.object(paidSum),
  months: z.array(z.object({ from: month, until: month, ...paidSum })),
  departments: z.array(z.object({ department: ref.nullable(), ...paidSum })),
})
export type RewardsReply = z.infer<typeof rewardsReply>

const line = z.union([
  z.object({
    kind: z.literal('condition'),
    rule: z.enum(CONDITION_RULES),
    met: z.boolean(),
    text: z.string(),
  }),
  z.object({
    kind: z.literal('amount'),
    rule: z.enum(AMOUNT_RULES),
    amountFen: fen.describe('算到这一行的金额'),
    text: z.string(),
  }),
])

/** The reporter's own reward; stages as `services/rewards.ts` has them. */
export const reporterRewardReply = z.object({
  stage: z
    .enum(['closed', 'pending', 'refused', 'review', 'claimable', 'claimed', 'paid', 'lapsed'])
    .describe(
      'closed 收到那天没有标准；pending 等待公开或核定；refused 不奖励；review 案件复核中；claimable 可以领；claimed 领取码已给出；paid 已领；lapsed 逾期',
    ),
  lines: z.array(line).describe('一行一行的核定依据'),
  amountFen: fen.nullable(),
  lastDay: day.nullable().describe('最晚哪天领'),
  paidDay: day.nullable(),
  identityNeeded: z.boolean().describe('领取时要不要出示身份证件'),
})

export const claimBody = z.object({
  again: z.boolean().default(false).describe('换一个新的领取码，旧的作废'),
  pin: z.string().max(40).default('').describe('提交举报时自己定的六位领奖密码；没有设的不用给'),
  payee: z
    .object({ name: z.string().max(200), bank: z.string().max(200), account: z.string().max(200) })
    .optional()
    .describe('要转账的，填户名、开户银行和账号；收到即密封，由审批人和财务两人打开。不填就到财务窗口领'),
})

export const claimedReply = z.object({
  code: z.string().describe('领取码，只给这一次；本站不保存'),
  amountFen: fen,
  lastDay: day.nullable(),
  identityNeeded: z.boolean(),
})

/** Fields of a form, by name. */
type Fields = ReadonlyMap<string, readonly string[]>

const value = (fields: Fields, name: string): string => (fields.get(name)?.[0] ?? '').trim()

/** Rows for fines that the console's form offers. */
export const MAX_FINE_TIERS = 6

/**
 * Terms as the console's form sends them, amounts in yuan. What cannot be read is told by field; whether it makes sense
 * is for `checkTerms` to say.
 */
export function readTerms(
  fields: Fields,
  categories: Iterable<string>,
): { readonly terms: RewardTerms; readonly problems: readonly FieldError[] } {
  const problems: FieldError[] = []
  const yuan = (name: string, field = name): number => {
    const text = value(fields, name)
    const read = parseYuan(text)
    if (read === null) problems.push({ field, message: '请填写金额（元），最多两位小数。' })
    return read ?? 0
  }
  const whole = (name: string): number => {
    const text = value(fields, name)
    if (/^\d{1,6}$/.test(text)) return Number(text)
    problems.push({ field: name, message: '请填写整数。' })
    return 0
  }
  const fixedFen: Record<string, number> = {}
  for (const category of categories) {
    if (value(fields, `fixed.${category}`) !== '') fixedFen[category] = yuan(`fixed.${category}`)
  }
  const fineTiers = Array.from({ length: MAX_FINE_TIERS }, (_, index) => index).flatMap((index) =>
    value(fields, `tier.${index}.from`) === '' && value(fields, `tier.${index}.amount`) === ''
      ? []
      : [
          {
            fromFen: yuan(`tier.${index}.from`, `tier.${index}`),
            amountFen: yuan(`tier.${index}.amount`, `tier.${index}`),
          },
        ],
  )
  const terms: RewardTerms = {
    fixedFen,
    penaltyFen: {
      warning: yuan('penalty.warning'),
      correction: yuan('penalty.correction'),
      shutdown: yuan('penalty.shutdown'),
    },
    fineTiers,
    partlyPercent: whole('partlyPercent'),
    capFen: yuan('cap'),
    yearBudgetFen: yuan('budget'),
    window: {
      count: whole('window'),
      unit: value(fields, 'unit') === 'working' ? 'working' : 'calendar',
    },
  }
  return { terms, problems }
}

/** The same terms as the form shows them, by field. */
export function termFields(terms: RewardTerms): ReadonlyMap<string, readonly string[]> {
  return new Map([
    ...Object.entries(terms.fixedFen).map(([id, amount]) => [`fixed.${id}`, [yuanFigure(amount)]] as const),
    ...TIERED_PENALTIES.map((kind) => [`penalty.${kind}`, [yuanFigure(terms.penaltyFen[kind])]] as const),
    ...terms.fineTiers.flatMap(
      (tier, index) =>
        [
          [`tier.${index}.from`, [yuanFigure(tier.fromFen)]],
          [`tier.${index}.amount`, [yuanFigure(tier.amountFen)]],
        ] as const,
    ),
    ['partlyPercent', [String(terms.partlyPercent)]],
    ['cap', [yuanFigure(terms.capFen)]],
    ['budget', [yuanFigure(terms.yearBudgetFen)]],
    ['window', [String(terms.window.count)]],
    ['unit', [terms.window.unit]],
  ])
}

const oneOf = <T extends string>(values: readonly T[], text: string): T | undefined =>
  values.find((each) => each === text)

/** A penalty as a form tells it: a kind, and for a fine how much. */
export function readPenalty(
  kind: string,
  fineYuan: string,
): { readonly penalty: Findings['penalty'] | null; readonly problems: readonly FieldError[] } {
  const found = oneOf(PENALTY_KINDS, kind)
  if (!found) return { penalty: null, problems: [{ field: 'penalty', message: '请选择处理结果。' }] }
  if (found !== 'fine') return { penalty: { kind: found, fineFen: 0 }, problems: [] }
  const fineFen = parseYuan(fineYuan)
  return fineFen === null || fineFen === 0
    ? { penalty: null, problems: [{ field: 'fine', message: '请填写罚款多少元。' }] }
    : { penalty: { kind: found, fineFen }, problems: [] }
}

/** What an officer states about a case, from a form. */
export function readFindings(fields: Fields): {
  readonly findings: Findings | null
  readonly problems: readonly FieldError[]
} {
  const { penalty, problems: wrong } = readPenalty(value(fields, 'penalty'), value(fields, 'fine'))
  const problems = [...wrong]
  const knownBefore = oneOf(KNOWN_BEFORE, value(fields, 'known'))
  const evidence = oneOf(EVIDENCE_USES, value(fields, 'evidence'))
  if (!knownBefore) problems.push({ field: 'known', message: '请选择举报以前是否已经掌握。' })
  if (!evidence) problems.push({ field: 'evidence', message: '请选择线索起了什么作用。' })
  return {
    findings: knownBefore && evidence && penalty ? { knownBefore, evidence, penalty } : null,
    problems,
  }
}
