import { isPhotoKind, MAX_PIXELS, MAX_SIDE, photoRejected, sniffPhoto, type PhotoKind } from './photo.ts'
import { readFacts } from './photo-facts.ts'
import { asciiAt, jpegParts, pngParts, webpParts } from './photo-parts.ts'

/** A photo without anything but its picture. */
export interface StrippedPhoto {
  readonly kind: PhotoKind
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Pixels as stored, before any turning. */
  readonly width: number
  readonly height: number
}

interface Size {
  readonly width: number
  readonly height: number
}

/**
 * Takes out of a photo's file whatever is not the picture, by a list of what may stay; the picture's own bytes are
 * copied as they are. (A canvas would do it too, but browsers that protect against fingerprinting falsify what is read
 * back from one.) How the picture is to be turned is kept, alone.
 * @throws {DomainError} `photo-rejected`, and nothing else, whatever the bytes are
 */
export function stripPhoto(photo: Uint8Array): StrippedPhoto {
  const { kind } = sniffPhoto(photo)
  if (!isPhotoKind(kind)) throw photoRejected(kind)
  const { size, pieces } = { jpeg: stripJpeg, png: stripPng, webp: stripWebp }[kind](photo)
  if (size === null || size.width === 0 || size.height === 0) throw photoRejected('damaged')
  if (size.width * size.height > MAX_PIXELS) throw photoRejected('too-many-pixels')
  if (Math.max(size.width, size.height) > MAX_SIDE) throw photoRejected('too-long')
  return { kind, bytes: join(pieces), ...size }
}

interface Stripped {
  readonly size: Size | null
  readonly pieces: readonly Uint8Array[]
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Frames, tables, restart interval, scans and the end: what decoding needs (T.81, table B.1). */
const JPEG_KEPT = new Set(['c4', 'cc', 'da', 'db', 'dc', 'dd', 'data', 'd9'])
const isFrame = (name: string): boolean => /^c[0-9a-f]$/.test(name) && !['c4', 'c8', 'cc'].includes(name)

const ICC = 'ICC_PROFILE\0'
/** Version, units and density of an APP0 of JFIF; a thumbnail may follow. */
const JFIF_BYTES = 14

function stripJpeg(photo: Uint8Array): Stripped {
  const pieces: Uint8Array[] = [photo.subarray(0, 2)]
  const { orientation } = readFacts(photo)
  const turned = orientation === 1 ? [] : [orientationSegment(orientation)]
  let size: Size | null = null
  let isTold = false
  let scans = 0
  for (const { name, from, to, start, end } of jpegParts(photo)) {
    const is = (prefix: string): boolean => asciiAt(photo, start, prefix.length) === prefix
    // An APP0 of JFIF has to be the first.
    if (name === 'e0' && is('JFIF\0') && end - start >= JFIF_BYTES) {
      if (pieces.length === 1) pieces.push(jfifSegment(photo.subarray(start, start + JFIF_BYTES)))
      continue
    }
    if (!isTold) pieces.push(...turned)
    isTold = true
    if (isFrame(name)) {
      if (end - start < 6) throw photoRejected('damaged')
      const view = viewOf(photo)
      size = { height: view.getUint16(start + 1), width: view.getUint16(start + 3) }
    }
    if (name === 'data') scans += 1
    const isKept =
      isFrame(name) || JPEG_KEPT.has(name) || (name === 'ee' && is('Adobe')) || (name === 'e2' && is(ICC))
    if (isKept) pieces.push(photo.subarray(from, to))
  }
  return { size: scans === 0 ? null : size, pieces }
}

function jfifSegment(content: Uint8Array): Uint8Array {
  const segment = new Uint8Array(4 + JFIF_BYTES)
  segment.set([0xff, 0xe0, 0, 2 + JFIF_BYTES])
  segment.set(content, 4)
  // No thumbnail: nothing wide, nothing high.
  segment.set([0, 0], 4 + JFIF_BYTES - 2)
  return segment
}

/** An APP1 of Exif with one field. */
function orientationSegment(orientation: number): Uint8Array {
  const exif = [0x45, 0x78, 0x69, 0x66, 0, 0]
  const head = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8]
  const directory = [0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]
  const content = [...exif, ...head, ...directory]
  return Uint8Array.from([0xff, 0xe1, 0, 2 + content.length, ...content])
}

const PNG_KEPT = new Set(['IHDR', 'PLTE', 'tRNS', 'gAMA', 'sRGB', 'IDAT', 'IEND'])

function stripPng(photo: Uint8Array): Stripped {
  const pieces: Uint8Array[] = [photo.subarray(0, 8)]
  let size: Size | null = null
  let hasPicture = false
  for (const { name, from, to, start, end } of pngParts(photo)) {
    if (name === 'acTL') throw photoRejected('animated')
    if ((size === null) !== (name === 'IHDR') || (name === 'IHDR' && end - start !== 13)) {
      throw photoRejected('damaged')
    }
    if (name === 'IHDR') {
      const view = viewOf(photo)
      size = { width: view.getUint32(start), height: view.getUint32(start + 4) }
    }
    hasPicture ||= name === 'IDAT'
    if (PNG_KEPT.has(name)) pieces.push(photo.subarray(from, to))
  }
  return { size: hasPicture ? size : null, pieces }
}

const WEBP_KEPT = new Set(['VP8X', 'VP8 ', 'VP8L', 'ALPH', 'ICCP'])
const WEBP_ANIMATED = 0x02
const WEBP_TELLS = 0x0c

function stripWebp(photo: Uint8Array): Stripped {
  const pieces: Uint8Array[] = []
  const view = viewOf(photo)
  let size: Size | null = null
  let hasPicture = false
  for (const { name, from, to, start, end } of webpParts(photo)) {
    if (name === 'ANIM' || name === 'ANMF') throw photoRejected('animated')
    if (!WEBP_KEPT.has(name)) continue
    const piece = new Uint8Array(photo.subarray(from, to))
    if (name === 'VP8X') {
      if (end - start < 10) throw photoRejected('damaged')
      const flags = photo[start] ?? 0
      if ((flags & WEBP_ANIMATED) !== 0) throw photoRejected('animated')
      // What said that Exif and XMP follow.
      piece[8] = flags & ~WEBP_TELLS
    }
    size ??= webpSize(photo, view, name, start, end)
    hasPicture ||= name === 'VP8 ' || name === 'VP8L'
    pieces.push(piece)
  }
  const head = new Uint8Array(photo.subarray(0, 12))
  const length = pieces.reduce((sum, piece) => sum + piece.length, 4)
  viewOf(head).setUint32(4, length, true)
  return { size: hasPicture ? size : null, pieces: [head, ...pieces] }
}

function webpSize(photo: Uint8Array, view: DataView, name: string, start: number, end: number): Size | null {
  if (end - start < 10) return null
  const three = (at: number): number => view.getUint16(at, true) + ((photo[at + 2] ?? 0) << 16)
  switch (name) {
    case 'VP8X':
      return { width: 1 + three(start + 4), height: 1 + three(start + 7) }
    case 'VP8 ':
      return {
        width: view.getUint16(start + 6, true) & 0x3fff,
        height: view.getUint16(start + 8, true) & 0x3fff,
      }
    case 'VP8L': {
      const bits = view.getUint32(start + 1, true)
      return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >> 14) & 0x3fff) }
    }
    default:
      return null
  }
}

function join(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
