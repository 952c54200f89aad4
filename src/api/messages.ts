import { DomainError } from '../domain/errors.ts'
import { MAX_MESSAGE_PHOTOS } from '../domain/message.ts'
import { MAX_PHOTO_BYTES } from '../domain/photo.ts'
import { answerBody } from '../schemas/message.ts'
import { toBase64Url } from '../sealing/bytes.ts'
import type { StoredPhoto } from '../services/cases.ts'
import type { Services } from '../services/index.ts'
import type { ClientKey } from '../services/limits.ts'
import type { OpenedThread } from '../services/receipts.ts'
import { check } from './check.ts'
import { parseJson, readJson } from './json.ts'
import { readForm } from './multipart.ts'

/** What sealing and padding add to a photo at most. */
const SEALING_BYTES = 256 * 1024
const KEY = /^[\x21-\x7e]{16,200}$/

const notOpen = (): DomainError => new DomainError('not-found', '请先用查询码打开您的举报。')

/** The thread as the API answers it. */
export function threadJson({ tipId, recipients, open, asked, messages }: OpenedThread) {
  return {
    tip: tipId,
    recipients,
    next: messages.length + 1,
    open,
    asked,
    messages: messages.map(({ damaged: _, sealed, ...message }) => ({
      ...message,
      sealed: toBase64Url(sealed),
    })),
  }
}

/**
 * Takes a reporter's message: JSON, or a form with photos, which are sealed as they come, or were before.
 * @throws {DomainError}
 */
export async function takeAnswer(
  services: Services,
  { request, cookie, client }: { request: Request; cookie: string | null; client: ClientKey },
): Promise<void> {
  const key = request.headers.get('idempotency-key') ?? ''
  if (!KEY.test(key)) {
    throw new DomainError(
      'invalid-input',
      '请带上 Idempotency-Key 请求头：16 到 200 个可见 ASCII 字符，每条留言用一个新的随机值。',
      [{ field: 'Idempotency-Key', message: '缺少或格式不对。' }],
    )
  }
  const thread = await services.receipts.thread(cookie)
  if (!thread) throw notOpen()
  const photos: StoredPhoto[] = []
  try {
    const body = /^multipart\//i.test(request.headers.get('content-type') ?? '')
      ? await readAnswerForm(services, { request, client, thread, photos })
      : check(answerBody, await readJson(request))
    if ('sealed' in body && body.sealed.photos.length !== photos.length) {
      throw new DomainError('invalid-input', '照片没有收全，请重试。', [
        { field: 'sealed.photos', message: '和收到的照片数目不同。' },
      ])
    }
    const isNew = await services.receipts.answer(
      cookie,
      'sealed' in body ? { ...body.sealed, key, photos } : { ...body.plain, key, photos },
    )
    if (!isNew) await services.photos.discardStored(photos)
  } catch (error) {
    if (error instanceof DomainError) await services.photos.discardStored(photos)
    throw error
  }
}

/** Reads a form whose photos follow its field `sealed` or `plain`; they go into `photos`. */
async function readAnswerForm(
  services: Services,
  {
    request,
    client,
    thread,
    photos,
  }: { request: Request; client: ClientKey; thread: OpenedThread; photos: StoredPhoto[] },
) {
  const bodyOf = (fields: ReadonlyMap<string, readonly string[]>) => {
    const json = (name: string): unknown => {
      const text = fields.get(name)?.[0]
      return text === undefined ? undefined : parseJson(text)
    }
    return check(answerBody, { sealed: json('sealed'), plain: json('plain') })
  }
  let body: ReturnType<typeof bodyOf> | undefined
  await readForm(request, {
    maxFiles: MAX_MESSAGE_PHOTOS,
    maxFileBytes: MAX_PHOTO_BYTES + SEALING_BYTES,
    maxTotalBytes: MAX_MESSAGE_PHOTOS * (MAX_PHOTO_BYTES + SEALING_BYTES),
    maxFieldBytes: 128 * 1024,
    maxFields: 10,
    authorize: (fields) => {
      body = bodyOf(fields)
    },
    onFile: async ({ bytes }) => {
      services.limits.take('uploads', client)
      const id = body && 'sealed' in body ? body.sealed.photos[photos.length] : null
      if (id === undefined) throw new DomainError('invalid-input', '照片比封好的留言里写的多。')
      photos.push(
        id === null
          ? await services.photos.sealMessage(bytes, thread)
          : await services.photos.keepSealed(id, bytes),
      )
    },
  })
  if (!body) throw new Error('a form is authorized once')
  return body
}
