import type { z } from 'zod'
import { zhCN } from 'zod/locales'
import { DomainError } from '../domain/errors.ts'
import type { ClientKey } from '../services/limits.ts'
import type { StaffSession } from '../services/staff.ts'

/** What the front door sets before a router runs. */
export interface ApiEnv {
  Variables: { requestId: string; staff: StaffSession | null; client: ClientKey }
}

// Per call, not `z.config`: a setting for the whole process would depend on what is imported first.
const inChinese = zhCN().localeError

/** Checks a query string or body. @throws {DomainError} `invalid-input` with a field for each problem */
export function check<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const parsed = schema.safeParse(value, { error: inChinese })
  if (parsed.success) return parsed.data
  const fields = parsed.error.issues.map((issue) => ({ field: issue.path.join('.'), message: issue.message }))
  throw new DomainError('invalid-input', '填写的内容有问题，请看每一项的说明。', fields)
}
