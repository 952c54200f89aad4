import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, fromBase64Url, fromUtf8, toBase64Url, utf8 } from '../../../src/sealing/bytes.ts'
import { openBytes, openJson, sealBytes, sealJson } from '../../../src/sealing/draft-cipher.ts'
import { createHalf, restKeys, wakeKeys } from '../../../src/sealing/half-key.ts'
import { seededBytes } from '../../support/seeded-bytes.ts'

const random = seededBytes(99)
const key = seededBytes(1)(32)
const otherKey = seededBytes(2)(32)

describe('a draft', () => {
  it('comes back as it was under its key and purpose', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ noUnicodeString: false }), async (value) => {
        const sealed = await sealJson(key, 'draft.answers:1', value, random)
        expect(await openJson(key, 'draft.answers:1', sealed)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
      { numRuns: 50 },
    )
  })

  it('is refused under another key, for another purpose, changed or cut off', async () => {
    const sealed = await sealBytes(key, 'draft.photo:1:0', utf8('photo'), random)
    expect(await openBytes(key, 'draft.photo:1:0', sealed)).toEqual(utf8('photo'))
    const flipped = sealed.slice()
    flipped[14] = (flipped[14] ?? 0) ^ 1
    for (const attempt of [
      () => openBytes(otherKey, 'draft.photo:1:0', sealed),
      () => openBytes(key, 'draft.photo:1:1', sealed),
      () => openBytes(key, 'draft.photo:1:0', flipped),
      () => openBytes(key, 'draft.photo:1:0', sealed.subarray(0, -1)),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'wrong-key' })
    }
    await expect(openBytes(key, 'draft.photo:1:0', sealed.subarray(0, 27))).rejects.toMatchObject({
      code: 'damaged',
    })
  })

  it('never uses a nonce twice', async () => {
    const [one, two] = [await sealJson(key, 'p', 1, random), await sealJson(key, 'p', 1, random)]
    expect(one).not.toEqual(two)
    expect(one.subarray(0, 12)).not.toEqual(two.subarray(0, 12))
  })

  it('works on a view into a larger buffer, as Node pools them', async () => {
    const pool = concat(utf8('before'), key, utf8('content'), utf8('after'))
    const view = Buffer.from(pool.buffer, 6, 32)
    const sealed = await sealBytes(view, 'p', Buffer.from(pool.buffer, 38, 7), random)
    expect(fromUtf8(await openBytes(key, 'p', Buffer.from(concat(utf8('x'), sealed)).subarray(1)))).toBe(
      'content',
    )
  })

  it('is refused with a key of another length', async () => {
    await expect(sealJson(key.subarray(1), 'p', 1, random)).rejects.toThrow(RangeError)
  })
})

describe('keys at rest', () => {
  const keys = [{ department: 'qu-huanbaoju', epoch: 1, identity: 'AGE-SECRET-KEY-1QQQ' }]
  const clientHalf = createHalf(random)
  const serverHalf = createHalf(random)

  it('wake when both halves are there', async () => {
    const rested = await restKeys({ keys, clientHalf, serverHalf, random })
    expect(rested).toMatch(/^[\w-]+$/)
    expect(rested).not.toContain(toBase64Url(utf8('AGE-SECRET')))
    expect(await wakeKeys({ rested, clientHalf, serverHalf })).toEqual(keys)
  })

  it('do not wake with another half on either side, or the two confused', async () => {
    const rested = await restKeys({ keys, clientHalf, serverHalf, random })
    const other = createHalf(random)
    for (const halves of [
      { clientHalf: other, serverHalf },
      { clientHalf, serverHalf: other },
      { clientHalf: serverHalf, serverHalf: clientHalf },
    ]) {
      await expect(wakeKeys({ rested, ...halves })).rejects.toMatchObject({ code: 'wrong-key' })
    }
  })

  it('are refused when they or a half are not what they should be', async () => {
    await expect(wakeKeys({ rested: '***', clientHalf, serverHalf })).rejects.toMatchObject({
      code: 'damaged',
    })
    await expect(restKeys({ keys, clientHalf: '', serverHalf, random })).rejects.toThrow(RangeError)
  })
})

describe('base64url', () => {
  it('reads back what it wrote, as Node writes it', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(toBase64Url(bytes)).toBe(Buffer.from(bytes).toString('base64url'))
        expect(fromBase64Url(toBase64Url(bytes))).toEqual(new Uint8Array(bytes))
      }),
    )
  })

  it('reads nothing else', () => {
    for (const text of ['A', 'AB==', 'AB', 'A+8', 'A/8', 'AA A', 'é', 'AAAAA'])
      expect(fromBase64Url(text)).toBeNull()
  })
})
