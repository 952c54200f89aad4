import { z } from 'zod'
import type { ProblemCode } from '../domain/errors.ts'
import {
  areaReply,
  caseReply,
  categoryReply,
  challengeQuery,
  challengeReply,
  departmentReply,
  disputedReply,
  filedReply,
  followedReply,
  ledgerQuery,
  ledgerReply,
  measureReply,
  openedReply,
  pageOf,
  paging,
  promiseReply,
  readinessReply,
  recipientsReply,
  receiptOpen,
  routingQuery,
} from '../schemas/api.ts'
import { entryFilterSchema, entrySummarySchema, entryViewSchema, listSummarySchema } from '../schemas/list.ts'
import { claimBody, claimedReply, paidGroupReply, rewardsReply } from '../schemas/reward.ts'
import { gateProof, tipPlain } from '../schemas/tip.ts'

/** A route of the public API, as far as its document tells of it. */
export interface Operation {
  readonly method: 'get' | 'post'
  readonly path: string
  readonly summary: string
  readonly description?: string
  readonly query?: z.ZodObject
  readonly body?: z.ZodType
  /** Also taken as a form with photos. */
  readonly multipart?: boolean
  readonly header?: { readonly name: string; readonly description: string; readonly example: string }
  /** Made anew for every request: no ETag, nothing to keep. */
  readonly fresh?: boolean
  /** Only with the cookie of an opened receipt. */
  readonly cookie?: boolean
  readonly reply: z.ZodType
  readonly status?: 200 | 201
  readonly refusals?: readonly ProblemCode[]
  /** Values that work on the plan as it is, by parameter; a body's is under `body`. */
  readonly example?: Readonly<Record<string, unknown>>
  /** Not under /api/v1. */
  readonly atRoot?: boolean
}

/** The public operations, in the order of the reference page. A test holds them against the routes there are. */
export const OPERATIONS: readonly Operation[] = [
  { method: 'get', path: '/measures', summary: '47 项措施，含分项', reply: pageOf(measureReply) },
  {
    method: 'get',
    path: '/measures/{id}',
    summary: '一项措施',
    reply: measureReply,
    refusals: ['not-found'],
    example: { id: '2017-14' },
  },
  { method: 'get', path: '/departments', summary: '41 个部门，含热线和信箱', reply: pageOf(departmentReply) },
  { method: 'get', path: '/areas', summary: '街道', reply: pageOf(areaReply) },
  {
    method: 'get',
    path: '/categories',
    summary: '45 个污染类别，含问题和回答',
    reply: pageOf(categoryReply),
  },
  {
    method: 'get',
    path: '/routing',
    summary: '这样的举报会派给谁、依据、期限',
    description: '提交举报以前就可以问。回答和真正提交时用的是同一套规则。',
    query: routingQuery,
    reply: promiseReply,
    refusals: ['invalid-input'],
    example: { category: 'road-dust', area: 'unsure' },
  },
  { method: 'get', path: '/lists', summary: '名单有哪几种', reply: pageOf(listSummarySchema) },
  {
    method: 'get',
    path: '/lists/{list}/entries',
    summary: '一种名单的条目，新列入的在前',
    query: paging.extend(entryFilterSchema.shape),
    reply: pageOf(entrySummarySchema),
    refusals: ['invalid-input', 'not-found', 'bad-cursor', 'rate-limited'],
    example: { list: 'non-compliant', limit: 10 },
  },
  {
    method: 'get',
    path: '/lists/{list}/entries/{entryNo}',
    summary: '一个条目和它的全部修订',
    reply: entryViewSchema,
    refusals: ['not-found'],
    example: { list: 'non-compliant', entryNo: 'WD-2611-7QK3F' },
  },
  {
    method: 'get',
    path: '/cases',
    summary: '公开的举报件，新收到的在前',
    description: '收到后的第二天早上 6 点起公开；办结以前只公开承办部门和期限。',
    query: ledgerQuery,
    reply: ledgerReply,
    refusals: ['invalid-input', 'bad-cursor'],
    example: { state: 'published', limit: 10 },
  },
  {
    method: 'get',
    path: '/cases/{caseNo}',
    summary: '一件举报的公开信息',
    reply: caseReply,
    refusals: ['not-found'],
    example: { caseNo: 'ZY-2611-7QK3F' },
  },
  {
    method: 'get',
    path: '/rewards',
    summary: '举报奖励的标准和合计',
    description:
      '合计由 GET /rewards/ledger 的各行相加得到，谁都可以核对。当月的不计入；哪件举报得了奖，任何时候都不公开。',
    reply: rewardsReply,
  },
  {
    method: 'get',
    path: '/rewards/ledger',
    summary: '已发放奖励的公开账目',
    description:
      '每一行至少 5 笔：笔数太少的部门合并，太少的月份并入以后的月份。各行互不重叠，公布以后不再改变。',
    reply: pageOf(paidGroupReply),
  },
  {
    method: 'get',
    path: '/recipients',
    summary: '举报密封给谁：签了字的收件钥匙名单',
    description:
      '只往后加的名单，每一行有前一行的哈希，由离线的根或同一单位的前一把钥匙签字。先用自己信得过的根核对，再密封；核对不上时这里回答 503。给人看的在 /about/keys/。',
    reply: recipientsReply,
    refusals: ['recipients-refused'],
  },
  {
    method: 'get',
    path: '/challenges',
    summary: '提交以前的验证题（ALTCHA v2）',
    description:
      '让程序算一小会儿，挡住成批提交，不问您是谁。从 0 起试计数：PBKDF2-HMAC-SHA-256(nonce + 计数, salt, cost) 以 keyPrefix 开头就是解。十分钟内有效，只能用一次。',
    query: challengeQuery,
    reply: challengeReply,
    fresh: true,
    refusals: ['invalid-input', 'rate-limited'],
    example: { purpose: 'tip' },
  },
  {
    method: 'post',
    path: '/tips',
    summary: '提交举报',
    description:
      '先取一道验证题（GET /challenges），把解放在字段 gate；用表单时要放在照片前面。可以发 JSON，也可以发 multipart/form-data：字段 plain 是同样内容的 JSON，或者用 plain.category 这样的字段一项一项给；照片放在字段 photos，最多 9 张，每张 15 MB 以内，JPEG、PNG 或 WebP。内容在服务器内存里密封，不留明文。',
    header: {
      name: 'Idempotency-Key',
      description: '16 到 200 个可见 ASCII 字符的随机值；同一个值重复提交，得到同一个回答',
      example: '3f6c1d0e9b7a4c52',
    },
    body: z.object({ plain: tipPlain, gate: gateProof }),
    multipart: true,
    reply: filedReply,
    status: 201,
    refusals: [
      'invalid-input',
      'idempotency-conflict',
      'photo-rejected',
      'photos-unavailable',
      'unsupported-media',
      'too-large',
      'gate-refused',
      'rate-limited',
      'intake-closed',
      'recipients-refused',
      'database-unavailable',
    ],
    example: {
      body: {
        plain: {
          category: 'road-dust',
          area: 'unsure',
          when: 'now',
          description: '道路扬尘很大，没有洒水。',
        },
      },
    },
  },
  {
    method: 'post',
    path: '/receipts/open',
    summary: '用查询码打开自己的举报',
    description:
      '打开以后 20 分钟内凭回答里的 cookie 查看。查询码对不对，回答都一样；有没有这件举报，看 GET /receipts/current。查询码只放在请求体里，不要放进网址。',
    body: receiptOpen,
    reply: openedReply,
    refusals: ['invalid-input', 'rate-limited'],
    example: { body: { code: '您的查询码' } },
  },
  {
    method: 'get',
    path: '/receipts/current',
    summary: '已打开的举报的进度',
    cookie: true,
    reply: followedReply,
    refusals: ['not-found'],
  },
  {
    method: 'post',
    path: '/receipts/current/dispute',
    summary: '对查实情况提出异议',
    description: '公开后 15 天内可以提一次，案件随即重办。',
    cookie: true,
    reply: disputedReply,
    refusals: ['not-found', 'case-transition'],
  },
  {
    method: 'post',
    path: '/receipts/current/claim',
    summary: '领取奖励：得到一次性的领取码',
    description:
      '领取码只在这个回答里给一次，本站只存它的校验值。没有记下的，再请求一次并把 again 设为 true，旧的随即作废。',
    cookie: true,
    body: claimBody,
    reply: claimedReply,
    refusals: ['not-found', 'reward-transition', 'invalid-input'],
    example: { body: { again: false } },
  },
  {
    method: 'post',
    path: '/receipts/current/sign-out',
    summary: '关闭已打开的举报',
    reply: openedReply,
  },
  {
    method: 'get',
    path: '/healthz',
    summary: '程序在不在运行',
    description: '回答是纯文本 ok。',
    reply: z.literal('ok'),
    atRoot: true,
  },
  {
    method: 'get',
    path: '/readyz',
    summary: '能不能接收举报',
    description: '不能时状态码是 503，reasons 写明原因。',
    reply: readinessReply,
    atRoot: true,
  },
]
