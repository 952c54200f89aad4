import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { addWorkingDays } from '../../src/domain/deadline.ts'
import { startOfDay, type Day } from '../../src/domain/day.ts'
import { OVERDUE } from '../../src/domain/notice.ts'
import type { Jobs } from '../../src/services/jobs.ts'
import { MailError } from '../../src/services/mailer.ts'
import { createNotices, type Notices } from '../../src/services/notices.ts'
import { openTestApp, plainTip, signInAs, type TestApp, type TestMember } from '../support/app.ts'
import { createMemoryMailer, type MemoryMailer } from '../support/notices.ts'

const HOLDER = 'qu-huanbao'
const OTHER = 'qu-jianshe'
const SUPERVISION = 'qu-duchashi'
const DISPATCHER = 'qu-daqiban'
// A Monday in a year with a loaded calendar: to be accepted by Wednesday, concluded by 14 December.
const MONDAY = '2026-11-23'
const forever = new AbortController().signal

let app: TestApp
let mailer: MemoryMailer
let notices: Notices
let today: Day = MONDAY
const tenOClock = (day: Day) => new Date(startOfDay(day).getTime() + 10 * 3_600_000)

beforeAll(async () => {
  app = await openTestApp({ now: () => tenOClock(today) })
})
afterAll(async () => {
  await app.close()
})
beforeEach(async () => {
  today = MONDAY
  const { db } = app.database
  for (const table of [
    'due_notice',
    'mail',
    'notice',
    'tip_part',
    'tip_wrap',
    'tip',
    'case_event',
    'public_case',
  ]) {
    await sql`delete from ${sql.table(table)}`.execute(db)
  }
  for (const table of ['case_file', 'filing', 'staff_audit'])
    await sql`delete from ${sql.table(table)}`.execute(db)
  await setMailboxes({
    [HOLDER]: 'huanbao@example.gov.cn',
    [OTHER]: 'jianshe@example.gov.cn',
    [SUPERVISION]: 'ducha@example.gov.cn',
    [DISPATCHER]: 'daqiban@example.gov.cn',
  })
  mailer = createMemoryMailer()
  notices = createNotices({ ...app.deps, mailer })
})

/** Writes past the console, which would refuse some of these. */
async function setMailboxes(mailboxes: Readonly<Record<string, string | null>>): Promise<void> {
  const { db } = app.database
  await db.transaction().execute(async (tx) => {
    for (const [id, mailbox] of Object.entries(mailboxes)) {
      await tx.updateTable('department').set({ mailbox }).where('id', '=', id).execute()
    }
    await app.deps.versions.bump(tx, 'plan')
  })
  app.deps.versions.expire()
}

async function fileTip(part: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const reply = await fetch(`${app.url}/api/v1/tips`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json' },
    body: JSON.stringify({ plain: plainTip(part) }),
  })
  expect(reply.status).toBe(201)
  return ((await reply.json()) as { caseNo: string }).caseNo
}
const toOther = { category: 'mud-carry-out', answer: 'yes', area: '410102011' }

async function setCase(
  caseNo: string,
  change: Readonly<{
    state?: 'accepted' | 'awaiting_reporter' | 'concluded'
    holder_id?: string
    conclude_due?: Day
  }>,
): Promise<void> {
  await app.database.db.updateTable('case_file').set(change).where('case_no', '=', caseNo).execute()
}

interface Mail {
  readonly kind: string
  readonly department: string
  readonly cases: readonly string[]
}
async function mails(): Promise<Mail[]> {
  const rows = await app.database.db
    .selectFrom('mail')
    .selectAll()
    .orderBy('department_id')
    .orderBy('kind')
    .execute()
  return rows.map((row) => ({
    kind: row.kind,
    department: row.department_id,
    cases: row.items
      .map(({ caseNo, step, stage }) => (step === null ? caseNo : `${caseNo} ${step} ${stage ?? ''}`))
      .sort(),
  }))
}

/** The mails of one morning; the ones before are forgotten. */
async function morning(day: Day): Promise<Mail[]> {
  today = day
  await app.database.db.deleteFrom('mail').execute()
  await notices.collectDue()
  return mails()
}

const onlyMail = async () => app.database.db.selectFrom('mail').selectAll().executeTakeFirstOrThrow()
const stateOf = async (id: string) => {
  const { state, attempts, fault } = await app.database.db
    .selectFrom('mail')
    .select(['state', 'attempts', 'fault'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return { state, attempts, fault }
}

describe('arrivals', () => {
  it('are one mail to each department, whatever came, and are told once', async () => {
    const cases = [await fileTip(), await fileTip(), await fileTip()].sort()
    const other = await fileTip(toOther)
    expect(await notices.collectArrivals()).toBe(2)
    expect(await mails()).toEqual([
      { kind: 'arrivals', department: HOLDER, cases },
      { kind: 'arrivals', department: OTHER, cases: [other] },
    ])
    expect(await notices.collectArrivals()).toBe(0)
    const later = await fileTip()
    expect(await notices.collectArrivals()).toBe(1)
    expect((await mails()).filter(({ cases: told }) => told.includes(later))).toHaveLength(1)
  })

  it('leave no time of day behind', async () => {
    await fileTip()
    await notices.collectArrivals()
    const row = await onlyMail()
    expect(row.day).toBe(MONDAY)
    expect(Object.values(row).filter((value) => value instanceof Date)).toEqual([])
    expect(JSON.stringify(row)).not.toMatch(/\d{1,2}:\d{2}/)
  })

  it('are taken once by two who take at the same moment', async () => {
    for (let count = 0; count < 4; count += 1) await fileTip()
    const made = await Promise.all([notices.collectArrivals(), notices.collectArrivals()])
    expect(made.sort()).toEqual([0, 1])
    expect((await mails()).flatMap(({ cases }) => cases)).toHaveLength(4)
  })

  it('stay untold, all of them, when the queue takes no job', async () => {
    await fileTip()
    await fileTip(toOther)
    let taken = 0
    const jobs: Jobs = {
      open: () =>
        Promise.resolve({
          sendMail: () => {
            taken += 1
            return taken > 1 ? Promise.reject(new Error('no queue')) : Promise.resolve()
          },
        }),
    }
    await expect(createNotices({ ...app.deps, mailer, jobs }).collectArrivals()).rejects.toThrow('no queue')
    expect(await mails()).toEqual([])
    expect(await notices.collectArrivals()).toBe(2)
  })

  it('of a department without a mailbox wait for one, and the console says so', async () => {
    const admin = await signInAs(app, DISPATCHER, ['admin'])
    await setMailboxes({ [HOLDER]: null })
    const cases = [await fileTip(), await fileTip()].sort()
    expect(await notices.collectArrivals()).toBe(0)
    const { unreachable } = await notices.overview(admin.session, 'all', null)
    expect(unreachable).toContainEqual({ department: HOLDER, waiting: 2 })
    expect(unreachable.map(({ department }) => department)).not.toContain(OTHER)
    await setMailboxes({ [HOLDER]: 'neu@example.gov.cn' })
    expect(await notices.collectArrivals()).toBe(1)
    expect(await mails()).toEqual([{ kind: 'arrivals', department: HOLDER, cases }])
  })

  it.each([
    'huanbao@example.gov.cn\r\nBcc: evil@example.com',
    'huanbao@example.gov.cn, evil@example.com',
    '<a@b.cn>',
  ])('go to no mailbox like %j, which the console shows as none', async (mailbox) => {
    const admin = await signInAs(app, DISPATCHER, ['admin'])
    await setMailboxes({ [HOLDER]: mailbox })
    await fileTip()
    expect(await notices.collectArrivals()).toBe(0)
    const { unreachable } = await notices.overview(admin.session, 'all', null)
    expect(unreachable).toContainEqual({ department: HOLDER, waiting: 1 })
  })

  it('that have gone on or are finished by then are told to nobody', async () => {
    await setCase(await fileTip(), { holder_id: OTHER })
    await setCase(await fileTip(), { state: 'concluded' })
    const still = await fileTip()
    await notices.collectArrivals()
    expect(await mails()).toEqual([{ kind: 'arrivals', department: HOLDER, cases: [still] }])
    expect(await app.database.db.selectFrom('notice').selectAll().execute()).toEqual([])
  })
})

describe('a mail', () => {
  beforeEach(async () => {
    await fileTip()
    await notices.collectArrivals()
  })

  it('goes out once, to the mailbox of the day', async () => {
    const { id } = await onlyMail()
    await notices.deliver(id, forever)
    await notices.deliver(id, forever)
    expect(mailer.tried).toHaveLength(1)
    expect(mailer.sent[0]).toMatchObject({ to: 'huanbao@example.gov.cn' })
    expect(await stateOf(id)).toEqual({ state: 'sent', attempts: 1, fault: null })
  })

  it('that failed for now is tried again as the same mail', async () => {
    const { id } = await onlyMail()
    mailer.failNext(new MailError('timeout'))
    await expect(notices.deliver(id, forever)).rejects.toMatchObject({ code: 'timeout' })
    expect(await stateOf(id)).toEqual({ state: 'waiting', attempts: 1, fault: 'timeout' })
    await notices.deliver(id, forever)
    const [first, second] = mailer.tried
    expect(second).toEqual(first)
    expect(await stateOf(id)).toEqual({ state: 'sent', attempts: 2, fault: null })
  })

  it('is another mail when the mailbox was corrected meanwhile', async () => {
    const { id } = await onlyMail()
    mailer.failNext(new MailError('busy'))
    await notices.deliver(id, forever).catch(() => {})
    await setMailboxes({ [HOLDER]: 'right@example.gov.cn' })
    await notices.deliver(id, forever)
    expect(mailer.tried.map(({ to }) => to)).toEqual(['huanbao@example.gov.cn', 'right@example.gov.cn'])
    expect(mailer.tried[0]?.key).not.toBe(mailer.tried[1]?.key)
  })

  it('that is refused for good, or has nowhere to go, is given up at once', async () => {
    const { id } = await onlyMail()
    mailer.failNext(new MailError('refused', true))
    await notices.deliver(id, forever)
    expect(await stateOf(id)).toEqual({ state: 'dead', attempts: 1, fault: 'refused' })
    await notices.deliver(id, forever)
    expect(mailer.tried).toHaveLength(1)

    await fileTip(toOther)
    await notices.collectArrivals()
    await setMailboxes({ [OTHER]: null })
    const other = (await app.database.db.selectFrom('mail').selectAll().execute()).find(
      (mail) => mail.id !== id,
    )
    await notices.deliver(other?.id ?? '', forever)
    expect(await stateOf(other?.id ?? '')).toMatchObject({ state: 'dead', fault: 'no-mailbox' })
  })
})

describe('due dates', () => {
  const AFTER = (days: number): Day =>
    addWorkingDays({ years: new Set([2026]), holidays: new Set(), makeUpDays: new Set() }, MONDAY, days) ?? ''

  it('are told as they come near, to the holder; beyond them to 区政府督查室', async () => {
    const caseNo = await fileTip()
    expect(await morning(MONDAY)).toEqual([])
    expect(await morning('2026-11-24')).toEqual([
      { kind: 'due', department: HOLDER, cases: [`${caseNo} accept 50`] },
    ])
    expect(await morning('2026-11-24')).toEqual([])
    expect(await morning('2026-11-25')).toEqual([
      { kind: 'due', department: HOLDER, cases: [`${caseNo} accept 100`] },
    ])
    expect(await morning('2026-11-26')).toEqual([
      { kind: 'overdue', department: SUPERVISION, cases: [`${caseNo} accept ${OVERDUE}`] },
    ])
    expect(await morning('2026-11-27')).toEqual([])
    await setCase(caseNo, { state: 'accepted' })
    const turns = [
      [AFTER(7), []],
      [AFTER(8), [{ kind: 'due', department: HOLDER, cases: [`${caseNo} conclude 50`] }]],
      [AFTER(11), []],
      [AFTER(12), [{ kind: 'due', department: HOLDER, cases: [`${caseNo} conclude 80`] }]],
      [AFTER(15), [{ kind: 'due', department: HOLDER, cases: [`${caseNo} conclude 100`] }]],
      [AFTER(16), [{ kind: 'overdue', department: SUPERVISION, cases: [`${caseNo} conclude ${OVERDUE}`] }]],
    ] as const
    for (const [day, told] of turns) expect([day, await morning(day)]).toEqual([day, told])
  })

  it('that passed while nobody was up are told once, by the last stage', async () => {
    const caseNo = await fileTip()
    await setCase(caseNo, { state: 'accepted' })
    expect(await morning(AFTER(13))).toEqual([
      { kind: 'due', department: HOLDER, cases: [`${caseNo} conclude 80`] },
    ])
    expect(await morning(AFTER(20))).toEqual([
      { kind: 'overdue', department: SUPERVISION, cases: [`${caseNo} conclude ${OVERDUE}`] },
      { kind: 'due', department: HOLDER, cases: [`${caseNo} conclude 100`] },
    ])
  })

  it('are told anew when they were put off', async () => {
    const caseNo = await fileTip()
    await setCase(caseNo, { state: 'accepted' })
    await morning(AFTER(15))
    await setCase(caseNo, { conclude_due: AFTER(26) })
    expect(await morning(AFTER(16))).toEqual([
      { kind: 'due', department: HOLDER, cases: [`${caseNo} conclude 50`] },
    ])
  })

  it('are told once when two look at the same moment', async () => {
    await setCase(await fileTip(), { state: 'accepted' })
    today = AFTER(8)
    const made = await Promise.all([notices.collectDue(), notices.collectDue()])
    expect(made.sort()).toEqual([0, 1])
  })

  it('are nobody’s while the reporter is asked, and forgotten when the case is concluded', async () => {
    const caseNo = await fileTip()
    await setCase(caseNo, { state: 'accepted' })
    await morning(AFTER(8))
    await setCase(caseNo, { state: 'awaiting_reporter' })
    expect(await morning(AFTER(12))).toEqual([])
    await setCase(caseNo, { state: 'concluded' })
    expect(await morning(AFTER(20))).toEqual([])
    expect(await app.database.db.selectFrom('due_notice').selectAll().execute()).toEqual([])
  })

  it('of a department without a mailbox are told when it has one', async () => {
    const caseNo = await fileTip()
    await setCase(caseNo, { state: 'accepted' })
    await setMailboxes({ [HOLDER]: null })
    expect(await morning(AFTER(8))).toEqual([])
    await setMailboxes({ [HOLDER]: 'neu@example.gov.cn' })
    expect(await morning(AFTER(9))).toEqual([
      { kind: 'due', department: HOLDER, cases: [`${caseNo} conclude 50`] },
    ])
  })

  it('of a complaint about inaction never reach the accused or 区大气办', async () => {
    const caseNo = await fileTip({ category: 'department-inaction', accused: HOLDER })
    await notices.collectArrivals()
    const told = [...(await mails())]
    for (const day of [AFTER(1), AFTER(2), AFTER(3), AFTER(8), AFTER(12), AFTER(15), AFTER(16)]) {
      told.push(...(await morning(day)))
    }
    expect(told.flatMap(({ cases }) => cases).every((line) => line.startsWith(caseNo))).toBe(true)
    expect(told.length).toBeGreaterThan(4)
    expect(new Set(told.map(({ department }) => department))).toEqual(new Set([SUPERVISION]))
  })
})

describe('the console', () => {
  let admin: TestMember
  let auditor: TestMember
  let officer: TestMember
  beforeAll(async () => {
    admin = await signInAs(app, DISPATCHER, ['admin'])
    auditor = await signInAs(app, SUPERVISION, ['auditor'])
    officer = await signInAs(app, HOLDER, ['officer', 'dispatcher', 'publisher'])
  })

  async function aDeadMail(): Promise<string> {
    await fileTip()
    await notices.collectArrivals()
    const { id } = await onlyMail()
    mailer.failNext(new MailError('refused', true))
    await notices.deliver(id, forever)
    return id
  }

  it('shows mails by what became of them, a page at a time', async () => {
    const { db } = app.database
    for (let count = 0; count < 60; count += 1) {
      await db
        .insertInto('mail')
        .values({
          id: randomUUID(),
          kind: 'arrivals',
          department_id: HOLDER,
          day: count % 2 ? MONDAY : '2026-11-20',
          items: '[]',
          state: count < 52 ? 'sent' : count < 55 ? 'dead' : 'waiting',
          attempts: count < 57 ? 1 : 0,
          fault: null,
          message_key: null,
        })
        .execute()
    }
    const first = await notices.overview(admin.session, 'all', null)
    const second = await notices.overview(auditor.session, 'all', first.next)
    expect(first.counts).toEqual({ sent: 52, dead: 3, retrying: 2, waiting: 3 })
    expect([first.items.length, second.items.length, second.next]).toEqual([50, 10, null])
    const all = [...first.items, ...second.items]
    expect(new Set(all.map(({ id }) => id)).size).toBe(60)
    expect(all.map(({ day }) => day)).toEqual(all.map(({ day }) => day).toSorted((a, b) => (a < b ? 1 : -1)))
    for (const [tab, count] of Object.entries(first.counts)) {
      const page = await notices.overview(admin.session, tab as 'sent', null)
      expect([tab, page.items.length]).toEqual([tab, Math.min(count, 50)])
    }
    for (const cursor of ['junk', Buffer.from('["x","y"]').toString('base64url')]) {
      await expect(notices.overview(admin.session, 'all', cursor)).rejects.toMatchObject({
        code: 'bad-cursor',
      })
    }
  })

  it('is for the administrator and the auditor', async () => {
    await expect(notices.overview(officer.session, 'all', null)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(notices.written(officer.session, randomUUID())).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('sends a mail that was given up once more, with a line in the audit', async () => {
    const id = await aDeadMail()
    const sent: string[] = []
    const jobs: Jobs = {
      open: () =>
        Promise.resolve({
          sendMail: async (_tx, mailId) => {
            sent.push(mailId)
          },
        }),
    }
    await createNotices({ ...app.deps, mailer, jobs }).replay(admin.session, id)
    expect(sent).toEqual([id])
    expect(await stateOf(id)).toEqual({ state: 'waiting', attempts: 0, fault: null })
    const { items } = await app.services.staff.audit(auditor.session, null)
    expect(items[0]).toMatchObject({ action: 'mail.replay', object: id, role: 'admin' })
    await notices.deliver(id, forever)
    // To the same mailbox it is the same mail, which the provider knows if it had taken it after all.
    expect(mailer.tried[0]?.key).toBe(mailer.tried[1]?.key)
  })

  it('lets nobody else send, and sends nothing that waits, is gone or never was', async () => {
    const id = await aDeadMail()
    for (const { session } of [auditor, officer]) {
      await expect(notices.replay(session, id)).rejects.toMatchObject({ code: 'forbidden' })
    }
    await notices.replay(admin.session, id)
    for (const other of [id, randomUUID(), '1', "'"]) {
      await expect(notices.replay(admin.session, other)).rejects.toMatchObject({ code: 'not-found' })
    }
  })
})
