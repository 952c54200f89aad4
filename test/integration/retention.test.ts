import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createMemoryFiles } from '../../src/adapters/memory-files.ts'
import { createMemoryShredKeys } from '../../src/adapters/memory-shred-keys.ts'
import type { Day } from '../../src/domain/day.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { tipPlain } from '../../src/schemas/tip.ts'
import { recordAudit } from '../../src/services/audit.ts'
import { createServices, type Services } from '../../src/services/index.ts'
import { unlockLayers } from '../../src/services/two-layer-locks.ts'
import { createWrapLocks } from '../../src/services/wrap-locks.ts'
import type { CaseRetention } from '../../src/services/retention.ts'
import { openTestApp, plainTip, signInAs, type TestApp, type TestMember } from '../support/app.ts'
import { fileTip, noonAfter, publishCase, staffOf, type Filed } from '../support/closed-case.ts'
import { png } from '../support/images.ts'
import { createOpener } from '../support/opener.ts'

const FILED: Day = '2026-11-23'
const START = noonAfter(FILED, 0)
let now = START
const files = createMemoryFiles(() => now)
let app: TestApp
let staff: { officer: TestMember; publisher: TestMember }
let auditor: TestMember
beforeAll(async () => {
  app = await openTestApp({ files, now: () => now })
  staff = await staffOf(app)
  auditor = await signInAs(app, 'qu-duchashi', ['auditor'])
})
afterAll(() => app.close())
beforeEach(() => {
  now = START
})

/** What a process that was just started does at night. */
const night = (services: Services = createServices(app.deps)): Promise<number> => services.retention.run()

/** Publishes and closes; answers the day it closed. */
async function close(caseNo: string, outcome?: 'unsubstantiated' | 'outside'): Promise<Day> {
  await publishCase(app, staff, caseNo, outcome)
  now = noonAfter(FILED, 40)
  await app.services.cases.tick()
  const row = await app.database.db
    .selectFrom('case_file')
    .select(['state', 'closed_day'])
    .where('case_no', '=', caseNo)
    .executeTakeFirstOrThrow()
  expect(row.state).toBe('closed')
  return row.closed_day ?? ''
}

/** How much of a tip the database and the store of blobs have. */
async function left({ tipId }: Filed): Promise<Record<string, number>> {
  const { db } = app.database
  const count = async (table: 'tip_part' | 'tip_wrap' | 'case_note'): Promise<number> =>
    (await db.selectFrom(table).select('tip_id').where('tip_id', '=', tipId).execute()).length
  let blobs = 0
  for await (const file of files.list()) blobs += Number(file.bytes > 0)
  return {
    parts: await count('tip_part'),
    wraps: await count('tip_wrap'),
    notes: await count('case_note'),
    blobs,
  }
}

async function asReporter({ receiptCode }: Filed): Promise<CaseRetention | null> {
  const cookie = await app.services.receipts.open(receiptCode)
  return (await app.services.receipts.current(cookie))?.retention ?? null
}

const opens = async ({ tipId }: Filed): Promise<boolean> =>
  // Anew each time: it remembers what it has opened.
  createOpener(app)
    .openNarrative(tipId, 'qu-huanbao')
    .then(
      () => true,
      () => false,
    )

const refusal = (done: Promise<unknown>): Promise<string> =>
  done.then(
    () => 'done',
    (error: unknown) => (error instanceof DomainError ? error.code : String(error)),
  )

const SETTLED = { destroyOn: null, held: false, destroyedDay: null, receiptUntil: null }

describe('a closed case', () => {
  it('is announced two weeks before, destroyed after a year, and then tells its public result until the receipt goes', async () => {
    const tip = await fileTip(app, {}, [await png(16, 16)])
    const other = await fileTip(app, {}, [])
    const closed = await close(tip.caseNo)
    expect(await left(tip)).toEqual({ parts: 3, wraps: 2, notes: 0, blobs: 2 })

    now = noonAfter(closed, 350)
    expect(await asReporter(tip)).toEqual(SETTLED)
    now = noonAfter(closed, 351)
    expect(await asReporter(tip)).toEqual({ ...SETTLED, destroyOn: '2028-01-02' })
    now = noonAfter(closed, 364)
    expect(await night()).toBe(0)
    expect(await opens(tip)).toBe(true)

    now = noonAfter(closed, 365)
    expect(await night()).toBe(1)
    expect(await left(tip)).toEqual({ parts: 0, wraps: 0, notes: 0, blobs: 0 })
    expect(await opens(tip)).toBe(false)
    const { tips, retention, wrapMissing } = await app.services.cases.detail(
      staff.officer.session,
      tip.caseNo,
    )
    expect(tips).toMatchObject([{ destroyedDay: '2028-01-02', wrap: null, narrative: null, photoParts: [] }])
    expect(retention.destroyedDay).toBe('2028-01-02')
    expect(wrapMissing).toBe(false)
    expect(await asReporter(tip)).toEqual({
      ...SETTLED,
      destroyedDay: '2028-01-02',
      receiptUntil: '2029-01-01',
    })
    const cookie = await app.services.receipts.open(tip.receiptCode)
    expect(await app.services.receipts.current(cookie)).toMatchObject({
      caseNo: tip.caseNo,
      state: 'closed',
      statement: '已经查看，没有发现。',
    })
    expect(await opens(other)).toBe(true)
    expect(await asReporter(other)).toEqual(SETTLED)
    expect(await night()).toBe(0)
    const [line] = await app.database.db
      .selectFrom('staff_audit')
      .selectAll()
      .where('action', '=', 'retention')
      .execute()
    expect(line).toMatchObject({ object: tip.caseNo, member_id: null, data: { class: 'case', tips: 1 } })
    expect(line?.at.toISOString()).toBe('2028-01-01T16:00:00.000Z')
    expect((await app.services.offline.exportCase(tip.caseNo)).map(({ name }) => name)).toEqual(['open.sh'])
    // What staff did to it stays provable.
    const trail = await app.services.auditTrail.check(null)
    expect(trail).toMatchObject({ intact: true, events: { faults: [] } })
    expect(trail.events.same).toBeGreaterThan(3)

    now = noonAfter('2029-01-01', 0)
    await night()
    expect(await asReporter(tip)).toBeNull()
    expect(await app.services.receipts.current(cookie)).toBeNull()
    // Whoever opened it a minute before is told the same as somebody with a wrong code.
    const gone = await fetch(`${app.url}/api/v1/receipts/open`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code: tip.receiptCode }),
    })
    const wrong = await fetch(`${app.url}/api/v1/receipts/open`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code: '0'.repeat(24) }),
    })
    expect([gone.status, await gone.text()]).toEqual([wrong.status, await wrong.text()])
    // The case itself, its public row and its history stay.
    expect(
      (await app.services.cases.detail(staff.officer.session, tip.caseNo)).events.length,
    ).toBeGreaterThan(4)
  })

  it('that was somebody else’s business goes after 90 days', async () => {
    const tip = await fileTip(app)
    const closed = await close(tip.caseNo, 'outside')
    now = noonAfter(closed, 89)
    await night()
    expect(await opens(tip)).toBe(true)
    now = noonAfter(closed, 90)
    expect(await night()).toBe(1)
    expect(await opens(tip)).toBe(false)
  })

  it('keeps a name no longer than a reward can still come, and its words until their own day', async () => {
    const tip = await fileTip(app, { name: '张三丰', contact: '13900001111' })
    const layers = async (): Promise<number> =>
      (
        await app.database.db
          .selectFrom('two_layer_part')
          .select('purpose')
          .where('tip_id', '=', tip.tipId)
          .execute()
      ).length
    const closed = await close(tip.caseNo)
    now = noonAfter(closed, 209)
    await night()
    expect(await layers()).toBe(1)
    const part = await app.database.db
      .selectFrom('two_layer_part')
      .selectAll()
      .where('tip_id', '=', tip.tipId)
      .executeTakeFirstOrThrow()
    // What a copy of the database from before holds.
    const fromBackup = () =>
      unlockLayers(createWrapLocks(app.deps), { purpose: 'tip.identity', tip: tip.tipId }, part)
    expect(await fromBackup()).not.toBeNull()
    now = noonAfter(closed, 210)
    await night()
    expect(await layers()).toBe(0)
    expect(await fromBackup()).toBeNull()
    expect(await opens(tip)).toBe(true)
    now = noonAfter(closed, 365)
    expect(await night()).toBe(1)
    expect(await opens(tip)).toBe(false)
  })

  it('takes what was folded into it along, and not before', async () => {
    const first = await fileTip(app)
    now = noonAfter(FILED, 1)
    const second = await fileTip(app)
    const { cases } = app.services
    await cases.act(staff.officer.session, second.caseNo, { action: 'accept', version: 1 })
    await cases.act(staff.officer.session, second.caseNo, {
      action: 'attach',
      version: 2,
      attachTo: first.caseNo,
    })
    const closed = await close(first.caseNo)
    now = noonAfter(closed, 355)
    expect((await asReporter(second))?.destroyOn).toBe('2028-01-02')
    now = noonAfter(closed, 365)
    expect(await night()).toBe(1)
    expect([await opens(first), await opens(second)]).toEqual([false, false])
  })
})

describe('what nobody took', () => {
  it('goes 90 days after it came without a proof; whatever an officer accepted stays', async () => {
    const ignored = await fileTip(app, {}, [], 'unverified')
    const taken = await fileTip(app, {}, [], 'unverified')
    await app.services.cases.act(staff.officer.session, taken.caseNo, { action: 'accept', version: 1 })
    now = noonAfter(FILED, 76)
    expect((await asReporter(ignored))?.destroyOn).toBe('2027-02-21')
    now = noonAfter(FILED, 90)
    expect(await night()).toBe(1)
    expect([await opens(ignored), await opens(taken)]).toEqual([false, true])

    // It can still be worked: what is left of it is plain, and there is nothing to hand over or to note on.
    const { cases } = app.services
    await cases.act(staff.officer.session, ignored.caseNo, {
      action: 'return',
      version: 1,
      reason: 'other-area',
      target: 'qu-jianshe',
    })
    const row = await app.database.db
      .selectFrom('case_file')
      .select('holder_id')
      .where('case_no', '=', ignored.caseNo)
      .executeTakeFirstOrThrow()
    expect(row.holder_id).toBe('qu-jianshe')
  })
})

describe('a hold', () => {
  it('keeps a case that is due, shows to the reporter, and is announced anew once lifted', async () => {
    const tip = await fileTip(app)
    const closed = await close(tip.caseNo)
    const { retention } = app.services
    await retention.hold(auditor.session, tip.caseNo, 'litigation')
    expect(await refusal(retention.hold(auditor.session, tip.caseNo, 'audit'))).toBe('case-transition')
    now = noonAfter(closed, 400)
    expect(await night()).toBe(0)
    expect(await asReporter(tip)).toEqual({ ...SETTLED, held: true })
    expect((await retention.overview(auditor.session)).holds).toMatchObject([
      { caseNo: tip.caseNo, reason: 'litigation' },
    ])
    await retention.lift(auditor.session, tip.caseNo)
    expect(await asReporter(tip)).toEqual({ ...SETTLED, destroyOn: '2028-02-20' })
    expect(await night()).toBe(0)
    now = noonAfter(closed, 414)
    expect(await night()).toBe(1)
    expect(await refusal(retention.hold(auditor.session, tip.caseNo, 'audit'))).toBe('case-transition')
    expect(await refusal(retention.lift(auditor.session, tip.caseNo))).toBe('not-found')
    const lines = await app.database.db
      .selectFrom('staff_audit')
      .select(['action', 'object'])
      .where('action', 'like', 'retention.%')
      .execute()
    expect(lines).toEqual([
      { action: 'retention.hold', object: tip.caseNo },
      { action: 'retention.lift', object: tip.caseNo },
    ])
  })

  it('is for auditors, who may meet the case', async () => {
    const { retention } = app.services
    const own = await fileTip(app)
    const accusing = await fileTip(app, { category: 'department-inaction', accused: 'qu-huanbao' })
    const accused = await signInAs(app, 'qu-huanbao', ['auditor'])
    const admin = await signInAs(app, 'qu-daqiban', ['admin'])
    expect({
      officer: await refusal(retention.hold(staff.officer.session, own.caseNo, 'audit')),
      admin: await refusal(retention.hold(admin.session, own.caseNo, 'audit')),
      accused: await refusal(retention.hold(accused.session, accusing.caseNo, 'audit')),
      nonsense: await refusal(retention.hold(auditor.session, 'nonsense', 'audit')),
      reason: await refusal(retention.hold(auditor.session, own.caseNo, 'because')),
      auditor: await refusal(retention.hold(auditor.session, accusing.caseNo, 'audit')),
    }).toEqual({
      officer: 'forbidden',
      admin: 'forbidden',
      accused: 'not-found',
      nonsense: 'not-found',
      reason: 'invalid-input',
      auditor: 'done',
    })
    expect((await retention.overview(accused.session)).holds.map(({ caseNo }) => caseNo)).not.toContain(
      accusing.caseNo,
    )
    expect((await retention.overview(admin.session)).holds).toEqual([])
    expect(await refusal(retention.overview(staff.officer.session))).toBe('forbidden')
    expect(await refusal(retention.lift(accused.session, accusing.caseNo))).toBe('not-found')
    await retention.lift(auditor.session, accusing.caseNo)
  })
})

describe('the schedule', () => {
  it('is changed by an administrator, from two weeks later on', async () => {
    const { retention } = app.services
    const admin = await signInAs(app, 'qu-daqiban', ['admin'])
    const rule = { class: 'case', days: 200, from: '2026-12-07' }
    expect({
      auditor: await refusal(retention.setRule(auditor.session, rule)),
      soon: await refusal(retention.setRule(admin.session, { ...rule, from: '2026-12-06' })),
      short: await refusal(retention.setRule(admin.session, { ...rule, days: 1 })),
      other: await refusal(retention.setRule(admin.session, { ...rule, class: 'audit' })),
      day: await refusal(retention.setRule(admin.session, { ...rule, from: '2026-02-30' })),
    }).toEqual({
      auditor: 'forbidden',
      soon: 'invalid-input',
      short: 'invalid-input',
      other: 'invalid-input',
      day: 'invalid-input',
    })
    await retention.setRule(admin.session, rule)
    const tip = await fileTip(app)
    const closed = await close(tip.caseNo)
    now = noonAfter(closed, 180)
    const { classes, due } = await retention.overview(auditor.session)
    expect(classes.find((one) => one.class === 'case')).toMatchObject({ days: 200, soon: 1 })
    expect(due).toMatchObject([{ caseNo: tip.caseNo, class: 'case', due: '2027-07-21' }])
    now = noonAfter(closed, 200)
    expect(await night()).toBe(1)
    await app.database.db.deleteFrom('retention_rule').execute()
  })

  it('takes the audit’s lines after three years, and leaves the chain of the rest whole', async () => {
    const own = await openTestApp({ now: () => now })
    try {
      const { db } = own.database
      const line = (day: number, object: string) =>
        recordAudit(db, { at: noonAfter(FILED, day), memberId: null, role: null, action: 'sign-in', object })
      const { session } = await signInAs(own, 'qu-huanbao', ['officer'])
      const { caseNo } = await fileTip(own)
      const step = async (action: 'accept' | 'work') => {
        const { item } = await own.services.cases.detail(session, caseNo)
        await own.services.cases.act(session, caseNo, { action, version: item.version })
      }
      await db.deleteFrom('staff_audit').execute()
      await db.deleteFrom('audit_head').execute()
      await step('accept')
      await line(1, 'second')
      await line(40, 'third')
      now = noonAfter(FILED, 41)
      await step('work')
      const kept = async () =>
        (await db.selectFrom('staff_audit').select('object').orderBy('no').execute()).map(
          ({ object }) => object,
        )
      now = noonAfter(FILED, 1095)
      await night(own.services)
      expect(await kept()).toEqual([caseNo, 'second', 'third', caseNo])
      now = noonAfter(FILED, 1099)
      await night(createServices(own.deps))
      expect(await kept()).toEqual(['third', caseNo, 'audit'])
      await line(1100, 'fifth')
      // The first step is as old as its line was: it needs none any more.
      expect(await own.services.auditTrail.check(null)).toMatchObject({
        intact: true,
        count: 6,
        events: { same: 1 },
      })
      await db.deleteFrom('staff_audit').where('object', '=', 'third').execute()
      expect(await own.services.auditTrail.check(null)).toMatchObject({ intact: false, fault: 'missing' })
    } finally {
      await own.close()
    }
  })
})

describe('a crash', () => {
  it.each([
    ['before the keys are destroyed', 'destroy', true],
    ['between the keys and the blobs', 'delete', false],
    ['between two blobs', 'second delete', false],
  ] as const)(
    '%s leaves a tip whole or closed, and the next night ends it',
    async (_name, step, readable) => {
      const tip = await fileTip(app, {}, [await png(16, 16)])
      const closed = await close(tip.caseNo)
      now = noonAfter(closed, 365)
      let deletes = 0
      const crash = () => Promise.reject(new Error('crash'))
      const broken = createServices({
        ...app.deps,
        shredKeys: { ...app.deps.shredKeys, ...(step === 'destroy' ? { destroy: crash } : {}) },
        files: {
          ...files,
          delete: (key) => {
            deletes += 1
            if (step === 'delete' || (step === 'second delete' && deletes === 2)) return crash()
            return files.delete(key)
          },
        },
      })
      await expect(night(broken)).rejects.toThrow('crash')
      expect(await opens(tip)).toBe(readable)
      // The console's page is no error, whatever is half-done.
      const { tips } = await app.services.cases.detail(staff.officer.session, tip.caseNo)
      expect((tips[0]?.wrap ?? null) !== null).toBe(readable)
      expect(await night()).toBe(1)
      expect(await left(tip)).toEqual({ parts: 0, wraps: 0, notes: 0, blobs: 0 })
      expect(await opens(tip)).toBe(false)
    },
  )
})

describe('a night', () => {
  it('in two processes at once destroys each case once', async () => {
    const tips = [await fileTip(app), await fileTip(app), await fileTip(app)]
    let closed: Day = ''
    for (const { caseNo } of tips) {
      now = START
      closed = await close(caseNo)
    }
    now = noonAfter(closed, 365)
    const both = await Promise.all([night(), night()])
    expect(both[0] + both[1]).toBe(3)
    const lines = await app.database.db
      .selectFrom('staff_audit')
      .select('object')
      .where('action', '=', 'retention')
      .where(
        'object',
        'in',
        tips.map(({ caseNo }) => caseNo),
      )
      .execute()
    expect(lines).toHaveLength(3)
  })

  it('goes on when one case fails, and says so', async () => {
    const stuck = await fileTip(app, {}, [await png(16, 16)])
    const other = await fileTip(app)
    await close(stuck.caseNo)
    now = START
    const closed = await close(other.caseNo)
    now = noonAfter(closed, 365)
    const broken = createServices({
      ...app.deps,
      files: { ...files, delete: () => Promise.reject(new Error('EIO')) },
    })
    await expect(night(broken)).rejects.toThrow('EIO')
    expect((await left(other))['wraps']).toBe(0)
    expect([await opens(stuck), await opens(other)]).toEqual([false, false])
    expect(await night(broken).catch(() => 'again')).toBe('again')
    expect(await night()).toBe(1)
  })
})

describe('the locks of wraps', () => {
  it('come to tips from before there were any', async () => {
    const tip = await fileTip(app)
    const { db } = app.database
    const stored = () => db.selectFrom('tip_wrap').select('wrapped').where('tip_id', '=', tip.tipId).execute()
    for (const { wrapped } of await stored())
      expect(wrapped.toString('latin1')).not.toContain('age-encryption')
    // As it was: what an officer's browser gets, in the row itself.
    const wraps = new Map(
      await Promise.all(
        (
          [
            ['qu-huanbao', staff.officer],
            ['qu-daqiban', await signInAs(app, 'qu-daqiban', ['dispatcher'])],
          ] as const
        ).map(
          async ([department, member]) =>
            [
              department,
              (await app.services.cases.detail(member.session, tip.caseNo)).tips[0]?.wrap,
            ] as const,
        ),
      ),
    )
    for (const [department, wrap] of wraps) {
      await db
        .updateTable('tip_wrap')
        .set({ wrapped: Buffer.from(wrap?.wrapped ?? []) })
        .where('tip_id', '=', tip.tipId)
        .where('department_id', '=', department)
        .execute()
    }
    await db.updateTable('tip').set({ slot: null }).where('id', '=', tip.tipId).execute()
    expect(await opens(tip)).toBe(true)
    await createServices(app.deps).upkeep.run()
    for (const { wrapped } of await stored())
      expect(wrapped.toString('latin1')).not.toContain('age-encryption')
    expect(
      (await app.services.cases.detail(staff.officer.session, tip.caseNo)).tips[0]?.wrap?.wrapped,
    ).toEqual(wraps.get('qu-huanbao')?.wrapped)
  })

  it('close intake when their store is not the database’s, before a new one takes its place', async () => {
    await fileTip(app)
    const shredKeys = createMemoryShredKeys()
    const services = createServices({ ...app.deps, shredKeys })
    expect(await services.readiness.check()).toMatchObject({ ready: false })
    const { cookie } = await services.drafts.start()
    const plain = tipPlain.parse(plainTip())
    const sending = { trap: '', proof: '', client: services.limits.keyOf(null) }
    expect(await refusal(services.drafts.commit(cookie, plain, sending))).toBe('intake-closed')
    expect(await shredKeys.has(0)).toBe(false)

    // When it is lost for good: what it would have opened counts as destroyed, and tips are taken again.
    const { tipId } = await fileTip(app, {}, [await png(16, 16)])
    expect(await services.retention.acceptLoss()).toBeGreaterThan(0)
    expect(await services.readiness.check()).toEqual({ ready: true, reasons: [] })
    expect(await left({ tipId, caseNo: '', receiptCode: '' })).toEqual({
      parts: 0,
      wraps: 0,
      notes: 0,
      blobs: 0,
    })
    expect(await refusal(services.drafts.commit(cookie, plain, sending))).toBe('done')
  })
})
