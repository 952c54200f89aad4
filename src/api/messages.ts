import type { z } from 'zod'
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
import { readForm, type FormFields } from './multipart.ts'

/** What sealing and padding add to a photo at most. */
const SEALING_BYTES = 256 * 1024
const KEY = /^[\x21-\x7e]{16,200}$/

const notOpen = (): DomainError => new DomainError('not-found', '请先用查询码打开您的举报。')

/** The thread as the API answers it. */
export function threadJson({ tipId, recipients, recipientMac, open, asked, messages }: OpenedThread) {
  return {
    tip: tipId,
    recipients,
    recipientMac,
    next: messages.length + 1,
    open,
    asked,
    messages: messages.map(({ damaged: _, sealed, ...message }) => ({
      ...message,
      sealed: toBase64Url(sealed),
    })),
  }
}

/** A form, which may have files in it. */
export const isForm = (request: Request): boolean =>
  /^multipart\//i.test(request.headers.get('content-type') ?? '')

/** How words and photos of a request become a message. */
interface Intake<T, R> {
  readonly schema: z.ZodType<T>
  /** What the body would be as JSON, out of the fields of a form, each of which holds JSON. */
  readonly ofForm: (json: (field: string) => unknown) => unknown
  /** Names of the photos, in order, as the sealed words say; or how those that come unsealed are sealed here. */
  readonly photosOf: (body: T) => readonly string[] | ((bytes: Uint8Array) => Promise<StoredPhoto>)
  /** Counts a photo before it is kept. */
  readonly count?: () => void
  /** Answers false for what was sent before, whose photos are there already. */
  readonly store: (body: T, photos: readonly StoredPhoto[]) => Promise<R | false>
}

/**
 * Takes a message: JSON, or a form with its photos behind the words. Photos that come to belong to nothing are deleted.
 * @returns as `store` does
 * @throws {DomainError} `invalid-input`, `too-large`, and as `keep` and `store` do
 */
export async function takeMessage<T, R>(
  { photos: files }: Pick<Services, 'photos'>,
  request: Request,
  intake: Intake<T, R>,
): Promise<R | false> {
  const photos: StoredPhoto[] = []
  try {
    const body = isForm(request)
      ? await readWithPhotos(files, request, intake, photos)
      : check(intake.schema, await readJson(request))
    const named = intake.photosOf(body)
    if (typeof named !== 'function' && named.length !== photos.length) {
      throw new DomainError('invalid-input', '照片没有收全，请重试。', [
        { field: 'photos', message: '和收到的照片数目不同。' },
      ])
    }
    const stored = await intake.store(body, photos)
    if (stored === false) await files.discardStored(photos)
    return stored
  } catch (error) {
    // Only a refusal is certain: after anything else the rows that name the photos may be there.
    if (error instanceof DomainError) await files.discardStored(photos)
    throw error
  }
}

/** What is kept goes into `photos`, also when the reading fails later. */
async function readWithPhotos<T>(
  files: Services['photos'],
  request: Request,
  { schema, ofForm, photosOf, count }: Omit<Intake<T, unknown>, 'store'>,
  photos: StoredPhoto[],
): Promise<T> {
  const bodyOf = (fields: FormFields): T => {
    const given = ofForm((field) => {
      const text = fields.get(field)?.[0]
      return text === undefined ? undefined : parseJson(text)
    })
    return check(schema, given)
  }
  let read: { readonly body: T } | undefined
  await readForm(request, {
    maxFiles: MAX_MESSAGE_PHOTOS,
    maxFileBytes: MAX_PHOTO_BYTES + SEALING_BYTES,
    maxTotalBytes: MAX_MESSAGE_PHOTOS * (MAX_PHOTO_BYTES + SEALING_BYTES),
    maxFieldBytes: 128 * 1024,
    maxFields: 10,
    authorize: (fields) => {
      read = { body: bodyOf(fields) }
    },
    onFile: async ({ bytes }) => {
      count?.()
      const named = read ? photosOf(read.body) : []
      if (typeof named === 'function') {
        photos.push(await named(bytes))
        return
      }
      const name = named[photos.length]
      if (name === undefined) throw new DomainError('invalid-input', '照片比封好的留言里写的多。')
      photos.push(await files.keepSealed(name, bytes))
    },
  })
  if (!read) throw new Error('a form is authorized once')
  return read.body
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
  if (!(await services.receipts.thread(cookie))) throw notOpen()
  const seal = async (bytes: Uint8Array): Promise<StoredPhoto> => {
    const to = await services.receipts.sealsTo(cookie)
    if (!to) throw notOpen()
    return services.photos.sealMessage(bytes, to)
  }
  await takeMessage(services, request, {
    schema: answerBody,
    ofForm: (json) => ({ sealed: json('sealed'), plain: json('plain') }),
    photosOf: (body) => ('sealed' in body ? body.sealed.photos : seal),
    count: () => {
      services.limits.take('uploads', client)
    },
    store: (body, photos) =>
      services.receipts.answer(
        cookie,
        'sealed' in body ? { ...body.sealed, key, photos } : { ...body.plain, key, photos },
      ),
  })
}
