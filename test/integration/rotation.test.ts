import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Role } from '../../src/domain/case.ts'
import { createKeyPair, pairOf } from '../../src/sealing/age-identity.ts'
import { grantDepartmentKey, openGrant } from '../../src/sealing/department-keys.ts'
import { openPart } from '../../src/sealing/envelope.ts'
import { divideHolders, isVouched, vouchForMember } from '../../src/sealing/member-voucher.ts'
import { makeEpoch, rewrapTipKey, vouch } from '../../src/sealing/rotation.ts'
import {
  fingerprintOf,
  genesisOf,
  verifyRecipientList,
  type RecipientEntry,
} from '../../src/sealing/recipient-list.ts'
import { unwrapTipKey, wrapTipKey } from '../../src/sealing/tip-keys.ts'
import type { StaffSession } from '../../src/services/staff.ts'
import { createTipWraps } from '../../src/services/tip-wraps.ts'
import { createWrapLocks } from '../../src/services/wrap-locks.ts'
import { openTestApp, plainTip, signInAs, type TestApp, type TestMember } from '../support/app.ts'

const DEPARTMENT = 'qu-huanbao'
const WORDS = '锅炉冒黑烟，气味很大，从早上开始。'

let app: TestApp
let admin: TestMember
/** Officers of the department who hold its key. */
let stays: TestMember
let leaves: TestMember
beforeAll(async () => {
  app = await openTestApp()
})
afterAll(async () => {
  await app.close()
})

async function hire(...roles: Role[]): Promise<TestMember> {
  const member = await signInAs(app, DEPARTMENT, roles)
  await app.services.keys.grantFromEscrow(app.escrowIdentity, member.session.username)
  return member
}

beforeEach(async () => {
  admin = await signInAs(app, 'qu-daqiban', ['admin'])
  stays = await hire('officer')
  leaves = await hire('officer')
})

async function file(): Promise<string> {
  const reply = await fetch(`${app.url}/api/v1/tips`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json' },
    body: JSON.stringify({ plain: plainTip({ description: WORDS }) }),
  })
  const { caseNo } = (await reply.json()) as { caseNo: string }
  const row = await app.database.db
    .selectFrom('tip')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .select(['tip.id', 'holder_id'])
    .where('case_no', '=', caseNo)
    .executeTakeFirstOrThrow()
  expect(row.holder_id).toBe(DEPARTMENT)
  return row.id
}

/** All department secrets that a member can open with the own key, by generation. */
async function secretsOf({ session, identity }: TestMember): Promise<Map<number, string>> {
  const secrets = new Map<number, string>()
  for (const { departmentId, epoch, wrapped } of await app.services.keys.grantsFor(session.memberId)) {
    secrets.set(epoch, await openGrant({ department: departmentId, epoch }, wrapped, identity))
  }
  return secrets
}

/** What a tip says to whoever has these secrets; null when none of them opens it. */
async function read(tipId: string, secrets: ReadonlyMap<number, string>): Promise<string | null> {
  const { db } = app.database
  const wraps = await createTipWraps(db, createWrapLocks(app.deps)).of([tipId])
  const wrap = wraps.find(({ department }) => department === DEPARTMENT)
  if (!wrap) throw new Error('nothing that the department opens')
  const part = await db
    .selectFrom('tip_part')
    .select('sealed')
    .where('tip_id', '=', tipId)
    .where('purpose', '=', 'tip.narrative')
    .executeTakeFirstOrThrow()
  for (const secret of secrets.values()) {
    const address = { tip: tipId, department: DEPARTMENT, epoch: wrap.epoch }
    const identity = await unwrapTipKey(address, wrap.wrapped, secret).catch(() => null)
    if (identity === null) continue
    const bytes = await openPart({
      identity,
      tip: tipId,
      part: 0,
      purpose: 'tip.narrative',
      sealed: part.sealed ?? new Uint8Array(),
    })
    return (JSON.parse(Buffer.from(bytes).toString('utf8')) as { description: string }).description
  }
  return null
}

/** Which keys were made, and for whom. */
const made: { readonly epoch: number; readonly holders: readonly string[] }[] = []

/** The newest secret that a member holds. */
async function presentOf(member: TestMember): Promise<string> {
  const [newest] = [...(await secretsOf(member))].sort(([one], [other]) => other - one)
  return newest?.[1] ?? ''
}

/** The department's newest entry in the list, as a browser checks it. */
async function presentKey(): Promise<RecipientEntry> {
  const { root, entries } = await app.services.recipients.list()
  const present = verifyRecipientList(entries, root ?? '').get(DEPARTMENT)
  if (!present) throw new Error('the department has no key')
  return present
}

/** What the browser of somebody who holds the key does; answers the new generation. */
async function rotate(by: TestMember): Promise<number> {
  const { epoch, holders, escrow, place } = await app.services.rotations.plan(by.session)
  const { given } = divideHolders(await presentKey(), holders, (await pairOf(by.identity)).recipient)
  const key = await makeEpoch({ department: DEPARTMENT, epoch }, given, escrow)
  await app.services.rotations.rotate(by.session, {
    ...key,
    epoch,
    voucher: vouch({ department: DEPARTMENT, epoch }, key, await presentOf(by), place),
  })
  made.push({ epoch, holders: given.map(({ memberId }) => memberId) })
  return epoch
}

async function moveTips(by: TestMember): Promise<void> {
  const secrets = await secretsOf(by)
  for (;;) {
    const { tips, ...to } = await app.services.rotations.batch(by.session)
    if (tips.length === 0) return
    await app.services.rotations.rewrap(
      by.session,
      await Promise.all(
        tips.map(async ({ purpose, tipId, epoch, wrapped }) => ({
          purpose,
          tipId,
          epoch: to.epoch,
          wrapped: await rewrapTipKey(
            tipId,
            DEPARTMENT,
            { epoch, identity: secrets.get(epoch) ?? '' },
            to,
            wrapped,
          ),
        })),
      ),
    )
  }
}

const waitingIds = async (): Promise<string[]> =>
  (await app.services.keys.waiting(stays.session)).map(({ memberId }) => memberId)
const state = (member: TestMember) => app.services.rotations.stateFor(member.session)
const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no refusal',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  )

describe('an officer who leaves', () => {
  it('opens nothing that is sealed later, with the own key and all that was ever opened with it', async () => {
    const before = await file()
    const kept = await secretsOf(leaves)
    expect(await read(before, kept)).toBe(WORDS)
    expect(await state(stays)).toMatchObject({ replaceSince: null, held: true })

    await app.services.staff.remove(leaves.session.username, admin.session)
    expect(await app.services.keys.grantsFor(leaves.session.memberId)).toEqual([])
    expect((await state(stays))?.replaceSince).toBeInstanceOf(Date)
    expect(await app.services.rotations.due(admin.session)).toMatchObject([{ departmentId: DEPARTMENT }])
    // Tips are taken on under the old key until somebody has made the new one.
    const between = await file()
    expect(await read(between, kept)).toBe(WORDS)

    const epoch = await rotate(stays)
    await moveTips(stays)
    const after = await file()
    for (const tip of [before, between, after]) {
      expect(await read(tip, kept)).toBeNull()
      expect(await read(tip, await secretsOf(stays))).toBe(WORDS)
    }
    expect(await state(stays)).toMatchObject({ epoch, replaceSince: null, oldTips: 0 })
    expect(await app.services.rotations.due(admin.session)).toEqual([])
  })

  it('leaves what is closed readable to those who stay', async () => {
    const closed = await file()
    await app.database.db
      .updateTable('case_file')
      .set({ state: 'closed' })
      .where('id', 'in', (query) => query.selectFrom('tip').select('case_id').where('id', '=', closed))
      .execute()
    await app.services.staff.remove(leaves.session.username, admin.session)
    await rotate(stays)
    expect((await app.services.rotations.batch(stays.session)).tips.map(({ tipId }) => tipId)).not.toContain(
      closed,
    )
    expect(await read(closed, await secretsOf(stays))).toBe(WORDS)
  })

  it('without the key asks for no new one', async () => {
    await rotate(stays)
    const newcomer = await signInAs(app, DEPARTMENT, ['officer'])
    await app.services.staff.remove(newcomer.session.username, admin.session)
    expect((await state(stays))?.replaceSince).toBeNull()
  })
})

describe('somebody who is removed while the key changes', () => {
  it('holds neither key, and a newer one is wanted, whoever was first', async () => {
    for (let round = 0; round < 5; round += 1) {
      const leaver = await hire('officer')
      await Promise.allSettled([
        rotate(stays),
        app.services.staff.remove(leaver.session.username, admin.session),
      ])
      const { db } = app.database
      const held = await db
        .selectFrom('key_grant')
        .select('epoch')
        .where('member_id', '=', leaver.session.memberId)
        .execute()
      expect(held).toEqual([])
      const key = await state(stays)
      const wasGranted = await db
        .selectFrom('department_key')
        .select('replace_since')
        .where('department_id', '=', DEPARTMENT)
        .where('epoch', '=', key?.epoch ?? 0)
        .executeTakeFirstOrThrow()
      // Either the removal came first and the ceremony was refused or left the leaver out, or the key is to be replaced.
      const leftOut =
        made.at(-1)?.epoch === key?.epoch && !made.at(-1)?.holders.includes(leaver.session.memberId)
      expect(wasGranted.replace_since !== null || leftOut).toBe(true)
    }
  })
})

describe('a new key', () => {
  it('goes to exactly those who hold the present one, and opens for the escrow', async () => {
    const without = await signInAs(app, DEPARTMENT, ['officer'])
    const epoch = await rotate(stays)
    for (const holder of [stays, leaves]) expect((await secretsOf(holder)).has(epoch)).toBe(true)
    expect((await secretsOf(without)).size).toBe(0)
    expect(await waitingIds()).toEqual([without.session.memberId])
    expect(await app.services.keys.checkEscrow(app.escrowIdentity)).toMatchObject({ bad: [] })
  })

  it('is refused for other people, another generation, no age files or a recipient that is none', async () => {
    const { epoch, holders, escrow, place } = await app.services.rotations.plan(stays.session)
    const perform = async () => {
      const key = await makeEpoch({ department: DEPARTMENT, epoch }, holders, escrow)
      const voucher = vouch({ department: DEPARTMENT, epoch }, key, await presentOf(stays), place)
      return { ...key, epoch, voucher }
    }
    const whole = await perform()
    const { grants, escrow: wrapped } = whole
    for (const [key, code] of [
      [{ ...whole, grants: grants.slice(1) }, 'stale-version'],
      [
        { ...whole, grants: [...grants, { memberId: admin.session.memberId, wrapped, voucher: '' }] },
        'stale-version',
      ],
      // Nobody vouches for the holders in the new key, or another one does.
      [{ ...whole, grants: grants.map((grant) => ({ ...grant, voucher: '' })) }, 'invalid-input'],
      [{ ...whole, grants: (await perform()).grants }, 'invalid-input'],
      [{ ...whole, epoch: epoch + 1 }, 'stale-version'],
      [{ ...whole, epoch: epoch - 1 }, 'stale-version'],
      [{ ...whole, escrow: new Uint8Array(200) }, 'invalid-input'],
      [{ ...whole, recipient: 'age1junk' }, 'invalid-input'],
      // Not what was vouched for, or vouched for by somebody else, or at another place, or on another day.
      [{ ...whole, recipient: (await createKeyPair()).recipient }, 'invalid-input'],
      [
        { ...whole, voucher: { ...whole.voucher, verifier: (await perform()).voucher.verifier } },
        'invalid-input',
      ],
      [
        { ...whole, voucher: { ...whole.voucher, signature: (await perform()).voucher.signature } },
        'invalid-input',
      ],
      [{ ...whole, voucher: { ...whole.voucher, previous: genesisOf('elsewhere') } }, 'stale-version'],
      [{ ...whole, voucher: { ...whole.voucher, day: '2020-01-01' } }, 'invalid-input'],
    ] as const) {
      expect(await refusal(app.services.rotations.rotate(stays.session, key))).toBe(code)
    }
    const stranger = await signInAs(app, 'qu-jianshe', ['officer'])
    expect(await refusal(app.services.rotations.rotate(stranger.session, whole))).toBe('forbidden')
    const stale = { ...stays.session, factorAt: new Date(0) }
    expect(await refusal(app.services.rotations.rotate(stale, whole))).toBe('factor-required')
    // Two who do it at once: one is first.
    const other = await perform()
    const results = await Promise.all([
      refusal(app.services.rotations.rotate(stays.session, whole)),
      refusal(app.services.rotations.rotate(leaves.session, other)),
    ])
    expect(results.sort()).toEqual(['no refusal', 'stale-version'])
  })

  it('is signed by the one before it, so that anybody can check the chain', async () => {
    const before = await app.services.recipients.list()
    const epoch = await rotate(stays)
    const { root, entries, head } = await app.services.recipients.list()
    expect(entries.slice(0, -1)).toEqual(before.entries)
    expect(entries.at(-1)).toMatchObject({ owner: DEPARTMENT, epoch, signedBy: 'predecessor' })
    const current = verifyRecipientList(entries, root ?? '', { pinned: head ?? { count: 0, hash: '' } })
    expect(current.get(DEPARTMENT)?.recipient).toBe(
      (await app.services.keys.recipients()).get(DEPARTMENT)?.recipient,
    )
    expect((await app.deps.pin.read())?.head).toEqual(head)
  })

  it('of the escrow’s making is signed by the root', async () => {
    await app.services.rotations.rotateFromEscrow(app.escrowIdentity, 'qu-jianshe')
    const { root, entries } = await app.services.recipients.list()
    expect(entries.at(-1)).toMatchObject({ owner: 'qu-jianshe', epoch: 2, signedBy: 'root' })
    expect(verifyRecipientList(entries, root ?? '').get('qu-jianshe')?.epoch).toBe(2)
  })

  it('moves no tip to somebody who could not open it, and none to an older key', async () => {
    const tip = await file()
    const stranger = await signInAs(app, 'qu-jianshe', ['officer'])
    await app.services.keys.grantFromEscrow(app.escrowIdentity, stranger.session.username)
    const { recipient, epoch } = await app.services.rotations.batch(stranger.session)
    const wrapped = await wrapTipKey(
      { tip, department: 'qu-jianshe', epoch },
      (await createKeyPair()).identity,
      recipient,
    )
    await app.services.rotations.rewrap(stranger.session, [
      { purpose: 'tip.key', tipId: tip, epoch, wrapped },
    ])
    const wraps = await app.database.db
      .selectFrom('tip_wrap')
      .select('department_id')
      .where('tip_id', '=', tip)
      .execute()
    expect(wraps.map((wrap) => wrap.department_id)).not.toContain('qu-jianshe')
    const { epoch: current } = await app.services.rotations.batch(stays.session)
    for (const wrong of [current - 1, current + 1]) {
      expect(
        await refusal(
          app.services.rotations.rewrap(stays.session, [
            { purpose: 'tip.key', tipId: tip, epoch: wrong, wrapped },
          ]),
        ),
      ).toBe('invalid-input')
    }
    expect(await read(tip, await secretsOf(stays))).toBe(WORDS)
  })

  it('is granted to a newcomer with all that went before, by who holds it', async () => {
    const old = await file()
    await app.database.db
      .updateTable('case_file')
      .set({ state: 'closed' })
      .where('id', 'in', (query) => query.selectFrom('tip').select('case_id').where('id', '=', old))
      .execute()
    await rotate(stays)
    const newcomer = await signInAs(app, DEPARTMENT, ['officer'])
    const { recipient } = await pairOf(newcomer.identity)
    const grants = await Promise.all(
      [...(await secretsOf(stays))].map(async ([epoch, secret]) => ({
        epoch,
        wrapped: await grantDepartmentKey({ department: DEPARTMENT, epoch }, secret, recipient),
      })),
    )
    const { memberId } = newcomer.session
    const address = { department: DEPARTMENT, epoch: (await presentKey()).epoch }
    const voucher = vouchForMember(address, { memberId, recipient }, await presentOf(stays))
    const give = (by: StaffSession, given = grants, vouched = voucher) =>
      refusal(app.services.keys.addGrants(by, memberId, given, vouched))
    const stale = { ...stays.session, factorAt: new Date(0) }
    expect(await give(stale)).toBe('factor-required')
    expect(await give(newcomer.session)).toBe('forbidden')
    expect(await give(stays.session, grants.slice(0, -1))).toBe('invalid-input')
    expect(await give(stays.session, grants, '')).toBe('invalid-input')
    expect(await give(stays.session)).toBe('no refusal')
    expect(await waitingIds()).not.toContain(memberId)
    expect(await read(old, await secretsOf(newcomer))).toBe(WORDS)
  })
})

describe('a recipient that was put into the database', () => {
  const put = (member: TestMember, recipient: string) =>
    app.database.db
      .updateTable('member')
      .set({ recipient })
      .where('id', '=', member.session.memberId)
      .execute()

  it('is given no later key, and the member is waited for', async () => {
    const thief = await createKeyPair()
    await put(leaves, thief.recipient)
    const { memberId } = leaves.session
    // What would happen if the browser believed the server; the server does not take it either.
    const { epoch, holders, escrow, place } = await app.services.rotations.plan(stays.session)
    const address = { department: DEPARTMENT, epoch }
    const all = await makeEpoch(address, holders, escrow)
    const his = all.grants.find((grant) => grant.memberId === memberId)?.wrapped ?? new Uint8Array()
    expect(await openGrant(address, his, thief.identity)).toBe(all.identity)
    const voucher = vouch(address, all, await presentOf(stays), place)
    const believed = app.services.rotations.rotate(stays.session, { ...all, epoch, voucher })
    expect(await refusal(believed)).toBe('stale-version')

    expect(await rotate(stays)).toBe(epoch)
    expect((await secretsOf(stays)).has(epoch)).toBe(true)
    expect((await app.services.keys.grantsFor(memberId)).map((grant) => grant.epoch)).not.toContain(epoch)
    expect(await app.services.keys.waiting(stays.session)).toContainEqual(
      expect.objectContaining({ memberId, granted: true }),
    )
  })

  it('is not vouched for by what vouches for the member’s own', async () => {
    const { memberId } = leaves.session
    const address = { department: DEPARTMENT, epoch: (await presentKey()).epoch }
    const { recipient } = await pairOf(leaves.identity)
    const voucher = vouchForMember(address, { memberId, recipient }, await presentOf(stays))
    expect(isVouched(await presentKey(), { memberId, recipient, voucher })).toBe(true)
    await app.database.db.updateTable('key_grant').set({ voucher: null }).execute()
    await put(leaves, (await createKeyPair()).recipient)
    const grants = [{ epoch: address.epoch, wrapped: new TextEncoder().encode('age-encryption.org/v1\n') }]
    expect(await refusal(app.services.keys.addGrants(stays.session, memberId, grants, voucher))).toBe(
      'invalid-input',
    )
  })

  it('from before there were vouchers is asked about, and locks nobody out', async () => {
    await app.database.db.updateTable('key_grant').set({ voucher: null }).execute()
    const ids = [stays, leaves].map(({ session }) => session.memberId)
    expect(await waitingIds()).toEqual(expect.arrayContaining(ids))
    const epoch = await rotate(stays)
    expect((await secretsOf(stays)).has(epoch)).toBe(true)
    expect((await secretsOf(leaves)).has(epoch)).toBe(false)
    expect(await waitingIds()).toEqual(expect.not.arrayContaining([stays.session.memberId]))
    expect(await waitingIds()).toContain(leaves.session.memberId)
  })
})

describe('the escrow', () => {
  it('makes a new key where nobody is left who could', async () => {
    const tip = await file()
    await app.database.db.deleteFrom('key_grant').where('member_id', 'is not', null).execute()
    const newcomer = await signInAs(app, DEPARTMENT, ['officer'])
    const { identity: other } = await createKeyPair()
    expect(await refusal(app.services.rotations.rotateFromEscrow(other, DEPARTMENT))).toBe('invalid-input')
    const made = await app.services.rotations.rotateFromEscrow(app.escrowIdentity, DEPARTMENT)
    expect(made.tips).toBeGreaterThan(0)
    const { username } = newcomer.session
    expect(made).toMatchObject({ members: 0, leftOut: expect.arrayContaining([username]) as string[] })
    const { recipient } = await pairOf(newcomer.identity)
    const grant = (fingerprint: string) =>
      app.services.keys.grantFromEscrow(app.escrowIdentity, username, DEPARTMENT, fingerprint)
    expect(await refusal(grant(fingerprintOf(other)))).toBe('invalid-input')
    await grant(fingerprintOf(recipient).toUpperCase())
    expect(await read(tip, await secretsOf(newcomer))).toBe(WORDS)
    expect(await state(newcomer)).toMatchObject({ held: true, oldTips: 0 })
  })

  it('finds out a key that it does not open, or that is not the one tips are sealed to', async () => {
    const epoch = await rotate(stays)
    const address = { department: DEPARTMENT, epoch }
    const escrow = await app.services.keys.escrowRecipient()
    const other = await createKeyPair()
    const put = (wrapped: Uint8Array) =>
      app.database.db
        .updateTable('key_grant')
        .set({ wrapped: Buffer.from(wrapped) })
        .where('department_id', '=', DEPARTMENT)
        .where('epoch', '=', epoch)
        .where('member_id', 'is', null)
        .execute()
    await put(await grantDepartmentKey(address, other.identity, escrow))
    expect((await app.services.keys.checkEscrow(app.escrowIdentity)).bad).toEqual([
      { departmentId: DEPARTMENT, epoch, why: 'another-key' },
    ])
    await put(await grantDepartmentKey(address, other.identity, other.recipient))
    expect((await app.services.keys.checkEscrow(app.escrowIdentity)).bad).toEqual([
      { departmentId: DEPARTMENT, epoch, why: 'does-not-open' },
    ])
  })
})
