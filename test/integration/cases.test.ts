import { sql } from 'kysely'
import { beforeEach, describe, expect, it } from 'vitest'
import { createAltcha } from '../../src/adapters/altcha.ts'
import { createMemoryFiles } from '../../src/adapters/memory-files.ts'
import { createMemoryShredKeys } from '../../src/adapters/memory-shred-keys.ts'
import { createMemoryAuditMarks } from '../../src/adapters/audit-marks.ts'
import { createMemoryPin } from '../../src/adapters/recipient-pin.ts'
import type { Role } from '../../src/domain/case.ts'
import { createReceiptCode } from '../../src/domain/receipt.ts'
import type { KeyPair } from '../../src/sealing/age-identity.ts'
import { utf8 } from '../../src/sealing/bytes.ts'
import { sealPart } from '../../src/sealing/envelope.ts'
import { createTipKeys, wrapTipKey } from '../../src/sealing/tip-keys.ts'
import type { Db } from '../../src/db/connect.ts'
import { createAuditTrail } from '../../src/services/audit-trail.ts'
import type { Reader } from '../../src/services/case-access.ts'
import type { ActRequest, NewNote, NewWrap } from '../../src/services/cases.ts'
import { createServices, type Services } from '../../src/services/index.ts'
import { createPlanStore } from '../../src/services/plan-store.ts'
import { createDataVersions } from '../../src/services/versions.ts'
import { useTestDatabase } from '../support/database.ts'
import { quiet } from '../support/notices.ts'
import { seededBytes } from '../support/seeded-bytes.ts'

/** A Wednesday; two working days later is Friday. */
const MORNING = new Date('2026-11-25T02:00:00Z')

const database = useTestDatabase()
let services: Services
let now = MORNING
let made = 0
const random = seededBytes(7)

const uuid = (): string => {
  made += 1
  return `00000000-0000-4000-8000-${made.toString().padStart(12, '0')}`
}

beforeEach(async () => {
  now = MORNING
  const { db } = database
  const clock = { now: () => now }
  const versions = createDataVersions(db, clock, Number.POSITIVE_INFINITY)
  const secret = random(32)
  services = createServices({
    db,
    clock,
    random: { bytes: random, uuid },
    files: createMemoryFiles(() => now),
    shredKeys: createMemoryShredKeys(),
    photos: { decode: () => Promise.reject(new Error('no photo here')), close: () => Promise.resolve() },
    secrets: { lookup: secret, form: secret, salt: secret, cookie: secret },
    pin: createMemoryPin(),
    auditMarks: createMemoryAuditMarks(),
    gate: createAltcha({ clock, secret }),
    thirdPartyGate: null,
    plan: createPlanStore(db, versions),
    versions,
    ...quiet,
    demo: false,
  })
  await services.keys.init()
})

async function aMember(departmentId: string, ...roles: Role[]): Promise<Reader> {
  const username = `member-${uuid().slice(-6)}`
  const { token } = await services.staff.createEnrolment({
    username,
    displayName: username,
    departmentId,
    roles,
    createdBy: null,
  })
  await services.staff.enrol({
    token,
    salt: random(16),
    kdf: { memoryKiB: 47_104, iterations: 1, parallelism: 1 },
    auth: username,
    recipient: `age1${'q'.repeat(58)}`,
    wrappedIdentity: random(64),
  })
  const { id } = await database.db
    .selectFrom('member')
    .select('id')
    .where('username', '=', username)
    .executeTakeFirstOrThrow()
  return { memberId: id, departmentId, roles }
}

interface Filed {
  readonly caseNo: string
  readonly tipId: string
  readonly keys: KeyPair
}

/** An industrial emission: 区环保局 holds it. */
async function aTip(): Promise<Filed> {
  const keys = await createTipKeys()
  const tipId = uuid()
  const { caseNo } = await services.tips.file({
    id: tipId,
    keys,
    facts: {
      category: 'industrial-emission',
      answer: null,
      area: '410102012',
      when: 'recurring',
      urgency: 'normal',
      accused: null,
    },
    narrative: { description: '夜里冒黄烟。', place: '三号门', callback: null, checklist: [] },
    photos: [],
    receiptCode: createReceiptCode(random),
    idempotencyKey: uuid(),
    fingerprint: tipId,
    lane: 'normal',
    draftId: null,
  })
  return { caseNo, tipId, keys }
}

async function versionOf(caseNo: string): Promise<number> {
  const row = await database.db
    .selectFrom('case_file')
    .select('version')
    .where('case_no', '=', caseNo)
    .executeTakeFirstOrThrow()
  return row.version
}

const act = async (reader: Reader, { caseNo }: Filed, request: Omit<ActRequest, 'version'>) =>
  services.cases.act(reader, caseNo, { ...request, version: await versionOf(caseNo) })

async function wrapsTo(department: string, ...tips: readonly Filed[]): Promise<NewWrap[]> {
  const target = (await services.keys.recipients()).get(department)
  if (!target) throw new Error(`no key of ${department}`)
  return Promise.all(
    tips.map(async ({ tipId, keys }) => ({
      tipId,
      epoch: target.epoch,
      wrapped: await wrapTipKey(
        { tip: tipId, department, epoch: target.epoch },
        keys.identity,
        target.recipient,
      ),
    })),
  )
}

async function aNote({ tipId, keys }: Filed, text: string): Promise<NewNote> {
  const recipients = [keys.recipient]
  const sealed = await sealPart({ recipients, purpose: 'tip.note', tip: tipId, part: 0, bytes: utf8(text) })
  return { tipId, purpose: 'tip.note', sealed }
}

const decision = { kind: 'decision-number', caption: '示例罚〔2026〕1号', blobKey: null } as const
const conclusion = { action: 'conclude', outcome: 'substantiated', statement: '已责令停产整改。' } as const

/** Accepted, noted and proved by the officer: ready to be concluded. */
async function aWorkedTip(officer: Reader): Promise<Filed> {
  const tip = await aTip()
  await act(officer, tip, { action: 'accept' })
  await act(officer, tip, { action: 'note', note: await aNote(tip, '现场已看。') })
  await services.cases.addProof(officer, tip.caseNo, decision)
  return tip
}

describe('the life of a case', () => {
  it('goes from accept by note and proof to a page that shows what the preview showed', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const publisher = await aMember('qu-daqiban', 'publisher')
    const tip = await aWorkedTip(officer)
    expect((await services.cases.detail(officer, tip.caseNo)).item.state).toBe('working')
    expect((await act(officer, tip, conclusion)).state).toBe('concluded')

    const show = { hideArea: false, hideCategory: false }
    const preview = await services.reading.asPublic(await services.cases.preview(publisher, tip.caseNo, show))
    expect((await act(publisher, tip, { action: 'publish' })).state).toBe('published')
    now = new Date('2026-11-27T02:00:00Z')
    expect(await services.reading.case(tip.caseNo)).toEqual(preview)
    expect(preview.statement).toBe('已责令停产整改。')
    expect(preview.proof).toEqual([{ kind: 'decision-number', caption: '示例罚〔2026〕1号', photo: null }])

    const { events } = await services.cases.detail(officer, tip.caseNo)
    expect(events.map(({ action, role }) => `${role} ${action}`).slice(-4)).toEqual([
      'officer accept',
      'officer note',
      'officer conclude',
      'publisher publish',
    ])
  })

  it('refuses a conclusion without proof, and without the competent body when it is not ours', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const tip = await aTip()
    await act(officer, tip, { action: 'accept' })
    await act(officer, tip, { action: 'work' })
    await expect(act(officer, tip, conclusion)).rejects.toMatchObject({
      code: 'invalid-input',
      fields: [{ field: 'proof' }],
    })
    const outside = { ...conclusion, outcome: 'outside' } as const
    await expect(act(officer, tip, outside)).rejects.toMatchObject({ fields: [{ field: 'competentBody' }] })
    await act(officer, tip, { ...outside, competentBody: '市生态环境局' })
    expect((await services.cases.detail(officer, tip.caseNo)).competentBody).toBe('市生态环境局')
  })

  it('never lets one person investigate, conclude and publish', async () => {
    const everything = await aMember('qu-huanbao', 'officer', 'publisher')
    const colleague = await aMember('qu-huanbao', 'officer', 'publisher')
    const tip = await aWorkedTip(everything)
    await act(everything, tip, conclusion)
    await expect(act(everything, tip, { action: 'publish' })).rejects.toMatchObject({ code: 'two-people' })
    expect((await act(colleague, tip, { action: 'publish' })).state).toBe('published')
  })

  it('counts who added the proof among those who investigated', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const prover = await aMember('qu-huanbao', 'officer', 'publisher')
    const tip = await aTip()
    await act(officer, tip, { action: 'accept' })
    await act(officer, tip, { action: 'work' })
    await services.cases.addProof(prover, tip.caseNo, decision)
    await act(officer, tip, conclusion)
    await expect(act(prover, tip, { action: 'publish' })).rejects.toMatchObject({ code: 'two-people' })
  })

  it('refuses a version somebody else has passed, and changes nothing', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const tip = await aTip()
    const seen = await versionOf(tip.caseNo)
    await act(officer, tip, { action: 'accept' })
    await expect(
      services.cases.act(officer, tip.caseNo, { action: 'work', version: seen }),
    ).rejects.toMatchObject({ code: 'stale-version' })
    expect((await services.cases.detail(officer, tip.caseNo)).item.state).toBe('accepted')
  })

  it('lets one of two simultaneous steps through', async () => {
    const [one, other] = [await aMember('qu-huanbao', 'officer'), await aMember('qu-huanbao', 'officer')]
    const tip = await aTip()
    const version = await versionOf(tip.caseNo)
    const steps = await Promise.allSettled(
      [one, other].map((officer) => services.cases.act(officer, tip.caseNo, { action: 'accept', version })),
    )
    expect(steps.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('shows nothing to another department or to a role without cases', async () => {
    const tip = await aTip()
    for (const reader of [
      await aMember('qu-zhifa', 'officer'),
      await aMember('qu-huanbao', 'admin'),
      await aMember('qu-daqiban', 'publisher'),
    ]) {
      await expect(services.cases.detail(reader, tip.caseNo)).rejects.toMatchObject({ code: 'not-found' })
    }
  })
})

describe('returns', () => {
  it('go to the dispatcher after the second, whose decision is final', async () => {
    const huanbao = await aMember('qu-huanbao', 'officer')
    const zhifa = await aMember('qu-zhifa', 'officer')
    const jianshe = await aMember('qu-jianshe', 'officer')
    const dispatcher = await aMember('qu-daqiban', 'dispatcher')
    const tip = await aTip()
    const back = async (officer: Reader, target: string) =>
      act(officer, tip, {
        action: 'return',
        reason: 'other-department',
        target,
        wraps: await wrapsTo(target, tip),
      })
    expect((await back(huanbao, 'qu-zhifa')).state).toBe('routed')
    await expect(services.cases.detail(huanbao, tip.caseNo)).rejects.toMatchObject({ code: 'not-found' })
    expect((await back(zhifa, 'qu-jianshe')).state).toBe('routed')
    expect((await back(jianshe, 'qu-huanbao')).state).toBe('arbitration')

    const waiting = await services.cases.queue(dispatcher, { bucket: 'arbitration' }, null, 10)
    expect(waiting.items.map(({ caseNo, due }) => [caseNo, due])).toEqual([
      [tip.caseNo, { step: 'arbitrate', day: '2026-11-26' }],
    ])
    await act(dispatcher, tip, {
      action: 'decide_arbitration',
      target: 'qu-huanbao',
      wraps: await wrapsTo('qu-huanbao', tip),
    })
    const { item, tips } = await services.cases.detail(huanbao, tip.caseNo)
    expect([item.state, item.holder, tips[0]?.wrap?.department]).toEqual([
      'routed',
      'qu-huanbao',
      'qu-huanbao',
    ])
    await expect(back(huanbao, 'qu-zhifa')).rejects.toMatchObject({ code: 'case-transition' })
  })

  it('need a reason from the list and the key for the one proposed', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const tip = await aTip()
    const target = 'qu-zhifa'
    await expect(
      act(officer, tip, { action: 'return', reason: '太忙', target, wraps: await wrapsTo(target, tip) }),
    ).rejects.toMatchObject({ fields: [{ field: 'reason' }] })
    await expect(
      act(officer, tip, { action: 'return', reason: 'other-area', target, wraps: [] }),
    ).rejects.toMatchObject({ fields: [{ field: 'wraps' }] })
    expect((await services.cases.detail(officer, tip.caseNo)).returnedBy).toEqual([])
  })

  it('never stop the clock', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const other = await aMember('qu-zhifa', 'officer')
    const tip = await aTip()
    const { item } = await services.cases.detail(officer, tip.caseNo)
    now = new Date('2026-11-27T02:00:00Z')
    const wraps = await wrapsTo('qu-zhifa', tip)
    await act(officer, tip, { action: 'return', reason: 'other-area', target: 'qu-zhifa', wraps })
    const after = (await services.cases.detail(other, tip.caseNo)).item
    expect(after.concludeDue).toBe(item.concludeDue)
    expect(after.acceptDue).toBe('2026-12-01')
  })
})

describe('a reopened case', () => {
  /** Concluded by the officer and made public by the publisher. */
  async function aPublishedTip(officer: Reader): Promise<Filed> {
    const tip = await aWorkedTip(officer)
    await act(officer, tip, conclusion)
    await act(await aMember('qu-daqiban', 'publisher'), tip, { action: 'publish' })
    return tip
  }

  it('stays with its department when another officer is there, and is barred to the one before', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const colleague = await aMember('qu-huanbao', 'officer')
    const tip = await aPublishedTip(officer)
    await services.cases.dispute(tip.tipId)
    const { item, events, disputed } = await services.cases.detail(colleague, tip.caseNo)
    expect([item.state, item.holder, disputed]).toEqual(['routed', 'qu-huanbao', true])
    // What a citizen or the system did carries the day, not the minute, and no name.
    expect(events.slice(-2).map(({ role, action, at, actor }) => [role, action, at, actor])).toEqual([
      ['reporter', 'dispute', null, null],
      ['system', 'route_again', null, null],
    ])
    await expect(act(officer, tip, { action: 'accept' })).rejects.toMatchObject({ code: 'two-people' })
    expect((await act(colleague, tip, { action: 'accept' })).state).toBe('accepted')
    await expect(services.cases.dispute(tip.tipId)).rejects.toMatchObject({ code: 'case-transition' })
  })

  it('goes to 区政府督查室 when nobody else is left, which then gets the key', async () => {
    const tip = await aPublishedTip(await aMember('qu-huanbao', 'officer'))
    const auditor = await aMember('qu-zhifa', 'auditor')
    await act(auditor, tip, { action: 'audit_reopen', note: await aNote(tip, '照片与地点不符。') })
    const supervisor = await aMember('qu-duchashi', 'officer')
    const dispatcher = await aMember('qu-daqiban', 'dispatcher')
    const before = await services.cases.detail(supervisor, tip.caseNo)
    expect([before.item.holder, before.wrapMissing, before.tips[0]?.wrap]).toEqual([
      'qu-duchashi',
      true,
      null,
    ])
    await services.cases.rewrap(dispatcher, tip.caseNo, await wrapsTo('qu-duchashi', tip))
    const after = await services.cases.detail(supervisor, tip.caseNo)
    expect([after.wrapMissing, after.tips[0]?.wrap?.department]).toEqual([false, 'qu-duchashi'])
  })

  it('is closed for good the day after the reporter could object', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const tip = await aPublishedTip(officer)
    const { disputeUntil } = await services.cases.detail(officer, tip.caseNo)
    now = new Date(`${disputeUntil ?? ''}T02:00:00Z`)
    expect(await services.cases.tick()).toBe(0)
    now = new Date(now.getTime() + 86_400_000)
    expect(await services.cases.tick()).toBe(1)
    expect((await services.cases.detail(officer, tip.caseNo)).item.state).toBe('closed')
    await expect(services.cases.dispute(tip.tipId)).rejects.toMatchObject({ code: 'case-transition' })
  })
})

describe('a duplicate', () => {
  it('is folded into the earlier case, whose officers then open both', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const first = await aTip()
    now = new Date('2026-11-26T02:00:00Z')
    const second = await aTip()
    await expect(act(officer, first, { action: 'attach', attachTo: second.caseNo })).rejects.toMatchObject({
      fields: [{ field: 'attachTo' }],
    })
    // As somebody types it.
    const attachTo = first.caseNo.toLowerCase().replaceAll('-', ' ')
    expect((await act(officer, second, { action: 'attach', attachTo })).state).toBe('attached')
    const { tips } = await services.cases.detail(officer, first.caseNo)
    expect(tips.map(({ caseNo, wrap }) => [caseNo, wrap?.department])).toEqual([
      [first.caseNo, 'qu-huanbao'],
      [second.caseNo, 'qu-huanbao'],
    ])
    const queue = await services.cases.queue(officer, { bucket: 'new' }, null, 10)
    expect(queue.items.map(({ caseNo, tipCount }) => [caseNo, tipCount])).toEqual([[first.caseNo, 2]])
  })
})

describe('a step by staff', () => {
  const check = (db: Db = database.db) =>
    createAuditTrail({ db, clock: { now: () => now }, auditMarks: createMemoryAuditMarks() }).check(null)

  it('has a line in the audit, with the hash of what is stored and nothing that was written', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const tip = await aWorkedTip(officer)
    await act(officer, tip, conclusion)
    await act(await aMember('qu-daqiban', 'publisher'), tip, { action: 'publish' })
    await services.cases.dispute(tip.tipId)
    const lines = await database.db
      .selectFrom('staff_audit')
      .select(['action', 'role', 'data'])
      .where('object', '=', tip.caseNo)
      .orderBy('no')
      .execute()
    const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/) as string
    expect(lines).toEqual([
      { action: 'case.accept', role: 'officer', data: { event: 3, sha256 } },
      { action: 'case.note', role: 'officer', data: { event: 4, sha256 } },
      { action: 'proof.add', role: 'officer', data: {} },
      { action: 'case.conclude', role: 'officer', data: { event: 5, sha256 } },
      { action: 'case.publish', role: 'publisher', data: { event: 6, sha256 } },
    ])
    expect(await check()).toMatchObject({ intact: true, events: { since: now, same: 4, faults: [] } })
  })

  it('that was changed, deleted or slipped in is told by the audit', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const { caseNo } = await aWorkedTip(officer)
    const step = (ordinal: number, fault: string) => [{ caseNo, ordinal, fault }]
    const tampering: readonly [string, ReturnType<typeof step>][] = [
      [`update case_event set data = '{"reason":"x"}' where ordinal = 3`, step(3, 'changed')],
      [`update case_event set at = at - interval '1 day' where ordinal = 3`, step(3, 'changed')],
      ['update case_event set actor_id = null, at = null where ordinal = 4', step(4, 'changed')],
      [`update case_event set action = 'work' where ordinal = 4`, step(4, 'changed')],
      [
        'update case_event set ordinal = 9 where ordinal = 4',
        [...step(4, 'missing'), ...step(9, 'unlisted')],
      ],
      ['delete from case_event where ordinal = 4', step(4, 'missing')],
      [
        `insert into case_event select case_id, 5, day, at, actor_id, role, 'extend', to_state, to_state, '{}'
          from case_event where ordinal = 4`,
        step(5, 'unlisted'),
      ],
    ]
    for (const [statement, faults] of tampering) {
      const undone = new Error('undone')
      const tampered = database.db.transaction().execute(async (tx) => {
        await sql.raw(statement).execute(tx)
        expect(await check(tx), statement).toMatchObject({ fault: null, intact: false, events: { faults } })
        throw undone
      })
      await expect(tampered).rejects.toBe(undone)
    }
    expect((await check()).intact).toBe(true)
  })

  it('from before there were such lines needs none', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const tip = await aTip()
    await act(officer, tip, { action: 'accept' })
    await sql`truncate staff_audit, audit_head`.execute(database.db)
    expect(await check()).toMatchObject({ intact: true, events: { since: null, same: 0 } })
    now = new Date(now.getTime() + 1000)
    await act(officer, tip, { action: 'work' })
    expect(await check()).toMatchObject({ intact: true, events: { since: now, same: 1 } })
  })

  it('on a complaint about a department is not shown to its auditors', async () => {
    const supervisor = await aMember('qu-duchashi', 'officer', 'auditor')
    const accused = await aMember('qu-huanbao', 'auditor')
    const tip = await aTip()
    await database.db
      .updateTable('case_file')
      .set({ holder_id: 'qu-duchashi', accused_department_id: 'qu-huanbao' })
      .where('case_no', '=', tip.caseNo)
      .execute()
    await act(supervisor, tip, { action: 'accept' })
    const latest = async (reader: Reader) => (await services.staff.audit(reader, null)).items[0]
    expect(await latest(supervisor)).toMatchObject({ action: 'case.accept', object: tip.caseNo })
    expect(await latest(accused)).toMatchObject({ action: 'case.accept', object: null })
  })
})

describe('the queue', () => {
  it('puts what is owed first first, page by page, and names it overdue the day after', async () => {
    const officer = await aMember('qu-huanbao', 'officer')
    const accepted = await aTip()
    await act(officer, accepted, { action: 'accept' })
    const fresh = [await aTip(), await aTip()].map(({ caseNo }) => caseNo).sort()
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page = await services.cases.queue(officer, { bucket: 'all' }, cursor, 2)
      seen.push(...page.items.map(({ caseNo }) => caseNo))
      cursor = page.next
    } while (cursor)
    expect(seen).toEqual([...fresh, accepted.caseNo])
    expect(await services.cases.counts(officer)).toMatchObject({
      new: 2,
      working: 1,
      'due-soon': 2,
      overdue: 0,
    })

    now = new Date('2026-11-28T02:00:00Z')
    expect(await services.cases.counts(officer)).toMatchObject({ 'due-soon': 0, overdue: 2 })
    const late = await services.cases.queue(officer, { bucket: 'overdue' }, null, 10)
    expect(late.items.map(({ caseNo, overdue }) => [caseNo, overdue])).toEqual(fresh.map((no) => [no, true]))
  })
})
