import { isPhotoKind, photoRejected, sniffPhoto } from './photo.ts'

/**
 * The parts a photo's file is made of, as they stand one after another; nothing is decoded. Whatever the bytes are,
 * the walks end, look at each byte at most once and throw nothing but a refusal.
 */

/** A stretch of a file under the name that its format gives it. */
export interface PhotoPart {
  /** JPEG: the marker's second byte as two hex digits (`e1`), `data` for a scan. PNG and WebP: four letters. */
  readonly name: string
  /** Where the part begins and ends, with all that belongs to it. */
  readonly from: number
  readonly to: number
  /** Where its content begins and ends. */
  readonly start: number
  readonly end: number
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Text of one byte a sign, as the formats write their names. */
export function asciiAt(bytes: Uint8Array, from: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(from, from + length))
}

const MARK = 0xff
const SOI = 0xd8
const EOI = 0xd9
const SOS = 0xda
const isRestart = (code: number): boolean => code >= 0xd0 && code <= 0xd7

/**
 * A JPEG's segments and scans, from the one after the start to the end marker inclusive; what follows it is no part.
 * @source ITU-T T.81, annex B
 * @throws {DomainError} `photo-rejected`
 */
export function* jpegParts(bytes: Uint8Array): Generator<PhotoPart> {
  const view = viewOf(bytes)
  if (bytes.length < 4 || view.getUint16(0) !== 0xff00 + SOI) throw photoRejected('damaged')
  let at = 2
  while (at + 1 < bytes.length) {
    if (bytes[at] !== MARK) throw photoRejected('damaged')
    const from = at
    // Fill bytes may stand before a marker.
    while (bytes[at + 1] === MARK) at += 1
    const code = bytes[at + 1] ?? 0
    at += 2
    if (code === EOI) {
      yield { name: 'd9', from: at - 2, to: at, start: at, end: at }
      return
    }
    if (at + 2 > bytes.length) break
    const end = at + view.getUint16(at)
    if (end < at + 2 || end > bytes.length) break
    yield { name: code.toString(16).padStart(2, '0'), from, to: end, start: at + 2, end }
    at = end
    if (code !== SOS) continue
    // Behind the head of a scan come its bytes, in which a marker's first byte is followed by zero or a restart.
    while (at + 1 < bytes.length) {
      const next = bytes[at + 1] ?? 0
      if (bytes[at] === MARK && next !== 0 && !isRestart(next)) break
      at += 1
    }
    yield { name: 'data', from: end, to: at, start: end, end: at }
  }
  throw photoRejected('damaged')
}

const PNG_HEAD = 8

/**
 * A PNG's chunks to the last inclusive.
 * @source W3C PNG, third edition, 5.3
 * @throws {DomainError} `photo-rejected`
 */
export function* pngParts(bytes: Uint8Array): Generator<PhotoPart> {
  const view = viewOf(bytes)
  let from = PNG_HEAD
  while (from + 12 <= bytes.length) {
    const start = from + 8
    const end = start + view.getUint32(from)
    const name = asciiAt(bytes, from + 4, 4)
    if (end + 4 > bytes.length) break
    yield { name, from, to: end + 4, start, end }
    if (name === 'IEND') return
    from = end + 4
  }
  throw photoRejected('damaged')
}

/**
 * A WebP's chunks, as far as its own size says.
 * @source RFC 9649, 2.3
 * @throws {DomainError} `photo-rejected`
 */
export function* webpParts(bytes: Uint8Array): Generator<PhotoPart> {
  if (bytes.length < 12) throw photoRejected('damaged')
  const view = viewOf(bytes)
  const last = 8 + view.getUint32(4, true)
  if (last > bytes.length) throw photoRejected('damaged')
  let from = 12
  while (from + 8 <= last) {
    const start = from + 8
    const end = start + view.getUint32(from + 4, true)
    if (end > last) throw photoRejected('damaged')
    const to = Math.min(last, end + (end % 2))
    yield { name: asciiAt(bytes, from, 4), from, to, start, end }
    from = to
  }
}

/** The parts of a photo of any kind. @throws {DomainError} `photo-rejected` also for what is none */
export function partsOf(bytes: Uint8Array): Generator<PhotoPart> {
  const { kind } = sniffPhoto(bytes)
  if (!isPhotoKind(kind)) throw photoRejected(kind)
  return { jpeg: jpegParts, png: pngParts, webp: webpParts }[kind](bytes)
}
