import { randomBytes, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_PHOTO_BYTES } from '../../../src/domain/photo.ts'
import { parseReceiptCode } from '../../../src/domain/receipt.ts'
import { createKeyPair } from '../../../src/sealing/age-identity.ts'
import { isImageSize, isKeySize, isSealedToOne, isTextSize } from '../../../src/sealing/age-file.ts'
import { fromUtf8 } from '../../../src/sealing/bytes.ts'
import { openPart, sealPart } from '../../../src/sealing/envelope.ts'
import {
  createTipSecrets,
  sealChecked,
  sealNarrative,
  wrapForReaders,
} from '../../../src/sealing/outgoing.ts'
import { areOwnRecipients, deriveReceipt } from '../../../src/sealing/receipt-keys.ts'
import { unwrapTipKey } from '../../../src/sealing/tip-keys.ts'

const newSecrets = () => createTipSecrets((n) => new Uint8Array(randomBytes(n)))
const NARRATIVE = { description: '尘土飞扬', place: '', callback: null, checklist: [] }

describe('a tip before it is sent', () => {
  it('has a code, and from it what the server may know', async () => {
    const secrets = await newSecrets()
    expect(parseReceiptCode(secrets.receiptCode)).toBe(secrets.receiptCode)
    const receipt = await deriveReceipt(secrets.receiptCode)
    expect([secrets.auth, secrets.reporterRecipient]).toEqual([receipt.auth, receipt.recipient])
    const recipients = [secrets.recipient, secrets.reporterRecipient]
    expect(areOwnRecipients(receipt, { ...secrets, recipients })).toBe(true)
    expect(secrets.tip).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect((await newSecrets()).tip).not.toBe(secrets.tip)
  })

  it('opens with its own key and through the wraps of its readers, and for nobody else', async () => {
    const secrets = await newSecrets()
    const sealed = await sealNarrative(secrets, NARRATIVE)
    const [one, two, other] = await Promise.all([createKeyPair(), createKeyPair(), createKeyPair()])
    const wraps = await wrapForReaders(secrets, [
      { department: 'one', epoch: 3, recipient: one.recipient },
      { department: 'two', epoch: 1, recipient: two.recipient },
    ])
    expect(wraps.map(({ department, epoch }) => [department, epoch])).toEqual([
      ['one', 3],
      ['two', 1],
    ])
    const wrapped = wraps[0]?.wrapped ?? new Uint8Array()
    const address = { tip: secrets.tip, department: 'one', epoch: 3 }
    const identity = await unwrapTipKey(address, wrapped, one.identity)
    const part = { purpose: 'tip.narrative', tip: secrets.tip, part: 0 } as const
    expect(JSON.parse(fromUtf8(await openPart({ ...part, identity, sealed })))).toEqual({
      ...NARRATIVE,
      reporterRecipient: secrets.reporterRecipient,
    })
    for (const key of [two, other])
      await expect(unwrapTipKey(address, wrapped, key.identity)).rejects.toThrow()
    for (const { wrapped: bytes } of wraps)
      expect([isSealedToOne(bytes), isKeySize(bytes.length)]).toEqual([true, true])
  })

  it('does not leave when it does not open again', async () => {
    const secrets = await newSecrets()
    const { recipient } = await createKeyPair()
    await expect(sealChecked({ ...secrets, recipient }, 'tip.photo', 0, new Uint8Array(9))).rejects.toThrow(
      'not sealed to this key',
    )
  })
})

describe('the size of what is sealed', () => {
  const seal = async (purpose: 'tip.narrative' | 'tip.original', length: number) => {
    const { recipient } = await createKeyPair()
    return sealPart({
      recipients: [recipient],
      purpose,
      tip: randomUUID(),
      part: 0,
      bytes: new Uint8Array(length),
    })
  }

  it('is one that padding leaves', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(16_000), fc.nat(400_000), async (text, image) => {
        expect(isTextSize((await seal('tip.narrative', text)).length)).toBe(true)
        expect(isImageSize((await seal('tip.original', image)).length, MAX_PHOTO_BYTES)).toBe(true)
      }),
      { numRuns: 15 },
    )
    expect(isImageSize((await seal('tip.original', MAX_PHOTO_BYTES)).length, MAX_PHOTO_BYTES)).toBe(true)
    expect(isImageSize((await seal('tip.original', MAX_PHOTO_BYTES + 70_000)).length, MAX_PHOTO_BYTES)).toBe(
      false,
    )
  })

  it('is no other', async () => {
    const { length } = await seal('tip.original', 1)
    for (const size of [0, 1, 168, length - 1, length + 1])
      expect(isImageSize(size, MAX_PHOTO_BYTES)).toBe(false)
    expect(isTextSize(length)).toBe(false)
  })

  it('goes with one recipient', async () => {
    const [one, two] = await Promise.all([createKeyPair(), createKeyPair()])
    const sealed = await sealPart({
      recipients: [one.recipient, two.recipient],
      purpose: 'tip.photo',
      tip: randomUUID(),
      part: 0,
      bytes: new Uint8Array(1),
    })
    expect(isSealedToOne(sealed)).toBe(false)
    expect(isSealedToOne(new Uint8Array(200))).toBe(false)
  })
})
