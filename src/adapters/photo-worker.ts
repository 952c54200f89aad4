/**
 * The process that meets untrusted photos; `photo-decoder.ts` starts it, kills it and speaks its protocol.
 *
 * In (stdin), one frame per photo: u32 length, u8 index of the kind in `KINDS`, then the bytes.
 * Out (descriptor 3): one byte `READY` at the start; then per photo u8 status, u32 width, u32 height, u32 length and
 * the payload, which is the JPEG or the name of the refusal. All numbers big-endian. It ends when stdin ends.
 */
import { Socket } from 'node:net'
import sharp from 'sharp'
import type { SharpOptions } from 'sharp'
import { isAnimatedPng, MAX_PIXELS, MAX_SIDE, WORKING_SIDE } from '../domain/photo.ts'
import { ANSWER_HEADER_BYTES, FRAME_HEADER_BYTES, KINDS, READY, STATUS } from './photo-protocol.ts'
import type { PhotoKind, PhotoRefusal, WorkingPhoto } from '../domain/photo.ts'

// Every loader is closed, then the three kinds of photo are opened: SVG, PDF, TIFF and the rest stay unreachable
// whatever the bytes claim to be.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({ operation: ['VipsForeignLoadJpeg', 'VipsForeignLoadPng', 'VipsForeignLoadWebp'] })
sharp.concurrency(1)
sharp.cache(false)

const DECODE_SECONDS = 10

class Refusal extends Error {
  readonly reason: PhotoRefusal
  constructor(reason: PhotoRefusal) {
    super(reason)
    this.reason = reason
  }
}

async function makeWorkingCopy(bytes: Uint8Array, kind: PhotoKind): Promise<WorkingPhoto> {
  const options: SharpOptions = {
    limitInputPixels: MAX_PIXELS,
    // Refuses what is cut short or cannot be decoded; `warning` would also refuse the harmless oddities of phones.
    failOn: 'error',
    sequentialRead: true,
    animated: false,
  }
  const seen = await sharp(bytes, { ...options, limitInputPixels: false }).metadata()
  if (seen.format !== kind) throw new Refusal('unknown')
  // libpng shows the first frame of a moving PNG and says nothing of the others.
  if ((seen.pages ?? 1) > 1 || (kind === 'png' && isAnimatedPng(bytes))) throw new Refusal('animated')
  if (seen.width * seen.height > MAX_PIXELS) throw new Refusal('too-many-pixels')
  if (Math.max(seen.width, seen.height) > MAX_SIDE) throw new Refusal('too-long')

  const { data, info } = await sharp(bytes, options)
    .timeout({ seconds: DECODE_SECONDS })
    .autoOrient()
    .resize({ width: WORKING_SIDE, height: WORKING_SIDE, fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .jpeg({ quality: 82 })
    .toBuffer({ resolveWithObject: true })
  return { working: data, width: info.width, height: info.height }
}

function reasonOf(error: unknown): PhotoRefusal {
  if (error instanceof Refusal) return error.reason
  const message = error instanceof Error ? error.message : ''
  if (/pixel limit/i.test(message)) return 'too-many-pixels'
  return /timeout/i.test(message) ? 'too-slow' : 'damaged'
}

async function answer(bytes: Uint8Array, kind: PhotoKind): Promise<Buffer> {
  let photo: WorkingPhoto = { working: new Uint8Array(), width: 0, height: 0 }
  let status: number = STATUS.done
  try {
    photo = await makeWorkingCopy(bytes, kind)
  } catch (error) {
    status = STATUS.refused
    photo = { working: Buffer.from(reasonOf(error)), width: 0, height: 0 }
  }
  const header = Buffer.alloc(ANSWER_HEADER_BYTES)
  header.writeUInt8(status, 0)
  header.writeUInt32BE(photo.width, 1)
  header.writeUInt32BE(photo.height, 5)
  header.writeUInt32BE(photo.working.length, 9)
  return Buffer.concat([header, photo.working])
}

/** Cuts stdin into photos; each is gathered into one buffer of its announced size, so it is held once. */
async function* photosFrom(input: AsyncIterable<Buffer>): AsyncGenerator<{ bytes: Buffer; kind: PhotoKind }> {
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  let target = header
  let filled = 0
  for await (const chunk of input) {
    let at = 0
    while (at < chunk.length) {
      const copied = chunk.copy(target, filled, at)
      at += copied
      filled += copied
      if (filled < target.length) continue
      filled = 0
      if (target === header) {
        target = Buffer.allocUnsafeSlow(header.readUInt32BE(0))
      } else {
        const kind = KINDS[header.readUInt8(4)]
        if (!kind) throw new Error('unknown kind index')
        yield { bytes: target, kind }
        target = header
      }
    }
  }
}

const output = new Socket({ fd: 3, readable: false, writable: true })
output.write(READY)
for await (const { bytes, kind } of photosFrom(process.stdin as AsyncIterable<Buffer>)) {
  output.write(await answer(bytes, kind))
}
output.end()
