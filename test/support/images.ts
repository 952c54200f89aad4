import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'

export interface JpegOptions {
  readonly width?: number
  readonly height?: number
  /** Degrees north and east. */
  readonly gps?: readonly [latitude: number, longitude: number]
  readonly make?: string
  readonly model?: string
  /** Goes into the image description, where canaries are looked for. */
  readonly text?: string
  /** EXIF orientation 1-8. */
  readonly orientation?: number
}

/** A noisy picture, so that it compresses about as badly as a photo. */
function noise(width: number, height: number) {
  return sharp({
    create: {
      width,
      height,
      channels: 3,
      background: '#808080',
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  })
}

/** A real JPEG as a phone makes it: EXIF with device, place and description. */
export async function jpegWithExif(options: JpegOptions = {}): Promise<Uint8Array> {
  const { width = 640, height = 480, gps = [34.748, 113.612], make = 'CanaryPhone', model = 'CP-1' } = options
  const image = noise(width, height).withExif({
    IFD0: { Make: make, Model: model, ImageDescription: options.text ?? 'exif-canary' },
    IFD2: { DateTimeOriginal: '2026:11:20 08:15:00' },
    IFD3: {
      GPSLatitudeRef: 'N',
      GPSLatitude: degrees(gps[0]),
      GPSLongitudeRef: 'E',
      GPSLongitude: degrees(gps[1]),
    },
  })
  const oriented = options.orientation ? image.withMetadata({ orientation: options.orientation }) : image
  return new Uint8Array(await oriented.jpeg({ quality: 85 }).toBuffer())
}

function degrees(value: number): string {
  const whole = Math.floor(value)
  const minutes = Math.floor((value - whole) * 60)
  const seconds = Math.round(((value - whole) * 60 - minutes) * 6000)
  return `${whole}/1 ${minutes}/1 ${seconds}/100`
}

export async function png(width = 320, height = 240): Promise<Uint8Array> {
  return new Uint8Array(await noise(width, height).png().toBuffer())
}

export async function webp(width = 320, height = 240): Promise<Uint8Array> {
  return new Uint8Array(await noise(width, height).webp().toBuffer())
}

export async function gif(): Promise<Uint8Array> {
  return new Uint8Array(await noise(32, 32).gif().toBuffer())
}

/** Two frames under an accepted kind. */
export async function animatedWebp(): Promise<Uint8Array> {
  const frames = Buffer.concat([Buffer.alloc(32 * 32 * 3, 10), Buffer.alloc(32 * 32 * 3, 200)])
  const strip = sharp(frames, { raw: { width: 32, height: 64, channels: 3, pageHeight: 32 } })
  return new Uint8Array(await strip.webp({ loop: 0, delay: [100, 100] }).toBuffer())
}

/** A PNG that announces two frames; what it shows where motion is unknown is one good picture. */
export function animatedPng(): Uint8Array {
  const still = Buffer.from(blankPng(32, 32))
  const control = pngChunk('acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0]))
  const afterHeader = 8 + 25
  return new Uint8Array(Buffer.concat([still.subarray(0, afterHeader), control, still.subarray(afterHeader)]))
}

/** The first part of a real JPEG, as a cut connection leaves it. */
export async function truncatedJpeg(): Promise<Uint8Array> {
  const whole = await jpegWithExif()
  return whole.slice(0, Math.floor(whole.length * 0.6))
}

/** A picture that is small as a file and 256 million pixels when decoded. */
export function hugePng16000(): Uint8Array {
  return blankPng(16_000, 16_000)
}

/** A one-bit PNG of a single colour, written by hand since no decent encoder would make the large ones. */
export function blankPng(width: number, height: number): Uint8Array {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([1, 0, 0, 0, 0], 8)
  const rows = Buffer.alloc((1 + Math.ceil(width / 8)) * height)
  return new Uint8Array(
    Buffer.concat([
      Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
      pngChunk('IHDR', header),
      pngChunk('IDAT', deflateSync(rows)),
      pngChunk('IEND', Buffer.alloc(0)),
    ]),
  )
}

function pngChunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const check = Buffer.alloc(4)
  check.writeUInt32BE(crc32(typed))
  return Buffer.concat([length, typed, check])
}

/** Plain text; the sender calls it `photo.jpg`. */
export function textAsJpg(): Uint8Array {
  return new TextEncoder().encode('这不是照片，只是一段文字。'.repeat(40))
}

/** Vector graphics with a script; the sender calls it `photo.jpg`. */
export function svgAsJpg(): Uint8Array {
  return new TextEncoder().encode(
    '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><script>alert(1)</script><rect width="64" height="64"/></svg>',
  )
}

export const emptyFile = (): Uint8Array => new Uint8Array()

export const POLYGLOT_TAIL = '<script>alert("polyglot-canary")</script>'

/** A JPEG that a careless server would also serve as a page. */
export async function polyglot(): Promise<Uint8Array> {
  return new Uint8Array(Buffer.concat([await jpegWithExif(), Buffer.from(POLYGLOT_TAIL)]))
}

/** The head of an ISO media file with the given brands: `heic`, `avif`, `isom`, `qt  ` … */
export function isoMedia(major: string, ...compatible: readonly string[]): Uint8Array {
  const head = Buffer.alloc(16 + 4 * compatible.length)
  head.writeUInt32BE(head.length, 0)
  head.write(`ftyp${major}`, 4, 'latin1')
  head.write(compatible.join(''), 16, 'latin1')
  return new Uint8Array(Buffer.concat([head, Buffer.alloc(64)]))
}
