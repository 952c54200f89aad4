import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { EXAMPLE_TERMS } from '../../db/seed/rewards.ts'
import { createAltcha } from '../../src/adapters/altcha.ts'
import { createMemoryFiles } from '../../src/adapters/memory-files.ts'
import { createMemoryShredKeys } from '../../src/adapters/memory-shred-keys.ts'
import { createMemoryAuditMarks } from '../../src/adapters/audit-marks.ts'
import { createMemoryPin } from '../../src/adapters/recipient-pin.ts'
import { connectPostgres, type Db } from '../../src/db/connect.ts'
import type { Outcome, Role } from '../../src/domain/case.ts'
import { addDays, dayOf, startOfDay, type Day } from '../../src/domain/day.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { createReceiptCode } from '../../src/domain/receipt.ts'
import type { Findings, RewardTerms } from '../../src/domain/reward.ts'
import { ownerOf, type KeyRole } from '../../src/domain/roles.ts'
import { fromUtf8 } from '../../src/sealing/bytes.ts'
import { openGrant } from '../../src/sealing/department-keys.ts'
import { openPart } from '../../src/sealing/envelope.ts'
import { openInner, stripOuter, type RoleIdentity } from '../../src/sealing/two-layer.ts'
import type { EscrowIdentities } from '../../src/services/keys.ts'
import { createTipKeys } from '../../src/sealing/tip-keys.ts'
import { createAuditTrail } from '../../src/services/audit-trail.ts'
import type { Reader } from '../../src/services/case-access.ts'
import type { ActRequest } from '../../src/services/cases.ts'
import { createServices, type Services } from '../../src/services/index.ts'
import { createPlanStore } from '../../src/services/plan-store.ts'
import type { ServerSecrets } from '../../src/services/ports.ts'
import type { StaffSession } from '../../src/services/staff.ts'
import { createDataVersions } from '../../src/services/versions.ts'
import { openTestDatabase, type TestDatabase } from '../support/database.ts'
import { quiet } from '../support/notices.ts'
import { seededBytes } from '../support/seeded-bytes.ts'

const MORNING = new Date('2026-11-25T02:00:00Z')
const HOLDER = 'qu-huanbao'
const YUAN = 100
const FOUND: Findings = { knownBefore: 'new', evidence: 'led', penalty: { kind: 'none', fineFen: 0 } }
/** An industrial emission by {@link EXAMPLE_TERMS}. */
const AMOUNT = 1000 * YUAN

let database: TestDatabase
let services: Services
let secrets: ServerSecrets
let now = MORNING
let made = 0
const random = seededBytes(11)
const uuid = (): string => {
  made += 1
  return `00000000-0000-4000-8000-${made.toString().padStart(12, '0')}`
}

const pin = createMemoryPin()
const servicesOn = (db: Db): Services => {
  const clock = { now: () => now }
  const versions = createDataVersions(db, clock, 0)
  return createServices({
    db,
    clock,
    random: { bytes: random, uuid },
    files: createMemoryFiles(() => now),
    shredKeys: createMemoryShredKeys(),
    photos: { decode: () => Promise.reject(new Error('no photo here')), close: () => Promise.resolve() },
    secrets,
    pin,
    auditMarks: createMemoryAuditMarks(),
    gate: createAltcha({ clock, secret: secrets.form }),
    thirdPartyGate: null,
    plan: createPlanStore(db, versions),
    versions,
    ...quiet,
    demo: false,
  })
}

let escrows: EscrowIdentities
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(async () => {
  await database.close()
})
beforeEach(async () => {
  await database.reset()
  now = MORNING
  const secret = random(32)
  secrets = { lookup: secret, form: secret, salt: secret, cookie: secret }
  services = servicesOn(database.db)
  escrows = await services.keys.init()
})

async function aMember(departmentId: string, ...roles: Role[]): Promise<Reader> {
  const id = uuid()
  await database.db
    .insertInto('member')
    .values({
      id,
      username: `member-${id.slice(-6)}`,
      display_name: '某人',
      department_id: departmentId,
      salt: Buffer.alloc(16),
      kdf: '{}',
      auth_hash: Buffer.alloc(32),
      recipient: 'age1test',
      wrapped_identity: Buffer.alloc(1),
      status: 'active',
      created_at: now,
    })
    .execute()
  await database.db
    .insertInto('member_role')
    .values(roles.map((role) => ({ member_id: id, role })))
    .execute()
  return { memberId: id, departmentId, roles }
}

/** Everybody it takes; the officer is the holder's. */
interface Crew {
  readonly admin: Reader
  readonly officer: Reader
  readonly publisher: Reader
  readonly approver: Reader
  readonly finance: Reader
  readonly auditor: Reader
}
async function aCrew(): Promise<Crew> {
  return {
    admin: await aMember('qu-daqiban', 'admin'),
    officer: await aMember(HOLDER, 'officer'),
    publisher: await aMember('qu-daqiban', 'publisher'),
    approver: await aMember('qu-daqiban', 'approver'),
    finance: await aMember('qu-caizheng', 'finance'),
    auditor: await aMember('qu-duchashi', 'auditor'),
  }
}

/** A confirmed schedule that is in force today. */
async function aSchedule({ admin, approver }: Crew, part: Partial<RewardTerms> = {}): Promise<void> {
  const id = await services.rewardRules.proposeSchedule(admin, {
    title: '测试奖励标准',
    basis: '测试〔2026〕1号',
    validFrom: dayOf(now),
    validUntil: null,
    terms: { ...EXAMPLE_TERMS, ...part },
  })
  await services.rewardRules.decide(approver, 'schedule', id, true)
}

async function aSetting({ admin, approver }: Crew, anonymous: boolean, perMille: number): Promise<void> {
  const id = await services.rewardRules.proposeSetting(admin, { anonymous, inspectPerMille: perMille })
  await services.rewardRules.decide(approver, 'setting', id, true)
}

interface Filed {
  readonly caseNo: string
  readonly tipId: string
  readonly receiptCode: string
}

async function aTip(category = 'industrial-emission', claimPin: string | null = null): Promise<Filed> {
  const keys = await createTipKeys()
  const tipId = uuid()
  const receiptCode = createReceiptCode(random)
  const { caseNo } = await services.tips.file({
    id: tipId,
    keys,
    facts: { category, answer: null, area: '410102012', when: 'recurring', urgency: 'normal', accused: null },
    narrative: { description: '夜里冒黄烟。', place: '三号门', callback: null, checklist: [] },
    photos: [],
    receiptCode,
    idempotencyKey: uuid(),
    fingerprint: tipId,
    lane: 'normal',
    claimPin,
    draftId: null,
  })
  return { caseNo, tipId, receiptCode }
}

async function act(reader: Reader, { caseNo }: Filed, request: Omit<ActRequest, 'version'>): Promise<void> {
  const { version } = await database.db
    .selectFrom('case_file')
    .select('version')
    .where('case_no', '=', caseNo)
    .executeTakeFirstOrThrow()
  await services.cases.act(reader, caseNo, { ...request, version })
}

async function conclude(
  { officer }: Crew,
  tip: Filed,
  outcome: Outcome = 'substantiated',
  proof: 'decision-number' | 'rectification-note' = 'decision-number',
): Promise<void> {
  await act(officer, tip, { action: 'accept' })
  await act(officer, tip, { action: 'work' })
  await services.cases.addProof(officer, tip.caseNo, {
    kind: proof,
    caption: '示例罚〔2026〕1号',
    blobKey: null,
  })
  await act(officer, tip, { action: 'conclude', outcome, statement: '已责令停产整改。' })
}

async function aPublishedTip(
  crew: Crew,
  outcome: Outcome = 'substantiated',
  claimPin: string | null = null,
): Promise<Filed> {
  const tip = await aTip(undefined, claimPin)
  await conclude(crew, tip, outcome)
  await act(crew.publisher, tip, { action: 'publish' })
  return tip
}

/** Approved and waiting to be claimed. */
async function anApproved(
  crew: Crew,
  claimPin: string | null = null,
): Promise<Filed & { readonly rewardId: string }> {
  const tip = await aPublishedTip(crew, 'substantiated', claimPin)
  const rewardId = await services.rewards.propose(crew.officer, tip.caseNo, FOUND)
  await services.rewards.approve(crew.approver, rewardId)
  return { ...tip, rewardId }
}

const pay = (crew: Crew, code: string, voucherNo: string, of: Services = services) =>
  of.rewards.pay(crew.finance, { code, voucherNo, identityChecked: true })

async function aPaid(crew: Crew, voucherNo: string): Promise<Filed & { readonly rewardId: string }> {
  const tip = await anApproved(crew)
  const { code } = await services.rewards.claim(tip.tipId, uuid(), false)
  await pay(crew, code, voucherNo)
  return tip
}

async function balances(year = 2026): Promise<Record<string, number>> {
  const rows = await database.db.selectFrom('reward_account').selectAll().where('year', '=', year).execute()
  const found = Object.fromEntries(rows.map((row) => [row.account, row.balance_fen]))
  // Whatever a test did, the books balance, and the accounts say what the postings say.
  expect(Object.values(found).reduce((sum, balance) => sum + balance, 0)).toBe(0)
  const posted = await database.db
    .selectFrom('reward_posting')
    .select(['account', (eb) => eb.fn.sum<number>('amount_fen').as('sum')])
    .where('year', '=', year)
    .groupBy('account')
    .execute()
  expect(Object.fromEntries(posted.map((row) => [row.account, Number(row.sum)]))).toEqual(found)
  return found
}

const statusOf = async (rewardId: string): Promise<string> =>
  (
    await database.db
      .selectFrom('reward')
      .select('status')
      .where('id', '=', rewardId)
      .executeTakeFirstOrThrow()
  ).status

const later = (days: number): Day => {
  now = new Date(now.getTime() + days * 86_400_000)
  return dayOf(now)
}

describe('a schedule', () => {
  const terms = EXAMPLE_TERMS
  const draft = { title: '标准', basis: '文〔2026〕1号', validFrom: '2026-11-25', validUntil: null, terms }

  it('opens the rewards only after a second person confirmed it', async () => {
    const crew = await aCrew()
    expect((await services.rewards.public()).schedule).toBeNull()
    const id = await services.rewardRules.proposeSchedule(crew.admin, draft)
    expect((await services.rewards.public()).schedule).toBeNull()
    await expect(services.rewardRules.decide(crew.admin, 'schedule', id, true)).rejects.toMatchObject({
      code: 'two-people',
    })
    const key = await services.versions.current()
    await services.rewardRules.decide(crew.approver, 'schedule', id, true)
    expect((await services.rewards.public()).schedule).toMatchObject({ version: 1, example: false, terms })
    // Pages rendered before are not shown again.
    expect(await services.versions.current()).not.toBe(key)
    expect(await balances()).toEqual({ appropriation: -terms.yearBudgetFen, available: terms.yearBudgetFen })
  })

  it('needs two people in the database too', async () => {
    const { admin } = await aCrew()
    const id = await services.rewardRules.proposeSchedule(admin, draft)
    const change = database.db
      .updateTable('reward_schedule')
      .set({ status: 'confirmed', version: 1, decided_by: admin.memberId, decided_at: now })
      .where('id', '=', id)
    await expect(change.execute()).rejects.toThrow(/reward_schedule_two_people/)
  })

  it('is confirmed once, whoever is faster, and not after its first day', async () => {
    const crew = await aCrew()
    const other = await aMember('qu-daqiban', 'approver')
    const id = await services.rewardRules.proposeSchedule(crew.admin, draft)
    const decided = await Promise.allSettled(
      [crew.approver, other].map((one) => services.rewardRules.decide(one, 'schedule', id, true)),
    )
    expect(decided.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])

    const late = await services.rewardRules.proposeSchedule(crew.admin, { ...draft, validFrom: '2026-11-26' })
    later(3)
    await expect(services.rewardRules.decide(crew.approver, 'schedule', late, true)).rejects.toMatchObject({
      code: 'invalid-input',
    })
    await services.rewardRules.decide(crew.approver, 'schedule', late, false)
  })

  it('cannot begin in the past, and tells each field that is wrong', async () => {
    const { admin } = await aCrew()
    await expect(
      services.rewardRules.proposeSchedule(admin, {
        title: ' ',
        basis: '',
        validFrom: '2026-11-24',
        validUntil: '2026-02-30',
        terms: { ...terms, capFen: 0 },
      }),
    ).rejects.toMatchObject({
      fields: [
        { field: 'title' },
        { field: 'basis' },
        { field: 'cap' },
        { field: 'validFrom' },
        { field: 'validUntil' },
      ],
    })
  })

  it('is proposed and confirmed by the roles for it alone', async () => {
    const crew = await aCrew()
    for (const reader of [crew.officer, crew.approver, crew.auditor, crew.publisher])
      await expect(services.rewardRules.proposeSchedule(reader, draft)).rejects.toMatchObject({
        code: 'forbidden',
      })
    const id = await services.rewardRules.proposeSchedule(crew.finance, draft)
    for (const reader of [crew.officer, crew.auditor, crew.publisher])
      await expect(services.rewardRules.decide(reader, 'schedule', id, true)).rejects.toMatchObject({
        code: 'forbidden',
      })
  })

  it('changes the budget of its year up and down, never below what is spoken for', async () => {
    const crew = await aCrew()
    await aSchedule(crew, { yearBudgetFen: 8000 * YUAN, capFen: 2000 * YUAN })
    await anApproved(crew)
    await anApproved(crew)
    later(1)
    await aSchedule(crew, { yearBudgetFen: 1500 * YUAN, capFen: 1000 * YUAN })
    expect(await balances()).toEqual({ appropriation: -2 * AMOUNT, available: 0, committed: 2 * AMOUNT })
    later(1)
    await aSchedule(crew, { yearBudgetFen: 9000 * YUAN, capFen: 1000 * YUAN })
    expect((await balances())['available']).toBe(9000 * YUAN - 2 * AMOUNT)
  })

  it('gives the next year a budget of its own', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    now = new Date('2027-01-04T02:00:00Z')
    await services.rewards.tick()
    await services.rewards.tick()
    expect((await balances(2027))['available']).toBe(EXAMPLE_TERMS.yearBudgetFen)
    expect((await balances(2026))['available']).toBe(EXAMPLE_TERMS.yearBudgetFen)
  })
})

describe('an assessment', () => {
  it('follows the schedule of the day on which the tip came', async () => {
    const crew = await aCrew()
    const before = await aTip()
    later(1)
    await aSchedule(crew)
    const under = await aTip()
    later(1)
    await aSchedule(crew, { fixedFen: { 'industrial-emission': 300 * YUAN } })
    await conclude(crew, before)
    await conclude(crew, under)
    const after = await aTip()
    await conclude(crew, after)
    await expect(services.rewards.propose(crew.officer, before.caseNo, FOUND)).rejects.toMatchObject({
      code: 'reward-transition',
    })
    const amount = async ({ caseNo }: Filed) =>
      (await services.rewards.assessment(crew.officer, caseNo, FOUND)).amountFen
    expect([await amount(under), await amount(after)]).toEqual([AMOUNT, 300 * YUAN])
  })

  it('needs a conclusion that holds and a decision number', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const open = await aTip()
    const without = await aTip()
    const untrue = await aTip()
    await conclude(crew, without, 'substantiated', 'rectification-note')
    await conclude(crew, untrue, 'unsubstantiated')
    await expect(services.rewards.propose(crew.officer, open.caseNo, FOUND)).rejects.toMatchObject({
      code: 'not-found',
    })
    for (const { caseNo } of [without, untrue])
      await expect(services.rewards.propose(crew.officer, caseNo, FOUND)).rejects.toMatchObject({
        code: 'reward-transition',
      })
    expect((await services.rewards.waiting(crew.officer)).toAssess).toEqual([])
  })

  it('waits for the holder’s officers, and is gone for another department', async () => {
    const crew = await aCrew()
    const stranger = await aMember('qu-jianshe', 'officer')
    await aSchedule(crew)
    const tip = await aPublishedTip(crew)
    expect((await services.rewards.waiting(crew.officer)).toAssess.map(({ caseNo }) => caseNo)).toEqual([
      tip.caseNo,
    ])
    expect((await services.rewards.waiting(stranger)).toAssess).toEqual([])
    for (const reader of [stranger, crew.approver, crew.finance])
      await expect(services.rewards.propose(reader, tip.caseNo, FOUND)).rejects.toMatchObject({
        code: 'not-found',
      })
    const id = await services.rewards.propose(crew.officer, tip.caseNo, FOUND)
    expect((await services.rewards.waiting(crew.officer)).toAssess).toEqual([])
    for (const reader of [stranger, crew.finance, crew.publisher, crew.admin])
      await expect(services.rewards.detail(reader, id)).rejects.toMatchObject({ code: 'not-found' })
  })

  it('is made once, however many propose at once', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await aPublishedTip(crew)
    const proposed = await Promise.allSettled(
      Array.from({ length: 10 }, () => services.rewards.propose(crew.officer, tip.caseNo, FOUND)),
    )
    expect(proposed.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const one of proposed)
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'stale-version' })
    expect(await database.db.selectFrom('reward').selectAll().execute()).toHaveLength(1)
  })

  it('rewards the first of several by the ordinal of its filing, and tells the others why not', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    // All on one day: only the ordinal tells them apart, and the case numbers are drawn by lot.
    const tips = [await aTip(), await aTip(), await aTip()]
    const [root, ...others] = [...tips].sort((a, b) => (a.caseNo < b.caseNo ? -1 : 1))
    if (!root) throw new Error('no tip')
    for (const other of others) await act(crew.officer, other, { action: 'attach', attachTo: root.caseNo })
    await conclude(crew, root)
    await act(crew.publisher, root, { action: 'publish' })
    const id = await services.rewards.propose(crew.officer, root.caseNo, FOUND)
    await services.rewards.approve(crew.approver, id)
    const stages = await Promise.all(tips.map(({ tipId }) => services.rewards.ofTip(tipId)))
    expect(stages.map(({ stage }) => stage)).toEqual(['claimable', 'refused', 'refused'])
    expect(stages[1]?.lines.filter((line) => line.kind === 'condition' && !line.met)).toMatchObject([
      { rule: 'first' },
    ])
    await expect(services.rewards.claim(tips[1]?.tipId ?? '', uuid(), false)).rejects.toMatchObject({
      code: 'reward-transition',
    })
  })

  it('that says no is decided by a second person as well, and told line by line', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await aPublishedTip(crew)
    const id = await services.rewards.propose(crew.officer, tip.caseNo, {
      ...FOUND,
      knownBefore: 'investigated',
    })
    expect((await services.rewards.ofTip(tip.tipId)).stage).toBe('pending')
    await services.rewards.approve(crew.approver, id)
    expect(await statusOf(id)).toBe('denied')
    const told = await services.rewards.ofTip(tip.tipId)
    expect(told.stage).toBe('refused')
    expect(told.lines.filter((line) => line.kind === 'condition' && !line.met)).toMatchObject([
      { rule: 'unknown' },
    ])
    expect((await balances())['committed']).toBeUndefined()
    // Taken back, it can be assessed again.
    await services.rewards.release(crew.approver, id, 'assessment', '')
    await services.rewards.propose(crew.officer, tip.caseNo, FOUND)
  })

  it('that was sent back is made anew', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await aPublishedTip(crew)
    const id = await services.rewards.propose(crew.officer, tip.caseNo, FOUND)
    await services.rewards.sendBack(crew.approver, id, 'amount')
    expect(await services.rewards.detail(crew.officer, id)).toMatchObject({
      status: 'sent-back',
      sendBackReason: 'amount',
      may: {},
    })
    expect((await services.rewards.assessment(crew.officer, tip.caseNo, null)).sentBack).toEqual({
      reason: 'amount',
      day: '2026-11-25',
    })
    await services.rewards.propose(crew.officer, tip.caseNo, {
      ...FOUND,
      penalty: { kind: 'fine', fineFen: 3_000_000 },
    })
  })
})

describe('an approval', () => {
  it('waits for the publication, so that the reporter learns nothing before', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await aTip()
    await conclude(crew, tip)
    const id = await services.rewards.propose(crew.officer, tip.caseNo, FOUND)
    expect(await services.rewards.ofTip(tip.tipId)).toMatchObject({
      stage: 'pending',
      lines: [],
      amountFen: null,
    })
    await expect(services.rewards.approve(crew.approver, id)).rejects.toMatchObject({
      code: 'reward-transition',
    })
    await act(crew.publisher, tip, { action: 'publish' })
    await services.rewards.approve(crew.approver, id)
    expect(await services.rewards.ofTip(tip.tipId)).toMatchObject({
      stage: 'claimable',
      amountFen: AMOUNT,
      lastDay: addDays('2026-11-25', 60),
      identityNeeded: true,
    })
  })

  it('is for another person with the role, and given once', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const both = await aMember(HOLDER, 'officer', 'approver')
    const tip = await aPublishedTip(crew)
    const id = await services.rewards.propose(both, tip.caseNo, FOUND)
    await expect(services.rewards.approve(both, id)).rejects.toMatchObject({ code: 'two-people' })
    await expect(services.rewards.approve(crew.officer, id)).rejects.toMatchObject({ code: 'forbidden' })
    const approved = await Promise.allSettled(
      Array.from({ length: 10 }, () => services.rewards.approve(crew.approver, id)),
    )
    expect(approved.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((await balances())['committed']).toBe(AMOUNT)
  })

  it('stops at the year’s budget, however many approve at once', async () => {
    const crew = await aCrew()
    await aSchedule(crew, { yearBudgetFen: 3500 * YUAN, capFen: 1000 * YUAN })
    const ids: string[] = []
    for (let index = 0; index < 6; index += 1) {
      const tip = await aPublishedTip(crew)
      ids.push(await services.rewards.propose(crew.officer, tip.caseNo, FOUND))
    }
    const approved = await Promise.allSettled(ids.map((id) => services.rewards.approve(crew.approver, id)))
    expect(approved.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    for (const one of approved)
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'budget-exceeded' })
    expect(await balances()).toEqual({
      appropriation: -3500 * YUAN,
      available: 500 * YUAN,
      committed: 3000 * YUAN,
    })
    // A refused one is as it was: with more money it can be approved.
    later(1)
    await aSchedule(crew)
    for (const id of ids)
      if ((await statusOf(id)) === 'proposed') await services.rewards.approve(crew.approver, id)
    expect((await balances())['committed']).toBe(6 * AMOUNT)
  })
})

describe('a second inspection', () => {
  it('is drawn once for a case and must be confirmed by an officer who had no part in it', async () => {
    const crew = await aCrew()
    const colleague = await aMember(HOLDER, 'officer')
    const supervisor = await aMember('qu-duchashi', 'officer')
    const stranger = await aMember('qu-jianshe', 'officer')
    await aSchedule(crew)
    await aSetting(crew, true, 1000)
    const tip = await aPublishedTip(crew)
    const id = await services.rewards.propose(crew.officer, tip.caseNo, FOUND)
    await expect(services.rewards.approve(crew.approver, id)).rejects.toMatchObject({
      code: 'reward-transition',
    })
    expect((await services.rewards.detail(crew.approver, id)).may.approve).toContain('复查')
    await expect(services.rewards.inspect(crew.officer, id, 'confirmed')).rejects.toMatchObject({
      code: 'two-people',
    })
    await expect(services.rewards.inspect(stranger, id, 'confirmed')).rejects.toMatchObject({
      code: 'not-found',
    })
    for (const reader of [colleague, supervisor])
      expect((await services.rewards.waiting(reader)).toInspect.map((one) => one.id)).toEqual([id])

    await services.rewards.inspect(supervisor, id, 'refuted')
    await expect(services.rewards.approve(crew.approver, id)).rejects.toMatchObject({
      code: 'reward-transition',
    })
    // Sending it back and assessing anew draws no second lot.
    await services.rewards.sendBack(crew.approver, id, 'inspection')
    const again = await services.rewards.propose(crew.officer, tip.caseNo, FOUND)
    await expect(services.rewards.approve(crew.approver, again)).rejects.toMatchObject({
      code: 'reward-transition',
    })
    await expect(services.rewards.inspect(colleague, again, 'confirmed')).rejects.toMatchObject({
      code: 'reward-transition',
    })
  })

  it('lets the approval through once it is confirmed', async () => {
    const crew = await aCrew()
    const colleague = await aMember(HOLDER, 'officer')
    await aSchedule(crew)
    await aSetting(crew, true, 1000)
    const tip = await aPublishedTip(crew)
    const id = await services.rewards.propose(crew.officer, tip.caseNo, FOUND)
    await services.rewards.inspect(colleague, id, 'confirmed')
    await services.rewards.approve(crew.approver, id)
    expect(await statusOf(id)).toBe('approved')
  })

  it('is drawn for about the share that was set', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    await aSetting(crew, true, 300)
    for (let index = 0; index < 40; index += 1) {
      const tip = await aTip()
      await conclude(crew, tip)
      await services.rewards.propose(crew.officer, tip.caseNo, FOUND)
    }
    const drawn = await database.db.selectFrom('reward_inspection').select('selected').execute()
    const selected = drawn.filter((row) => row.selected).length
    expect(drawn).toHaveLength(40)
    // Seeded, so the same on every run; 12 expected.
    expect(selected).toBeGreaterThan(5)
    expect(selected).toBeLessThan(20)
  })

  it('must be set together with anonymous collection, by two people', async () => {
    const { admin } = await aCrew()
    await expect(
      services.rewardRules.proposeSetting(admin, { anonymous: true, inspectPerMille: 0 }),
    ).rejects.toMatchObject({ fields: [{ field: 'inspect' }] })
    const id = await services.rewardRules.proposeSetting(admin, { anonymous: true, inspectPerMille: 50 })
    await expect(services.rewardRules.decide(admin, 'setting', id, true)).rejects.toMatchObject({
      code: 'two-people',
    })
    expect(await services.rewardRules.setting()).toEqual({ anonymous: false, inspectPerMille: 0 })
  })
})

describe('a claim', () => {
  it('gives a code once; only its HMAC and the day stay', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await anApproved(crew)
    const { code, lastDay } = await services.rewards.claim(tip.tipId, 'form-1', false)
    expect(code).toMatch(/^[0-9A-Z]{5}-[0-9A-Z]{5}$/)
    expect(lastDay).toBe('2027-01-24')
    const row = await database.db
      .selectFrom('reward')
      .selectAll()
      .where('id', '=', tip.rewardId)
      .executeTakeFirstOrThrow()
    expect(row.claimed_day).toBe('2026-11-25')
    expect(row.code_hash).toHaveLength(32)
    expect(JSON.stringify(row)).not.toContain(code.replace('-', ''))
    // The same form sent twice shows the same code; another page does not show it again.
    expect((await services.rewards.claim(tip.tipId, 'form-1', false)).code).toBe(code)
    await expect(services.rewards.claim(tip.tipId, 'form-2', false)).rejects.toMatchObject({
      code: 'reward-transition',
    })
  })

  it('asked for again voids the code before', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await anApproved(crew)
    const first = await services.rewards.claim(tip.tipId, 'form-1', false)
    const second = await services.rewards.claim(tip.tipId, 'form-2', true)
    expect(second.code).not.toBe(first.code)
    await expect(pay(crew, first.code, '凭证1号')).rejects.toMatchObject({ code: 'not-found' })
    expect(await pay(crew, second.code, '凭证1号')).toEqual({ amountFen: AMOUNT, repeated: false })
  })

  it('opens with the receipt and nothing else', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await anApproved(crew)
    const cookie = await services.receipts.open(tip.receiptCode)
    expect((await services.receipts.current(cookie))?.reward).toMatchObject({
      stage: 'claimable',
      amountFen: AMOUNT,
    })
    await expect(
      services.receipts.claim(null, 'x', { again: false, pin: '', payee: null }),
    ).rejects.toMatchObject({ code: 'not-found' })
    await expect(
      services.receipts.claim('forged', 'x', { again: false, pin: '', payee: null }),
    ).rejects.toMatchObject({
      code: 'not-found',
    })
    expect((await services.receipts.claim(cookie, 'x', { again: false, pin: '', payee: null })).code).toMatch(
      /^\S{5}-\S{5}$/,
    )
  })

  it('needs the reporter’s PIN where one was chosen, and five wrong ones close it', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await anApproved(crew, '407913')
    const cookie = await services.receipts.open(tip.receiptCode)
    const pinOf = async () => (await services.receipts.current(cookie))?.claimPin
    const wrong = (pin: string) =>
      expect(
        services.receipts.claim(cookie, 'x', { again: true, pin: pin, payee: null }),
      ).rejects.toMatchObject({
        code: 'invalid-input',
        fields: [{ field: 'pin' }],
      })
    expect(await pinOf()).toBe('asked')
    for (const pin of ['', 'abc', '40791', '407914', '107913', '000000', '407912']) await wrong(pin)
    // Four wrong ones: what was no PIN at all does not count. The right one gives all five back.
    expect(
      (await services.receipts.claim(cookie, 'x', { again: false, pin: '４０７ 913', payee: null })).code,
    ).toMatch(/^\S{5}-\S{5}$/)
    // Twenty at once are five.
    const before = await services.receipts.claim(cookie, 'x', { again: false, pin: '407913', payee: null })
    await Promise.all(Array.from({ length: 20 }, (_, index) => wrong(String(500_000 + index))))
    expect(await pinOf()).toBe('locked')
    await wrong('407913')
    // What was given before stays good at the desk.
    expect(await pay(crew, before.code, '凭证1号')).toMatchObject({ repeated: false })
    const row = await database.db
      .selectFrom('tip')
      .select(['claim_pin', 'pin_tries'])
      .where('id', '=', tip.tipId)
      .executeTakeFirstOrThrow()
    expect(row.claim_pin).toHaveLength(48)
    expect(row.pin_tries).toBe(5)
  })

  it('can be tried once more each day after five wrong PINs', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await anApproved(crew, '407913')
    const cookie = await services.receipts.open(tip.receiptCode)
    const stateOf = async () => (await services.receipts.current(cookie))?.claimPin
    await database.db.updateTable('tip').set({ pin_tries: 5 }).where('id', '=', tip.tipId).execute()
    await services.upkeep.run()
    await services.upkeep.run()
    expect(await stateOf()).toBe('locked')
    later(1)
    await services.upkeep.run()
    const again = await services.receipts.open(tip.receiptCode)
    const claim = (pin: string) => services.receipts.claim(again, 'x', { again: false, pin, payee: null })
    await expect(claim('407914')).rejects.toMatchObject({ fields: [{ field: 'pin' }] })
    await expect(claim('407913')).rejects.toMatchObject({ fields: [{ field: 'pin' }] })
    later(1)
    await services.upkeep.run()
    await services.upkeep.run()
    const third = await services.receipts.open(tip.receiptCode)
    expect(
      (await services.receipts.claim(third, 'x', { again: false, pin: '407913', payee: null })).code,
    ).toMatch(/^\S{5}-\S{5}$/)
  })

  it('leaves no minute anywhere', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    await aPaid(crew, '凭证1号')
    const audit = await database.db.selectFrom('staff_audit').select('action').execute()
    expect(audit.map(({ action }) => action).filter((action) => /claim|pay/.test(action))).toEqual([])
    const { rows } = await sql<{ table_name: string; column_name: string }>`
      select table_name, column_name from information_schema.columns
      where table_name in ('reward', 'reward_entry', 'reward_posting', 'reward_inspection') and data_type like 'time%'
    `.execute(database.db)
    expect(rows).toEqual([])
  })
})

describe('a payment', () => {
  it('needs the code, a voucher, and an identity while anonymous collection is off', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await anApproved(crew)
    const { code } = await services.rewards.claim(tip.tipId, uuid(), false)
    expect(await services.rewards.desk(crew.finance, code)).toEqual({
      amountFen: AMOUNT,
      department: HOLDER,
      lastDay: '2027-01-24',
      identityNeeded: true,
      refusal: null,
    })
    await expect(services.rewards.desk(crew.approver, code)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(services.rewards.desk(crew.finance, '00000-00000')).rejects.toMatchObject({
      code: 'not-found',
    })
    const payment = { code, voucherNo: '凭证1号', identityChecked: false }
    await expect(services.rewards.pay(crew.finance, payment)).rejects.toMatchObject({
      fields: [{ field: 'identity' }],
    })
    await expect(services.rewards.pay(crew.finance, { ...payment, voucherNo: '' })).rejects.toMatchObject({
      fields: [{ field: 'voucher' }],
    })
    // Its case could not have been drawn for an inspection: the setting comes too late for it.
    await aSetting(crew, true, 1)
    await expect(services.rewards.pay(crew.finance, payment)).rejects.toMatchObject({ code: 'invalid-input' })
    const guarded = await anApproved(crew)
    const second = await services.rewards.claim(guarded.tipId, uuid(), false)
    expect(second.identityNeeded).toBe(false)
    await services.rewards.pay(crew.finance, { ...payment, code: second.code })
    const row = await database.db
      .selectFrom('reward')
      .selectAll()
      .where('id', '=', guarded.rewardId)
      .executeTakeFirstOrThrow()
    expect([row.status, row.anonymous, row.voucher_no, row.paid_day]).toEqual([
      'paid',
      true,
      '凭证1号',
      '2026-11-25',
    ])
    expect(await balances()).toMatchObject({ committed: AMOUNT, paid: AMOUNT })
    expect((await services.rewards.ofTip(guarded.tipId)).stage).toBe('paid')
  })

  it('shows its day and number to those who check, not to the officers', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const { rewardId } = await aPaid(crew, '凭证1号')
    const seen = async (reader: Reader) => {
      const { status, paidDay, voucherNo } = await services.rewards.detail(reader, rewardId)
      return [status, paidDay, voucherNo]
    }
    expect(await seen(crew.officer)).toEqual(['paid', null, null])
    expect(await seen(crew.auditor)).toEqual(['paid', '2026-11-25', '凭证1号'])
  })

  it('takes three people, by the database too', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await anApproved(crew)
    const { code } = await services.rewards.claim(tip.tipId, uuid(), false)
    const payers: Reader[] = [crew.officer, crew.approver].map((one) => ({ ...one, roles: ['finance'] }))
    for (const payer of payers) {
      const payment = { code, voucherNo: '凭证1号', identityChecked: true }
      await expect(services.rewards.pay(payer, payment)).rejects.toMatchObject({ code: 'two-people' })
      const change = database.db
        .updateTable('reward')
        .set({
          status: 'paid',
          paid_by: payer.memberId,
          paid_day: '2026-11-25',
          voucher_no: '凭证1号',
          anonymous: false,
        })
        .where('id', '=', tip.rewardId)
      await expect(change.execute()).rejects.toThrow(/reward_three_people/)
    }
    const approve = database.db
      .updateTable('reward')
      .set({ decided_by: crew.officer.memberId })
      .where('id', '=', tip.rewardId)
    await expect(approve.execute()).rejects.toThrow(/reward_three_people/)
  })

  it('of one code under two numbers, or of two under one, is refused', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const [one, other] = [await anApproved(crew), await anApproved(crew)]
    const codes = [
      (await services.rewards.claim(one.tipId, uuid(), false)).code,
      (await services.rewards.claim(other.tipId, uuid(), false)).code,
    ] as const
    await pay(crew, codes[0], '凭证1号')
    expect(await pay(crew, codes[0].toLowerCase(), '凭证1号')).toEqual({ amountFen: AMOUNT, repeated: true })
    await expect(pay(crew, codes[0], '凭证2号')).rejects.toMatchObject({ code: 'reward-transition' })
    await expect(pay(crew, codes[1], '凭证1号')).rejects.toMatchObject({ fields: [{ field: 'voucher' }] })
    expect((await balances())['paid']).toBe(AMOUNT)
  })

  it('stops while its case is reviewed, and is taken back when the review ends otherwise', async () => {
    const crew = await aCrew()
    const colleague = await aMember(HOLDER, 'officer')
    await aSchedule(crew)
    const tip = await anApproved(crew)
    const { code } = await services.rewards.claim(tip.tipId, uuid(), false)
    await services.cases.dispute(tip.tipId)
    expect((await services.rewards.ofTip(tip.tipId)).stage).toBe('review')
    await expect(pay(crew, code, '凭证1号')).rejects.toMatchObject({ code: 'reward-transition' })
    expect((await services.rewards.waiting(crew.approver)).unsettled.map(({ id }) => id)).toEqual([
      tip.rewardId,
    ])

    await conclude({ ...crew, officer: colleague }, tip, 'unsubstantiated')
    await act(crew.publisher, tip, { action: 'publish' })
    await expect(pay(crew, code, '凭证1号')).rejects.toMatchObject({ code: 'reward-transition' })
    await services.rewards.release(crew.approver, tip.rewardId, 'review', '')
    expect(await balances()).toMatchObject({ committed: 0, available: EXAMPLE_TERMS.yearBudgetFen })
    expect((await services.rewards.ofTip(tip.tipId)).stage).toBe('refused')
    await expect(pay(crew, code, '凭证1号')).rejects.toMatchObject({ code: 'reward-transition' })
  })

  it('gives the whole time again after a review that changed nothing', async () => {
    const crew = await aCrew()
    const colleague = await aMember(HOLDER, 'officer')
    await aSchedule(crew)
    const tip = await anApproved(crew)
    await services.cases.dispute(tip.tipId)
    later(61)
    expect(await services.rewards.tick()).toBe(0)
    await conclude({ ...crew, officer: colleague }, tip)
    const day = dayOf(now)
    await act(crew.publisher, tip, { action: 'publish' })
    expect(await services.rewards.ofTip(tip.tipId)).toMatchObject({
      stage: 'claimable',
      lastDay: addDays(day, 60),
    })
  })

  it('that came back is recovered under a voucher, not by whoever paid', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await aPaid(crew, '凭证1号')
    const payer: Reader = { ...crew.finance, departmentId: 'qu-daqiban', roles: ['approver'] }
    await expect(services.rewards.release(payer, tip.rewardId, 'returned', '退1号')).rejects.toMatchObject({
      code: 'two-people',
    })
    for (const [reason, voucher] of [
      ['review', '退1号'],
      ['returned', ''],
    ] as const)
      await expect(
        services.rewards.release(crew.approver, tip.rewardId, reason, voucher),
      ).rejects.toMatchObject({ code: 'invalid-input' })
    await services.rewards.release(crew.approver, tip.rewardId, 'returned', '退1号')
    expect(await balances()).toMatchObject({ paid: 0, available: EXAMPLE_TERMS.yearBudgetFen })
  })

  it('under a wrong number is corrected by an entry, not by an eraser', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    await aPaid(crew, '凭证1号')
    await aPaid(crew, '凭证2号')
    await expect(services.rewards.correctVoucher(crew.finance, '凭证9号', '凭证3号')).rejects.toMatchObject({
      fields: [{ field: 'wrong' }],
    })
    await expect(services.rewards.correctVoucher(crew.finance, '凭证1号', '凭证2号')).rejects.toMatchObject({
      fields: [{ field: 'right' }],
    })
    await services.rewards.correctVoucher(crew.finance, '凭证1号', '凭证3号')
    const { items } = await services.rewards.ledger(crew.auditor, null)
    expect(items[0]).toMatchObject({ kind: 'voucher', voucherNo: '凭证3号', reason: '凭证1号' })
    expect(items.filter(({ kind }) => kind === 'pay').map(({ voucherNo }) => voucherNo)).toEqual([
      '凭证2号',
      '凭证1号',
    ])
    expect((await balances())['paid']).toBe(2 * AMOUNT)
  })
})

describe('time', () => {
  it('lets what is not collected lapse the day after the last day', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tip = await anApproved(crew)
    const { code } = await services.rewards.claim(tip.tipId, uuid(), false)
    later(60)
    expect(await services.rewards.tick()).toBe(0)
    later(1)
    expect(await services.rewards.tick()).toBe(1)
    expect(await services.rewards.tick()).toBe(0)
    expect((await services.rewards.ofTip(tip.tipId)).stage).toBe('lapsed')
    await expect(pay(crew, code, '凭证1号')).rejects.toMatchObject({ code: 'reward-transition' })
    expect(await balances(2026)).toMatchObject({ committed: 0, available: EXAMPLE_TERMS.yearBudgetFen })
  })
})

describe('the books', () => {
  it('are only ever added to', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    await aPaid(crew, '凭证1号')
    const { db } = database
    for (const statement of [
      `update reward_entry set day = '2020-01-01'`,
      `delete from reward_entry where kind = 'pay'`,
      `update reward_posting set amount_fen = 1`,
      `delete from reward_posting`,
      `truncate reward_posting`,
      `truncate reward_entry cascade`,
    ])
      await expect(sql.raw(statement).execute(db)).rejects.toThrow(/only ever added to/)
    for (const statement of [
      `update reward_account set balance_fen = 1000000 where account = 'available'`,
      `insert into reward_account (year, account, balance_fen) values (2030, 'available', 5)`,
      `delete from reward_account`,
      `truncate reward_account`,
    ])
      await expect(sql.raw(statement).execute(db)).rejects.toThrow(/follow from its postings/)
    expect((await balances())['paid']).toBe(AMOUNT)
  })

  it.each([
    ['no line', []],
    ['one line', [-5]],
    ['lines that do not add up', [-5, 4]],
  ])('refuse an entry with %s', async (_name, amounts) => {
    const book = database.db.transaction().execute(async (tx) => {
      const { id } = await tx
        .insertInto('reward_entry')
        .values({ day: '2026-11-25', kind: 'appropriate', role: 'system' })
        .returning('id')
        .executeTakeFirstOrThrow()
      for (const [index, amount] of amounts.entries()) {
        const account = index === 0 ? 'appropriation' : 'available'
        await tx
          .insertInto('reward_posting')
          .values({ entry_id: id, line: index + 1, year: 2026, account, amount_fen: amount })
          .execute()
      }
    })
    await expect(book).rejects.toThrow(/does not balance/)
    expect(await database.db.selectFrom('reward_entry').selectAll().execute()).toEqual([])
  })

  it('are read by the roles that keep or check them, page by page', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    await aPaid(crew, '凭证1号')
    for (const reader of [crew.officer, crew.publisher])
      await expect(services.rewards.ledger(reader, null)).rejects.toMatchObject({ code: 'forbidden' })
    const { items, next } = await services.rewards.ledger(crew.auditor, null)
    expect(items.map(({ kind, role }) => `${role} ${kind}`)).toEqual([
      'finance pay',
      'approver approve',
      'system appropriate',
    ])
    expect(next).toBeNull()
    await expect(services.rewards.ledger(crew.auditor, 'nonsense')).rejects.toMatchObject({
      code: 'bad-cursor',
    })
    expect(await services.rewards.budgets(crew.finance)).toMatchObject([
      { year: 2026, balances: { paid: AMOUNT } },
    ])
  })
})

describe('what everybody may see', () => {
  it('are sums of five payments and more, of past months, that add up to the books', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    for (let index = 1; index <= 5; index += 1) await aPaid(crew, `凭证${index}号`)
    expect((await services.rewards.public()).groups).toEqual([])
    now = new Date('2026-12-01T02:00:00Z')
    expect((await services.rewards.public()).groups).toEqual([
      { from: '2026-11', until: '2026-11', department: HOLDER, payments: 5, amountFen: 5 * AMOUNT },
    ])
    // One more in December waits for four others, and shows nowhere.
    await aPaid(crew, '凭证6号')
    now = new Date('2027-02-01T02:00:00Z')
    const { groups } = await services.rewards.public()
    expect(groups).toHaveLength(1)
    expect((await balances())['paid']).toBe(6 * AMOUNT)
  })

  it('says nothing of a case', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const paid = [await aPaid(crew, '凭证1号')]
    for (let index = 2; index <= 5; index += 1) paid.push(await aPaid(crew, `凭证${index}号`))
    now = new Date('2026-12-01T02:00:00Z')
    const said = JSON.stringify([
      await services.rewards.public(),
      await services.reading.cases(),
      await services.reading.case(paid[0]?.caseNo ?? ''),
    ])
    expect(said).toContain(paid[0]?.caseNo)
    const open = JSON.stringify(await services.rewards.public())
    for (const { caseNo, tipId, rewardId } of paid)
      for (const word of [caseNo, tipId, rewardId, '凭证']) expect(open).not.toContain(word)
    expect(JSON.stringify(await services.reading.case(paid[0]?.caseNo ?? ''))).not.toMatch(/reward|奖/)
  })
})

// Real concurrency: ten connections of each of two processes' worth of services.
describe.runIf(inject('testDatabase').engine === 'postgres')('on PostgreSQL, at the same moment', () => {
  it('50 claims give one code, and 50 payments pay once', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const other = connectPostgres(database.url ?? '')
    try {
      const both = [services, servicesOn(other.db)]
      const of = (index: number): Services => both[index % 2] ?? services
      const tip = await anApproved(crew)
      const claims = await Promise.allSettled(
        Array.from({ length: 50 }, (_, index) => of(index).rewards.claim(tip.tipId, `form-${index}`, false)),
      )
      const codes = claims.flatMap((claim) => (claim.status === 'fulfilled' ? [claim.value.code] : []))
      expect(codes).toHaveLength(1)
      for (const claim of claims)
        if (claim.status === 'rejected') expect(claim.reason).toMatchObject({ code: 'reward-transition' })

      const [code = ''] = codes
      const payments = await Promise.allSettled(
        Array.from({ length: 50 }, (_, index) => pay(crew, code, `凭证${index}号`, of(index))),
      )
      expect(payments.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const payment of payments)
        if (payment.status === 'rejected') expect(payment.reason).toMatchObject({ code: 'reward-transition' })
      expect(await balances()).toMatchObject({ committed: 0, paid: AMOUNT })
      const paid = await database.db
        .selectFrom('reward_entry')
        .select('id')
        .where('kind', '=', 'pay')
        .execute()
      expect(paid).toHaveLength(1)
    } finally {
      await other.close()
    }
  })

  it('steps of cases and rewards never wait for each other in a circle', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const tips = [await anApproved(crew), await anApproved(crew), await anApproved(crew)]
    const codes = await Promise.all(
      tips.map(async ({ tipId }) => (await services.rewards.claim(tipId, uuid(), false)).code),
    )
    const outcomes = await Promise.allSettled(
      tips.flatMap(({ tipId, rewardId }, index) => [
        services.cases.dispute(tipId),
        pay(crew, codes[index] ?? '', `凭证${index}号`),
        services.rewards.release(crew.approver, rewardId, 'assessment', ''),
        services.rewards.claim(tipId, uuid(), true),
        services.rewards.tick(),
      ]),
    )
    for (const one of outcomes)
      if (one.status === 'rejected') expect((one.reason as { code: string }).code).toMatch(/^[a-z]+-[a-z]+$/)
    await balances()
  })

  it('nor do those of a whole office at once, and the audit of it has no gap', async () => {
    await services.rotations.rotateFromEscrow(escrows.escrowIdentity, HOLDER)
    const crew = await aCrew()
    const { admin, officer, approver } = crew
    await aSchedule(crew)
    const { db } = database
    const age = Buffer.from('age-encryption.org/v1\n')
    const session = (reader: Reader): StaffSession => {
      const username = `member-${reader.memberId.slice(-6)}`
      return { ...reader, username, displayName: username, sessionId: uuid(), factorAt: now }
    }
    const grant = (owner: string, epoch: number, { memberId }: Reader) =>
      db
        .insertInto('key_grant')
        .values({
          id: uuid(),
          department_id: owner,
          epoch,
          member_id: memberId,
          wrapped: age,
          granted_by: null,
        })
        .execute()
    const custodians = ownerOf('custodian')
    // Each of two holds the key that the other waits for; two leave who hold both.
    const [one, other] = [
      await aMember(HOLDER, 'officer', 'custodian'),
      await aMember(HOLDER, 'officer', 'custodian'),
    ]
    const leaving = [await aMember(HOLDER, 'officer'), await aMember(HOLDER, 'officer')]
    for (const holder of [officer, one, ...leaving]) await grant(HOLDER, 2, holder)
    for (const holder of [other, ...leaving]) await grant(custodians, 1, holder)

    const tips = [await aTip(), await aTip(), await aTip(), await aTip(), await aTip()]
    tips.sort((a, b) => (a.caseNo < b.caseNo ? -1 : 1))
    for (const tip of tips) await act(officer, tip, { action: 'accept' })
    // As if they had come before the key was changed.
    await db.updateTable('tip_wrap').set({ epoch: 1 }).where('department_id', '=', HOLDER).execute()
    const cases = tips.slice(0, 3)
    for (const [index, tip] of tips.slice(3).entries())
      await act(officer, tip, { action: 'attach', attachTo: cases[index]?.caseNo ?? '' })
    const paid = [await anApproved(crew), await anApproved(crew)]
    const codes = await Promise.all(
      paid.map(async ({ tipId }) => (await services.rewards.claim(tipId, uuid(), false)).code),
    )

    /** Again while somebody else was faster. */
    const insist = async (
      reader: Reader,
      tip: Filed,
      request: Omit<ActRequest, 'version'>,
    ): Promise<void> => {
      for (;;) {
        try {
          await act(reader, tip, request)
          return
        } catch (error) {
          if ((error as { code?: string }).code !== 'stale-version') throw error
        }
      }
    }
    const wraps = (epoch: number) => tips.map(({ tipId }) => ({ tipId, epoch, wrapped: age }))
    const older = wraps(2).map((wrap) => ({ purpose: 'tip.key' as const, ...wrap }))
    const outcomes = await Promise.allSettled([
      ...cases.flatMap((tip) => {
        const note = { tipId: tip.tipId, purpose: 'tip.note' as const, sealed: age }
        return [
          insist(officer, tip, { action: 'note', note }),
          insist(officer, tip, { action: 'extend', note }),
          insist(one, tip, { action: 'mark_complex' }),
          services.cases.addProof(other, tip.caseNo, {
            kind: 'photo',
            caption: '',
            blobKey: 'x',
            review: 'checked',
          }),
          services.retention.hold(crew.auditor, tip.caseNo, 'litigation'),
          insist(officer, tip, { action: 'hand_over', target: 'qu-zhifa', note, wraps: wraps(1) }),
          ...cases.map(({ caseNo }) => insist(one, tip, { action: 'attach', attachTo: caseNo })),
        ]
      }),
      services.rotations.rewrap(officer, older),
      services.rotations.rewrap(one, older.toReversed()),
      services.keys.addGrants(session(one), other.memberId, [{ epoch: 2, wrapped: age }]),
      services.keys.addGrants(session(other), one.memberId, [{ epoch: 1, wrapped: age }], custodians),
      ...leaving.map((member) => services.staff.remove(session(member).username, admin)),
      services.factors.reset(admin, session(officer).username),
      services.sessions.endAll(session(admin), session(other).username),
      ...paid.flatMap(({ tipId, rewardId }, index) => [
        services.cases.dispute(tipId),
        pay(crew, codes[index] ?? '', `凭证${index}号`),
        services.rewards.release(approver, rewardId, 'assessment', ''),
      ]),
      aSetting(crew, true, 100),
    ])
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(DomainError)
    const trail = createAuditTrail({ db, clock: { now: () => now }, auditMarks: createMemoryAuditMarks() })
    expect(await trail.check(null)).toMatchObject({ intact: true })
    await balances()
  })

  it('the first approvals of a new year open its budget once', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const ids: string[] = []
    for (let index = 0; index < 5; index += 1) {
      const tip = await aPublishedTip(crew)
      ids.push(await services.rewards.propose(crew.officer, tip.caseNo, FOUND))
    }
    now = startOfDay('2027-01-04')
    await Promise.all(ids.map((id) => services.rewards.approve(crew.approver, id)))
    expect(await balances(2027)).toEqual({
      appropriation: -EXAMPLE_TERMS.yearBudgetFen,
      available: EXAMPLE_TERMS.yearBudgetFen - 5 * AMOUNT,
      committed: 5 * AMOUNT,
    })
  })
})

describe('a reward paid to an account', () => {
  const PAYEE = { name: '张三丰', bank: '示例银行', account: '12345678' }

  /** The first generation of a role's key, as the escrow that is meant for it opens it. */
  async function roleKey(role: KeyRole): Promise<RoleIdentity> {
    const owner = ownerOf(role)
    const [grant] = await services.keys.escrowGrants(owner)
    const escrow = role === 'approver' ? escrows.approverEscrowIdentity : escrows.escrowIdentity
    const identity = await openGrant(
      { department: owner, epoch: 1 },
      grant?.wrapped ?? new Uint8Array(),
      escrow,
    )
    return { owner, epoch: 1, identity }
  }

  async function claimed(crew: Crew) {
    const tip = await anApproved(crew)
    const cookie = await services.receipts.open(tip.receiptCode)
    const { code } = await services.receipts.claim(cookie, uuid(), { again: false, pin: '', payee: PAYEE })
    return { ...tip, code }
  }

  async function release(crew: Crew, rewardId: string): Promise<void> {
    const { tip, wrapped } = await services.rewards.payee(crew.approver, rewardId)
    const inner = await stripOuter(
      { purpose: 'tip.payee', tip },
      await roleKey('approver'),
      wrapped?.bytes ?? new Uint8Array(),
    )
    await services.rewards.releasePayee(crew.approver, rewardId, inner)
  }

  const left = async (): Promise<number> =>
    (
      await database.db
        .selectFrom('two_layer_part')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
    ).count
  const refused = (code: string) => expect.objectContaining({ code }) as unknown

  it('opens for finance after an approver let it go, and is destroyed when it was paid', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const { rewardId } = await claimed(crew)
    await expect(services.rewards.payee(crew.finance, rewardId)).rejects.toEqual(refused('not-found'))
    await expect(services.rewards.transfer(crew.finance, rewardId, '转字001号')).rejects.toEqual(
      refused('not-found'),
    )
    expect(await services.rewards.transfers(crew.finance)).toEqual([])
    expect(await services.rewards.transfers(crew.approver)).toMatchObject([{ id: rewardId, released: false }])

    await release(crew, rewardId)
    expect(await services.rewards.transfers(crew.approver)).toEqual([])
    await expect(release(crew, rewardId)).rejects.toEqual(refused('not-found'))
    const { tip, inner, sealed, recipient } = await services.rewards.payee(crew.finance, rewardId)
    const address = { purpose: 'tip.payee', tip } as const
    const finance = await roleKey('finance')
    const { identity } = await openInner(address, finance, inner?.bytes ?? new Uint8Array(), recipient)
    const opened = await openPart({ ...address, part: 0, identity, sealed: sealed ?? new Uint8Array() })
    expect(JSON.parse(fromUtf8(opened))).toEqual(PAYEE)

    for (const other of [crew.officer, crew.auditor, crew.admin, await aMember(HOLDER, 'custodian')]) {
      await expect(services.rewards.payee(other, rewardId)).rejects.toEqual(refused('not-found'))
    }
    await services.rewards.transfer(crew.finance, rewardId, '转字001号')
    expect(await statusOf(rewardId)).toBe('paid')
    expect(await left()).toBe(0)
    await expect(services.rewards.payee(crew.finance, rewardId)).rejects.toEqual(refused('not-found'))
    await balances()
  })

  it('is paid once when many press at once, and not at the desk besides', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const { rewardId, code } = await claimed(crew)
    await release(crew, rewardId)
    const tries = await Promise.allSettled([
      ...Array.from({ length: 4 }, (_, index) =>
        services.rewards.transfer(crew.finance, rewardId, `转字01${String(index)}号`),
      ),
      pay(crew, code, '现字001号'),
    ])
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await left()).toBe(0)
    await balances()
  })

  it('forgets where to when it was collected at the desk, and needs a new release for a new account', async () => {
    const crew = await aCrew()
    await aSchedule(crew)
    const { rewardId, receiptCode } = await claimed(crew)
    await release(crew, rewardId)
    const cookie = await services.receipts.open(receiptCode)
    const { code } = await services.receipts.claim(cookie, uuid(), {
      again: true,
      pin: '',
      payee: { ...PAYEE, account: '87654321' },
    })
    await expect(services.rewards.payee(crew.finance, rewardId)).rejects.toEqual(refused('not-found'))
    await pay(crew, code, '现字001号')
    expect(await left()).toBe(0)
  })
})
