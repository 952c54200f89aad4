import { createHmac, createPrivateKey, createPublicKey, hkdfSync } from 'node:crypto'
import { Decrypter, Encrypter } from 'age-encryption'
import { describe, expect, it } from 'vitest'
import { createReceiptCode, formatReceiptCode } from '../../../src/domain/receipt.ts'
import { identityFromSeed, pairOf } from '../../../src/sealing/age-identity.ts'
import { fromBase64Url } from '../../../src/sealing/bytes.ts'
import { areOwnRecipients, deriveReceipt, tipRecipientMac } from '../../../src/sealing/receipt-keys.ts'
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
    expect(new Set(all.flatMap(({ auth, identity, macKey }) => [auth, identity, macKey])).size).toBe(9)
  })

  it('follow HKDF-SHA-256 over the 23 random symbols, as Node computes it', async () => {
    const { auth, identity, macKey } = await deriveReceipt(code)
    const derive = (info: string) => Buffer.from(hkdfSync('sha256', code.slice(0, 23), '', info, 32))
    expect(auth).toBe(derive('lantian/v1/receipt/auth').toString('base64url'))
    expect(identity).toBe(identityFromSeed(derive('lantian/v1/receipt/identity')))
    expect(macKey).toBe(derive('lantian/v1/receipt/tip-recipient').toString('base64url'))
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

describe('the recipients of a thread', () => {
  const TIP = '0b3f1c9e-6f0a-4b53-9b0e-6a4f0d2c7e11'
  const keyOf = (seed: number) => pairOf(identityFromSeed(seededBytes(seed)(32)))

  it('are the reporter’s own and the tip’s that the reporter vouched for', async () => {
    const own = await deriveReceipt(code)
    const [tip, other] = await Promise.all([keyOf(1), keyOf(2)])
    const recipientMac = tipRecipientMac(own.macKey, TIP, tip.recipient)
    const named = { tip: TIP, recipients: [tip.recipient, own.recipient], recipientMac }
    expect(areOwnRecipients(own, named)).toBe(true)
    const stranger = await deriveReceipt(createReceiptCode(seededBytes(2)))
    for (const wrong of [
      { recipients: [other.recipient, own.recipient] },
      { recipients: [tip.recipient, other.recipient] },
      { recipients: [tip.recipient] },
      { recipients: [tip.recipient, own.recipient, other.recipient] },
      { recipients: [own.recipient, own.recipient] },
      { tip: 'd0a7c1b2-1f9a-4c77-8a5e-2b6d9e3f4a55' },
      { recipientMac: '' },
      { recipientMac: tipRecipientMac(stranger.macKey, TIP, tip.recipient) },
    ]) {
      expect(areOwnRecipients(own, { ...named, ...wrong })).toBe(false)
    }
    // From before there were vouchers the tip's is taken as it is named; the own never.
    const before = { tip: TIP, recipients: [other.recipient, own.recipient], recipientMac: null }
    expect(areOwnRecipients(own, before)).toBe(true)
    expect(areOwnRecipients(stranger, before)).toBe(false)
  })

  it('are vouched for by HMAC-SHA-256, as Node computes it', async () => {
    const { macKey, recipient } = await deriveReceipt(code)
    const said = JSON.stringify({ v: 1, purpose: 'tip.recipient', tip: TIP, recipient })
    const mac = createHmac('sha256', Buffer.from(macKey, 'base64url')).update(said).digest('base64url')
    expect(tipRecipientMac(macKey, TIP, recipient)).toBe(mac)
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
