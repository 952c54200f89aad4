import { z } from 'zod'
import { isEasyPin } from '../domain/claim-pin.ts'
import { DomainError, type FieldError } from '../domain/errors.ts'
import { namedProblems, type NamedReporter } from '../domain/identity.ts'
import { MAX_PHOTOS, photoRefusal } from '../domain/photo.ts'
import {
  callbackProblem,
  cleanCallback,
  cleanText,
  descriptionProblem,
  MAX_DESCRIPTION,
  MAX_PLACE,
  placeProblem,
  SEALED_FIELDS,
  URGENCIES,
  WHEN_BUCKETS,
} from '../domain/tip.ts'
import { isKeySize, isSealedToOne, isTextSize } from '../sealing/age-file.ts'
import { isRecipient } from '../sealing/age-identity.ts'

const id = z.string().regex(/^[a-z0-9-]{1,40}$/, '请从列表里选择。')
/** Optional fields of a form arrive as empty strings; both mean "not given". */
const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' || value === undefined ? null : value), schema.nullable())

/** Free text, cleaned, under a rule of the domain. */
const text = (problem: (cleaned: string) => string | null) =>
  z
    .string()
    .transform(cleanText)
    .superRefine((value, refusal) => {
      const message = problem(value)
      if (message !== null) refusal.addIssue({ code: 'custom', message })
    })

/** The plain part of a tip as a person or a program sends it. Whether the ids exist is for the routing to say. */
export const tipPlain = z.object({
  category: id.describe('污染类别的 id，见 GET /categories'),
  area: id.describe('街道的 id，见 GET /areas；不清楚填 unsure'),
  answer: optional(id).describe('类别的补充问题选了哪个回答，见 GET /categories'),
  accused: optional(id).describe('投诉哪个部门不作为；只用于 department-inaction'),
  when: z.enum(WHEN_BUCKETS, '请选择发生的时间。').describe('什么时候'),
  urgency: z.enum(URGENCIES, '请选择紧急程度。').default('normal').describe('急不急'),
  description: text(descriptionProblem).describe(`看到了什么，5 到 ${MAX_DESCRIPTION} 个字；收到即密封`),
  place: z
    .preprocess((value) => value ?? '', text(placeProblem))
    .describe(`地址，或怎样找到那里；最多 ${MAX_PLACE} 个字`),
  callback: optional(
    z
      .string()
      .transform(cleanCallback)
      .superRefine((value, refusal) => {
        const message = callbackProblem(value)
        if (message !== null) refusal.addIssue({ code: 'custom', message })
      }),
  ).describe('愿意接听回访的电话；收到即密封'),
  name: optional(text((value) => SEALED_FIELDS.name.problem([value])))
    .optional()
    .describe('实名举报的姓名；和 contact 一起填，或都不填（匿名）。另行密封，两人同时同意才能打开'),
  contact: optional(text((value) => SEALED_FIELDS.contact.problem([value])))
    .optional()
    .describe('实名举报人的联系方式：电话、邮箱或地址'),
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
  return namedProblems({ name: given.name ?? '', contact: given.contact ?? '' })
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

const recipient = z.string().refine(isRecipient, '应当是 age1… 的收件公钥。')
const base64 = (fits: (bytes: number) => boolean, what: string) =>
  z
    .base64()
    .transform((text) => Uint8Array.from(atob(text), (symbol) => symbol.charCodeAt(0)))
    .refine((bytes) => isSealedToOne(bytes) && fits(bytes.length), what)
/** One bucket of a layer with the head of its age file. */
const MAX_LAYER_BYTES = 2048
const uploadId = z.string().regex(/^[\w-]{43}$/, '应当是 POST /uploads 给的 id。')

/** A tip that was sealed before it is sent. The server checks its form; what is inside it cannot read. */
export const sealedTip = z
  .object({
    id: z.uuid().describe('这份举报的随机 UUID，也写在每个密封件里'),
    recipient: recipient.describe('为这份举报新生成的 age 公钥，正文和照片都封给它'),
    auth: z
      .string()
      .regex(/^[\w-]{43}$/)
      .describe('由查询码导出，本站只存它的 HMAC'),
    reporterRecipient: recipient.describe('由查询码导出的 age 公钥，以后的消息封给它'),
    recipientMac: z
      .string()
      .regex(/^[\w-]{43}$/)
      .nullable()
      .default(null)
      .describe(
        'recipient 的 HMAC-SHA-256，密钥由查询码导出：举报人留言以前凭它核对收件公钥没有被换；应当给',
      ),
    category: id.describe('和 plain 里的一样，下同'),
    area: id,
    answer: optional(id),
    accused: optional(id),
    when: z.enum(WHEN_BUCKETS, '请选择发生的时间。'),
    urgency: z.enum(URGENCIES, '请选择紧急程度。').default('normal'),
    claimPin: optional(
      z
        .string()
        .regex(/^\d{6}$/, '领奖密码要正好六位数字。')
        .refine((pin) => !isEasyPin(pin), '这个密码太好猜。'),
    ).describe('领奖时另外要的六位密码；可以不设，本站只存它的慢哈希'),
    callback: z.boolean().describe('要不要回电；号码在密封件里'),
    narrative: base64(isTextSize, '应当是补齐后密封的 age 文件。').describe(
      '密封的正文，base64；JSON 里写上 reporterRecipient，承办员凭它核对',
    ),
    identity: z
      .object({
        recipient: recipient.describe('另为姓名新生成的 age 公钥'),
        sealed: base64(isTextSize, '应当是补齐后密封的 age 文件。').describe('密封的姓名和联系方式，base64'),
        keeperEpoch: z.int().positive().describe('role-custodian 钥匙的第几代'),
        approverEpoch: z.int().positive().describe('role-approver 钥匙的第几代'),
        wrapped: base64((bytes) => bytes <= MAX_LAYER_BYTES, '应当是封了两层的钥匙。').describe('base64'),
      })
      .nullable()
      .default(null)
      .describe('实名的才有：钥匙先封给 role-custodian，再封给 role-approver；匿名是 null'),
    wraps: z
      .array(
        z.object({
          department: id,
          epoch: z.int().positive(),
          wrapped: base64(isKeySize, '应当是封好的钥匙。').describe('base64'),
        }),
      )
      .min(1)
      .max(4)
      .describe('打开这份举报的钥匙，按 GET /routing 的 readers 每个部门封一份'),
    photos: z
      .array(
        z.object({
          part: z.int().min(0).max(99).describe('照片在密封件里的编号'),
          copy: uploadId.describe('去掉拍摄信息的副本'),
          original: uploadId.nullable().describe('原片；不留就是 null'),
        }),
      )
      .max(MAX_PHOTOS, photoRefusal('too-many'))
      .default([])
      .refine(
        (photos) => new Set(photos.map(({ part }) => part)).size === photos.length,
        '照片的编号不能重复。',
      ),
  })
  .describe('在自己设备上密封好的举报；本站打不开')

export type SealedTip = z.infer<typeof sealedTip>

/** What an upload of a sealed photo begins with. */
export const uploadBody = z.object({
  size: z.int().positive().describe('密封文件的字节数'),
  gate: gateProof,
})

/** The body of a sealed filing. */
export const sealedBody = z.object({
  sealed: sealedTip,
  gate: gateProof,
  trap: z.string().max(200).default('').describe('网页表单里请留空的一项'),
})
