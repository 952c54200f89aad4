import { beforeAll, describe, expect, it } from 'vitest'
import { createKeyPair, type KeyPair } from '../../../src/sealing/age-identity.ts'
import {
  divideHolders,
  isVouched,
  vouchForMember,
  type PresentKey,
  type Vouched,
} from '../../../src/sealing/member-voucher.ts'
import { signLine, verifierOf } from '../../../src/sealing/recipient-list.ts'
import { utf8 } from '../../../src/sealing/bytes.ts'

const OWNER = 'qu-huanbao'
const address = { department: OWNER, epoch: 2 }

let old: KeyPair
let key: KeyPair
let thief: KeyPair
let member: Vouched
let present: PresentKey

beforeAll(async () => {
  const [one, two, three, own] = await Promise.all([
    createKeyPair(),
    createKeyPair(),
    createKeyPair(),
    createKeyPair(),
  ])
  ;[old, key, thief] = [one, two, three]
  present = { owner: OWNER, epoch: 2, verifier: verifierOf(key.identity) }
  const holder = { memberId: 'm1', recipient: own.recipient }
  member = { ...holder, voucher: vouchForMember(address, holder, key.identity) }
})

describe('a voucher for a member', () => {
  it('holds under the key that gave it', () => {
    expect(isVouched(present, member)).toBe(true)
  })

  it('holds for no other recipient, member, owner or generation', () => {
    expect(isVouched(present, { ...member, recipient: thief.recipient })).toBe(false)
    expect(isVouched(present, { ...member, memberId: 'm2' })).toBe(false)
    expect(isVouched({ ...present, owner: 'qu-jianshe' }, member)).toBe(false)
    expect(isVouched({ ...present, epoch: 3 }, member)).toBe(false)
  })

  it('is nothing by a thief, by the key before, or by what signs something else', () => {
    const by = ({ identity }: KeyPair) => ({ ...member, voucher: vouchForMember(address, member, identity) })
    expect(isVouched(present, by(key))).toBe(true)
    for (const signer of [thief, old]) expect(isVouched(present, by(signer))).toBe(false)
    const entry = signLine(utf8('lantian/v1/recipient\n{}\n'), key.identity)
    for (const voucher of [null, '', 'AAAA', '?', entry]) {
      expect(isVouched(present, { ...member, voucher })).toBe(false)
    }
    expect(isVouched({ ...present, verifier: '' }, member)).toBe(false)
  })
})

describe('whoever makes the next key', () => {
  it('gives it to themself and to who was vouched for, and knows the others', () => {
    const own = { memberId: 'me', recipient: old.recipient, voucher: null }
    const swapped = { ...member, recipient: thief.recipient }
    const before = { ...member, memberId: 'm3', voucher: null }
    const all = [own, member, swapped, before]
    expect(divideHolders(present, all, own.recipient)).toEqual({
      given: [own, member],
      leftOut: [swapped, before],
    })
  })

  it('is not among those who get it when the own recipient was swapped', () => {
    const own = { memberId: 'me', recipient: thief.recipient, voucher: null }
    expect(divideHolders(present, [own], old.recipient)).toEqual({ given: [], leftOut: [own] })
  })
})
