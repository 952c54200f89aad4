import { beforeAll, describe, expect, it } from 'vitest'
import { createKeyPair, type KeyPair } from '../../../src/sealing/age-identity.ts'
import { verifierOf } from '../../../src/sealing/recipient-list.ts'
import { isReissued, isReporters, signReissued } from '../../../src/sealing/reissued.ts'

const TIP = '0b3f1c9e-6f0a-4b53-9b0e-6a4f0d2c7e11'
const OTHER_TIP = 'd0a7c1b2-1f9a-4c77-8a5e-2b6d9e3f4a55'

let custodian: KeyPair
let next: KeyPair
let stranger: KeyPair
let reporter: string
let other: string
let custodians: { verifier: string }[]
beforeAll(async () => {
  const pairs = await Promise.all([1, 2, 3, 4, 5].map(() => createKeyPair()))
  ;[custodian, next, stranger] = pairs as [KeyPair, KeyPair, KeyPair]
  ;[reporter, other] = pairs.slice(3).map(({ recipient }) => recipient) as [string, string]
  custodians = [custodian, next].map(({ identity }) => ({ verifier: verifierOf(identity) }))
})

describe('the recipient of a new receipt code', () => {
  it('holds under any generation of the custodians’ key', () => {
    for (const { identity } of [custodian, next]) {
      const signature = signReissued({ tip: TIP, recipient: reporter }, identity)
      expect(isReissued({ tip: TIP, recipient: reporter }, signature, custodians)).toBe(true)
    }
  })

  it('is refused for another tip, another key, another signer, and what is no signature', () => {
    const made = { tip: TIP, recipient: reporter }
    const signature = signReissued(made, custodian.identity)
    expect(isReissued({ ...made, tip: OTHER_TIP }, signature, custodians)).toBe(false)
    expect(isReissued({ ...made, recipient: other }, signature, custodians)).toBe(false)
    expect(isReissued(made, signReissued(made, stranger.identity), custodians)).toBe(false)
    for (const none of ['', '!', 'A'.repeat(86)]) expect(isReissued(made, none, custodians)).toBe(false)
    expect(isReissued(made, signature, [])).toBe(false)
    expect(isReissued(made, signature, [{ verifier: 'A' }])).toBe(false)
  })
})

describe('the recipient that the server names', () => {
  it('is the reporter’s when the tip tells it, or a custodian signed it', () => {
    const named = { tip: TIP, recipient: other, signature: null }
    expect(isReporters(named, other, custodians)).toBe(true)
    expect(isReporters(named, reporter, custodians)).toBe(false)
    const signature = signReissued({ tip: TIP, recipient: other }, custodian.identity)
    expect(isReporters({ ...named, signature }, reporter, custodians)).toBe(true)
    expect(isReporters({ ...named, tip: OTHER_TIP, signature }, reporter, custodians)).toBe(false)
  })

  it('is taken as it is for a tip from before', () => {
    expect(isReporters({ tip: TIP, recipient: other, signature: null }, undefined, [])).toBe(true)
  })
})
