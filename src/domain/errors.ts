/**
 * The closed set of reasons for which a rule refuses something. Each has a page at `/problems/{code}/`
 * and a status in `src/api/problem.ts`.
 */
export const PROBLEM_CODES = [
  'invalid-input',
  'not-found',
  'forbidden',
  'sign-in-required',
  'factor-required',
  'cross-site',
  'form-token',
  'too-large',
  'unsupported-media',
  'photo-rejected',
  'photos-unavailable',
  'case-transition',
  'reward-transition',
  'budget-exceeded',
  'stale-version',
  'stale-recipients',
  'two-people',
  'idempotency-conflict',
  'intake-closed',
  'recipients-refused',
  'gate-refused',
  'bad-cursor',
  'rate-limited',
  'database-unavailable',
] as const
export type ProblemCode = (typeof PROBLEM_CODES)[number]

/** One field of a form or body that was refused: its dotted path and a sentence in the user's language. */
export interface FieldError {
  readonly field: string
  readonly message: string
}

/** A rule said no. `message` is public, zh-CN, and says what to do; `fields` points at the inputs concerned. */
export class DomainError extends Error {
  readonly code: ProblemCode
  readonly fields: readonly FieldError[]
  constructor(code: ProblemCode, message: string, fields: readonly FieldError[] = []) {
    super(message)
    this.name = 'DomainError'
    this.code = code
    this.fields = fields
  }
}

/** Too often. How long to wait is part of the answer: whole seconds, at least one. */
export class RateLimitedError extends DomainError {
  readonly retryAfterSeconds: number
  constructor(message: string, retryAfterSeconds: number) {
    super('rate-limited', message)
    this.name = 'RateLimitedError'
    this.retryAfterSeconds = retryAfterSeconds
  }
}
