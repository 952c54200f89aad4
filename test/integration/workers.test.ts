import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createJobQueue, type JobQueue } from '../../src/adapters/job-queue.ts'
import { openServerSecrets } from '../../src/adapters/server-secrets.ts'
import { systemRandom } from '../../src/adapters/system.ts'
import { createBoss } from '../../src/db/job-schema.ts'
import { insertMail } from '../../src/db/notices.ts'
import { openTestApp, plainTip, type TestApp } from '../support/app.ts'
import { startSmtp, type SmtpStandIn } from '../support/mail-servers.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const HOLDER = 'qu-huanbao'
const SOON = { timeout: 60_000, interval: 100 }

/** A worker as the operator starts it, from the sources: it needs no build. */
interface Worker {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  logs(): string
}

// The embedded database is opened by one process only.
describe.skipIf(inject('testDatabase').engine !== 'postgres')('two worker processes on one database', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'lantian-workers-'))
  let app: TestApp
  let smtp: SmtpStandIn
  let queue: JobQueue
  let workers: Worker[] = []

  function startWorker(): Promise<Worker> {
    const child = spawn(process.execPath, [join(ROOT, 'src/cli/start.ts')], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        ROLE: 'worker',
        DATABASE_URL: app.database.url ?? '',
        DATA_DIR: dataDir,
        PUBLIC_URL: 'https://lantian.example.gov.cn',
        SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
        MAIL_FROM: 'noreply@lantian.example.gov.cn',
      },
    })
    let output = ''
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    return new Promise((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        output += chunk.toString()
        if (output.includes('working jobs')) resolve({ child, ended, logs: () => output })
      }
      child.stdout.on('data', read)
      child.stderr.on('data', read)
      void ended.then((code) => reject(new Error(`the worker ended with ${String(code)}: ${output}`)))
    })
  }

  beforeAll(async () => {
    app = await openTestApp()
    smtp = await startSmtp()
    await openServerSecrets(join(dataDir, 'keys'), systemRandom, { create: true })
    await app.database.db
      .updateTable('department')
      .set({ mailbox: 'huanbao@example.gov.cn' })
      .where('id', '=', HOLDER)
      .execute()
    queue = createJobQueue(() => createBoss(app.database, { supervise: false, schedule: false }), {
      info: () => {},
      error: () => {},
    })
    workers = await Promise.all([startWorker(), startWorker()])
  })
  afterAll(async () => {
    for (const { child } of workers) child.kill('SIGKILL')
    await Promise.all(workers.map(({ ended }) => ended))
    await queue.close()
    await smtp.close()
    await app.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  async function post(count: number): Promise<void> {
    const open = await queue.open()
    await app.database.db.transaction().execute(async (tx) => {
      for (let made = 0; made < count; made += 1) {
        const id = randomUUID()
        await insertMail(tx, { id, kind: 'arrivals', department: HOLDER, day: '2026-11-23', items: [] })
        await open.sendMail(tx, id)
      }
    })
  }
  const unsent = async (): Promise<number> => {
    const rows = await app.database.db.selectFrom('mail').select('id').where('state', '<>', 'sent').execute()
    return rows.length
  }

  it('send each mail once', async () => {
    await post(60)
    await expect.poll(unsent, SOON).toBe(0)
    expect(smtp.taken).toHaveLength(60)
    expect(smtp.ids()).toHaveLength(60)
  })

  it('tell each arrival once, however often they are called', async () => {
    const before = smtp.taken.length
    const filed = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const reply = await fetch(`${app.url}/api/v1/tips`, {
          method: 'POST',
          headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json' },
          body: JSON.stringify({ plain: plainTip() }),
        })
        return ((await reply.json()) as { caseNo: string }).caseNo
      }),
    )
    for (let calls = 0; calls < 4; calls += 1) await queue.send('arrivals')
    const told = (): string =>
      smtp.taken
        .slice(before)
        .map(({ data }) => data)
        .join('')
    await expect.poll(() => filed.filter((caseNo) => told().includes(caseNo)).length, SOON).toBe(5)
    await expect.poll(unsent, SOON).toBe(0)
    for (const caseNo of filed) {
      expect(smtp.taken.slice(before).filter(({ data }) => data.includes(caseNo))).toHaveLength(1)
    }
  })

  it('lose nothing when one of them is killed in the middle of its mails', async () => {
    const before = smtp.ids().length
    smtp.mood = 'hang'
    await post(12)
    await smtp.someoneWaits()
    const [killed, left] = workers
    killed?.child.kill('SIGKILL')
    await killed?.ended
    left?.child.kill('SIGTERM')
    expect(await left?.ended).toBe(0)
    expect(smtp.ids()).toHaveLength(before)
    smtp.mood = 'accept'
    workers = [await startWorker()]
    // What the killed one held is given back when its time is over, which is two minutes: let them be over.
    await app.database.execute(
      `update pgboss.job set started_on = now() - interval '1 hour' where state = 'active'`,
    )
    await app.database.execute('update pgboss.queue set monitor_on = null')
    const keeper = await createBoss(app.database, { schedule: false })
    keeper.on('error', () => {})
    await keeper.start()
    await keeper.supervise()
    await keeper.stop({ close: false })
    await app.database.execute(`update pgboss.job set start_after = now() where state = 'retry'`)
    await expect.poll(unsent, SOON).toBe(0)
    expect(smtp.ids()).toHaveLength(before + 12)
    expect(smtp.taken.length - before).toBe(smtp.ids().length - before)
  })

  it('end at once when they are asked to, and say nothing of what they did', async () => {
    const [worker] = workers
    worker?.child.kill('SIGTERM')
    expect(await worker?.ended).toBe(0)
    expect(worker?.logs()).not.toMatch(/ZY-|@example/)
  })
})
