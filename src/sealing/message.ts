import type { Side } from '../domain/message.ts'
import { openBound, sealBound, type Bound } from './bound.ts'
import { fromUtf8, utf8 } from './bytes.ts'
import { EnvelopeError } from './envelope-error.ts'
import { imageBucket, textBucket } from './envelope.ts'

/** Which message an envelope is; written into it and checked on opening. */
export interface MessageAddress {
  /** The tip's id, a UUID. */
  readonly tip: string
  /** Counted from 1 within the tip, over both sides: none can be moved or shown twice. */
  readonly number: number
  readonly from: Side
}

/** What a message says. */
export interface MessageContent {
  readonly text: string
  /** Ids of its photos, in order: a photo that is not named here is not part of it. */
  readonly photos: readonly string[]
}

/** Which photo of a tip's messages an envelope is. */
export interface MessagePhotoAddress {
  readonly tip: string
  /** 32 random hexadecimal digits. */
  readonly photo: string
}

/**
 * Seals a message.
 * @param recipients the tip's and the reporter's: whoever holds one of the two secrets reads it.
 */
export function sealMessage(
  address: MessageAddress,
  recipients: readonly string[],
  { text, photos }: MessageContent,
): Promise<Uint8Array<ArrayBuffer>> {
  return sealBound(boundTo(address), recipients, utf8(JSON.stringify({ text, photos })))
}

/**
 * Opens a message with the secret of either side.
 * @throws {EnvelopeError} `wrong-key`, `damaged`, or `mismatch` for one of another tip, number or side.
 */
export async function openMessage(
  address: MessageAddress,
  identity: string,
  sealed: Uint8Array,
): Promise<MessageContent> {
  const bytes = await openBound(boundTo(address), identity, sealed)
  try {
    const { text, photos } = JSON.parse(fromUtf8(bytes)) as Record<string, unknown>
    if (typeof text === 'string' && isTexts(photos)) return { text, photos }
  } catch {
    // Said below: nothing is a message that does not read as one.
  }
  throw new EnvelopeError('damaged', 'The envelope does not hold a message.')
}

/** Seals a photo that belongs to a message; it shall carry no metadata. */
export function sealMessagePhoto(
  address: MessagePhotoAddress,
  recipients: readonly string[],
  bytes: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  return sealBound(photoBoundTo(address), recipients, bytes)
}

/** Opens a photo. @throws {EnvelopeError} as {@link openMessage} */
export function openMessagePhoto(
  address: MessagePhotoAddress,
  identity: string,
  sealed: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  return openBound(photoBoundTo(address), identity, sealed)
}

function boundTo({ tip, number, from }: MessageAddress): Bound {
  return { header: { v: 1, purpose: 'tip.message', tip, number, from }, bucketOf: textBucket }
}

function photoBoundTo({ tip, photo }: MessagePhotoAddress): Bound {
  return { header: { v: 1, purpose: 'tip.message-photo', tip, photo }, bucketOf: imageBucket }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
