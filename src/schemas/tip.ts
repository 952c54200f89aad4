import { z } from 'zod'
import { DomainError, type FieldError } from '../domain/errors.ts'
import { MAX_CONTACT, MAX_NAME, type NamedReporter } from '../domain/identity.ts'
import { cleanText, MAX_DESCRIPTION, MAX_PLACE, URGENCIES, WHEN_BUCKETS } from '../domain/tip.ts'

const id = z.string().regex(/^[a-z0-9-]{1,40}$/, '请从列表里选择。')
/** Optional fields of a form arrive as empty strings; both mean "not given". */
const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' || value === undefined ? null : value), schema.nullable())

const text = (max: number) =>
  z
    .string()
    .transform(cleanText)
    .refine((value) => Array.from(value).length <= max, `最多 ${max} 个字，请删减。`)

// Chinese mobile and landline numbers, written any usual way; the officer dials them, the program does not.
const PHONE = /^(?:\+?86)?(?:1[3-9]\d{9}|0\d{2,3}\d{7,8}(?:-\d{1,6})?|\d{7,8})$/

/** The plain part of a tip as a person or a program sends it. Whether the ids exist is for the routing to say. */
export const tipPlain = z.object({
  category: id.describe('污染类别的 id，见 GET /categories'),
  area: id.describe('街道的 id，见 GET /areas；不清楚填 unsure'),
  answer: optional(id).describe('类别的补充问题选了哪个回答，见 GET /categories'),
  accused: optional(id).describe('投诉哪个部门不作为；只用于 department-inaction'),
  when: z.enum(WHEN_BUCKETS, '请选择发生的时间。').describe('什么时候'),
  urgency: z.enum(URGENCIES, '请选择紧急程度。').default('normal').describe('急不急'),
  description: text(MAX_DESCRIPTION)
    .pipe(z.string().min(5, '请写下您看到了什么，至少 5 个字。'))
    .describe(`看到了什么，5 到 ${MAX_DESCRIPTION} 个字；收到即密封`),
  place: z
    .preprocess((value) => value ?? '', text(MAX_PLACE))
    .describe(`地址，或怎样找到那里；最多 ${MAX_PLACE} 个字`),
  callback: optional(
    z
      .string()
      .transform((value) => value.normalize('NFKC').replace(/[\s()（）-]/g, ''))
      .refine((value) => PHONE.test(value), '电话号码不完整，请检查；不想接电话可以留空。'),
  ).describe('愿意接听回访的电话；收到即密封'),
  name: optional(text(MAX_NAME))
    .optional()
    .describe('实名举报的姓名；和 contact 一起填，或都不填（匿名）。另行密封，两人同时同意才能打开'),
  contact: optional(text(MAX_CONTACT)).optional().describe('实名举报人的联系方式：电话、邮箱或地址'),
  checklist: z
    .preprocess(
      (value) =>
        value === undefined || value === null ? [] : Array.isArray(value) ? (value as unknown[]) : [value],
      z.array(z.string().max(60)).max(20),
    )
    .default([])
    .describe('方案里的检查项，看到哪几项'),
})

/** A solved challenge: base64 of `{"challenge": …, "solution": {"counter": …, "derivedKey": …}}`. */
export const gateProof = z
  .string()
  .max(4096)
  .optional()
  .describe(
    'GET /challenges 的解：base64 的 JSON {"challenge": 原样, "solution": {"counter": 计数, "derivedKey": 十六进制}}。不附也收，但归入“未经验证”，一小时最多收 60 份',
  )

export type TipPlain = z.infer<typeof tipPlain>

/** What is wrong with a name without a contact, or a contact without a name. */
export function nameProblems(given: Partial<Pick<TipPlain, 'name' | 'contact'>>): FieldError[] {
  if (!given.name === !given.contact) return []
  return given.name
    ? [{ field: 'contact', message: '请写下联系方式；不想留就选“匿名”。' }]
    : [{ field: 'name', message: '请写下姓名；不想写就选“匿名”。' }]
}

/**
 * Who the reporter is, or null for an anonymous one.
 * @throws {DomainError} `invalid-input` for half of it
 */
export function namedReporter({ name, contact }: Pick<TipPlain, 'name' | 'contact'>): NamedReporter | null {
  const problems = nameProblems({ name, contact })
  if (problems[0]) throw new DomainError('invalid-input', problems[0].message, problems)
  return name && contact ? { name, contact } : null
}
