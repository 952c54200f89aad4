import { createPrivateKey, createPublicKey, hkdfSync } from 'node:crypto'
import { Decrypter, Encrypter } from 'age-encryption'
import { describe, expect, it } from 'vitest'
import { createReceiptCode, formatReceiptCode } from '../../../src/domain/receipt.ts'
import { identityFromSeed, pairOf } from '../../../src/sealing/age-identity.ts'
import { fromBase64Url } from '../../../src/sealing/bytes.ts'
import { deriveReceipt } from '../../../src/sealing/receipt-keys.ts'
import { seededBytes } from '../../support/seeded-bytes.ts'

const code = createReceiptCode(seededBytes(1))

describe('the keys of a receipt', () => {
  it('are the same for every way of writing the code', async () => {
    const keys = await deriveReceipt(code)
    expect(await deriveReceipt(formatReceiptCode(code).toLowerCase())).toEqual(keys)
    expect(fromBase64Url(keys.auth)).toHaveLength(32)
    expect(keys.recipient).toMatch(/^age1[a-z0-9]{58}$/)
  })

  it('differ from code to code, and from each other', async () => {
    const all = await Promise.all(
      [1, 2, 3].map((seed) => deriveReceipt(createReceiptCode(seededBytes(seed)))),
    )
    expect(new Set(all.flatMap(({ auth, identity }) => [auth, identity])).size).toBe(6)
  })

  it('follow HKDF-SHA-256 over the 23 random symbols, as Node computes it', async () => {
    const { auth, identity } = await deriveReceipt(code)
    const derive = (info: string) => Buffer.from(hkdfSync('sha256', code.slice(0, 23), '', info, 32))
    expect(auth).toBe(derive('lantian/v1/receipt/auth').toString('base64url'))
    expect(identity).toBe(identityFromSeed(derive('lantian/v1/receipt/identity')))
  })

  it('open what was sealed to the reporter', async () => {
    const { identity, recipient } = await deriveReceipt(code)
    const encrypter = new Encrypter()
    encrypter.addRecipient(recipient)
    const decrypter = new Decrypter()
    decrypter.addIdentity(identity)
    expect(await decrypter.decrypt(await encrypter.encrypt('已受理'), 'text')).toBe('已受理')
  })

  it('are refused for something that is not a code', async () => {
    await expect(deriveReceipt('ABCD')).rejects.toThrow(RangeError)
  })
})

describe('an age identity from a seed', () => {
  it('is the X25519 secret that Node derives the same public key from', async () => {
    for (const seed of [1, 2, 3, 4, 5].map((n) => seededBytes(n)(32))) {
      const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), seed])
      const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
      const publicKey = createPublicKey(privateKey).export({ format: 'jwk' }).x ?? ''
      const { recipient } = await pairOf(identityFromSeed(seed))
      expect(wordsOf(recipient)).toEqual(fiveBitWords(Buffer.from(publicKey, 'base64url')))
    }
  })

  it('is refused for another length', () => {
    expect(() => identityFromSeed(new Uint8Array(31))).toThrow(RangeError)
  })
})

const wordsOf = (recipient: string) =>
  Array.from(recipient.slice('age1'.length, -6), (s) => 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'.indexOf(s))
const fiveBitWords = (bytes: Uint8Array) => {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{1,5}/g) ?? []).map((word) => Number.parseInt(word.padEnd(5, '0'), 2))
}
