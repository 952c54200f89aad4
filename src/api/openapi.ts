import { Hono } from 'hono'
import { z } from 'zod'
import type { ProblemCode } from '../domain/errors.ts'
import { MAX_PHOTOS } from '../domain/photo.ts'
import { RECEIPT_COOKIE } from '../http/session-cookie.ts'
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
  receiptOpen,
  routingQuery,
} from '../schemas/api.ts'
import type { JsonSchema } from '../schemas/json-schema.ts'
import { entryFilterSchema, entrySummarySchema, entryViewSchema, listSummarySchema } from '../schemas/list.ts'
import { gateProof, tipPlain } from '../schemas/tip.ts'
import type { ApiEnv } from './check.ts'
import { STATUS, TITLES } from './problem.ts'

interface Operation {
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
      'unsupported-media',
      'too-large',
      'gate-refused',
      'rate-limited',
      'intake-closed',
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
    description: '打开以后 20 分钟内凭回答里的 cookie 查看。查询码只放在请求体里，不要放进网址。',
    body: receiptOpen,
    reply: openedReply,
    refusals: ['invalid-input', 'not-found', 'rate-limited'],
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

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header' | 'cookie'
  readonly required: boolean
  readonly description?: string
  readonly schema: JsonSchema
  readonly example?: unknown
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema; readonly example?: unknown }>>

type ReplyHeaders = Readonly<Record<string, { readonly description: string; readonly schema: JsonSchema }>>

interface ResponseObject {
  readonly description: string
  readonly headers?: ReplyHeaders
  readonly content?: Content
}

export interface OperationObject {
  readonly summary: string
  readonly description?: string
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly required: true; readonly content: Content }
  readonly responses: Readonly<Record<string, ResponseObject>>
}

export interface PathItem {
  readonly servers?: readonly { readonly url: string }[]
  readonly get?: OperationObject
  readonly post?: OperationObject
}

export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly externalDocs: { readonly url: string; readonly description: string }
  readonly servers: readonly { readonly url: string }[]
  readonly paths: Readonly<Record<string, PathItem>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

const json = (schema: z.ZodType, io: 'input' | 'output'): JsonSchema => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      // A field that is prepared before it is checked may be left out, which zod cannot tell from its shape.
      if (io === 'input' && zodSchema instanceof z.ZodObject && jsonSchema.required) {
        const { shape } = zodSchema
        jsonSchema.required = jsonSchema.required.filter(
          (name) => !(shape[name] as z.ZodType).safeParse(undefined).success,
        )
      }
      // A reply may grow.
      if (io === 'output') delete jsonSchema.additionalProperties
    },
  })
  return rest as JsonSchema
}

const RETRY_AFTER: ReplyHeaders = {
  'Retry-After': { description: '过几秒再试', schema: { type: 'integer' } },
}
const PROBLEM: JsonSchema = { $ref: '#/components/schemas/Problem' }

function parametersOf(operation: Operation): Parameter[] {
  const example = (name: string) => {
    const value = operation.example?.[name]
    return value === undefined ? {} : { example: value }
  }
  const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']): Parameter => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
    ...example(name),
  }))
  const inQuery = Object.entries(operation.query?.shape ?? {}).map(([name, schema]): Parameter => {
    const { description, ...rest } = json(schema as z.ZodType, 'input')
    return {
      name,
      in: 'query',
      required: !(schema as z.ZodType).safeParse(undefined).success,
      ...(description === undefined ? {} : { description }),
      schema: rest,
      ...example(name),
    }
  })
  const { header } = operation
  const inHeader: Parameter[] = header
    ? [{ ...header, in: 'header', required: true, schema: { type: 'string', minLength: 16, maxLength: 200 } }]
    : []
  const inCookie: Parameter[] = operation.cookie
    ? [
        {
          name: RECEIPT_COOKIE.name,
          in: 'cookie',
          required: true,
          description: '来自 POST /receipts/open 的回答',
          schema: { type: 'string' },
        },
      ]
    : []
  return [...inPath, ...inQuery, ...inHeader, ...inCookie]
}

function bodyOf(operation: Operation): OperationObject['requestBody'] | undefined {
  if (!operation.body) return undefined
  const schema = json(operation.body, 'input')
  const example = operation.example?.['body']
  const form: Content = {
    'multipart/form-data': {
      schema: {
        type: 'object',
        required: ['plain'],
        properties: {
          ...schema.properties,
          // After everything else: what is refused is refused before a photo is sent.
          photos: { type: 'array', maxItems: MAX_PHOTOS, items: { type: 'string', format: 'binary' } },
        },
      },
    },
  }
  return {
    required: true,
    content: {
      'application/json': { schema, ...(example === undefined ? {} : { example }) },
      ...(operation.multipart ? form : {}),
    },
  }
}

function responsesOf(operation: Operation): OperationObject['responses'] {
  const schema = json(operation.reply, 'output')
  const content: Content =
    operation.reply instanceof z.ZodLiteral
      ? { 'text/plain': { schema } }
      : { 'application/json': { schema } }
  const refusals = new Map<string, ProblemCode[]>()
  for (const code of operation.refusals ?? []) {
    const status = String(STATUS[code])
    refusals.set(status, [...(refusals.get(status) ?? []), code])
  }
  return {
    [operation.status ?? 200]: { description: '成功', content },
    // A repeat of the same filing answers what the first did.
    ...(operation.status === 201 ? { 200: { description: '重复提交，回答和第一次一样', content } } : {}),
    ...(operation.path === '/readyz' ? { 503: { description: '暂时不能接收', content } } : {}),
    ...(operation.method === 'get' && !operation.atRoot && !operation.cookie && !operation.fresh
      ? { 304: { description: '和 If-None-Match 里的 ETag 相比没有变化' } }
      : {}),
    ...Object.fromEntries(
      [...refusals].map(([status, codes]) => [
        status,
        {
          description: codes.map((code) => `${TITLES[code]}（${code}）`).join('；'),
          ...(codes.includes('rate-limited') ? { headers: RETRY_AFTER } : {}),
          content: { 'application/problem+json': { schema: PROBLEM } },
        },
      ]),
    ),
    default: {
      description: '其他错误（RFC 9457）',
      content: { 'application/problem+json': { schema: PROBLEM } },
    },
  }
}

/** The document of the public API, made from the schemas that check it. */
export function openApiDocument(): OpenApiDocument {
  const paths: Record<string, PathItem> = {}
  for (const operation of OPERATIONS) {
    const requestBody = bodyOf(operation)
    paths[operation.path] = {
      ...paths[operation.path],
      ...(operation.atRoot ? { servers: [{ url: '/' }] } : {}),
      [operation.method]: {
        summary: operation.summary,
        ...(operation.description === undefined ? {} : { description: operation.description }),
        parameters: parametersOf(operation),
        ...(requestBody ? { requestBody } : {}),
        responses: responsesOf(operation),
      } satisfies OperationObject,
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: '蓝天 Lantian',
      version: '1',
      description: '中原区大气污染防治：公开、举报、进度。读取不需要密钥。',
    },
    externalDocs: { url: '/about/api/', description: '接口说明' },
    servers: [{ url: '/api/v1' }],
    paths,
    components: {
      schemas: {
        Problem: {
          type: 'object',
          required: ['type', 'title', 'status'],
          properties: {
            type: { type: 'string', description: '说明页的地址，如 /problems/invalid-input/' },
            title: { type: 'string' },
            status: { type: 'integer' },
            detail: { type: 'string' },
            errors: {
              type: 'array',
              items: {
                type: 'object',
                required: ['field', 'message'],
                properties: { field: { type: 'string' }, message: { type: 'string' } },
              },
            },
          },
        },
      },
    },
  }
}

export function createOpenApi(): Hono<ApiEnv> {
  const document = openApiDocument()
  const app = new Hono<ApiEnv>()
  app.get('/openapi.json', (c) => c.json(document, 200, { 'access-control-allow-origin': '*' }))
  return app
}
