import { asciiAt, partsOf } from './photo-parts.ts'

/** What a photo says of itself beside the picture. */
export interface PhotoFacts {
  /** As the camera's clock had it, `YYYY-MM-DD HH:MM`; it knows no time zone. */
  readonly takenAt: string | null
  /** Degrees, north and east positive (WGS 84). */
  readonly position: { readonly latitude: number; readonly longitude: number } | null
  /** Maker and model. */
  readonly device: string | null
  /** How the picture is to be turned, 1 to 8; 1 is upright. */
  readonly orientation: number
}

const NOTHING: PhotoFacts = { takenAt: null, position: null, device: null, orientation: 1 }

/** @source CIPA DC-008 (Exif 2.32), 4.6 */
const TAG = {
  make: 0x010f,
  model: 0x0110,
  orientation: 0x0112,
  changedAt: 0x0132,
  exif: 0x8769,
  gps: 0x8825,
  takenAt: 0x9003,
  latitudeRef: 1,
  latitude: 2,
  longitudeRef: 3,
  longitude: 4,
} as const

const ASCII = 2
const SHORT = 3
const LONG = 4
const RATIONAL = 5
/** Bytes of one value by its type; other types are not read. */
const SIZES: Readonly<Record<number, number>> = { [ASCII]: 1, [SHORT]: 2, [LONG]: 4, [RATIONAL]: 8 }
const MAX_ENTRIES = 200
const MAX_TEXT = 64

interface Field {
  readonly type: number
  readonly count: number
  readonly at: number
}

/**
 * What the photo tells, as far as it can be made out; damaged or unknown bytes tell nothing. Never throws.
 */
export function readFacts(photo: Uint8Array): PhotoFacts {
  try {
    const tiff = exifOf(photo)
    return tiff === null ? NOTHING : factsOf(tiff)
  } catch {
    // A reading past the end: whatever it was, it says nothing.
    return NOTHING
  }
}

function exifOf(photo: Uint8Array): Uint8Array | null {
  for (const { name, start, end } of partsOf(photo)) {
    const isJpegExif = name === 'e1' && asciiAt(photo, start, 6) === 'Exif\0\0'
    if (isJpegExif) return photo.subarray(start + 6, end)
    if (name !== 'eXIf' && name !== 'EXIF') continue
    // Some writers of WebP put JPEG's prefix before it.
    return photo.subarray(asciiAt(photo, start, 6) === 'Exif\0\0' ? start + 6 : start, end)
  }
  return null
}

/** @throws {RangeError} past the end */
function factsOf(tiff: Uint8Array): PhotoFacts {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength)
  const little = asciiAt(tiff, 0, 2) === 'II'
  if ((!little && asciiAt(tiff, 0, 2) !== 'MM') || view.getUint16(2, little) !== 42) return NOTHING

  function directory(at: number): Map<number, Field> {
    const fields = new Map<number, Field>()
    if (at + 2 > tiff.length) return fields
    const count = Math.min(view.getUint16(at, little), MAX_ENTRIES)
    for (let index = 0; index < count; index += 1) {
      const entry = at + 2 + 12 * index
      if (entry + 12 > tiff.length) break
      const type = view.getUint16(entry + 2, little)
      const values = view.getUint32(entry + 4, little)
      const bytes = (SIZES[type] ?? 0) * values
      const where = bytes <= 4 ? entry + 8 : view.getUint32(entry + 8, little)
      if (bytes === 0 || where + bytes > tiff.length) continue
      fields.set(view.getUint16(entry, little), { type, count: values, at: where })
    }
    return fields
  }
  const text = (field: Field | undefined): string | null => {
    if (field?.type !== ASCII) return null
    const read = asciiAt(tiff, field.at, Math.min(field.count, MAX_TEXT)).replace(/\0.*$/s, '').trim()
    return /^[\x20-\x7e]+$/.test(read) ? read : null
  }
  const whole = (field: Field | undefined): number | null => {
    if (field?.type === SHORT) return view.getUint16(field.at, little)
    return field?.type === LONG ? view.getUint32(field.at, little) : null
  }
  const degrees = (
    field: Field | undefined,
    ref: string | null,
    negative: string,
    limit: number,
  ): number | null => {
    if (field?.type !== RATIONAL || field.count !== 3 || ref === null) return null
    const [degree = NaN, minute = NaN, second = NaN] = [0, 8, 16].map(
      (offset) => view.getUint32(field.at + offset, little) / view.getUint32(field.at + offset + 4, little),
    )
    const value = degree + minute / 60 + second / 3600
    return Number.isFinite(value) && value <= limit ? (ref === negative ? -value : value) : null
  }
  const below = (field: Field | undefined): Map<number, Field> => directory(whole(field) ?? tiff.length)

  const main = directory(view.getUint32(4, little))
  const exif = below(main.get(TAG.exif))
  const gps = below(main.get(TAG.gps))
  const latitude = degrees(gps.get(TAG.latitude), text(gps.get(TAG.latitudeRef)), 'S', 90)
  const longitude = degrees(gps.get(TAG.longitude), text(gps.get(TAG.longitudeRef)), 'W', 180)
  const orientation = whole(main.get(TAG.orientation)) ?? 1
  const make = text(main.get(TAG.make))
  const model = text(main.get(TAG.model))
  return {
    takenAt: momentOf(text(exif.get(TAG.takenAt)) ?? text(main.get(TAG.changedAt))),
    // Cameras without a fix write zeros.
    position:
      latitude === null || longitude === null || (latitude === 0 && longitude === 0)
        ? null
        : { latitude, longitude },
    device:
      make !== null && model?.startsWith(make) ? model : [make, model].filter(Boolean).join(' ') || null,
    orientation: orientation >= 1 && orientation <= 8 ? orientation : 1,
  }
}

/** `2026:11:20 08:30:12` as a person writes it. */
function momentOf(text: string | null): string | null {
  const [, year, month, day, time] = /^(\d{4}):(\d\d):(\d\d) (\d\d:\d\d)/.exec(text ?? '') ?? []
  return year === undefined || year === '0000' ? null : `${year}-${month}-${day} ${time}`
}

/** The position as it is told in words; five digits are about a metre. */
export function positionWords({ latitude, longitude }: NonNullable<PhotoFacts['position']>): string {
  const part = (value: number, positive: string, negative: string): string =>
    `${value < 0 ? negative : positive} ${Math.abs(value).toFixed(5)}°`
  return `${part(latitude, '北纬', '南纬')}，${part(longitude, '东经', '西经')}`
}

/** Time and place in one sentence for the officer; null when the photo tells neither. */
export function factWords({ takenAt, position }: PhotoFacts): string | null {
  const words = [
    ...(takenAt === null ? [] : [`拍摄时间 ${takenAt}`]),
    ...(position === null ? [] : [`拍摄地点 ${positionWords(position)}`]),
  ]
  return words.length === 0 ? null : words.join('，')
}
