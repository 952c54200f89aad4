import { z } from 'zod'
import { isPhotoId, MAX_MESSAGE, MAX_MESSAGE_PHOTOS, SIDES } from '../domain/message.ts'
import { cleanText } from '../domain/tip.ts'
import { bytes } from './staff.ts'

const MAX_SEALED_BYTES = 70_000

/** What somebody writes to the other side, before sealing. */
export const messageText = z
  .string()
  .transform(cleanText)
  .pipe(
    z
      .string()
      .min(1, '请写几个字。')
      .refine((value) => Array.from(value).length <= MAX_MESSAGE, `最多 ${MAX_MESSAGE} 个字，请删减。`),
  )

/** A message that was sealed before it was sent. */
export const sealedMessage = z.object({
  number: z.int().min(1).describe('封进去的序号：比最后一条大 1'),
  sealed: bytes(MAX_SEALED_BYTES).describe('age 文件，base64url，封给 recipients 里的全部接收人'),
  photos: z
    .array(z.string().refine(isPhotoId, '32 位十六进制。'))
    .max(MAX_MESSAGE_PHOTOS)
    .default([])
    .describe('封在里面的照片名，顺序和上传的一样'),
})

/** The reporter's message: sealed by the sender's program, or to be sealed on arrival. */
export const answerBody = z.union([
  z.object({ sealed: sealedMessage }),
  z.object({ plain: z.object({ text: messageText.describe(`最多 ${MAX_MESSAGE} 个字；收到即密封`) }) }),
])

/** An officer's message about one of the case's tips; always sealed in the browser. */
export const officerMessage = sealedMessage.extend({
  tipId: z.uuid(),
  key: z.string().regex(/^[\x21-\x7e]{16,200}$/),
})

export const sentReply = z.object({ sent: z.literal(true) })

export const threadReply = z.object({
  tip: z.string().describe('举报的内部编号，封信封时要用'),
  recipients: z.array(z.string()).describe('要封给的 age 接收人：这件举报的和举报人自己的'),
  recipientMac: z
    .string()
    .nullable()
    .describe(
      '举报人交举报时对 recipients 里这件举报的那一个算的 HMAC；发送前核对。null 不用核对：用 code 打开的本站已经核对，以前的举报没有',
    ),
  next: z.int().describe('下一条的序号'),
  open: z.boolean().describe('还能不能留言'),
  asked: z
    .object({ day: z.iso.date(), until: z.iso.date() })
    .nullable()
    .describe('承办单位在等您回答时：哪天问的，等到哪天'),
  messages: z.array(
    z.object({
      number: z.int(),
      from: z.enum(SIDES).describe('officer：承办单位；reporter：举报人'),
      asks: z.boolean().describe('承办单位要求补充的提问'),
      day: z.iso.date(),
      sealed: z.string().describe('age 文件，base64url'),
      text: z.string().nullable().describe('用 code 打开的才有；用 auth 打开的由程序自己解封'),
      photos: z.array(z.string()).describe('照片名，在 /track/photos/{名}/；同上'),
    }),
  ),
})
