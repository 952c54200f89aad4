import { argon2Sync, hkdfSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pairOf } from '../../../src/sealing/age-identity.ts'
import { fromBase64Url } from '../../../src/sealing/bytes.ts'
import {
  createMemberKeys,
  isAcceptableKdf,
  lockMember,
  passkeyWrapKey,
  MEMBER_KDF,
  stretchPassphrase,
  unlockMember,
} from '../../../src/sealing/member-keys.ts'
import { checkPassphrase, generatePassphrase, SYLLABLES } from '../../../src/sealing/passphrase.ts'
import { seededBytes } from '../../support/seeded-bytes.ts'

const CHEAP = { memoryKiB: 64, iterations: 1, parallelism: 1 }
const random = seededBytes(42)
const salt = seededBytes(9)(16)
const PASSPHRASE = 'haiku meila baogu xiawa loudi yaopu'

const enrol = (username: string) =>
  createMemberKeys({ username, passphrase: PASSPHRASE, salt, params: CHEAP, random })

describe('a member', () => {
  it('unlocks the own identity with the passphrase', async () => {
    const member = await enrol('wang')
    const { auth, wrapKey } = await stretchPassphrase(PASSPHRASE, salt, CHEAP)
    const identity = await unlockMember({
      username: 'wang',
      wrapKey,
      wrappedIdentity: member.wrappedIdentity,
    })
    expect((await pairOf(identity)).recipient).toBe(member.recipient)
    expect(auth).toBe(member.auth)
  })

  it('is refused with a wrong passphrase, another salt or the record of another member', async () => {
    const { wrappedIdentity } = await enrol('wang')
    const right = await stretchPassphrase(PASSPHRASE, salt, CHEAP)
    const wrong = await stretchPassphrase(`${PASSPHRASE}s`, salt, CHEAP)
    const salted = await stretchPassphrase(PASSPHRASE, seededBytes(10)(16), CHEAP)
    for (const attempt of [
      { username: 'wang', wrapKey: wrong.wrapKey },
      { username: 'wang', wrapKey: salted.wrapKey },
      { username: 'li', wrapKey: right.wrapKey },
    ]) {
      await expect(unlockMember({ ...attempt, wrappedIdentity })).rejects.toMatchObject({ code: 'wrong-key' })
    }
    await expect(
      unlockMember({
        username: 'wang',
        wrapKey: right.wrapKey,
        wrappedIdentity: wrappedIdentity.subarray(0, 20),
      }),
    ).rejects.toMatchObject({ code: 'damaged' })
  })

  it('keeps the identity when the passphrase changes', async () => {
    const member = await enrol('wang')
    const old = await stretchPassphrase(PASSPHRASE, salt, CHEAP)
    const identity = await unlockMember({ username: 'wang', ...old, wrappedIdentity: member.wrappedIdentity })
    const { wrapKey } = await stretchPassphrase('a wholly different sentence', salt, CHEAP)
    const wrappedIdentity = await lockMember({ username: 'wang', identity, wrapKey, random })
    expect(await unlockMember({ username: 'wang', wrapKey, wrappedIdentity })).toBe(identity)
    await expect(unlockMember({ username: 'wang', ...old, wrappedIdentity })).rejects.toMatchObject({
      code: 'wrong-key',
    })
  })
})

describe('stretching a passphrase', () => {
  it('is Argon2id and HKDF as Node computes them, with the parameters that members get', async () => {
    const secret = argon2Sync('argon2id', {
      message: PASSPHRASE,
      nonce: salt,
      memory: MEMBER_KDF.memoryKiB,
      passes: MEMBER_KDF.iterations,
      parallelism: MEMBER_KDF.parallelism,
      tagLength: 32,
    })
    const derive = (info: string) => Buffer.from(hkdfSync('sha256', secret, '', info, 32))
    const { auth, wrapKey } = await stretchPassphrase(PASSPHRASE, salt, MEMBER_KDF)
    expect(auth).toBe(derive('lantian/v1/member/auth').toString('base64url'))
    expect(Buffer.from(wrapKey)).toEqual(derive('lantian/v1/member/wrap'))
    expect(Buffer.from(fromBase64Url(auth) ?? [])).not.toEqual(Buffer.from(wrapKey))
  })

  it('forgives full-width forms and extra spaces', async () => {
    const typed = '  ｈａｉｋｕ meila\u3000baogu  xiawa loudi yaopu '
    expect(await stretchPassphrase(typed, salt, CHEAP)).toEqual(
      await stretchPassphrase(PASSPHRASE, salt, CHEAP),
    )
  })

  it('is refused with a salt of another length', async () => {
    await expect(stretchPassphrase(PASSPHRASE, salt.subarray(1), CHEAP)).rejects.toThrow(RangeError)
  })

  it('accepts from a server only parameters that are neither cheap nor absurd', () => {
    expect(isAcceptableKdf(MEMBER_KDF)).toBe(true)
    for (const params of [
      CHEAP,
      { ...MEMBER_KDF, memoryKiB: 47_103 },
      { ...MEMBER_KDF, iterations: 0 },
      { ...MEMBER_KDF, iterations: 1_000 },
      { ...MEMBER_KDF, memoryKiB: 2 ** 24 },
      { ...MEMBER_KDF, parallelism: 4 },
      { ...MEMBER_KDF, memoryKiB: Number.NaN },
    ]) {
      expect(isAcceptableKdf(params)).toBe(false)
    }
  })
})

describe('a passphrase', () => {
  it('is generated as six words of 12 bits, every one of them reading one way only', () => {
    expect(SYLLABLES).toHaveLength(64)
    const words = SYLLABLES.flatMap((first) => SYLLABLES.map((second) => first + second))
    expect(new Set(words).size).toBe(4_096)
    for (const syllable of SYLLABLES) expect(syllable).toMatch(/^[b-df-hj-np-tv-z][aeiou]+$/)
  })

  it('as generated always passes the rule', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat({ max: 255 })), (stream) => {
        const made = generatePassphrase((n) => Uint8Array.from([...stream.take(n)]))
        expect(made.split(' ')).toHaveLength(6)
        for (const word of made.split(' ')) expect(word).toMatch(/^[a-z]{4,8}$/)
      }),
    )
    const seeded = seededBytes(11)
    for (let sample = 0; sample < 500; sample++)
      expect(checkPassphrase(generatePassphrase(seeded))).toBeNull()
  })

  it('is drawn from all syllables alike', () => {
    const counts = new Map<string, number>()
    for (let byte = 0; byte < 256; byte++) {
      const [word = ''] = generatePassphrase((n) => new Uint8Array(n).fill(byte)).split(' ')
      counts.set(word, (counts.get(word) ?? 0) + 1)
    }
    expect([...counts.values()]).toEqual(Array.from({ length: 64 }, () => 4))
  })

  it('needs 15 characters, counted after folding', () => {
    expect(checkPassphrase('abcdefghijklmn')).toContain('太短')
    expect(checkPassphrase('abcdefghijklmno')).toBeNull()
    expect(checkPassphrase('  abcdefg     hijklm ')).toContain('太短')
    expect(checkPassphrase('春眠不觉晓处处闻啼鸟夜来风雨声')).toBeNull()
    expect(checkPassphrase('abcdefgh'.repeat(26))).toContain('太长')
  })

  it('may not be a mere repetition', () => {
    expect(checkPassphrase('1'.repeat(20))).toContain('容易猜到')
    expect(checkPassphrase('abcab'.repeat(4))).toContain('容易猜到')
  })
})

describe('a passkey', () => {
  it('yields a second wrap key for the same identity, independent of the passphrase', async () => {
    const { identity, wrappedIdentity } = await enrol('wang')
    const output = seededBytes(12)(32)
    const wrapKey = passkeyWrapKey(output)
    const wrapped = await lockMember({ username: 'wang', identity, wrapKey, random })
    expect(await unlockMember({ username: 'wang', wrapKey, wrappedIdentity: wrapped })).toBe(identity)
    for (const attempt of [
      { wrapKey, wrappedIdentity },
      { wrapKey: output, wrappedIdentity: wrapped },
      { wrapKey: passkeyWrapKey(seededBytes(13)(32)), wrappedIdentity: wrapped },
    ]) {
      await expect(unlockMember({ username: 'wang', ...attempt })).rejects.toMatchObject({
        code: 'wrong-key',
      })
    }
    expect(() => passkeyWrapKey(output.subarray(1))).toThrow(RangeError)
  })
})
