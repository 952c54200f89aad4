import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Role } from '../../src/domain/case.ts'
import type { DomainError } from '../../src/domain/errors.ts'
import { createReceiptCode } from '../../src/domain/receipt.ts'
import { ownerOf, type KeyRole } from '../../src/domain/roles.ts'
import { createKeyPair, pairOf } from '../../src/sealing/age-identity.ts'
import { fromUtf8, utf8 } from '../../src/sealing/bytes.ts'
import { openGrant } from '../../src/sealing/department-keys.ts'
import { openPart, sealPart } from '../../src/sealing/envelope.ts'
import { isVouched, vouchForMember } from '../../src/sealing/member-voucher.ts'
import { verifyRecipientList } from '../../src/sealing/recipient-list.ts'
import type { SealedIdentity } from '../../src/sealing/outgoing.ts'
import { deriveReceipt, tipRecipientMac } from '../../src/sealing/receipt-keys.ts'
import { isReporters, signReissued } from '../../src/sealing/reissued.ts'
import { makeEpoch, rewrap, vouch } from '../../src/sealing/rotation.ts'
import { openInner, openPassed, passOn, stripOuter, type RoleIdentity } from '../../src/sealing/two-layer.ts'
import { openTestApp, plainTip, signInAs, type TestApp, type TestMember } from '../support/app.ts'

const HOLDER = 'qu-huanbao'
const NAME = '张三丰'
const CONTACT = '13900001111'
const DAY_MS = 86_400_000

let app: TestApp
let now = new Date('2026-11-25T04:00:00Z')
const people = {} as Record<
  'officer' | 'colleague' | 'stranger' | 'dispatcher' | 'custodian' | 'approver' | 'other' | 'finance',
  TestMember
>

async function seat(department: string, role: Role, keyRole?: KeyRole): Promise<TestMember> {
  const member = await signInAs(app, department, [role])
  // So that somebody has vouched for who may be passed a name.
  if (role === 'officer') await app.services.keys.grantFromEscrow(app.escrowIdentity, member.session.username)
  if (keyRole) {
    const escrow = keyRole === 'approver' ? app.approverEscrowIdentity : app.escrowIdentity
    await app.services.keys.grantFromEscrow(escrow, member.session.username, ownerOf(keyRole))
  }
  return member
}

beforeAll(async () => {
  app = await openTestApp({ now: () => now })
  people.officer = await seat(HOLDER, 'officer')
  people.colleague = await seat(HOLDER, 'officer')
  people.stranger = await seat('qu-jianshe', 'officer')
  people.dispatcher = await seat('qu-daqiban', 'dispatcher')
  people.custodian = await seat('qu-duchashi', 'custodian', 'custodian')
  people.approver = await seat('qu-daqiban', 'approver', 'approver')
  people.other = await seat('qu-daqiban', 'approver', 'approver')
  people.finance = await seat('qu-caizheng', 'finance', 'finance')
})
afterAll(async () => {
  await app.close()
})

interface Named {
  readonly caseNo: string
  readonly tip: string
  readonly receiptCode: string
}

async function file(
  part: Readonly<Record<string, unknown>> = { name: NAME, contact: CONTACT },
): Promise<Named> {
  const reply = await fetch(`${app.url}/api/v1/tips`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json' },
    body: JSON.stringify({ plain: plainTip(part) }),
  })
  const { caseNo, receiptCode } = (await reply.json()) as { caseNo: string; receiptCode: string }
  const { id } = await app.database.db
    .selectFrom('tip')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .select('tip.id')
    .where('case_no', '=', caseNo)
    .executeTakeFirstOrThrow()
  return { caseNo, tip: id, receiptCode }
}

/** Every generation of a role's key that a member holds, newest last. */
async function roleKeys({ session, identity }: TestMember, role: KeyRole): Promise<RoleIdentity[]> {
  const owner = ownerOf(role)
  const grants = (await app.services.keys.grantsFor(session.memberId)).filter(
    (grant) => grant.departmentId === owner,
  )
  return Promise.all(
    grants.map(async ({ epoch, wrapped }) => ({
      owner,
      epoch,
      identity: await openGrant({ department: owner, epoch }, wrapped, identity),
    })),
  )
}

async function roleKey(member: TestMember, role: KeyRole, epoch: number): Promise<RoleIdentity> {
  const key = (await roleKeys(member, role)).find((held) => held.epoch === epoch)
  if (!key) throw new Error(`no ${role} key ${String(epoch)}`)
  return key
}

async function sealedText(tip: string, text: string): Promise<Uint8Array> {
  const known = await app.services.keys.recipients()
  const recipients = (['custodian', 'approver'] as const).map(
    (role) => known.get(ownerOf(role))?.recipient ?? '',
  )
  return sealPart({ recipients, purpose: 'tip.request', tip, part: 0, bytes: utf8(text) })
}

async function ask(
  by: TestMember,
  { caseNo, tip }: Named,
  kind: 'read' | 'reissue' = 'read',
): Promise<string> {
  return app.services.identity.ask(by.session, caseNo, {
    tipId: tip,
    kind,
    reason: kind === 'read' ? 'clarify' : 'lost-code',
    sealedReason: await sealedText(tip, '要问夜里几点'),
  })
}

async function innerLayer(by: TestMember, id: string): Promise<Uint8Array> {
  const { tip, wrapped } = await app.services.identity.detail(by.session, id)
  if (!wrapped) throw new Error('nothing to strip')
  const key = await roleKey(by, 'approver', wrapped.epoch)
  return stripOuter({ purpose: 'tip.identity', tip }, key, wrapped.bytes)
}

async function strip(by: TestMember, id: string): Promise<void> {
  await app.services.identity.strip(by.session, id, await innerLayer(by, id))
}

async function pass(by: TestMember, id: string): Promise<void> {
  const { tip, inner, recipient, askedFor } = await app.services.identity.detail(by.session, id)
  if (!inner || !askedFor) throw new Error('nothing to pass on')
  const address = { purpose: 'tip.identity', tip } as const
  const key = await roleKey(by, 'custodian', inner.epoch)
  const { identity } = await openInner(address, key, inner.bytes, recipient)
  const to = { ...address, request: id, member: askedFor.memberId }
  await app.services.identity.pass(by.session, id, await passOn(to, identity, askedFor.recipient))
}

/** What whoever asked reads in the end. */
async function read(by: TestMember, id: string): Promise<unknown> {
  const { tip, memberId, passed, recipient, sealed } = await app.services.identity.open(by.session, id)
  const address = { purpose: 'tip.identity', tip } as const
  const to = { ...address, request: id, member: memberId }
  const { identity } = await openPassed(to, passed, by.identity, recipient)
  const opened = await openPart({ ...address, part: 0, identity, sealed })
  const { name, contact } = JSON.parse(fromUtf8(opened)) as SealedIdentity
  return { name, contact }
}

const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error as DomainError).code,
  )

const follow = async (code: string) => {
  const cookie = await app.services.receipts.open(code)
  return cookie === null ? null : app.services.receipts.current(cookie)
}

describe('a named reporter', () => {
  it('is sealed on arrival: the flag is all that is plain', async () => {
    const named = await file()
    const { db } = app.database
    const tip = await db.selectFrom('tip').select('named').where('id', '=', named.tip).executeTakeFirst()
    expect(tip).toEqual({ named: true })
    const found = await app.services.cases.detail(people.officer.session, named.caseNo)
    expect(found.tips[0]).toMatchObject({ named: true })
    expect((await follow(named.receiptCode))?.named).toBe(true)
    const { rows } = await sql<{ text: string }>`
      select row_to_json(part)::text as text from two_layer_part as part where tip_id = ${named.tip}::uuid
      union all select row_to_json(tip)::text from tip where id = ${named.tip}::uuid`.execute(db)
    expect(rows).toHaveLength(2)
    for (const { text } of rows) expect(text).not.toMatch(new RegExp(`${NAME}|${CONTACT}`))
    const publicRow = await db
      .selectFrom('public_case')
      .selectAll()
      .where('case_no', '=', named.caseNo)
      .executeTakeFirstOrThrow()
    expect(Object.keys(publicRow)).not.toContain('named')
  })

  it('is anonymous unless both name and contact are given', async () => {
    const { tip } = await file({})
    expect(
      await app.database.db
        .selectFrom('tip')
        .leftJoin('two_layer_part', 'two_layer_part.tip_id', 'tip.id')
        .select(['named', 'two_layer_part.purpose'])
        .where('tip.id', '=', tip)
        .executeTakeFirst(),
    ).toEqual({ named: false, purpose: null })
    for (const half of [{ name: NAME }, { contact: CONTACT }]) {
      const reply = await fetch(`${app.url}/api/v1/tips`, {
        method: 'POST',
        headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json' },
        body: JSON.stringify({ plain: plainTip(half) }),
      })
      expect(reply.status).toBe(422)
    }
  })

  it('does not open with the escrow of either envelope alone', async () => {
    const { tip } = await file()
    const part = await app.database.db
      .selectFrom('two_layer_part')
      .selectAll()
      .where('tip_id', '=', tip)
      .executeTakeFirstOrThrow()
    const address = { purpose: 'tip.identity', tip } as const
    const grants = await app.database.db
      .selectFrom('key_grant')
      .select(['department_id', 'epoch', 'wrapped'])
      .where('member_id', 'is', null)
      .execute()
    const opened: string[] = []
    for (const { department_id: owner, epoch, wrapped } of grants) {
      const identity = await openGrant({ department: owner, epoch }, wrapped, app.escrowIdentity).catch(
        () => null,
      )
      if (identity === null) continue
      const outer = await stripOuter(
        address,
        { owner: ownerOf('approver'), epoch, identity },
        part.wrapped,
      ).catch(() => null)
      if (outer) opened.push(owner)
    }
    expect(grants.length).toBeGreaterThan(40)
    expect(opened).toEqual([])
  })
})

describe('a request', () => {
  let named: Named
  beforeEach(async () => {
    named = await file()
  })

  it('goes from officer to approver to custodian and back, and the reporter is told', async () => {
    const id = await ask(people.officer, named)
    expect(await refusal(read(people.officer, id))).toBe('not-found')
    const seen = await app.services.identity.detail(people.approver.session, id)
    expect(seen).toMatchObject({
      caseNo: named.caseNo,
      reason: 'clarify',
      may: 'strip',
      sealed: null,
      inner: null,
    })
    const [key] = await roleKeys(people.approver, 'approver')
    const reason = { purpose: 'tip.request', tip: named.tip, part: 0, sealed: seen.sealedReason } as const
    expect(fromUtf8(await openPart({ ...reason, identity: key?.identity ?? '' }))).toBe('要问夜里几点')
    await strip(people.approver, id)
    await pass(people.custodian, id)
    expect(await read(people.officer, id)).toEqual({ name: NAME, contact: CONTACT })
    expect(await refusal(read(people.colleague, id))).toBe('not-found')

    expect((await follow(named.receiptCode))?.requests).toEqual([
      {
        day: '2026-11-25',
        department: HOLDER,
        kind: 'read',
        reason: 'clarify',
        agreed: true,
        decidedDay: '2026-11-25',
      },
    ])
    const audit = await app.database.db
      .selectFrom('staff_audit')
      .select(['action', 'role'])
      .where('object', '=', named.caseNo)
      .where('action', 'like', 'identity.%')
      .orderBy('id')
      .execute()
    expect(audit.map(({ action, role }) => `${String(role)} ${action}`)).toEqual([
      'officer identity.ask.read',
      'approver identity.strip',
      'custodian identity.pass',
      'officer identity.read',
    ])
  })

  it('is not passed on to a recipient that was put into the database', async () => {
    const id = await ask(people.officer, named)
    await strip(people.approver, id)
    const { memberId } = people.officer.session
    const put = (recipient: string) =>
      app.database.db.updateTable('member').set({ recipient }).where('id', '=', memberId).execute()
    const askedFor = async () => {
      const found = (await app.services.identity.detail(people.custodian.session, id)).askedFor
      if (!found) throw new Error('nothing to pass on')
      return found
    }
    const { root, entries } = await app.services.recipients.list()
    const present = verifyRecipientList(entries, root ?? '').get(HOLDER)
    if (!present) throw new Error('the department has no key')
    const thief = await createKeyPair()
    await put(thief.recipient)
    // What would happen if the browser believed the server; the server does not take it either.
    const { tip, inner, recipient } = await app.services.identity.detail(people.custodian.session, id)
    const address = { purpose: 'tip.identity', tip } as const
    const key = await roleKey(people.custodian, 'custodian', inner?.epoch ?? 0)
    const { identity } = await openInner(address, key, inner?.bytes ?? new Uint8Array(), recipient)
    const to = { ...address, request: id, member: memberId }
    const passed = await passOn(to, identity, (await askedFor()).recipient)
    expect((await openPassed(to, passed, thief.identity, recipient)).identity).toBe(identity)
    expect(await refusal(pass(people.custodian, id))).toBe('forbidden')
    expect(isVouched(present, await askedFor())).toBe(false)

    await put((await pairOf(people.officer.identity)).recipient)
    expect(isVouched(present, await askedFor())).toBe(true)
    await pass(people.custodian, id)
    expect(await read(people.officer, id)).toEqual({ name: NAME, contact: CONTACT })
  })

  it('is seen by nobody who has nothing to do with it', async () => {
    const id = await ask(people.officer, named)
    const seen: Record<string, string> = {}
    for (const [name, member] of Object.entries(people)) {
      seen[name] = await refusal(app.services.identity.detail(member.session, id))
    }
    expect(seen).toEqual({
      officer: 'done',
      colleague: 'not-found',
      stranger: 'not-found',
      dispatcher: 'not-found',
      custodian: 'done',
      approver: 'done',
      other: 'done',
      finance: 'not-found',
    })
  })

  it('cannot be made by another department, and by the dispatcher only for a new code', async () => {
    expect(await refusal(ask(people.stranger, named))).toBe('not-found')
    expect(await refusal(ask(people.dispatcher, named))).toBe('forbidden')
    expect(await refusal(ask(people.dispatcher, named, 'reissue'))).toBe('done')
    expect(await refusal(ask(people.approver, named))).toBe('not-found')
    const anonymous = await file({})
    expect(await refusal(ask(people.officer, anonymous))).toBe('invalid-input')
    expect(await refusal(ask(people.officer, { ...named, caseNo: anonymous.caseNo }))).toBe('not-found')
  })

  it('is made once at a time', async () => {
    const made = await Promise.all(
      [people.officer, people.colleague, people.officer].map((by) => refusal(ask(by, named))),
    )
    expect(made.sort()).toEqual(['case-transition', 'case-transition', 'done'])
  })

  it('is approved once when many press at once, and passed on once', async () => {
    const id = await ask(people.officer, named)
    const inner = await innerLayer(people.approver, id)
    const stripped = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        refusal(app.services.identity.strip((index % 2 ? people.approver : people.other).session, id, inner)),
      ),
    )
    expect(stripped.filter((one) => one === 'done')).toHaveLength(1)
    const passed = await Promise.all(Array.from({ length: 4 }, () => refusal(pass(people.custodian, id))))
    expect(passed.filter((one) => one === 'done')).toHaveLength(1)
  })

  it('takes its steps in order, each by the role that it is for', async () => {
    const id = await ask(people.officer, named)
    const age = await sealedText(named.tip, 'x')
    expect(await refusal(app.services.identity.pass(people.custodian.session, id, age))).toBe(
      'case-transition',
    )
    expect(await refusal(app.services.identity.strip(people.custodian.session, id, age))).toBe('not-found')
    expect(await refusal(app.services.identity.strip(people.officer.session, id, age))).toBe('not-found')
    expect(await refusal(app.services.identity.strip(people.approver.session, id, utf8('no age file')))).toBe(
      'invalid-input',
    )
    await strip(people.approver, id)
    expect(await refusal(app.services.identity.strip(people.other.session, id, age))).toBe('case-transition')
    expect(await refusal(app.services.identity.pass(people.approver.session, id, age))).toBe('not-found')
  })

  it('needs three different people, by the database’s word too', async () => {
    const both = await signInAs(app, HOLDER, ['officer', 'custodian'])
    const id = await ask(both, named)
    await strip(people.approver, id)
    const age = await sealedText(named.tip, 'x')
    expect(await refusal(app.services.identity.pass(both.session, id, age))).toBe('two-people')
    const { db } = app.database
    const set = (changes: Record<string, unknown>) =>
      db.updateTable('identity_request').set(changes).where('id', '=', id).execute()
    const step = {
      state: 'passed',
      passed: age,
      inner_layer: null,
      passed_at: now,
      readable_until: '2026-12-01',
    }
    for (const custodian of [both, people.approver]) {
      await expect(set({ ...step, custodian_id: custodian.session.memberId })).rejects.toThrow(/three_people/)
    }
    await expect(
      db
        .updateTable('identity_request')
        .set({ approver_id: both.session.memberId })
        .where('id', '=', id)
        .execute(),
    ).rejects.toThrow(/three_people/)
    for (const role of ['custodian', 'finance']) {
      await expect(
        db.insertInto('member_role').values({ member_id: people.approver.session.memberId, role }).execute(),
      ).rejects.toThrow(/member_role_/)
    }
  })

  it('can be refused by either, and then opens for nobody', async () => {
    const early = await ask(people.officer, named)
    await app.services.identity.refuse(people.approver.session, early)
    expect(await refusal(innerLayer(people.other, early).then(() => strip(people.other, early)))).not.toBe(
      'done',
    )
    const late = await ask(people.officer, named)
    await strip(people.approver, late)
    await app.services.identity.refuse(people.custodian.session, late)
    expect(await refusal(pass(people.custodian, late))).not.toBe('done')
    expect(await refusal(read(people.officer, late))).toBe('not-found')
    expect((await follow(named.receiptCode))?.requests.map(({ agreed }) => agreed)).toEqual([false, false])
  })

  it('can be read for seven days, then what would open it is gone', async () => {
    const id = await ask(people.officer, named)
    await strip(people.approver, id)
    await pass(people.custodian, id)
    const before = now
    try {
      now = new Date(before.getTime() + 7 * DAY_MS)
      people.officer = { ...people.officer, session: await again(people.officer) }
      expect(await read(people.officer, id)).toEqual({ name: NAME, contact: CONTACT })
      now = new Date(before.getTime() + 8 * DAY_MS)
      people.officer = { ...people.officer, session: await again(people.officer) }
      expect(await refusal(read(people.officer, id))).toBe('not-found')
      expect(await app.services.identity.tick()).toBeGreaterThan(0)
      const row = await app.database.db
        .selectFrom('identity_request')
        .select(['state', 'passed', 'inner_layer'])
        .where('id', '=', id)
        .executeTakeFirst()
      expect(row).toEqual({ state: 'expired', passed: null, inner_layer: null })
      expect((await follow(named.receiptCode))?.requests.at(-1)?.agreed).toBe(true)
    } finally {
      now = before
      people.officer = { ...people.officer, session: await again(people.officer) }
    }
  })

  it('is not for approvers and custodians of the department complained of', async () => {
    const accusing = await file({
      category: 'department-inaction',
      accused: 'qu-jianshe',
      name: NAME,
      contact: CONTACT,
    })
    const supervising = await seat('qu-duchashi', 'officer')
    const id = await ask(supervising, accusing)
    const accused = await seat('qu-jianshe', 'approver', 'approver')
    const impartial = await seat('qu-duchashi', 'approver', 'approver')
    expect(await refusal(app.services.identity.detail(accused.session, id))).toBe('not-found')
    // 区大气办 is kept out of such cases whole.
    expect(await refusal(app.services.identity.detail(people.approver.session, id))).toBe('not-found')
    expect(await refusal(app.services.identity.detail(impartial.session, id))).toBe('done')
  })
})

/** The same member with a factor shown just now. */
async function again({ session }: TestMember): Promise<TestMember['session']> {
  return { ...session, factorAt: now }
}

const tipRow = (tip: string) =>
  app.database.db.selectFrom('tip').selectAll().where('id', '=', tip).executeTakeFirstOrThrow()

describe('a new receipt code', () => {
  it('replaces the old one, which opens nothing more', async () => {
    const named = await file()
    const id = await ask(people.dispatcher, named, 'reissue')
    await strip(people.approver, id)
    const { tip, inner, recipient, sealed } = await app.services.identity.detail(people.custodian.session, id)
    if (!inner || !sealed) throw new Error('the custodian sees the person')
    const address = { purpose: 'tip.identity', tip } as const
    const key = await roleKey(people.custodian, 'custodian', inner.epoch)
    const { identity } = await openInner(address, key, inner.bytes, recipient)
    const opened = await openPart({ ...address, part: 0, identity, sealed })
    const person = JSON.parse(fromUtf8(opened)) as SealedIdentity
    const { recipient: tipRecipient } = await tipRow(tip)
    expect(person).toEqual({ name: NAME, contact: CONTACT, tipRecipient })

    const code = createReceiptCode((n) => app.deps.random.bytes(n))
    const receipt = await deriveReceipt(code)
    const sealedNote = await sealedText(tip, '打电话核对过')
    // The custodian's browser vouches for the new recipient, and knows the tip's from what the reporter sealed.
    const signature = signReissued({ tip, recipient: receipt.recipient }, key.identity)
    const recipientMac = tipRecipientMac(receipt.macKey, tip, person.tipRecipient ?? '')
    const made = { auth: receipt.auth, recipient: receipt.recipient, recipientMac, signature, sealedNote }
    expect(await refusal(app.services.identity.reissue(people.approver.session, id, made))).toBe('not-found')
    const forged = signReissued({ tip, recipient: receipt.recipient }, (await createKeyPair()).identity)
    for (const wrong of [{ auth: 'x' }, { recipientMac: 'x' }, { signature: forged }]) {
      const reissuing = app.services.identity.reissue(people.custodian.session, id, { ...made, ...wrong })
      expect(await refusal(reissuing)).toBe('invalid-input')
    }
    const { db } = app.database
    await db.updateTable('tip').set({ pin_tries: 5 }).where('id', '=', tip).execute()
    await app.services.identity.reissue(people.custodian.session, id, made)
    const row = db.selectFrom('tip').select('pin_tries').where('id', '=', tip)
    expect(await row.executeTakeFirst()).toEqual({ pin_tries: 0 })
    expect(await follow(named.receiptCode)).toBeNull()
    expect((await follow(code))?.requests).toEqual([
      expect.objectContaining({ kind: 'reissue', reason: 'lost-code', agreed: true }),
    ])
    expect(await refusal(app.services.identity.reissue(people.custodian.session, id, made))).toBe(
      'case-transition',
    )

    // With the new code the reporter writes, and an officer's browser takes the new recipient for that signature.
    const cookie = await app.services.receipts.open(code)
    expect((await app.services.receipts.sealsTo(cookie))?.recipients).toEqual([
      tipRecipient,
      receipt.recipient,
    ])
    const { entries } = await app.services.recipients.list()
    const custodians = entries.filter(({ owner }) => owner === ownerOf('custodian'))
    const row = await tipRow(tip)
    const told = { tip, recipient: row.reporter_recipient, signature: row.reporter_signature }
    const { recipient: before } = await deriveReceipt(named.receiptCode)
    expect(isReporters(told, before, custodians)).toBe(true)
  })

  it('does not come of a request to read, nor the other way round', async () => {
    const named = await file()
    const reading = await ask(people.officer, named)
    await strip(people.approver, reading)
    const { recipient } = await createKeyPair()
    const sealedNote = await sealedText(named.tip, 'x')
    const auth = Buffer.alloc(32, 7).toString('base64url')
    const made = { auth, recipient, recipientMac: null, signature: '', sealedNote }
    expect(await refusal(app.services.identity.reissue(people.custodian.session, reading, made))).toBe(
      'not-found',
    )
    const lost = await ask(people.officer, named, 'reissue')
    await strip(people.approver, lost)
    expect(await refusal(app.services.identity.pass(people.custodian.session, lost, sealedNote))).toBe(
      'not-found',
    )
  })
})

describe('the key of a role', () => {
  const approvers = ownerOf('approver')

  it('is granted by whoever holds it, to members of the role alone', async () => {
    const newcomer = await seat('qu-jianshe', 'approver')
    const waiting = await app.services.keys.waiting(people.approver.session)
    expect(waiting.map(({ memberId }) => memberId)).toContain(newcomer.session.memberId)
    const age = await sealedText(randomUUID(), 'x')
    const grants = [{ epoch: 1, wrapped: age }]
    const { identity } = await roleKey(people.approver, 'approver', 1)
    const give = async (by: TestMember, { session: { memberId }, identity: own }: TestMember) => {
      const { recipient } = await pairOf(own)
      const voucher = vouchForMember({ department: approvers, epoch: 1 }, { memberId, recipient }, identity)
      return refusal(app.services.keys.addGrants(by.session, memberId, grants, voucher, approvers))
    }
    expect(await give(people.custodian, newcomer)).toBe('forbidden')
    expect(await give(people.approver, people.officer)).toBe('invalid-input')
    expect(await give(people.approver, newcomer)).toBe('done')
    const escrow = app.approverEscrowIdentity
    const { username } = people.officer.session
    expect(await refusal(app.services.keys.grantFromEscrow(escrow, username, approvers))).toBe(
      'invalid-input',
    )
    expect(
      await refusal(
        app.services.keys.grantFromEscrow(app.escrowIdentity, people.other.session.username, approvers),
      ),
    ).toBe('invalid-input')
  })

  it('is replaced after somebody left, and the outer layers move to the next', async () => {
    const named = await file()
    const leaver = await seat('qu-jianshe', 'approver', 'approver')
    const kept = await roleKeys(leaver, 'approver')
    await app.services.staff.remove(leaver.session.username)
    const { rotations } = app.services
    expect((await rotations.stateFor(people.approver.session, approvers))?.replaceSince).not.toBeNull()
    const { epoch, holders, escrow, place } = await rotations.plan(people.approver.session, approvers)
    const made = await makeEpoch({ department: approvers, epoch }, holders, escrow)
    await rotations.rotate(people.approver.session, {
      owner: approvers,
      ...made,
      epoch,
      voucher: vouch(
        { department: approvers, epoch },
        made,
        (await roleKey(people.approver, 'approver', epoch - 1)).identity,
        place,
      ),
    })
    const older = await roleKeys(people.approver, 'approver')
    for (;;) {
      const { tips, ...to } = await rotations.batch(people.approver.session, approvers)
      if (tips.length === 0) break
      const moved = await Promise.all(
        tips.map(async ({ purpose, tipId, epoch: from, wrapped }) => {
          const key = older.find((held) => held.epoch === from)
          if (!key) throw new Error('no older key')
          const address = { purpose, tip: tipId, owner: approvers }
          return { purpose, tipId, epoch: to.epoch, wrapped: await rewrap(address, key, to, wrapped) }
        }),
      )
      await rotations.rewrap(people.approver.session, moved, approvers)
    }
    expect((await app.services.keys.checkEscrow(app.approverEscrowIdentity)).bad).toEqual([])
    expect((await app.services.keys.checkEscrow(app.escrowIdentity)).bad).toEqual([])
    const part = await app.database.db
      .selectFrom('two_layer_part')
      .selectAll()
      .where('tip_id', '=', named.tip)
      .executeTakeFirstOrThrow()
    expect(part.approver_epoch).toBe(epoch)
    for (const key of kept) {
      await expect(
        stripOuter({ purpose: 'tip.identity', tip: named.tip }, { ...key, epoch }, part.wrapped),
      ).rejects.toMatchObject({ code: 'wrong-key' })
    }
    const id = await ask(people.officer, named)
    await strip(people.approver, id)
    await pass(people.custodian, id)
    expect(await read(people.officer, id)).toEqual({ name: NAME, contact: CONTACT })
  })
})
