import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createJobQueue, type JobQueue } from '../../src/adapters/job-queue.ts'
import type { Log } from '../../src/adapters/log.ts'
import { createResendMailer } from '../../src/adapters/resend-mailer.ts'
import { createSmtpMailer } from '../../src/adapters/smtp-mailer.ts'
import { createBoss, installJobs, jobsAreInstalled } from '../../src/db/job-schema.ts'
import { createServices, type Services } from '../../src/services/index.ts'
import { CHORES, jobHandlers, MAIL_TRIES } from '../../src/services/jobs.ts'
import type { Mailer } from '../../src/services/mailer.ts'
import { openTestApp, plainTip, signInAs, type TestApp } from '../support/app.ts'
import {
  RESEND_KEY,
  startResend,
  startSmtp,
  type ResendStandIn,
  type SmtpStandIn,
} from '../support/mail-servers.ts'

const HOLDER = 'qu-huanbao'
const SENDER = { name: '', address: 'noreply@lantian.example.gov.cn' }
// The queue has its own clock, the database's; the wait for it is bounded here.
const SOON = { timeout: 30_000, interval: 50 }

let app: TestApp
let smtp: SmtpStandIn
let resend: ResendStandIn
let errors: unknown[] = []
const open: JobQueue[] = []
const log: Log = { info: () => {}, error: (error) => void errors.push(error) }

beforeAll(async () => {
  app = await openTestApp()
  smtp = await startSmtp()
  resend = await startResend()
  const { db } = app.database
  await db.transaction().execute(async (tx) => {
    await tx
      .updateTable('department')
      .set({ mailbox: 'huanbao@example.gov.cn' })
      .where('id', '=', HOLDER)
      .execute()
    await app.deps.versions.bump(tx, 'plan')
  })
})
afterAll(async () => {
  await smtp.close()
  await resend.close()
  await app.close()
})
beforeEach(async () => {
  smtp.mood = 'accept'
  resend.mood = 'accept'
  errors = []
  await app.database.execute('delete from pgboss.job')
  await app.database.db.deleteFrom('notice').execute()
  await app.database.db.deleteFrom('mail').execute()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((queue) => queue.close()))
})

const bySmtp = (): Mailer =>
  createSmtpMailer({ host: '127.0.0.1', port: smtp.port, tls: 'none', user: null, password: null }, SENDER)
const byResend = (): Mailer => createResendMailer({ apiKey: RESEND_KEY, baseUrl: resend.url }, SENDER)

/** The program's queue with its services, as one process has them. */
function aProcess(mailer: Mailer): { queue: JobQueue; services: Services; work: () => Promise<void> } {
  const queue = createJobQueue(() => createBoss(app.database), log, { poll: 0.5 })
  open.push(queue)
  const services = createServices({ ...app.deps, jobs: queue, mailer })
  return { queue, services, work: () => queue.work(jobHandlers(services)) }
}

async function fileTip(): Promise<string> {
  return (await filedTip()).caseNo
}

async function filedTip(): Promise<{ readonly caseNo: string; readonly receiptCode: string }> {
  const reply = await fetch(`${app.url}/api/v1/tips`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json' },
    body: JSON.stringify({ plain: plainTip() }),
  })
  expect(reply.status).toBe(201)
  return (await reply.json()) as { caseNo: string; receiptCode: string }
}

const mail = async () => app.database.db.selectFrom('mail').selectAll().executeTakeFirst()
const mailState = async () => (await mail())?.state
async function jobs(name: string) {
  const { rows } = await app.database.execute(
    'select state, data, retry_limit, retry_count, retry_delay, start_after > now() as later, output from pgboss.job where name = $1',
    [name],
  )
  return rows as {
    state: string
    data: unknown
    retry_limit: number
    retry_count: number
    retry_delay: number
    later: boolean
    output: unknown
  }[]
}
/** The wait before the next try is over. */
const waitIsOver = () => app.database.execute(`update pgboss.job set start_after = now() where name = 'mail'`)

describe('the queue of jobs', () => {
  it('has its tables after the migrations, and making them again does nothing', async () => {
    expect(await jobsAreInstalled(app.database)).toBe(true)
    expect(await installJobs(app.database)).toBe(false)
  })

  it('works what the clock puts into it: upkeep, arrivals, terms', async () => {
    const { work } = aProcess(bySmtp())
    await work()
    const { rows } = await app.database.execute(
      'select name, cron, timezone from pgboss.schedule order by name',
    )
    expect(rows).toEqual(
      Object.entries(CHORES)
        .map(([name, cron]) => ({ name, cron, timezone: 'Asia/Shanghai' }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    )
    await expect
      .poll(async () => (await jobs('upkeep')).map(({ state }) => state), SOON)
      .toContain('completed')
    expect(errors).toEqual([])
  })

  it('makes good at the start what the clock would have put into it while nobody was up', async () => {
    await aProcess(bySmtp()).work()
    await open.pop()?.close()
    await app.database.execute('delete from pgboss.job')
    await app.database.execute(`update pgboss.version set cron_on = now() - interval '2 days'`)
    await app.database.execute(`update pgboss.schedule set created_on = now() - interval '9 days'`)
    await aProcess(bySmtp()).work()
    await expect.poll(async () => (await jobs('due')).map(({ state }) => state), SOON).toEqual(['completed'])
  })

  it('takes over what a killed process held', async () => {
    const { queue, work } = aProcess(bySmtp())
    await queue.send('arrivals')
    await app.database
      .execute(`update pgboss.job set state = 'active', started_on = now() - interval '3 minutes',
      heartbeat_on = now() - interval '3 minutes' where name = 'arrivals'`)
    await work()
    const keeper = await createBoss(app.database, { schedule: false })
    await keeper.start()
    await app.database.execute('update pgboss.queue set monitor_on = null')
    await keeper.supervise('arrivals')
    await keeper.stop({ close: false })
    await app.database.execute(`update pgboss.job set start_after = now() where state = 'retry'`)
    await expect.poll(async () => (await jobs('arrivals'))[0]?.state, SOON).toBe('completed')
    expect((await jobs('arrivals'))[0]?.retry_count).toBe(1)
  })

  it('takes a mail with the transaction that makes it, and none without', async () => {
    await fileTip()
    const { queue, services } = aProcess(bySmtp())
    const refusing = await queue.open()
    await expect(
      app.database.db.transaction().execute(async (tx) => {
        await refusing.sendMail(tx, randomUUID())
        throw new Error('rolled back')
      }),
    ).rejects.toThrow('rolled back')
    expect(await jobs('mail')).toEqual([])
    await services.notices.collectArrivals()
    const [job, ...others] = await jobs('mail')
    expect(others).toEqual([])
    expect(job).toMatchObject({
      state: 'created',
      data: { id: (await mail())?.id },
      retry_limit: MAIL_TRIES - 1,
    })
    // Nothing of the case is in the queue: no number, no department.
    expect(Object.keys(job?.data as object)).toEqual(['id'])
  })

  it('sends the mail about what came', async () => {
    const caseNo = await fileTip()
    const { queue, work } = aProcess(bySmtp())
    await work()
    await queue.send('arrivals')
    await expect.poll(mailState, SOON).toBe('sent')
    expect(smtp.taken.at(-1)?.data).toContain(caseNo)
    expect(errors).toEqual([])
  })

  it('sends the mail of the evening once, which names no case, no code and no address', async () => {
    const address = 'somebody@example.org'
    const { caseNo, receiptCode } = await filedTip()
    const officer = await signInAs(app, HOLDER, ['officer'])
    const [{ queue, services, work }, other] = [aProcess(byResend()), aProcess(byResend())]
    await services.receipts.follow(await services.receipts.open(receiptCode), address)
    const { id, tip_id: tipId } = await app.database.db
      .selectFrom('follow_mail')
      .select(['id', 'tip_id'])
      .executeTakeFirstOrThrow()
    const { version } = await app.database.db
      .selectFrom('case_file')
      .select('version')
      .where('case_no', '=', caseNo)
      .executeTakeFirstOrThrow()
    await services.cases.act(officer.session, caseNo, { action: 'accept', version })
    await Promise.all([work(), other.work()])
    // The clock's own chores may put mails about arrivals beside it.
    const own = async () => (await jobs('mail')).filter(({ data }) => (data as { id: string }).id === id)
    await queue.send('changes')
    await expect.poll(async () => (await own()).length, SOON).toBe(1)
    expect((await own())[0]?.data).toEqual({ id })
    await waitIsOver()
    await expect.poll(async () => (await own())[0]?.state, SOON).toBe('completed')
    expect(await services.followMail.collect()).toBe(0)

    expect(await own()).toMatchObject([{ retry_count: 0 }])
    const mails = [...resend.delivered.values()].filter(({ to }) => to.includes(address))
    expect(mails).toHaveLength(1)
    const said = JSON.stringify(mails)
    for (const word of [
      caseNo,
      receiptCode,
      receiptCode.replaceAll('-', ''),
      tipId,
      HOLDER,
      'http',
      '举报',
    ]) {
      expect(said).not.toContain(word)
    }
    expect(errors).toEqual([])
  })
})

describe.each([
  ['SMTP', bySmtp, () => smtp],
  ['Resend', byResend, () => resend],
] as const)('a mail over %s', (_name, carrier, server) => {
  const arrived = (): number => (server() === smtp ? smtp.ids().length : resend.delivered.size)
  let before = 0
  beforeEach(async () => {
    before = arrived()
    await fileTip()
  })

  it('is tried again later, not at once, until it is taken; once', async () => {
    server().mood = 'busy'
    const { services, work } = aProcess(carrier())
    await services.notices.collectArrivals()
    await work()
    await expect.poll(async () => (await jobs('mail'))[0]?.state, SOON).toBe('retry')
    expect((await jobs('mail'))[0]).toMatchObject({ later: true, output: { failed: 'MailError' } })
    expect(await mail()).toMatchObject({ state: 'waiting', attempts: 1, fault: 'busy' })
    server().mood = 'accept'
    await waitIsOver()
    await expect.poll(mailState, SOON).toBe('sent')
    expect(arrived()).toBe(before + 1)
  })

  it('whose answer was lost arrives once', async () => {
    server().mood = 'accept-then-drop'
    const { services, work } = aProcess(carrier())
    await services.notices.collectArrivals()
    await work()
    await expect.poll(async () => (await jobs('mail'))[0]?.state, SOON).toBe('retry')
    server().mood = 'accept'
    await waitIsOver()
    await expect.poll(mailState, SOON).toBe('sent')
    expect(await mail()).toMatchObject({ attempts: 2 })
    expect(arrived()).toBe(before + 1)
  })

  it('that is refused for good, or for too long, waits in the console and goes out from there', async () => {
    const admin = await signInAs(app, 'qu-daqiban', ['admin'])
    server().mood = 'busy'
    const { services, work } = aProcess(carrier())
    await services.notices.collectArrivals()
    await app.database.execute(`update pgboss.job set retry_count = retry_limit where name = 'mail'`)
    await work()
    await expect.poll(mailState, SOON).toBe('dead')
    expect(await mail()).toMatchObject({ fault: 'busy', attempts: 1 })
    server().mood = 'refuse'
    await services.notices.replay(admin.session, (await mail())?.id ?? '')
    await expect.poll(async () => (await mail())?.fault, SOON).toBe('refused')
    expect(await mailState()).toBe('dead')
    server().mood = 'accept'
    await services.notices.replay(admin.session, (await mail())?.id ?? '')
    await expect.poll(mailState, SOON).toBe('sent')
    expect(arrived()).toBe(before + 1)
  })

  it('that hangs delays no tip', async () => {
    server().mood = 'hang'
    const { services, work } = aProcess(carrier())
    await services.notices.collectArrivals()
    await work()
    await server().someoneWaits()
    const filed = await Promise.all(Array.from({ length: 8 }, fileTip))
    expect(new Set(filed).size).toBe(8)
    expect(await mail()).toMatchObject({ state: 'waiting', attempts: 0 })
  })

  it('that was under way when the program stopped goes out after the next start', async () => {
    server().mood = 'hang'
    const first = aProcess(carrier())
    await first.services.notices.collectArrivals()
    await first.work()
    await server().someoneWaits()
    await first.queue.close()
    expect(await mail()).toMatchObject({ state: 'waiting', fault: 'interrupted' })
    server().mood = 'accept'
    await waitIsOver()
    await aProcess(carrier()).work()
    await expect.poll(mailState, SOON).toBe('sent')
    expect(arrived()).toBe(before + 1)
  })
})
