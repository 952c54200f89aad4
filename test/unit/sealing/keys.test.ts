import { beforeAll, describe, expect, it } from 'vitest'
import type { KeyPair } from '../../../src/sealing/age-identity.ts'
import { createKeyPair } from '../../../src/sealing/age-identity.ts'
import { utf8 } from '../../../src/sealing/bytes.ts'
import { createDepartmentKey, grantDepartmentKey, openGrant } from '../../../src/sealing/department-keys.ts'
import { openPart, sealPart } from '../../../src/sealing/envelope.ts'
import { createTipKeys, unwrapTipKey, wrapTipKey } from '../../../src/sealing/tip-keys.ts'
import { sealBound } from '../../../src/sealing/bound.ts'

const TIP = '0b3f1c9e-6f0a-4b53-9b0e-6a4f0d2c7e11'
const BUREAU = { department: 'qu-huanbaoju', epoch: 1 }
const OFFICE = { department: 'qu-jianshe', epoch: 1 }

let bureau: KeyPair
let office: KeyPair
let third: KeyPair
beforeAll(async () => {
  ;[bureau, office, third] = await Promise.all([
    createDepartmentKey(),
    createDepartmentKey(),
    createDepartmentKey(),
  ])
})

describe('the key of a tip', () => {
  it('goes to another department on a hand-over, and to no third', async () => {
    const tip = await createTipKeys()
    const narrative = { purpose: 'tip.narrative', tip: TIP, part: 0 } as const
    const sealed = await sealPart({ ...narrative, recipients: [tip.recipient], bytes: utf8('扬尘') })
    const wraps = new Map([
      [BUREAU.department, await wrapTipKey({ tip: TIP, ...BUREAU }, tip.identity, bureau.recipient)],
    ])

    const held = wraps.get(BUREAU.department) ?? new Uint8Array()
    const identity = await unwrapTipKey({ tip: TIP, ...BUREAU }, held, bureau.identity)
    wraps.set(OFFICE.department, await wrapTipKey({ tip: TIP, ...OFFICE }, identity, office.recipient))
    wraps.delete(BUREAU.department)

    const [[department, wrap] = ['', new Uint8Array()], ...others] = [...wraps]
    expect([department, others]).toEqual([OFFICE.department, []])
    const opened = await unwrapTipKey({ tip: TIP, ...OFFICE }, wrap, office.identity)
    expect(await openPart({ ...narrative, identity: opened, sealed })).toEqual(utf8('扬尘'))
    for (const outsider of [bureau, third]) {
      await expect(unwrapTipKey({ tip: TIP, ...OFFICE }, wrap, outsider.identity)).rejects.toMatchObject({
        code: 'wrong-key',
      })
      await expect(openPart({ ...narrative, identity: outsider.identity, sealed })).rejects.toMatchObject({
        code: 'wrong-key',
      })
    }
  })

  it('is new for every tip', async () => {
    const [one, two] = await Promise.all([createTipKeys(), createTipKeys()])
    expect(one.identity).not.toBe(two.identity)
  })

  it('is refused out of the wrap of another tip, department, epoch or kind', async () => {
    const tip = await createTipKeys()
    const wrap = await wrapTipKey({ tip: TIP, ...BUREAU }, tip.identity, bureau.recipient)
    for (const asked of [
      { tip: 'd0a7c1b2-1f9a-4c77-8a5e-2b6d9e3f4a55', ...BUREAU },
      { tip: TIP, ...BUREAU, department: OFFICE.department },
      { tip: TIP, ...BUREAU, epoch: 2 },
    ]) {
      await expect(unwrapTipKey(asked, wrap, bureau.identity)).rejects.toMatchObject({ code: 'mismatch' })
    }
    await expect(openGrant(BUREAU, wrap, bureau.identity)).rejects.toMatchObject({ code: 'mismatch' })
  })

  it('is refused when the wrap holds something else', async () => {
    const header = { v: 1, purpose: 'tip.key', tip: TIP, ...BUREAU }
    const bucketOf = (length: number) => Math.ceil(length / 256) * 256
    const wrap = await sealBound({ header, bucketOf }, [bureau.recipient], utf8('not a key'))
    await expect(unwrapTipKey({ tip: TIP, ...BUREAU }, wrap, bureau.identity)).rejects.toMatchObject({
      code: 'damaged',
    })
  })
})

describe('the key of a department', () => {
  it('opens for the member or escrow it was granted to, and for nobody else', async () => {
    const [member, escrow, leaver] = await Promise.all([createKeyPair(), createKeyPair(), createKeyPair()])
    const granted = await grantDepartmentKey(BUREAU, bureau.identity, member.recipient)
    const kept = await grantDepartmentKey(BUREAU, bureau.identity, escrow.recipient)
    expect(await openGrant(BUREAU, granted, member.identity)).toBe(bureau.identity)
    expect(await openGrant(BUREAU, kept, escrow.identity)).toBe(bureau.identity)
    await expect(openGrant(BUREAU, granted, escrow.identity)).rejects.toMatchObject({ code: 'wrong-key' })
    await expect(openGrant(BUREAU, granted, leaver.identity)).rejects.toMatchObject({ code: 'wrong-key' })
  })

  it('is refused out of the grant of another department or epoch', async () => {
    const member = await createKeyPair()
    const grant = await grantDepartmentKey(BUREAU, bureau.identity, member.recipient)
    for (const asked of [OFFICE, { ...BUREAU, epoch: 2 }]) {
      await expect(openGrant(asked, grant, member.identity)).rejects.toMatchObject({ code: 'mismatch' })
    }
  })

  it('takes the same room for a long slug as for a short one', async () => {
    const sizes = await Promise.all(
      ['a', 'subdistrict-'.repeat(4)].map(
        async (department) =>
          (await grantDepartmentKey({ department, epoch: 1 }, bureau.identity, third.recipient)).length,
      ),
    )
    expect(sizes[0]).toBe(sizes[1])
  })
})
