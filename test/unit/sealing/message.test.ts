import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { mayWrite } from '../../../src/domain/message.ts'
import { CASE_STATES } from '../../../src/domain/case.ts'
import { createKeyPair, type KeyPair } from '../../../src/sealing/age-identity.ts'
import { sealBound } from '../../../src/sealing/bound.ts'
import { utf8 } from '../../../src/sealing/bytes.ts'
import { textBucket } from '../../../src/sealing/envelope.ts'
import {
  openMessage,
  openMessagePhoto,
  sealMessage,
  sealMessagePhoto,
  type MessageAddress,
} from '../../../src/sealing/message.ts'

const TIP = '0b3f1c9e-6f0a-4b53-9b0e-6a4f0d2c7e11'
const OTHER_TIP = 'd0a7c1b2-1f9a-4c77-8a5e-2b6d9e3f4a55'
const QUESTION: MessageAddress = { tip: TIP, number: 2, from: 'officer' }
const CONTENT = { text: '请问是几号门？', photos: ['0123456789abcdef0123456789abcdef'] }

let tip: KeyPair
let reporter: KeyPair
let stranger: KeyPair
beforeAll(async () => {
  ;[tip, reporter, stranger] = await Promise.all([createKeyPair(), createKeyPair(), createKeyPair()])
})
const seal = (address: MessageAddress, content = CONTENT) =>
  sealMessage(address, [tip.recipient, reporter.recipient], content)

describe('a message', () => {
  it('opens for either side, for nobody else, and gives back its words', async () => {
    const sealed = await seal(QUESTION)
    expect(await openMessage(QUESTION, tip.identity, sealed)).toEqual(CONTENT)
    expect(await openMessage(QUESTION, reporter.identity, sealed)).toEqual(CONTENT)
    await expect(openMessage(QUESTION, stranger.identity, sealed)).rejects.toMatchObject({
      code: 'wrong-key',
    })
  })

  it.each([
    ['tip', { ...QUESTION, tip: OTHER_TIP }],
    ['place in the thread', { ...QUESTION, number: 3 }],
    ['side', { ...QUESTION, from: 'reporter' as const }],
  ])('is not taken for one of another %s', async (_name, other) => {
    const sealed = await seal(QUESTION)
    await expect(openMessage(other, tip.identity, sealed)).rejects.toMatchObject({ code: 'mismatch' })
  })

  it('is not taken again at any other place of the thread, nor as the other side’s', async () => {
    const place = fc.record({
      tip: fc.constant(TIP),
      number: fc.integer({ min: 1, max: 3 }),
      from: fc.constantFrom('officer' as const, 'reporter' as const),
    })
    await fc.assert(
      fc.asyncProperty(place, place, async (own, other) => {
        fc.pre(JSON.stringify(own) !== JSON.stringify(other))
        const sealed = await seal(own)
        await expect(openMessage(other, tip.identity, sealed)).rejects.toMatchObject({ code: 'mismatch' })
      }),
      { numRuns: 30 },
    )
  })

  it('is refused when it is cut or changed anywhere', async () => {
    const sealed = await seal(QUESTION)
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: sealed.length - 1 }), fc.boolean(), async (at, cut) => {
        const broken = cut
          ? sealed.slice(0, at)
          : sealed.map((byte, index) => (index === at ? byte ^ 1 : byte))
        await expect(openMessage(QUESTION, tip.identity, broken)).rejects.toThrow()
      }),
      { numRuns: 40 },
    )
  })

  it('is refused when it holds something else than a message', async () => {
    const header = { v: 1, purpose: 'tip.message', tip: TIP, number: 2, from: 'officer' }
    for (const inside of ['no json', '{}', '{"text":1,"photos":[]}', '{"text":"a","photos":[1]}']) {
      const sealed = await sealBound({ header, bucketOf: textBucket }, [tip.recipient], utf8(inside))
      await expect(openMessage(QUESTION, tip.identity, sealed)).rejects.toMatchObject({ code: 'damaged' })
    }
  })

  it('tells by its size only whether it is short, long or very long', async () => {
    const sizes = await Promise.all(
      ['在。', '是三号门，靠近河边的那个，晚上十一点以后。', '好的'].map(
        async (text) => (await seal(QUESTION, { text, photos: [] })).length,
      ),
    )
    expect(new Set(sizes).size).toBe(1)
  })
})

describe('a photo of a message', () => {
  it('opens for either side under its own name only', async () => {
    const address = { tip: TIP, photo: CONTENT.photos[0] ?? '' }
    const bytes = new Uint8Array([1, 2, 3])
    const sealed = await sealMessagePhoto(address, [tip.recipient, reporter.recipient], bytes)
    for (const { identity } of [tip, reporter]) {
      expect(await openMessagePhoto(address, identity, sealed)).toEqual(bytes)
    }
    const other = { ...address, photo: 'f'.repeat(32) }
    await expect(openMessagePhoto(other, tip.identity, sealed)).rejects.toMatchObject({ code: 'mismatch' })
  })
})

describe('who may write', () => {
  it('is a matter of the case’s state, for each side', () => {
    const allowed = (side: 'officer' | 'reporter') => CASE_STATES.filter((state) => mayWrite(state, side))
    expect(allowed('officer')).toEqual(['accepted', 'working', 'concluded', 'published', 'awaiting_reporter'])
    expect(CASE_STATES.filter((state) => !mayWrite(state, 'reporter'))).toEqual(['closed'])
  })
})
