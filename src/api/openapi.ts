import { Hono } from 'hono'
import { z } from 'zod'
import type { ProblemCode } from '../domain/errors.ts'
import { MAX_PHOTOS } from '../domain/photo.ts'
import { RECEIPT_COOKIE } from '../http/session-cookie.ts'
import type { JsonSchema } from '../schemas/json-schema.ts'
import type { ApiEnv } from './check.ts'
import { OPERATIONS, type Operation } from './operations.ts'
import { STATUS, TITLES } from './problem.ts'

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
  readonly patch?: OperationObject
  readonly delete?: OperationObject
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
    ? [
        {
          name: header.name,
          in: 'header',
          required: true,
          description: header.description,
          schema: { type: 'string', minLength: header.minLength ?? 16, maxLength: 200 },
          example: header.example,
        },
      ]
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
  if (operation.binary) {
    const schema: JsonSchema = { type: 'string', format: 'binary' }
    return { required: true, content: { 'application/offset+octet-stream': { schema } } }
  }
  if (!operation.body) return undefined
  const schema = json(operation.body, 'input')
  const { sealed: _, ...inForm } = schema.properties ?? {}
  const example = operation.example?.['body']
  const form: Content = {
    'multipart/form-data': {
      schema: {
        type: 'object',
        required: ['plain'],
        properties: {
          ...inForm,
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
