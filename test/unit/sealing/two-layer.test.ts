import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { createKeyPair, type KeyPair } from '../../../src/sealing/age-identity.ts'
import { fromUtf8, utf8 } from '../../../src/sealing/bytes.ts'
import { openPart } from '../../../src/sealing/envelope.ts'
import {
  openInner,
  openPassed,
  passOn,
  rewrapOuter,
  sealTwoLayer,
  stripOuter,
  type RoleIdentity,
  type TwoLayerAddress,
  type TwoLayerPart,
  type TwoRoles,
} from '../../../src/sealing/two-layer.ts'

const TIP = '00000000-0000-4000-8000-000000000001'
const OTHER = '00000000-0000-4000-8000-000000000002'
const ADDRESS: TwoLayerAddress = { purpose: 'tip.identity', tip: TIP }
const NAMED = '{"name":"张三","contact":"13800000000"}'

let keeper: RoleIdentity
let approver: RoleIdentity
let roles: TwoRoles
let part: TwoLayerPart
/** Everybody else: each officer's key of the department, the dispatcher's, the tip's own, finance's. */
let others: readonly KeyPair[]

beforeAll(async () => {
  const made = await Promise.all(Array.from({ length: 8 }, createKeyPair))
  const [custodian, approving, ...rest] = made
  if (!custodian || !approving) throw new Error('pairs')
  others = rest
  keeper = { owner: 'role-custodian', epoch: 1, identity: custodian.identity }
  approver = { owner: 'role-approver', epoch: 3, identity: approving.identity }
  roles = {
    keeper: { owner: 'role-custodian', epoch: 1, recipient: custodian.recipient },
    approver: { owner: 'role-approver', epoch: 3, recipient: approving.recipient },
  }
  part = await sealTwoLayer(ADDRESS, utf8(NAMED), roles)
})

/** Every way in that one set of keys has: each layer, as each of the roles, and the part itself. */
async function opens(identities: readonly string[], wraps: readonly Uint8Array[]): Promise<boolean> {
  for (const identity of identities) {
    for (const wrapped of wraps) {
      const tries = [
        () => stripOuter(ADDRESS, { ...approver, identity }, wrapped),
        () => openInner(ADDRESS, { ...keeper, identity }, wrapped, part.recipient),
      ]
      for (const attempt of tries) {
        if (await attempt().then(Boolean, () => false)) return true
      }
    }
    const direct = openPart({ ...ADDRESS, part: 0, identity, sealed: part.sealed })
    if (await direct.then(Boolean, () => false)) return true
  }
  return false
}

describe('a secret in two layers', () => {
  it('opens for approver and custodian together, each doing their part', async () => {
    const inner = await stripOuter(ADDRESS, approver, part.wrapped)
    const { identity } = await openInner(ADDRESS, keeper, inner, part.recipient)
    const opened = await openPart({ ...ADDRESS, part: 0, identity, sealed: part.sealed })
    expect(fromUtf8(opened)).toBe(NAMED)
  })

  it('does not open with all keys of a department, the dispatcher, the tip and finance together', async () => {
    expect(
      await opens(
        others.map(({ identity }) => identity),
        [part.wrapped],
      ),
    ).toBe(false)
  })

  it('does not open for the custodian alone', async () => {
    expect(await opens([keeper.identity], [part.wrapped])).toBe(false)
  })

  it('shows the approver alone nothing but what is sealed to the custodian', async () => {
    const inner = await stripOuter(ADDRESS, approver, part.wrapped)
    expect(await opens([approver.identity], [inner])).toBe(false)
    expect(Buffer.from(inner).includes('AGE-SECRET-KEY')).toBe(false)
  })

  it.each<[string, TwoLayerAddress]>([
    ['tip', { ...ADDRESS, tip: OTHER }],
    ['purpose', { ...ADDRESS, purpose: 'tip.payee' }],
  ])('is not taken for that of another %s, on either layer', async (_what, address) => {
    await expect(stripOuter(address, approver, part.wrapped)).rejects.toMatchObject({ code: 'mismatch' })
    const inner = await stripOuter(ADDRESS, approver, part.wrapped)
    await expect(openInner(address, keeper, inner, part.recipient)).rejects.toMatchObject({
      code: 'mismatch',
    })
  })

  it('is not taken for that of another generation or role', async () => {
    const inner = await stripOuter(ADDRESS, approver, part.wrapped)
    for (const change of [{ epoch: 2 }, { owner: 'role-finance' }]) {
      await expect(stripOuter(ADDRESS, { ...approver, ...change }, part.wrapped)).rejects.toMatchObject({
        code: 'mismatch',
      })
      await expect(openInner(ADDRESS, { ...keeper, ...change }, inner, part.recipient)).rejects.toMatchObject(
        { code: 'mismatch' },
      )
    }
  })

  it('is refused when the approver hands on the layer of another pair of the same tip', async () => {
    const twin = await sealTwoLayer(ADDRESS, utf8('{}'), roles)
    const inner = await stripOuter(ADDRESS, approver, twin.wrapped)
    await expect(openInner(ADDRESS, keeper, inner, part.recipient)).rejects.toMatchObject({
      code: 'mismatch',
    })
  })

  it('is refused when cut or changed anywhere', async () => {
    const inner = await stripOuter(ADDRESS, approver, part.wrapped)
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (at, by, cut) => {
        for (const [whole, open] of [
          [part.wrapped, (bytes: Uint8Array) => stripOuter(ADDRESS, approver, bytes)],
          [inner, (bytes: Uint8Array) => openInner(ADDRESS, keeper, bytes, part.recipient)],
        ] as const) {
          const place = at % whole.length
          const changed = cut ? whole.slice(0, place) : Uint8Array.from(whole)
          if (!cut) changed[place] = (changed[place] ?? 0) ^ by
          await expect(open(changed)).rejects.toThrow()
        }
      }),
      { numRuns: 60 },
    )
  })

  it('has the same size whatever name it leads to', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 150 }), async (text) => {
        const one = await sealTwoLayer(ADDRESS, utf8(text), roles)
        expect(one.wrapped.length).toBe(part.wrapped.length)
        expect(one.sealed.length).toBe(part.sealed.length)
      }),
      { numRuns: 20 },
    )
  })

  it('moves to the next key of the approvers without anybody seeing the secret', async () => {
    const next = await createKeyPair()
    const to = { owner: 'role-approver', epoch: 4, recipient: next.recipient }
    const moved = await rewrapOuter(ADDRESS, approver, to, part.wrapped)
    await expect(stripOuter(ADDRESS, approver, moved)).rejects.toMatchObject({ code: 'wrong-key' })
    const inner = await stripOuter(
      ADDRESS,
      { owner: 'role-approver', epoch: 4, identity: next.identity },
      moved,
    )
    expect((await openInner(ADDRESS, keeper, inner, part.recipient)).recipient).toBe(part.recipient)
  })

  it('is passed on to one member, for one request', async () => {
    const [member, stranger] = others
    if (!member || !stranger) throw new Error('pairs')
    const inner = await stripOuter(ADDRESS, approver, part.wrapped)
    const { identity } = await openInner(ADDRESS, keeper, inner, part.recipient)
    const address = { ...ADDRESS, request: OTHER, member: TIP }
    const passed = await passOn(address, identity, member.recipient)
    expect((await openPassed(address, passed, member.identity, part.recipient)).identity).toBe(identity)
    await expect(openPassed(address, passed, stranger.identity, part.recipient)).rejects.toMatchObject({
      code: 'wrong-key',
    })
    await expect(
      openPassed({ ...address, request: TIP }, passed, member.identity, part.recipient),
    ).rejects.toMatchObject({ code: 'mismatch' })
  })
})
