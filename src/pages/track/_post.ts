import { readForm, type FormFields } from '../../api/multipart.ts'
import { DomainError } from '../../domain/errors.ts'
import { MAX_MESSAGE, MAX_MESSAGE_PHOTOS } from '../../domain/message.ts'
import { MAX_PHOTO_BYTES } from '../../domain/photo.ts'
import { messageText } from '../../schemas/message.ts'
import type { StoredPhoto } from '../../services/cases.ts'

/** A form of the page as far as it could be read. */
export interface TrackForm {
  readonly fields: FormFields
  /** Sealed and stored; a message that is not sent gives them back. */
  readonly photos: readonly StoredPhoto[]
  /** Why nothing of it counts; what was typed is there all the same. */
  readonly refused: DomainError | null
}

type Services = App.Locals['services']

/** Reads a form. Photos are sealed as they come, one at most in memory. */
export async function readTrackForm(
  request: Request,
  { services, client, cookie }: { services: Services; client: App.Locals['client']; cookie: string | null },
): Promise<TrackForm> {
  const photos: StoredPhoto[] = []
  const read = { refused: null as DomainError | null }
  const refuse = (error: unknown): void => {
    if (!(error instanceof DomainError)) throw error
    read.refused ??= error
  }
  const { fields } = await readForm(request, {
    maxFiles: MAX_MESSAGE_PHOTOS,
    maxFileBytes: MAX_PHOTO_BYTES,
    maxTotalBytes: MAX_MESSAGE_PHOTOS * MAX_PHOTO_BYTES,
    // Read on beyond what may be sent, so that it can be shown again.
    maxFieldBytes: 16 * MAX_MESSAGE,
    maxFields: 10,
    authorize: (given) => {
      try {
        services.formTokens.verify(given.get('token')?.[0], 'track', '')
      } catch (error) {
        refuse(error)
      }
    },
    onFile: async ({ bytes }) => {
      // An empty file is what a browser sends for a field that nobody filled in.
      if (read.refused || bytes.length === 0) return
      try {
        const to = await services.receipts.sealsTo(cookie)
        if (!to) return
        services.limits.take('uploads', client)
        photos.push(await services.photos.sealMessage(bytes, to))
      } catch (error) {
        refuse(error)
      }
    },
    onRefused: (_name, error) => {
      refuse(error)
    },
  })
  if (read.refused) await services.photos.discardStored(photos)
  return { fields, photos: read.refused ? [] : photos, refused: read.refused }
}

/**
 * Sends what the form says to the department; the form's token makes a second press the same message.
 * @throws {DomainError} with the field `text`, and as the service does
 */
export async function sendMessage(
  services: Services,
  cookie: string | null,
  { fields, photos }: TrackForm,
): Promise<void> {
  try {
    const text = messageText.safeParse(fields.get('text')?.[0] ?? '')
    if (!text.success) {
      const message = text.error.issues[0]?.message ?? ''
      throw new DomainError('invalid-input', message, [{ field: 'text', message }])
    }
    const key = fields.get('token')?.[0] ?? ''
    const isNew = await services.receipts.answer(cookie, { key, text: text.data, photos })
    if (!isNew) await services.photos.discardStored(photos)
  } catch (error) {
    // Only a refusal is certain: after anything else the rows that name the photos may be there.
    if (error instanceof DomainError) await services.photos.discardStored(photos)
    throw error
  }
}
