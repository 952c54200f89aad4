import { Decrypter, Encrypter } from 'age-encryption'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { KeyPair } from '../../../src/sealing/age-identity.ts'
import { createKeyPair } from '../../../src/sealing/age-identity.ts'
import { concat, fromUtf8, utf8 } from '../../../src/sealing/bytes.ts'
import type { PartAddress } from '../../../src/sealing/envelope.ts'
import { openPart, PART_PURPOSES, sealPart } from '../../../src/sealing/envelope.ts'
import { seededBytes } from '../../support/seeded-bytes.ts'

const TIP = '0b3f1c9e-6f0a-4b53-9b0e-6a4f0d2c7e11'
const OTHER_TIP = 'd0a7c1b2-1f9a-4c77-8a5e-2b6d9e3f4a55'
const NARRATIVE: PartAddress = { purpose: 'tip.narrative', tip: TIP, part: 0 }
const PHOTO: PartAddress = { purpose: 'tip.photo', tip: TIP, part: 0 }
const TEXT = utf8('工地夜间施工，未洒水，扬尘很大。')

let keys: KeyPair
let stranger: KeyPair
beforeAll(async () => {
  ;[keys, stranger] = await Promise.all([createKeyPair(), createKeyPair()])
})

const seal = (address: PartAddress, bytes: Uint8Array) =>
  sealPart({ ...address, recipients: [keys.recipient], bytes })
const open = (address: PartAddress, sealed: Uint8Array, identity = keys.identity) =>
  openPart({ ...address, identity, sealed })
const ageOpen = (sealed: Uint8Array) => {
  const decrypter = new Decrypter()
  decrypter.addIdentity(keys.identity)
  return decrypter.decrypt(sealed)
}
const ageSeal = (plain: Uint8Array) => {
  const encrypter = new Encrypter()
  encrypter.addRecipient(keys.recipient)
  return encrypter.encrypt(plain)
}

describe('a sealed part', () => {
  it('opens for its key and gives back exactly its bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5_000 }),
        fc.constantFrom(...PART_PURPOSES),
        fc.nat({ max: 9 }),
        async (bytes, purpose, part) => {
          const address: PartAddress = { purpose, tip: TIP, part }
          expect(await open(address, await seal(address, bytes))).toEqual(new Uint8Array(bytes))
        },
      ),
      { numRuns: 30 },
    )
  })

  it('opens for each of its recipients and for nobody else', async () => {
    const second = await createKeyPair()
    const sealed = await sealPart({
      ...NARRATIVE,
      recipients: [keys.recipient, second.recipient],
      bytes: TEXT,
    })
    expect(await open(NARRATIVE, sealed)).toEqual(TEXT)
    expect(await open(NARRATIVE, sealed, second.identity)).toEqual(TEXT)
    await expect(open(NARRATIVE, sealed, stranger.identity)).rejects.toMatchObject({ code: 'wrong-key' })
  })

  it('is refused without a recipient, since nobody could open it', async () => {
    await expect(sealPart({ ...NARRATIVE, recipients: [], bytes: TEXT })).rejects.toThrow(RangeError)
  })

  it('shows nothing of its text', async () => {
    const sealed = await seal(NARRATIVE, utf8('canary-4711'))
    expect(Buffer.from(sealed).includes('canary')).toBe(false)
    expect(Buffer.from(sealed).includes(TIP)).toBe(false)
  })

  it('takes 3 MB', async () => {
    const photo = seededBytes(3)(3_000_000)
    const opened = await open(PHOTO, await seal(PHOTO, photo))
    expect(Buffer.compare(opened, photo)).toBe(0)
  })
})

describe('an envelope put in the place of another', () => {
  it.each<[string, PartAddress]>([
    ['tip', { ...NARRATIVE, tip: OTHER_TIP }],
    ['part', { ...NARRATIVE, part: 1 }],
    ['purpose', { ...NARRATIVE, purpose: 'tip.note' }],
    ['purpose with other buckets', { ...NARRATIVE, purpose: 'tip.photo' }],
  ])('is refused as another %s', async (_, asked) => {
    await expect(open(asked, await seal(NARRATIVE, TEXT))).rejects.toMatchObject({
      name: 'EnvelopeError',
      code: 'mismatch',
    })
  })

  it('is refused everywhere but in its own place', async () => {
    const place = fc.record({
      purpose: fc.constantFrom(...PART_PURPOSES),
      tip: fc.constantFrom(TIP, OTHER_TIP),
      part: fc.nat({ max: 2 }),
    })
    await fc.assert(
      fc.asyncProperty(place, place, async (own, asked) => {
        fc.pre(JSON.stringify(own) !== JSON.stringify(asked))
        await expect(open(asked, await seal(own, TEXT))).rejects.toMatchObject({ code: 'mismatch' })
      }),
      { numRuns: 40 },
    )
  })

  it('is refused when somebody else sealed text without a header to the same key', async () => {
    await expect(open(NARRATIVE, await ageSeal(TEXT))).rejects.toMatchObject({ code: 'mismatch' })
  })
})

describe('a damaged envelope', () => {
  it('is refused when any bit is flipped', async () => {
    const sealed = await seal(NARRATIVE, TEXT)
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: sealed.length - 1 }), fc.nat({ max: 7 }), async (index, bit) => {
        const flipped = sealed.slice()
        flipped[index] = (flipped[index] ?? 0) ^ (1 << bit)
        await expect(open(NARRATIVE, flipped)).rejects.toMatchObject({ name: 'EnvelopeError' })
      }),
      { numRuns: 100 },
    )
  })

  it('is refused when cut off at any byte', async () => {
    const sealed = await seal(NARRATIVE, TEXT)
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: sealed.length - 1 }), async (cut) => {
        await expect(open(NARRATIVE, sealed.subarray(0, cut))).rejects.toMatchObject({ code: 'damaged' })
      }),
      { numRuns: 60 },
    )
  })

  it('is refused when cut off anywhere, also between age chunks', async () => {
    const sealed = await seal(PHOTO, seededBytes(5)(200_000))
    const payload = sealed.length - 4 * (65_536 + 16)
    const cuts = [0, 1, 100, payload, payload + 65_552, payload + 2 * 65_552, sealed.length - 1]
    for (const cut of cuts) {
      await expect(open(PHOTO, sealed.subarray(0, cut))).rejects.toMatchObject({ code: 'damaged' })
    }
    await expect(open(PHOTO, concat(sealed, sealed.subarray(-1)))).rejects.toMatchObject({ code: 'damaged' })
  })

  it('is refused when the length or the padding inside is false', async () => {
    const plain = await ageOpen(await seal(NARRATIVE, TEXT))
    const size = plain.indexOf(0x0a) + 1
    const longer = plain.slice()
    longer[size] = 0xff
    const shorter = plain.slice()
    shorter[size + 3] = TEXT.length - 1
    const written = plain.slice()
    written[written.length - 1] = 1
    const headerOnly = plain.slice(0, size + 2)
    for (const changed of [longer, shorter, written, plain.subarray(0, -1), headerOnly]) {
      await expect(open(NARRATIVE, await ageSeal(changed))).rejects.toMatchObject({ code: 'damaged' })
    }
    expect(await open(NARRATIVE, await ageSeal(plain))).toEqual(TEXT)
  })
})

describe('the file format', () => {
  it('is age with one canonical header line, four bytes of length, the content and zeros', async () => {
    const sealed = await seal(NARRATIVE, utf8('abc'))
    expect(fromUtf8(sealed.subarray(0, 21))).toBe('age-encryption.org/v1')
    const plain = Buffer.from(await ageOpen(sealed))
    const header = `{"v":1,"purpose":"tip.narrative","tip":"${TIP}","part":0}\n`
    expect(plain.subarray(0, header.length).toString()).toBe(header)
    expect(plain.subarray(header.length, header.length + 7)).toEqual(Buffer.from('\0\0\0\x03abc'))
    expect(plain.subarray(header.length + 7).every((byte) => byte === 0)).toBe(true)
  })

  it('hides lengths in buckets of 1, 4, 16 and 64 KiB, and photos in steps of 64 KiB', async () => {
    const plainSize = async (address: PartAddress, length: number) =>
      (await ageOpen(await seal(address, new Uint8Array(length)))).length / 1024
    const text = await Promise.all(
      [0, 900, 1_024, 4_096, 16_384, 65_536].map((length) => plainSize(NARRATIVE, length)),
    )
    expect(text).toEqual([1, 1, 4, 16, 64, 128])
    const photos = await Promise.all([1, 65_000, 65_536, 150_000].map((length) => plainSize(PHOTO, length)))
    expect(photos).toEqual([64, 64, 128, 192])
    expect((await seal(NARRATIVE, utf8('短'))).length).toBe((await seal(NARRATIVE, TEXT)).length)
  })
})
