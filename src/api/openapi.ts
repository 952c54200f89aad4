import { Hono } from 'hono'
import { z } from 'zod'
import { ledgerQuery, paging, receiptOpen, routingQuery } from '../schemas/api.ts'
import { entryFilterSchema, entrySummarySchema, entryViewSchema, listSummarySchema } from '../schemas/list.ts'
import { tipPlain } from '../schemas/tip.ts'
import type { ApiEnv } from './index.ts'

interface Operation {
  readonly method: 'get' | 'post'
  readonly path: string
  readonly summary: string
  readonly query?: z.ZodObject
  readonly body?: z.ZodType
  readonly headers?: readonly { name: string; description: string }[]
  readonly reply?: z.ZodType
  readonly status?: 200 | 201
}

const page = (item: z.ZodType): z.ZodType => z.object({ items: z.array(item), next: z.string().nullable() })
const anything = z.looseObject({})

/** The public operations, in the order of the reference page. A test holds them against the routes there are. */
export const OPERATIONS: readonly Operation[] = [
  { method: 'get', path: '/measures', summary: '47 项措施，含分项', reply: page(anything) },
  { method: 'get', path: '/measures/{id}', summary: '一项措施，如 2017-14', reply: anything },
  { method: 'get', path: '/departments', summary: '41 个部门，含热线和信箱', reply: page(anything) },
  { method: 'get', path: '/areas', summary: '街道', reply: page(anything) },
  { method: 'get', path: '/categories', summary: '45 个污染类别，含问题和回答', reply: page(anything) },
  {
    method: 'get',
    path: '/routing',
    summary: '这样的举报会派给谁、依据、期限',
    query: routingQuery,
    reply: anything,
  },
  { method: 'get', path: '/lists', summary: '名单', reply: page(listSummarySchema) },
  {
    method: 'get',
    path: '/lists/{list}/entries',
    summary: '名单条目',
    query: paging.extend(entryFilterSchema.shape),
    reply: page(entrySummarySchema),
  },
  {
    method: 'get',
    path: '/lists/{list}/entries/{entryNo}',
    summary: '一个条目和它的全部修订',
    reply: entryViewSchema,
  },
  { method: 'get', path: '/cases', summary: '公开的举报件', query: ledgerQuery, reply: page(anything) },
  { method: 'get', path: '/cases/{caseNo}', summary: '一件举报的公开信息', reply: anything },
  {
    method: 'post',
    path: '/tips',
    summary: '提交举报（JSON 或 multipart/form-data，照片字段 photos）',
    headers: [
      {
        name: 'Idempotency-Key',
        description: '16 到 200 个可见 ASCII 字符的随机值；同一个值重复提交得到同一个回答',
      },
    ],
    body: z.object({ plain: tipPlain }),
    reply: anything,
    status: 201,
  },
  {
    method: 'post',
    path: '/receipts/open',
    summary: '用查询码打开，之后凭 cookie',
    body: receiptOpen,
    reply: anything,
  },
  { method: 'get', path: '/receipts/current', summary: '已打开的举报的进度', reply: anything },
  { method: 'post', path: '/receipts/current/sign-out', summary: '关闭', reply: anything },
]

const json = (schema: z.ZodType, io: 'input' | 'output'): object => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}

/** The document of the public API, made from the schemas that check it. */
export function openApiDocument(): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const operation of OPERATIONS) {
    const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    }))
    const inQuery = Object.entries(operation.query?.shape ?? {}).map(([name, schema]) => ({
      name,
      in: 'query',
      required: !(schema as z.ZodType).safeParse(undefined).success,
      schema: json(schema as z.ZodType, 'input'),
    }))
    const inHeader = (operation.headers ?? []).map((header) => ({
      ...header,
      in: 'header',
      required: true,
      schema: { type: 'string', minLength: 16, maxLength: 200 },
    }))
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method]: {
        summary: operation.summary,
        parameters: [...inPath, ...inQuery, ...inHeader],
        ...(operation.body
          ? {
              requestBody: {
                required: true,
                content: { 'application/json': { schema: json(operation.body, 'input') } },
              },
            }
          : {}),
        responses: {
          [operation.status ?? 200]: {
            description: '成功',
            content: { 'application/json': { schema: json(operation.reply ?? anything, 'output') } },
          },
          default: {
            description: '出错（RFC 9457）',
            content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
          },
        },
      },
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: '蓝天 Lantian',
      version: '1',
      description: '中原区大气污染防治：公开、举报、进度。读取不需要密钥。',
    },
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
