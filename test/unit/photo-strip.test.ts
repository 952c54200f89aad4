import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DomainError } from '../../src/domain/errors.ts'
import { photoRefusal, type PhotoRefusal } from '../../src/domain/photo.ts'
import { factWords, readFacts } from '../../src/domain/photo-facts.ts'
import { stripPhoto } from '../../src/domain/photo-strip.ts'
import {
  animatedWebp,
  blankPng,
  emptyFile,
  hugePng16000,
  isoMedia,
  jpegWithExif,
  png,
  polyglot,
  POLYGLOT_TAIL,
  svgAsJpg,
  truncatedJpeg,
} from '../support/images.ts'

const CANARY = 'exif-canary-7f3a'
const GPS = [34.748, 113.612] as const
const EXIF = {
  IFD0: { Make: 'CanaryPhone', Model: 'CP-1', ImageDescription: CANARY },
  IFD2: { DateTimeOriginal: '2026:11:20 08:15:00' },
}

let photos: Readonly<
  Record<'baseline' | 'progressive' | 'turned' | 'png' | 'webp' | 'lossless webp', Uint8Array>
>
beforeAll(async () => {
  const noisy = sharp(await png(321, 203))
  const with_ = (make: (image: Sharp) => Sharp) =>
    make(noisy.clone().withExif(EXIF))
      .toBuffer()
      .then((bytes) => new Uint8Array(bytes))
  photos = {
    baseline: await jpegWithExif({ text: CANARY, gps: GPS }),
    progressive: await with_((image) => image.withIccProfile('p3').jpeg({ progressive: true })),
    turned: await jpegWithExif({ text: CANARY, orientation: 6 }),
    png: await with_((image) => image.png()),
    webp: await with_((image) => image.webp()),
    'lossless webp': await with_((image) => image.webp({ lossless: true })),
  }
})

const has = (bytes: Uint8Array, text: string): boolean => Buffer.from(bytes).includes(text)
const pixels = (bytes: Uint8Array) => sharp(bytes).removeAlpha().raw().toBuffer()

function refusal(bytes: Uint8Array): string {
  try {
    stripPhoto(bytes)
  } catch (error) {
    if (error instanceof DomainError && error.code === 'photo-rejected') return error.message
    throw error
  }
  return ''
}

const KINDS = ['baseline', 'progressive', 'turned', 'png', 'webp', 'lossless webp'] as const

describe.each(KINDS)('a stripped photo (%s)', (name) => {
  it('shows the same picture and tells nothing else', async () => {
    const photo = photos[name]
    expect(has(photo, CANARY) || has(photo, 'CanaryPhone')).toBe(true)
    const { bytes, width, height } = stripPhoto(photo)
    expect(await pixels(bytes)).toEqual(await pixels(photo))
    const meta = await sharp(bytes).metadata()
    expect([meta.width, meta.height]).toEqual([width, height])
    expect(meta.xmp).toBeUndefined()
    expect(meta.iptc).toBeUndefined()
    for (const told of [CANARY, 'CanaryPhone', '2026:11:20']) expect(has(bytes, told)).toBe(false)
    expect(readFacts(bytes)).toMatchObject({ takenAt: null, position: null, device: null })
  })

  it('is left as it is by a second time', () => {
    const once = stripPhoto(photos[name]).bytes
    expect(stripPhoto(once).bytes).toEqual(once)
  })

  it('never fails but by refusing, wherever it is cut or changed', () => {
    const photo = photos[name]
    fc.assert(
      fc.property(
        fc.nat(photo.length),
        fc.array(fc.tuple(fc.nat(Math.min(photo.length, 2000) - 1), fc.nat(255)), { maxLength: 8 }),
        (length, changes) => {
          const bytes = photo.slice(0, length)
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
          refusal(bytes)
          expect(() => readFacts(bytes)).not.toThrow()
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('stripping', () => {
  it('keeps how the picture is turned, and the colour profile, and no more', async () => {
    expect((await sharp(stripPhoto(photos.turned).bytes).metadata()).orientation).toBe(6)
    const { icc, exif } = await sharp(stripPhoto(photos.progressive).bytes).metadata()
    expect(icc).toBeDefined()
    expect(exif).toBeUndefined()
  })

  it('drops what hangs behind the picture', async () => {
    const photo = await polyglot()
    expect(has(photo, POLYGLOT_TAIL)).toBe(true)
    expect(has(stripPhoto(photo).bytes, POLYGLOT_TAIL)).toBe(false)
    const tail = Buffer.concat([photos.png, Buffer.from(POLYGLOT_TAIL)])
    expect(stripPhoto(tail).bytes).toEqual(stripPhoto(photos.png).bytes)
  })

  it('drops a comment, a thumbnail and segments between scans', () => {
    const photo = Buffer.from(photos.progressive)
    const comment = Buffer.concat([Buffer.from([0xff, 0xfe, 0, 2 + CANARY.length]), Buffer.from(CANARY)])
    const scan = photo.lastIndexOf(Buffer.from([0xff, 0xda]))
    const noted = Buffer.concat([photo.subarray(0, scan), comment, photo.subarray(scan)])
    expect(stripPhoto(noted).bytes).toEqual(stripPhoto(photo).bytes)
    const thumb = [2, 2, ...Buffer.from('thumbnail-12')]
    const jfif = Buffer.from([0xff, 0xe0, 0, 28, ...Buffer.from('JFIF\0'), 1, 2, 0, 0, 1, 0, 1, ...thumb])
    const shown = Buffer.concat([photo.subarray(0, 2), jfif, photo.subarray(2)])
    expect(has(shown, 'thumbnail-12')).toBe(true)
    expect(has(stripPhoto(shown).bytes, 'thumbnail-12')).toBe(false)
  })

  it.each<[PhotoRefusal, () => Uint8Array | Promise<Uint8Array>]>([
    ['damaged', truncatedJpeg],
    ['damaged', () => photos.png.slice(0, -12)],
    ['damaged', () => photos.webp.slice(0, -20)],
    ['damaged', () => Uint8Array.of(0xff, 0xd8, 0xff, 0xd9)],
    ['animated', animatedWebp],
    ['too-many-pixels', hugePng16000],
    ['too-long', () => blankPng(12_001, 8)],
    ['empty', emptyFile],
    ['unknown', svgAsJpg],
    ['heic', () => isoMedia('heic', 'mif1')],
  ])('refuses %s', async (reason, make) => {
    expect(refusal(await make())).toBe(photoRefusal(reason))
  })

  it('never fails but by refusing on anything that begins like a photo', () => {
    const heads = ['\xff\xd8\xff', '\x89PNG\r\n\x1a\n', 'RIFF\x40\0\0\0WEBP'].map((head) =>
      Buffer.from(head, 'latin1'),
    )
    fc.assert(
      fc.property(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 300 }), (head, tail) => {
        refusal(Buffer.concat([head, tail]))
      }),
      { numRuns: 500 },
    )
  })
})

describe('the facts of a photo', () => {
  it('are when, where and with what it was taken', () => {
    const facts = readFacts(photos.baseline)
    expect(facts).toMatchObject({ takenAt: '2026-11-20 08:15', device: 'CanaryPhone CP-1', orientation: 1 })
    expect(facts.position?.latitude).toBeCloseTo(GPS[0], 4)
    expect(facts.position?.longitude).toBeCloseTo(GPS[1], 4)
    expect(factWords(facts)).toBe('拍摄时间 2026-11-20 08:15，拍摄地点 北纬 34.74800°，东经 113.61200°')
    for (const name of ['png', 'webp'] as const) {
      expect(readFacts(photos[name])).toMatchObject({ takenAt: '2026-11-20 08:15', position: null })
    }
  })

  it('are none where there are none', () => {
    const none = { takenAt: null, position: null, device: null, orientation: 1 }
    for (const bytes of [blankPng(8, 8), emptyFile(), svgAsJpg(), stripPhoto(photos.baseline).bytes])
      expect(readFacts(bytes)).toEqual(none)
    expect(factWords(none)).toBeNull()
  })
})

describe('another program', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lantian-strip-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('finds nothing in a stripped photo either', () => {
    if (spawnSync('exiftool', ['-ver']).error) {
      console.warn('!!! exiftool is not installed: stripped photos were looked at by our own eyes only')
      return
    }
    for (const name of KINDS) {
      const path = join(folder, name.replace(' ', '-'))
      writeFileSync(path, stripPhoto(photos[name]).bytes)
      const told = execFileSync('exiftool', ['-j', '-G1', '-a', '-u', path]).toString()
      const [tags = {}] = JSON.parse(told) as Record<string, unknown>[]
      const beyond = Object.keys(tags).filter(
        (tag) =>
          !/^(?:SourceFile|ExifTool:|System:|File:|JFIF:|PNG:|RIFF:|ICC|Composite:(?:ImageSize|Megapixels))/.test(
            tag,
          ),
      )
      expect(beyond).toEqual(name === 'turned' ? ['IFD0:Orientation'] : [])
      expect(told).not.toContain('Canary')
      expect(told).not.toContain(CANARY)
    }
  })
})
