import { describe, expect, it } from 'vitest'
import { createKeyPair, isRecipient, pairOf } from '../../../src/sealing/age-identity.ts'
import { openGrant } from '../../../src/sealing/department-keys.ts'
import { makeEpoch, rewrapTipKey } from '../../../src/sealing/rotation.ts'
import { createTipKeys, unwrapTipKey, wrapTipKey } from '../../../src/sealing/tip-keys.ts'

const address = { department: 'qu-huanbao', epoch: 2 }

describe('the next key of a department', () => {
  it('opens for each holder and the escrow, for nobody else and as no other generation', async () => {
    const [one, two, escrow, stranger] = await Promise.all(Array.from({ length: 4 }, createKeyPair))
    if (!one || !two || !escrow || !stranger) throw new Error('four pairs')
    const holders = [one, two].map(({ recipient }, index) => ({ memberId: `m${index}`, recipient }))
    const made = await makeEpoch(address, holders, escrow.recipient)
    expect(made.grants.map(({ memberId }) => memberId)).toEqual(['m0', 'm1'])
    const [first, second] = made.grants
    const opened = await Promise.all([
      openGrant(address, first?.wrapped ?? new Uint8Array(), one.identity),
      openGrant(address, second?.wrapped ?? new Uint8Array(), two.identity),
      openGrant(address, made.escrow, escrow.identity),
    ])
    expect(new Set(opened)).toEqual(new Set([made.identity]))
    expect((await pairOf(made.identity)).recipient).toBe(made.recipient)
    expect(isRecipient(made.recipient)).toBe(true)
    await expect(openGrant(address, made.escrow, stranger.identity)).rejects.toMatchObject({
      code: 'wrong-key',
    })
    await expect(openGrant({ ...address, epoch: 1 }, made.escrow, escrow.identity)).rejects.toMatchObject({
      code: 'mismatch',
    })
  })

  it('takes over a tip, which then opens with it and no longer with the one before', async () => {
    const [old, next, tip] = await Promise.all([createKeyPair(), createKeyPair(), createTipKeys()])
    const id = '00000000-0000-4000-8000-000000000001'
    const department = 'qu-huanbao'
    const before = await wrapTipKey({ tip: id, department, epoch: 1 }, tip.identity, old.recipient)
    const from = { epoch: 1, identity: old.identity }
    const to = { epoch: 2, recipient: next.recipient }
    const after = await rewrapTipKey(id, department, from, to, before)
    expect(await unwrapTipKey({ tip: id, department, epoch: 2 }, after, next.identity)).toBe(tip.identity)
    await expect(unwrapTipKey({ tip: id, department, epoch: 2 }, after, old.identity)).rejects.toMatchObject({
      code: 'wrong-key',
    })
    // A wrap of another tip is not taken for this one's.
    await expect(rewrapTipKey(id.replace(/1$/, '2'), department, from, to, before)).rejects.toMatchObject({
      code: 'mismatch',
    })
  })

  it('knows a recipient from text that is none', () => {
    for (const text of [
      '',
      'age1',
      `age1${'b'.repeat(58)}`,
      `AGE1${'q'.repeat(58)}`,
      `age1${'q'.repeat(59)}`,
    ]) {
      expect(isRecipient(text)).toBe(false)
    }
  })
})
