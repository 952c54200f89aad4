import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createPhotoDecoder } from '../../src/adapters/photo-decoder.ts'
import { MAX_PHOTO_BYTES, WORKING_SIDE, photoRefusal } from '../../src/domain/photo.ts'
import type { PhotoDecoder } from '../../src/domain/photo.ts'
import {
  POLYGLOT_TAIL,
  animatedPng,
  animatedWebp,
  blankPng,
  emptyFile,
  gif,
  hugePng16000,
  isoMedia,
  jpegWithExif,
  png,
  polyglot,
  svgAsJpg,
  textAsJpg,
  truncatedJpeg,
  webp,
} from '../support/images.ts'
import { extrasOfJpeg, foundByOthers } from '../support/metadata.ts'

let decoder: PhotoDecoder
beforeAll(() => {
  decoder = createPhotoDecoder({ concurrency: 1 })
})
afterAll(() => decoder.close())

/** The worker processes of this test process, by the parent's own list of children. */
function workerPids(): number[] {
  const tasks = readdirSync('/proc/self/task')
  return tasks
    .flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim().split(' '))
    .map(Number)
    .filter((pid) => pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker'))
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('max-old-space-size'))
}

const COLOURS: Readonly<Record<string, string>> = { 100: 'red', '010': 'green', '001': 'blue', 111: 'white' }

/** The colours of the four corners, row by row. */
async function corners(image: Uint8Array): Promise<string> {
  const { data, info } = await sharp(image).raw().toBuffer({ resolveWithObject: true })
  const at = (x: number, y: number) => {
    const pixel = (y * info.width + x) * info.channels
    return [...data.subarray(pixel, pixel + 3)].map((value) => (value > 127 ? 1 : 0)).join('')
  }
  const [right, bottom] = [info.width - 10, info.height - 10]
  const found = [at(10, 10), at(right, 10), at(10, bottom), at(right, bottom)]
  return found.map((bits) => COLOURS[bits] ?? bits).join(' ')
}

/** What a process has open, as the kernel names it. */
function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      return []
    }
  })
}

/** A worker of the test's own making, to meet behaviour no picture can be relied upon to cause. */
const made: string[] = []
function workerThat(body: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'photo-worker-'))
  made.push(folder)
  const path = join(folder, 'worker.mjs')
  writeFileSync(path, `import { writeSync } from 'node:fs'\n${body}`)
  return path
}
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true })
})

describe('a good photo', () => {
  it('loses place, device and words, and keeps its picture', async () => {
    const original = await jpegWithExif({ text: 'exif-canary-7731', make: 'CanaryPhone' })
    const before = Buffer.from(original)
    for (const trace of ['Exif', 'exif-canary-7731', 'CanaryPhone']) expect(before.includes(trace)).toBe(true)
    const seen = await sharp(original).metadata()
    expect(seen.exif).toBeDefined()

    const { working, width, height } = await decoder.decode(original)

    const after = Buffer.from(working)
    for (const trace of ['Exif', 'exif-canary-7731', 'CanaryPhone', 'GPS', '2026:11:20', 'http'])
      expect(after.includes(trace)).toBe(false)
    const made = await sharp(working).metadata()
    expect(made).toMatchObject({ format: 'jpeg', width: 640, height: 480, space: 'srgb' })
    expect([width, height]).toEqual([640, 480])
    expect([made.exif, made.icc, made.iptc, made.xmp]).toEqual([undefined, undefined, undefined, undefined])
    expect(before.equals(original)).toBe(true)
  })

  it('carries nothing but its picture, as two programs of others see it', async () => {
    const original = await jpegWithExif({ orientation: 6 })
    expect(extrasOfJpeg(original)).toContain('segment e1')
    expect(extrasOfJpeg(await polyglot())).toContainEqual(expect.stringContaining('behind the end'))
    const before = foundByOthers(original)
    if (before.exiftool) expect(before.exiftool).toHaveProperty('EXIF:GPSLatitude')
    if (before.mat2 !== null) expect(before.mat2).toContain('CanaryPhone')

    for (const photo of [original, await polyglot(), await webp()]) {
      const { working } = await decoder.decode(photo)
      expect(extrasOfJpeg(working)).toEqual([])
      const { exiftool, mat2 } = foundByOthers(working)
      if (exiftool) expect(exiftool).toEqual({})
      if (mat2 !== null) expect(mat2).toContain('No metadata found')
    }
  })

  it.each([
    [1, 'red green blue white'],
    [2, 'green red white blue'],
    [3, 'white blue green red'],
    [4, 'blue white red green'],
    [5, 'red blue green white'],
    [6, 'blue red white green'],
    [7, 'white green blue red'],
    [8, 'green white red blue'],
  ])('taken with EXIF orientation %i stands upright', async (orientation, expected) => {
    // Four corners of four colours, so that no turn or mirroring looks like another.
    const corner = (background: string, left: number, top: number) => ({
      input: { create: { width: 150, height: 100, channels: 3 as const, background } },
      left,
      top,
    })
    const photo = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#000' } })
      .composite([
        corner('#f00', 0, 0),
        corner('#0f0', 150, 0),
        corner('#00f', 0, 100),
        corner('#fff', 150, 100),
      ])
      .withMetadata({ orientation })
      .jpeg()
      .toBuffer()

    const { working, width, height } = await decoder.decode(photo)

    expect([width, height]).toEqual(orientation >= 5 ? [200, 300] : [300, 200])
    expect(await corners(working)).toBe(expected)
  })

  it('is made smaller when large', async () => {
    const { width, height } = await decoder.decode(await jpegWithExif({ width: 4000, height: 3000 }))
    expect([width, height]).toEqual([WORKING_SIDE, 1920])
  })

  it.each([
    ['PNG', png],
    ['WebP', webp],
  ])('may be a %s and becomes a JPEG', async (_, make) => {
    const { working } = await decoder.decode(await make())
    expect((await sharp(working).metadata()).format).toBe('jpeg')
  })

  it('loses what hangs behind the picture', async () => {
    const { working } = await decoder.decode(await polyglot())
    expect(Buffer.from(working).includes(POLYGLOT_TAIL.slice(0, 7))).toBe(false)
  })

  it('may have a long and thin shape up to the limit', async () => {
    await expect(decoder.decode(blankPng(12_000, 4_000))).resolves.toMatchObject({ width: 2560, height: 853 })
  })
})

describe('a bad file', () => {
  it.each([
    ['a truncated JPEG', truncatedJpeg, 'damaged'],
    ['16000×16000 pixels', hugePng16000, 'too-many-pixels'],
    ['a side above 12000 pixels', () => blankPng(12_001, 10), 'too-long'],
    ['text under an image name', textAsJpg, 'unknown'],
    ['SVG under an image name', svgAsJpg, 'unknown'],
    ['GIF', gif, 'gif'],
    ['a moving WebP', animatedWebp, 'animated'],
    ['a moving PNG', animatedPng, 'animated'],
    ['AVIF', () => isoMedia('avif', 'mif1', 'miaf'), 'avif'],
    ['an empty file', emptyFile, 'empty'],
    ['HEIC', () => isoMedia('heic', 'mif1'), 'heic'],
    ['a video', () => isoMedia('isom', 'mp41'), 'video'],
    [
      'a JPEG head before text',
      () => Buffer.concat([Buffer.from('\xff\xd8\xff', 'latin1'), textAsJpg()]),
      'damaged',
    ],
    ['more than 15 MB', () => Buffer.concat([blankPng(8, 8), Buffer.alloc(MAX_PHOTO_BYTES)]), 'too-large'],
  ] as const)('%s is refused with a clear message, and the next photo is served', async (_, make, reason) => {
    await expect(decoder.decode(await make())).rejects.toMatchObject({
      name: 'DomainError',
      code: 'photo-rejected',
      message: photoRefusal(reason),
    })
    await expect(decoder.decode(await png(16, 16))).resolves.toMatchObject({ width: 16 })
  })

  it('of another kind than its first bytes say never reaches a foreign loader', async () => {
    // libvips would recognise this as SVG by its content if the SVG loader were open.
    const disguised = Buffer.concat([Buffer.from('RIFF\0\0\0\0WEBP', 'latin1'), svgAsJpg()])
    await expect(decoder.decode(disguised)).rejects.toMatchObject({ message: photoRefusal('damaged') })
  })
})

describe.runIf(existsSync('/proc/self/task'))('the worker process', () => {
  it('is kept warm, replaced after a bad photo and gone after close', async () => {
    const own = createPhotoDecoder({ concurrency: 1 })
    const others = new Set(workerPids())
    const ownPids = () => workerPids().filter((pid) => !others.has(pid))

    await own.decode(await png(16, 16))
    const [first] = ownPids()
    await own.decode(await png(16, 16))
    expect(ownPids()).toEqual([first])
    await expect(own.decode(await truncatedJpeg())).rejects.toThrow()
    await own.decode(await png(16, 16))
    expect(ownPids()).toHaveLength(1)
    expect(ownPids()).not.toContain(first)

    await own.close()
    expect(ownPids()).toEqual([])
    await expect(own.decode(await png(16, 16))).rejects.toMatchObject({ code: 'intake-closed' })
  })

  it('knows nothing of the server: no environment, no writing, memory capped', async () => {
    const others = new Set(workerPids())
    process.env['PHOTO_TEST_SECRET'] = 'env-canary'
    const own = createPhotoDecoder({ concurrency: 1, memoryMb: 512 })
    await own.decode(await png(16, 16))
    delete process.env['PHOTO_TEST_SECRET']
    const pid = workerPids().find((each) => !others.has(each))
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
    expect(environment).not.toContain('env-canary')
    expect(environment).toContain('VIPS_BLOCK_UNTRUSTED=1')
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain('--permission')
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/Max data size +1073741824/)
    await own.close()
  })

  it('that dies in the middle refuses its photo only', async () => {
    const dying = workerThat(`
      writeSync(3, 'R')
      process.stdin.once('data', () => process.kill(process.pid, 'SIGKILL'))`)
    const own = createPhotoDecoder({ concurrency: 1, workerPath: dying })
    const photo = await png(16, 16)
    await expect(own.decode(photo)).rejects.toMatchObject({ message: photoRefusal('damaged') })
    await expect(own.decode(photo)).rejects.toMatchObject({ message: photoRefusal('damaged') })
    await own.close()
  })

  it('killed while idle is replaced without anyone noticing', async () => {
    const others = new Set(workerPids())
    const own = createPhotoDecoder({ concurrency: 1 })
    await own.decode(await png(16, 16))
    const pid = workerPids().find((each) => !others.has(each))
    process.kill(pid ?? 0, 'SIGKILL')
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false)
    await expect(own.decode(await png(16, 16))).resolves.toMatchObject({ width: 16 })
    await own.close()
  })

  it('that never answers is killed in time, and the photo refused', async () => {
    const endless = workerThat(`writeSync(3, 'R'); process.stdin.resume(); setInterval(() => {}, 1000)`)
    const own = createPhotoDecoder({ concurrency: 1, timeoutMs: 100, workerPath: endless })
    await expect(own.decode(await png(16, 16))).rejects.toMatchObject({ message: photoRefusal('too-slow') })
    await own.close()
  })

  it('that wants too much memory ends, and the photo is refused', async () => {
    const greedy = workerThat(`
      writeSync(3, 'R')
      const held = []
      process.stdin.on('data', () => { for (;;) held.push(Buffer.alloc(32 * 1024 * 1024, 1)) })`)
    const own = createPhotoDecoder({ concurrency: 1, memoryMb: 400, workerPath: greedy })
    await expect(own.decode(await png(16, 16))).rejects.toMatchObject({ message: photoRefusal('damaged') })
    await own.close()
  })

  it('may answer with nothing but a JPEG', async () => {
    const lying = workerThat(`
      writeSync(3, 'R')
      process.stdin.once('data', () => {
        const page = Buffer.from('<html>')
        const header = Buffer.alloc(13)
        header.writeUInt32BE(page.length, 9)
        writeSync(3, Buffer.concat([header, page]))
      })`)
    const own = createPhotoDecoder({ concurrency: 1, workerPath: lying })
    await expect(own.decode(await png(16, 16))).rejects.toMatchObject({ message: photoRefusal('damaged') })
    await own.close()
  })

  it('that cannot start is our fault and is told as such', async () => {
    const told: unknown[] = []
    const own = createPhotoDecoder({
      concurrency: 1,
      workerPath: workerThat(`throw new Error('no sharp here')`),
      report: (error) => told.push(error),
    })
    await expect(own.decode(await png(16, 16))).rejects.toMatchObject({ code: 'photos-unavailable' })
    expect(String(told)).toMatch(/did not start[^]*no sharp here/)
    await own.close()
  })

  it('writes to no file but its pipes, even for a picture that must be held whole', async () => {
    const others = new Set(workerPids())
    const own = createPhotoDecoder({ concurrency: 1 })
    await own.decode(await png(16, 16))
    const pid = workerPids().find((each) => !others.has(each))
    const turned = await sharp(blankPng(9_000, 5_000)).withMetadata({ orientation: 6 }).png().toBuffer()

    // The C library's allocator looks into /proc now and then; nothing can be left there.
    const files = new Set<string>()
    const watch = setInterval(() => {
      for (const name of openFiles(pid ?? 0)) files.add(name)
    }, 1)
    await own.decode(turned)
    clearInterval(watch)

    expect(files.size).toBeGreaterThan(0)
    expect(
      [...files].filter(
        (name) => !/^(pipe|socket|anon_inode):|^\/dev\/(null|random|urandom)|^\/proc\//.test(name),
      ),
    ).toEqual([])
    await own.close()
  })
})

describe('many photos at once', () => {
  it('are all served by few processes', async () => {
    const own = createPhotoDecoder({ concurrency: 2 })
    const photo = await jpegWithExif()
    const results = await Promise.all(Array.from({ length: 12 }, () => own.decode(photo)))
    expect(results.every(({ width }) => width === 640)).toBe(true)
    await own.close()
  })

  it('waiting when the decoder closes are refused, not forgotten', async () => {
    const own = createPhotoDecoder({ concurrency: 1 })
    const photo = await jpegWithExif()
    const jobs = Promise.allSettled(Array.from({ length: 4 }, () => own.decode(photo)))
    await own.close()
    for (const job of await jobs)
      expect(job).toMatchObject({ status: 'rejected', reason: { code: 'intake-closed' } })
  })
})
