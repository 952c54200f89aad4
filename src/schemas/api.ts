import { z } from 'zod'
import { REQUEST_KINDS, REQUEST_REASONS } from '../domain/identity.ts'
import { CASE_STATES, OUTCOMES } from '../domain/case.ts'
import { GATE_PURPOSES } from '../domain/gate.ts'
import { DEPARTMENT_KINDS } from '../domain/plan.ts'
import { PUBLIC_STATES } from '../domain/privacy.ts'
import { reporterRewardReply } from './reward.ts'

/** A page of a collection. */
export const paging = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('每页几条'),
  cursor: z.string().max(400).optional().describe('上一页回答里的 next，原样带上'),
})

export const routingQuery = z.object({
  category: z.string().max(40).describe('污染类别的 id，见 GET /categories'),
  area: z.string().max(40).describe('街道的 id，见 GET /areas；不清楚填 unsure'),
  answer: z.string().max(40).optional().describe('类别的补充问题选了哪个回答，见 GET /categories'),
  accused: z.string().max(40).optional().describe('投诉哪个部门不作为；只用于 department-inaction'),
})

export const ledgerQuery = paging.extend({
  state: z
    .string()
    .max(20)
    .optional()
    .describe(`状态：${PUBLIC_STATES.join('、')}`),
  department: z.string().max(40).optional().describe('承办部门的 id'),
  group: z.string().max(40).optional().describe('类别组的 id；查得到的只有公开了类别的案件'),
  category: z.string().max(40).optional().describe('污染类别的 id'),
  area: z.string().max(40).optional().describe('街道的 id'),
  outcome: z
    .string()
    .max(20)
    .optional()
    .describe(`查实情况：${OUTCOMES.join('、')}`),
  overdue: z.enum(['1', 'true']).optional().describe('只要超期未办结的'),
})

export const challengeQuery = z.object({
  purpose: z
    .enum(GATE_PURPOSES)
    .default('tip')
    .describe('tip：随 POST /tips 提交；form：本站网页表单自己用，和填写中的表单绑定'),
})

export const receiptOpen = z.union([
  z.object({ code: z.string().max(200).describe('查询码，有没有连字符都可以') }),
  z.object({ auth: z.string().max(100).describe('由程序自己从查询码推导出的 auth') }),
])

// What the public API answers. A test holds the answers against these, so that no field leaves undescribed.

const day = z.iso.date()
const ref = z.object({ id: z.string(), name: z.string() })

/** A page of `item`s. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().nullable().describe('下一页的 cursor；没有了是 null') })

const planRow = z.object({
  id: z.string().describe('如 2017-14；分项如 2017-15.2'),
  title: z.string(),
  titleInSource: z.boolean().describe('标题是不是方案原文'),
  lead: z.array(z.string()).describe('牵头部门的 id'),
  responsible: z.array(z.string()).describe('责任部门的 id'),
  leadNames: z.array(z.string()).describe('方案写明的牵头单位，照录'),
  responsibleNames: z.array(z.string()).describe('方案写明的责任单位，照录'),
  deadlines: z.array(
    z.object({
      date: z.string().describe('日期，或“每月”这样的说法'),
      what: z.string(),
      precision: z.string().nullable(),
      kind: z.string(),
    }),
  ),
  targets: z.array(
    z.object({
      what: z.string(),
      op: z.string(),
      value: z.number(),
      unit: z.string(),
      literal: z.boolean().describe('数字是不是方案原文'),
      phrase: z.string().nullable(),
    }),
  ),
  facts: z.array(z.string()),
  sourceLines: z.tuple([z.int(), z.int()]).describe('方案全文里的起止行'),
})

export const measureReply = planRow.extend({ no: z.int(), section: z.int(), items: z.array(planRow) })

export const departmentReply = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(DEPARTMENT_KINDS),
  fullName: z.string(),
  hotline: z.string().nullable().describe('运营单位还没有填写时是 null'),
  mailbox: z.string().nullable(),
  inSource: z.boolean(),
  notes: z.string(),
})

export const areaReply = z.object({
  id: z.string(),
  name: z.string(),
  department: z.string().nullable().describe('街道办事处的 id'),
  validFrom: day.nullable(),
})

export const categoryReply = z.object({
  id: z.string(),
  name: z.string(),
  group: z.string(),
  groupName: z.string(),
  examples: z.string(),
  notes: z.string(),
  measureRefs: z.array(z.string()),
  lead: z.array(z.string()),
  co: z.array(z.string()),
  defaultDepartment: z.string().nullable().describe('由街道决定时是 null'),
  territorial: z.boolean().describe('属地街道办事处协办'),
  ambiguous: z.boolean(),
  ambiguity: z.string().nullable(),
  derived: z.boolean().describe('承办部门是本站的推定'),
  visibility: z.enum(['open', 'guarded']).describe('guarded：办结以前不公开类别和街道'),
  question: z.string().nullable().describe('补充问题'),
  answers: z.array(
    z.object({
      id: z.string(),
      label: z.string(),
      category: z.string().nullable(),
      department: z.string().nullable(),
      derived: z.boolean(),
    }),
  ),
})

const due = z.object({
  day: day.nullable().describe('当年的放假安排公布以前是 null'),
  count: z.int(),
  unit: z.enum(['working', 'calendar']),
})

export const promiseReply = z.object({
  department: z.string().describe('承办部门的 id'),
  hotline: z.string().nullable(),
  rule: z.string().describe('按哪条规则，如 road-dust:outer'),
  reason: z.string(),
  measureRefs: z.array(z.string()),
  coDepartments: z.array(z.string()),
  derived: z.boolean(),
  ambiguityNote: z.string().nullable(),
  category: z.string().describe('回答可能改变类别'),
  accept: due.describe('最晚哪天受理'),
  conclude: due.describe('最晚哪天办结'),
})

export const caseReply = z.object({
  caseNo: z.string(),
  holder: ref.describe('承办部门'),
  hotline: z.string().nullable(),
  mailbox: z.string().nullable(),
  receivedWeek: day.describe('收到的那一周的星期一'),
  dueWeek: day.nullable(),
  dueText: z.string(),
  handOvers: z.int().describe('转办次数'),
  state: z.enum(PUBLIC_STATES),
  published: z.boolean(),
  overdue: z.boolean(),
  category: ref.nullable().describe('办结以前不公开的，或只公开到组的，是 null'),
  group: ref.nullable(),
  area: ref.nullable(),
  measures: z.array(ref),
  outcome: z.enum(OUTCOMES).nullable(),
  statement: z.string().nullable(),
  competentBody: z.string().nullable(),
  proof: z.array(
    z.object({
      kind: z.string(),
      caption: z.string(),
      photo: z.string().nullable().describe('照片在 /proof/ 下的名字'),
    }),
  ),
  publishedDay: day.nullable(),
  concludedWeek: day.nullable(),
  onTime: z.boolean().nullable(),
})

export const ledgerReply = pageOf(caseReply).extend({
  count: z.int().describe('一共几件；最多数到 countCap + 1'),
  countCap: z.int(),
})

const hex = z.string().regex(/^(?:[0-9a-f]{2})+$/)

export const challengeReply = z.object({
  parameters: z.object({
    algorithm: z.literal('PBKDF2/SHA-256'),
    nonce: hex.describe('十六进制；口令 = nonce + 4 字节大端序的计数'),
    salt: hex,
    cost: z.int().describe('每试一次迭代几轮'),
    keyLength: z.int().describe('导出的密钥有几个字节'),
    keyPrefix: hex.describe('导出的密钥要以它开头'),
    keySignature: hex,
    expiresAt: z.int().describe('过期的时刻，1970 年以来的秒数'),
    data: z.record(z.string(), z.string()),
  }),
  signature: hex.describe('原样带回'),
})

export const filedReply = z.object({
  caseNo: z.string().describe('受理编号，公开'),
  receiptCode: z.string().describe('查询码，只有您有；本站不保存，丢了不能补'),
  receivedDay: day,
  promise: promiseReply,
  follow: z.string(),
})

export const openedReply = z.object({ opened: z.boolean() })

export const followedReply = z.object({
  caseNo: z.string(),
  ownCaseNo: z.string().describe('并入别的案件以前的编号'),
  holder: z.string(),
  holders: z.array(z.object({ department: z.string(), since: day })),
  hotline: z.string().nullable(),
  rule: z.string(),
  state: z.enum(CASE_STATES),
  category: z.string(),
  area: z.string(),
  receivedDay: day,
  acceptDue: day.nullable(),
  dueDay: day.nullable(),
  duePending: z.boolean(),
  dueText: z.string(),
  overdue: z.boolean(),
  handOvers: z.int(),
  outcome: z.enum(OUTCOMES).nullable(),
  statement: z.string().nullable(),
  competentBody: z.string().nullable(),
  proof: z.array(z.object({ id: z.string(), kind: z.string(), caption: z.string(), photo: z.boolean() })),
  publishedDay: day.nullable(),
  disputeUntil: day.nullable().describe('可以提异议到哪一天；不能提时是 null'),
  reward: reporterRewardReply.describe('这件举报的奖励'),
  claimPin: z
    .enum(['none', 'asked', 'locked'])
    .describe('领奖要不要密码：none 没有设；asked 要；locked 错了五次，只能到窗口办'),
  named: z.boolean().describe('是不是实名举报'),
  requests: z
    .array(
      z.object({
        day,
        department: z.string(),
        kind: z.enum(REQUEST_KINDS),
        reason: z.enum(REQUEST_REASONS),
        agreed: z.boolean().nullable(),
        decidedDay: day.nullable(),
      }),
    )
    .describe('有人申请查看身份或补办查询码：哪一天、哪个单位、什么理由、两人是否同意（还在等是 null）'),
})

export const disputedReply = z.object({ disputed: z.literal(true) })

export const recipientsReply = z.object({
  root: z.string().nullable().describe('签发名单的公钥（Ed25519，base64url）；还没有钥匙时是 null'),
  head: z
    .object({ count: z.int(), hash: z.string() })
    .nullable()
    .describe('名单有几行、最后一行的哈希；记下它，以后的名单必须由它接着往后'),
  items: z.array(
    z.object({
      owner: z.string().describe('部门的 id；escrow 是离线保管的应急钥匙'),
      epoch: z.int().describe('第几把，从 1 数起'),
      recipient: z.string().describe('age 收件人，age1…'),
      verifier: z.string().describe('由它签下一把（Ed25519 公钥，base64url）'),
      day,
      signedBy: z.enum(['root', 'predecessor']).describe('由根还是由前一把签字'),
      previous: z.string().describe('前一行的 SHA-256（base64url）；第一行的是根的'),
      signature: z.string(),
    }),
  ),
  next: z.null().describe('名单总是整个给出，因为缺一行就核对不了'),
})

export const readinessReply = z.object({ ready: z.boolean(), reasons: z.array(z.string()) })
