import { MAX_MESSAGE, MAX_MESSAGE_PHOTOS, type Side } from '../../domain/message.ts'
import { MAX_PHOTO_BYTES, photoRefusal } from '../../domain/photo.ts'
import { ownerOf } from '../../domain/roles.ts'
import { cleanText } from '../../domain/tip.ts'
import { pairOf } from '../../sealing/age-identity.ts'
import type { SealedNarrative } from '../../sealing/outgoing.ts'
import { openMessage, openMessagePhoto, sealMessage, sealMessagePhoto } from '../../sealing/message.ts'
import type { RecipientEntry } from '../../sealing/recipient-list.ts'
import { isReporters } from '../../sealing/reissued.ts'
import { element } from './element.ts'
import { asJpeg, redrawn } from './picture.ts'
import { bytes, post, postJson, random, Refused, toBase64Url } from './session.ts'
import { signedKeys } from './signed-keys.ts'

/** A tip as far as its messages go. */
export interface Correspondence {
  readonly id: string
  readonly reporterRecipient: string
  readonly reporterSignature: string | null
  readonly messages: readonly { readonly number: number; readonly from: Side; readonly sealed: string }[]
}

/** A message as it is sent, and its sealed photos in the order in which it names them. */
export interface SealedMessage {
  readonly message: object
  readonly photos: readonly Blob[]
}

/**
 * Opens the messages about a tip in their places.
 * @param base of the case in the API
 * @returns what the reporter wrote
 */
export async function showThread(
  thread: ParentNode,
  base: string,
  tip: Correspondence,
  identity: string,
): Promise<string[]> {
  const reporterWords: string[] = []
  for (const { number, from, sealed } of tip.messages) {
    const place = thread.querySelector(`[data-number="${number}"] [data-text]`)
    if (!place) continue
    try {
      const address = { tip: tip.id, number, from }
      const { text, photos } = await openMessage(address, identity, bytes(sealed))
      if (from === 'reporter') reporterWords.push(text)
      place.replaceChildren()
      for (const line of text.split('\n')) element('p', line, place)
      for (const [index, photo] of photos.entries()) {
        const reply = await fetch(`${base}/messages/${tip.id}/photos/${photo}`)
        if (!reply.ok) throw new Error('照片取不到。')
        const envelope = new Uint8Array(await reply.arrayBuffer())
        const image = element('img', '', place)
        image.alt = `${from === 'reporter' ? '举报人' : '承办单位'}的照片 ${index + 1}`
        const picture = await openMessagePhoto({ tip: tip.id, photo }, identity, envelope)
        image.src = URL.createObjectURL(await asJpeg(await redrawn(picture)))
      }
    } catch {
      element('p', '这一条打不开，或者照片取不到。', place).className = 'error'
    }
  }
  return reporterWords
}

const refused = (field: 'text' | 'photos', message: string): Refused =>
  new Refused(422, message, [{ field, message }])

/** The words and files of a form. @throws {Refused} with the field */
async function contentOf(form: HTMLFormElement): Promise<{ text: string; pictures: readonly Blob[] }> {
  const data = new FormData(form)
  const typed = data.get('text')
  const text = cleanText(typeof typed === 'string' ? typed : '')
  if (text === '') throw refused('text', '请写下要说的话。')
  if (Array.from(text).length > MAX_MESSAGE) throw refused('text', `最多 ${MAX_MESSAGE} 个字。`)
  // A field that nobody filled in holds one empty file without a name.
  const files = data.getAll('photos').filter((file) => file instanceof File && file.name !== '') as File[]
  if (files.length > MAX_MESSAGE_PHOTOS) {
    throw refused('photos', `照片最多 ${MAX_MESSAGE_PHOTOS} 张，请少选几张。`)
  }
  const pictures: Blob[] = []
  for (const file of files) {
    const why = (reason: string): Refused => refused('photos', `${file.name}：${reason}`)
    if (file.size > MAX_PHOTO_BYTES) throw why(photoRefusal('too-large'))
    // Drawn anew, so that nothing is left of what the camera wrote beside the picture.
    const drawn = await redrawn(new Uint8Array(await file.arrayBuffer())).catch((error: unknown) => {
      throw error instanceof Error ? why(error.message) : error
    })
    pictures.push(await asJpeg(drawn))
  }
  return { text, pictures }
}

/** The keys whose signature stands for the recipient of a reporter with a new receipt code. */
async function custodianKeys(): Promise<readonly RecipientEntry[]> {
  const { entries } = await signedKeys()
  return entries.filter(({ owner }) => owner === ownerOf('custodian'))
}

/** @throws {Error} with words for the officer, when the reporter's key may be somebody else's */
async function mustBeReporters(
  { id, reporterRecipient: recipient, reporterSignature: signature }: Correspondence,
  { reporterRecipient: told }: SealedNarrative,
): Promise<void> {
  const custodians = told === recipient || signature === null ? [] : await custodianKeys().catch(() => [])
  if (isReporters({ tip: id, recipient, signature }, told, custodians)) return
  throw new Error(
    '没有发出：举报人的收件钥匙和举报里密封的不一样，又没有身份保管人的签名，可能被人换过。请告诉管理员。',
  )
}

const newPhotoId = (): string => Array.from(random(16), (byte) => byte.toString(16).padStart(2, '0')).join('')

/** An opened tip. */
export interface OpenedTip {
  readonly identity: string
  readonly narrative: SealedNarrative
}

/**
 * What a form says to the reporter of a tip, sealed to both sides for the next place in the thread.
 * @throws {Refused} with the field
 * @throws {Error} when the reporter's key may be somebody else's, or nobody can tell because the list of keys does not hold
 */
export async function sealForm(
  form: HTMLFormElement,
  tip: Correspondence,
  { identity, narrative }: OpenedTip,
): Promise<SealedMessage> {
  const { text, pictures } = await contentOf(form)
  await mustBeReporters(tip, narrative)
  // From the tip's own secret, not as the server tells it.
  const { recipient } = await pairOf(identity)
  const recipients = [recipient, tip.reporterRecipient]
  const photos = pictures.map(newPhotoId)
  const number = tip.messages.length + 1
  const sealed = await sealMessage({ tip: tip.id, number, from: 'officer' }, recipients, { text, photos })
  const envelopes: Blob[] = []
  for (const [index, picture] of pictures.entries()) {
    const address = { tip: tip.id, photo: photos[index] ?? '' }
    const drawn = new Uint8Array(await picture.arrayBuffer())
    envelopes.push(new Blob([await sealMessagePhoto(address, recipients, drawn)]))
  }
  // The same for every try of what was typed, so that it is sent once.
  form.dataset['key'] ??= toBase64Url(random(24))
  return {
    message: { tipId: tip.id, number, key: form.dataset['key'], sealed: toBase64Url(sealed), photos },
    photos: envelopes,
  }
}

/** Sends a request, and sealed photos behind it. */
export async function postWithPhotos(path: string, body: object, photos: readonly Blob[]): Promise<unknown> {
  if (photos.length === 0) return postJson(path, body)
  const form = new FormData()
  form.set('body', JSON.stringify(body))
  for (const photo of photos) form.append('photos', photo, 'photo')
  return post(path, form)
}
