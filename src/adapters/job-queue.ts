import { setTimeout as wait } from 'node:timers/promises'
import type { JobResult, PgBoss, QueueOptions, QueuePolicy } from 'pg-boss'
import {
  CHORES,
  MAIL_TRIES,
  type Chore,
  type JobHandlers,
  type Jobs,
  type OpenJobs,
} from '../services/jobs.ts'
import type { Log } from './log.ts'

/** The queue of jobs of one process. */
export interface JobQueue extends Jobs {
  /**
   * Works jobs until `close()`: in one process or in several, each job is done by one of them. Answers when everything
   * is set up; while the database is away it tries again.
   */
  work(handlers: JobHandlers): Promise<void>
  /** Puts a chore into the queue, beside those that the clock puts there. */
  send(chore: Chore): Promise<void>
  /** Lets running jobs end for two seconds, then ends them by their signal and gives them back. */
  close(): Promise<void>
}

interface MailJob {
  readonly id: string
}

const MAIL = 'mail'
const DEAD_MAIL = 'mail-dead'
const CHORE_NAMES = Object.keys(CHORES) as Chore[]
const ZONE = 'Asia/Shanghai'
const DRAIN_MS = 2_000
const RETRY_MS = 15_000
const MAILS_AT_ONCE = 5
/** A provider that has not answered by then does not answer. */
const MAIL_MS = 30_000
const HOUR = 3600

// A job that waits is never thrown away: a year is the most that can be said.
const KEPT: QueueOptions = { retentionSeconds: 365 * 24 * HOUR, deleteAfterSeconds: HOUR }
const QUEUES: readonly (QueueOptions & { name: string; policy?: QueuePolicy; deadLetter?: string })[] = [
  { ...KEPT, name: DEAD_MAIL },
  {
    ...KEPT,
    name: MAIL,
    deadLetter: DEAD_MAIL,
    // Longer than a mail may take: nobody else begins while one still waits for its provider.
    expireInSeconds: (4 * MAIL_MS) / 1000,
    retryLimit: MAIL_TRIES - 1,
    retryDelay: 60,
    retryBackoff: true,
    retryDelayMax: 4 * HOUR,
  },
  ...CHORE_NAMES.map((name) => ({
    ...KEPT,
    name,
    // One at a time, and one more at most that waits.
    policy: 'stately',
    expireInSeconds: HOUR,
    // Of a process that was killed the job is taken over, long before its hour is up.
    heartbeatSeconds: 60,
    retryLimit: 3,
    retryDelay: 30,
  })),
]

/**
 * @param createBoss a queue on the program's own database, not started
 * @param poll seconds between two looks for mails; for everything else it is four times as long
 */
export function createJobQueue(
  createBoss: () => Promise<PgBoss>,
  log: Log,
  { poll = 5 }: { readonly poll?: number } = {},
): JobQueue {
  let opened: Promise<PgBoss> | null = null
  let setUp: Promise<void> | null = null
  const closing = new AbortController()
  const running = new Set<Promise<unknown>>()

  /** Answers how it failed, by the error's class alone: the queue's own tables keep no more than the log. */
  async function attempt(job: string, work: () => Promise<unknown>): Promise<string | null> {
    const run = work().then(
      () => null,
      (error: unknown) => {
        log.error(error, { job })
        return error instanceof Error ? error.name : 'unknown'
      },
    )
    running.add(run)
    try {
      return await run
    } finally {
      running.delete(run)
    }
  }

  async function start(): Promise<PgBoss> {
    const boss = await createBoss()
    boss.on('error', (error) => log.error(error))
    try {
      await boss.start()
      for (const { name, policy, ...options } of QUEUES) {
        await boss.createQueue(name, { ...options, ...(policy === undefined ? {} : { policy }) })
        // One that an earlier version made keeps its options until they are told anew.
        await boss.updateQueue(name, options)
      }
      return boss
    } catch (error) {
      await boss.stop({ close: false, graceful: false })
      throw error
    }
  }

  async function open(): Promise<PgBoss> {
    opened ??= start()
    try {
      return await opened
    } catch (error) {
      opened = null
      throw error
    }
  }

  async function hire(handlers: JobHandlers): Promise<void> {
    const boss = await open()
    for (const name of CHORE_NAMES) {
      await boss.schedule(name, CHORES[name], null, { tz: ZONE, missed: 'once' })
    }
    await boss.send('upkeep')
    const rarely = { pollingIntervalSeconds: poll * 4 }
    for (const name of CHORE_NAMES) {
      await boss.work(name, rarely, async () => {
        const failed = await attempt(name, () => handlers.chores[name](closing.signal))
        if (failed !== null) throw new Error(failed)
      })
    }
    const often = {
      pollingIntervalSeconds: poll,
      batchSize: MAILS_AT_ONCE,
      burstWhenBatchFull: true,
    } as const
    await boss.work(MAIL, { ...often, perJobResults: true }, (jobs) =>
      Promise.all(
        jobs.map(async ({ id, data, signal }): Promise<JobResult> => {
          const patience = AbortSignal.any([signal, AbortSignal.timeout(MAIL_MS)])
          const failed = await attempt(MAIL, () => handlers.mail((data as MailJob).id, patience))
          return failed === null ? { id, status: 'completed' } : { id, status: 'failed', output: { failed } }
        }),
      ),
    )
    await boss.work<MailJob>(DEAD_MAIL, rarely, async ([job]) => {
      if (!job) return
      const failed = await attempt(DEAD_MAIL, () => handlers.deadMail(job.data.id))
      if (failed !== null) throw new Error(failed)
    })
  }

  async function keepTrying(work: () => Promise<void>): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await work()
        return
      } catch (error) {
        if (closing.signal.aborted) return
        log.error(error)
        await wait(RETRY_MS, null, { signal: closing.signal }).catch(() => {})
      }
    }
  }

  return {
    async open(): Promise<OpenJobs> {
      const boss = await open()
      const { fromKysely } = await import('pg-boss')
      return {
        async sendMail(tx, mailId, delaySeconds = 0) {
          const options = { db: fromKysely(tx), ...(delaySeconds > 0 ? { startAfter: delaySeconds } : {}) }
          const id = await boss.send(MAIL, { id: mailId } satisfies MailJob, options)
          if (id === null) throw new Error('the queue took no job')
        },
      }
    },

    async send(chore) {
      await (await open()).send(chore)
    },

    work(handlers) {
      setUp ??= keepTrying(() => hire(handlers))
      return setUp
    },

    async close() {
      closing.abort()
      await setUp
      const boss = await opened?.catch(() => null)
      await boss?.stop({ close: false, timeout: DRAIN_MS })
      await Promise.all(running)
    },
  }
}
