import { DomainError } from './errors.ts'

/** Photos of one tip, and of one set of inspection photos. */
export const MAX_PHOTOS = 9
/** Bytes of one photo as sent. */
export const MAX_PHOTO_BYTES = 15 * 1024 * 1024
/** Bytes of all photos of one tip as sent. */
export const MAX_PHOTOS_BYTES = 60 * 1024 * 1024
/** Width × height of a photo as sent. */
export const MAX_PIXELS = 50_000_000
/** The longer side of a photo as sent, in pixels. */
export const MAX_SIDE = 12_000
/** The longer side of the working copy, in pixels; smaller photos keep their size. */
export const WORKING_SIDE = 2560

/** The kinds a photo may be of. */
export type PhotoKind = 'jpeg' | 'png' | 'webp'

/** What the first bytes say a file is, beyond the kinds that are accepted. */
export type ForeignKind = 'heic' | 'avif' | 'gif' | 'other-image' | 'video' | 'pdf' | 'empty' | 'unknown'

/** Why a photo is refused: what it is, or what is wrong with it. */
export type PhotoRefusal =
  | ForeignKind
  | 'damaged'
  | 'animated'
  | 'too-many-pixels'
  | 'too-long'
  | 'too-slow'
  | 'too-large'
  | 'total-too-large'
  | 'too-many'

/** The copy people look at: upright JPEG in sRGB, at most `WORKING_SIDE`, without any metadata. */
export interface WorkingPhoto {
  readonly working: Uint8Array
  /** Pixels of the working copy. */
  readonly width: number
  readonly height: number
}

/** Decodes an untrusted photo away from the server's own memory. */
export interface PhotoDecoder {
  /**
   * Makes the working copy. The bytes are not changed and not kept.
   * @throws {DomainError} `photo-rejected` with a sentence for the citizen; `photos-unavailable`; `intake-closed`
   *   once closed
   */
  decode(bytes: Uint8Array): Promise<WorkingPhoto>
  /** Ends the worker processes; jobs under way or waiting fail with `intake-closed`. */
  close(): Promise<void>
}

const REFUSALS: Readonly<Record<PhotoRefusal, string>> = {
  heic: '这是 HEIC 照片，本站暂时打不开。请在 iPhone“设置 → 相机 → 格式”中选“兼容性最佳”后重拍；或打开照片截一张屏，再上传截图。',
  avif: '这是 AVIF 图片，本站暂时打不开。请打开图片截一张屏，再上传截图（JPEG 或 PNG）。',
  gif: '本站不收 GIF 动图。请打开图片截一张屏，再上传截图（JPEG 或 PNG）。',
  'other-image': '这种图片格式本站打不开。请用看图软件另存为 JPEG 或 PNG，或截一张屏后再上传。',
  video: '本站暂时不收视频。请暂停在看得最清楚的画面，截一张屏，再上传截图。',
  pdf: '这是 PDF 文件，不是照片。请打开后截一张屏，再上传截图（JPEG 或 PNG）。',
  empty: '这个文件是空的，可能没有传完。请重新选择照片。',
  unknown: '这个文件的内容不是照片。请上传 JPEG、PNG 或 WebP 格式的照片。',
  damaged: '这张照片已损坏或没有传完，无法打开。请重新选择，或截一张屏后再上传。',
  animated: '这是会动的图片，本站只收静止的照片。请截一张屏，再上传截图。',
  'too-many-pixels': '这张照片的像素太多（上限 5000 万像素）。请缩小或截一张屏后再上传。',
  'too-long': '这张照片太长或太宽（单边上限 12000 像素）。请裁剪后再上传。',
  'too-slow': '这张照片处理起来太费时间，没有完成。请截一张屏，再上传截图。',
  'too-large': '这张照片超过 15 MB。请缩小或截一张屏后再上传。',
  'total-too-large': '照片加起来超过 60 MB。请少选几张，或缩小后再上传。',
  'too-many': '最多上传 9 张照片，多出的没有保留。',
}

/** The sentence, zh-CN, that tells the citizen why a photo was refused and how to convert it. */
export function photoRefusal(reason: PhotoRefusal): string {
  return REFUSALS[reason]
}

/** The refusal as the error that services throw. */
export function photoRejected(reason: PhotoRefusal): DomainError {
  return new DomainError('photo-rejected', REFUSALS[reason])
}

/** The photo is as good as any, but it cannot be worked on or kept just then. */
export function photosUnavailable(): DomainError {
  return new DomainError(
    'photos-unavailable',
    '照片暂时不能接收，这是本站的问题，照片没有保存。可以先不带照片提交，或者过一段时间再试。',
  )
}

/** True for the three kinds that are decoded. */
export function isPhotoKind(kind: PhotoKind | ForeignKind): kind is PhotoKind {
  return kind === 'jpeg' || kind === 'png' || kind === 'webp'
}

/**
 * Tells by its first bytes what a file is; names and declared types are never asked. An answer `jpeg`, `png` or
 * `webp` only says that the file may be given to the decoder, which has the last word.
 */
export function sniffPhoto(bytes: Uint8Array): { readonly kind: PhotoKind | ForeignKind } {
  return { kind: kindOf(bytes) }
}

/** Byte patterns at the start of a file; a space in the table's text is a space in the file. */
const MAGIC: readonly (readonly [offset: number, pattern: string, kind: PhotoKind | ForeignKind])[] = [
  [0, '\xff\xd8\xff', 'jpeg'],
  [0, '\x89PNG\r\n\x1a\n', 'png'],
  [0, 'GIF87a', 'gif'],
  [0, 'GIF89a', 'gif'],
  [0, 'II*\0', 'other-image'],
  [0, 'MM\0*', 'other-image'],
  [0, 'BM', 'other-image'],
  [0, '\0\0\x01\0', 'other-image'],
  [0, '\0\0\0\x0cjP  ', 'other-image'],
  [0, '\0\0\0\x0cJXL ', 'other-image'],
  [0, '\xff\x0a', 'other-image'],
  [0, '8BPS', 'other-image'],
  [0, '%PDF-', 'pdf'],
  [0, '\x1aE\xdf\xa3', 'video'],
  [0, 'FLV\x01', 'video'],
  [0, '\0\0\x01\xba', 'video'],
  [0, '\0\0\x01\xb3', 'video'],
  [0, '0&\xb2u\x8ef\xcf\x11', 'video'],
  [4, 'moov', 'video'],
  [4, 'mdat', 'video'],
]

const HEIC_BRANDS = ['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'hevm', 'hevs']
const AVIF_BRANDS = ['avif', 'avis']

function kindOf(bytes: Uint8Array): PhotoKind | ForeignKind {
  if (bytes.length === 0) return 'empty'
  if (has(bytes, 0, 'RIFF') && has(bytes, 8, 'WEBP')) return 'webp'
  if (has(bytes, 0, 'RIFF') && has(bytes, 8, 'AVI ')) return 'video'
  if (has(bytes, 4, 'ftyp')) return isoMediaKind(bytes)
  return MAGIC.find(([offset, pattern]) => has(bytes, offset, pattern))?.[2] ?? 'unknown'
}

/** Whether a PNG announces more frames than the one: the chunk that says so stands before the picture's first data. */
export function isAnimatedPng(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 8; at + 12 <= bytes.length && !has(bytes, at + 4, 'IDAT'); at += 12 + view.getUint32(at))
    if (has(bytes, at + 4, 'acTL')) return true
  return false
}

/** ISO base media files name themselves by a major brand, then compatible ones (`mif1` alone does not tell). */
function isoMediaKind(bytes: Uint8Array): ForeignKind {
  const boxLength = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0)
  const end = Math.min(bytes.length, boxLength, 256)
  const brands: string[] = []
  for (let at = 8; at + 4 <= end; at += 4) if (at !== 12) brands.push(ascii(bytes, at, 4))
  if (brands.some((brand) => HEIC_BRANDS.includes(brand))) return 'heic'
  if (brands.some((brand) => AVIF_BRANDS.includes(brand))) return 'avif'
  return brands[0] === 'mif1' || brands[0] === 'msf1' ? 'heic' : 'video'
}

function has(bytes: Uint8Array, offset: number, pattern: string): boolean {
  return bytes.length >= offset + pattern.length && ascii(bytes, offset, pattern.length) === pattern
}

function ascii(bytes: Uint8Array, offset: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + length))
}
