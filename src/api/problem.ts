import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { DomainError, RateLimitedError, type FieldError, type ProblemCode } from '../domain/errors.ts'

/** The HTTP status of each refusal, for the API and for pages that show a form again. */
export const STATUS = {
  'invalid-input': 422,
  'not-found': 404,
  forbidden: 403,
  'sign-in-required': 401,
  // RFC 9470: signed in, but not strongly or lately enough for this.
  'factor-required': 401,
  'cross-site': 403,
  'form-token': 403,
  'too-large': 413,
  'unsupported-media': 415,
  'photo-rejected': 422,
  'photos-unavailable': 503,
  'case-transition': 409,
  'reward-transition': 409,
  'budget-exceeded': 409,
  'stale-version': 409,
  'stale-recipients': 409,
  'two-people': 409,
  'idempotency-conflict': 422,
  'intake-closed': 503,
  'recipients-refused': 503,
  'gate-refused': 403,
  'bad-cursor': 400,
  'rate-limited': 429,
  'database-unavailable': 503,
} as const satisfies Record<ProblemCode, ContentfulStatusCode>

/** The title of each refusal's document. */
export const TITLES: Readonly<Record<ProblemCode, string>> = {
  'invalid-input': '填写的内容有问题',
  'not-found': '没有找到',
  forbidden: '没有权限',
  'sign-in-required': '请先登录',
  'factor-required': '请再验证一次第二因素',
  'cross-site': '请求来自别的网站',
  'form-token': '页面已过期',
  'too-large': '内容太大',
  'unsupported-media': '不支持这种格式',
  'photo-rejected': '照片不能使用',
  'photos-unavailable': '照片暂时不能接收',
  'case-transition': '现在不能这样操作',
  'reward-transition': '奖励现在不能这样办',
  'budget-exceeded': '超出全年预算',
  'stale-version': '内容已被更新',
  'stale-recipients': '收件的钥匙变了',
  'two-people': '需要另一个人来做',
  'idempotency-conflict': '重复的 Idempotency-Key',
  'intake-closed': '暂时不能接收举报',
  'recipients-refused': '收件钥匙没有通过核对',
  'gate-refused': '验证没有通过',
  'bad-cursor': '翻页位置无效',
  'rate-limited': '请求太频繁',
  'database-unavailable': '系统暂时不可用',
}

/** RFC 9457. `type` is a page of this site that says what to do. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly errors?: readonly FieldError[]
}

const UNEXPECTED: Problem = { type: 'about:blank', title: '系统出错了', status: 500 }

/** What is told of an error: a rule's refusal in full, of anything unexpected nothing. */
export function toProblem(error: unknown): Problem {
  if (error instanceof DomainError) {
    return {
      type: `/problems/${error.code}/`,
      title: TITLES[error.code],
      status: STATUS[error.code],
      detail: error.message,
      ...(error.fields.length > 0 ? { errors: error.fields } : {}),
    }
  }
  if (error instanceof HTTPException) {
    return { type: 'about:blank', title: error.message || '请求被拒绝', status: error.status }
  }
  return UNEXPECTED
}

/** When to come back, for refusals that know it. */
const retryAfter = (error: unknown): Readonly<Record<string, string>> =>
  error instanceof RateLimitedError ? { 'retry-after': String(error.retryAfterSeconds) } : {}

/** Gives a page that shows its form again the status, and the headers, of what was refused. */
export function markRefused(
  reply: { status?: number | undefined; readonly headers: Headers },
  error: DomainError,
): void {
  reply.status = STATUS[error.code]
  for (const [name, value] of Object.entries(retryAfter(error))) reply.headers.set(name, value)
}

/**
 * What a page with a form says above it when it was refused, one line a field; marks the reply too. Anything but a
 * refusal goes on to whoever answers for bugs.
 * @param field to blame when the refusal names none
 */
export function refusedFields(
  reply: Parameters<typeof markRefused>[0],
  error: unknown,
  field = '',
): readonly FieldError[] {
  if (!(error instanceof DomainError)) throw error
  markRefused(reply, error)
  return error.fields.length > 0 ? error.fields : [{ field, message: error.message }]
}

/** The reply for an error; never kept by anybody. */
export function problemResponse(error: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  const problem = toProblem(error)
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      'content-type': 'application/problem+json; charset=utf-8',
      'cache-control': 'no-store',
      ...(problem.status === 503 ? { 'retry-after': '30' } : {}),
      ...retryAfter(error),
      ...headers,
    },
  })
}
