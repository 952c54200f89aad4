import { join } from 'node:path'
import { createAltcha } from './adapters/altcha.ts'
import { createAuditMarks } from './adapters/audit-marks.ts'
import { createDiskFiles } from './adapters/disk-files.ts'
import { createDiskShredKeys } from './adapters/disk-shred-keys.ts'
import { lockData } from './adapters/data-lock.ts'
import { createJobQueue } from './adapters/job-queue.ts'
import { createLog, guardStreams, type Log } from './adapters/log.ts'
import { dumpingOption, forbidMemoryDumps } from './adapters/memory-on-disk.ts'
import { createOutboxMailer } from './adapters/outbox-mailer.ts'
import { createPhotoDecoder } from './adapters/photo-decoder.ts'
import { createRecipientPin } from './adapters/recipient-pin.ts'
import { createResendMailer } from './adapters/resend-mailer.ts'
import { openServerSecrets } from './adapters/server-secrets.ts'
import { createSmtpMailer } from './adapters/smtp-mailer.ts'
import { systemClock, systemRandom } from './adapters/system.ts'
import { createTurnstile } from './adapters/turnstile.ts'
import { ConfigError, readConfig, type Config } from './config.ts'
import { connectPglite, connectPostgres, type Connection } from './db/connect.ts'
import { ensurePlan } from './db/ensure-plan.ts'
import { createBoss, installJobs, jobsAreInstalled } from './db/job-schema.ts'
import { migrate, pendingMigrations } from './db/migrate.ts'
import {
  demoAsked,
  demoLogins,
  demoReceipt,
  dropUnfinishedDemo,
  loadDemo,
  type DemoLogin,
} from './demo/load.ts'
import { createServices, type Services } from './services/index.ts'
import { jobHandlers } from './services/jobs.ts'
import type { Mailer } from './services/mailer.ts'
import { createPlanStore } from './services/plan-store.ts'
import type { Clock, Deps, Random } from './services/ports.ts'
import { createDataVersions } from './services/versions.ts'

/** The running program: settings, adapters and services, put together once. */
export interface Runtime {
  readonly config: Config
  readonly services: Services
  readonly deps: Deps
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly engine: Connection['engine']
  /** Accounts the sign-in page offers; none but in a demonstration. */
  readonly demoLogins: readonly DemoLogin[]
  /** The receipt code that `/track/` offers in a demonstration. */
  readonly demoReceipt: string | null
  /** The one of a case that waits for its reporter's answer. */
  readonly demoAsked: string | null
  /**
   * Works the queue of jobs (see services/jobs.ts) until `close()`: upkeep soon, then everything at its time. Nothing
   * in a process that only serves.
   */
  keepUp(): void
  /** For a process that serves or works: keeps the words of errors and libraries off its standard streams. */
  guardStreams(): void
  close(): Promise<void>
}

const OTHER_PROCESS_MS = 500
/** Whoever waits for the first page after a start has the processor to themselves. */
const JOBS_AFTER_MS = 1000
const AUDIT_MARK_MS = 600_000
// Run as source by the same Node: the bundle does not hold it, and `sharp` resolves from here.
const PHOTO_WORKER = join(process.cwd(), 'src/adapters/photo-worker.ts')

async function openDatabase(
  config: Config,
  report: (error: unknown) => void,
): Promise<{ connection: Connection; release: () => void }> {
  if (config.databaseUrl === null) {
    const release = lockData(config.dataDir)
    await dropUnfinishedDemo(config.dataDir)
    const connection = await connectPglite(join(config.dataDir, 'pglite'), undefined, report)
    await migrate(connection.db)
    await installJobs(connection)
    return { connection, release }
  }
  const connection = connectPostgres(config.databaseUrl)
  const pending =
    (await pendingMigrations(connection.db)).length + Number(!(await jobsAreInstalled(connection)))
  if (pending > 0) {
    await connection.close()
    throw new ConfigError(`DATABASE_URL: ${pending} migration(s) missing; run: npm run db:migrate`)
  }
  return { connection, release: () => {} }
}

function createMailer({ mail, dataDir }: Config): Mailer {
  switch (mail.kind) {
    case 'resend':
      return createResendMailer(mail.account, mail.sender)
    case 'smtp':
      return createSmtpMailer(mail.server, mail.sender)
    case 'outbox':
      return createOutboxMailer(join(dataDir, 'outbox'), mail.sender)
  }
}

/**
 * Puts the program together.
 * @param createSecrets make the server's secrets when there are none: by itself only beside the embedded database,
 *   since several machines on one PostgreSQL must share theirs
 * @throws {ConfigError} for a wrong setting, in one line
 */
export async function createRuntime(
  config: Config,
  { createSecrets = config.databaseUrl === null }: { readonly createSecrets?: boolean } = {},
): Promise<Runtime> {
  const dumping = dumpingOption()
  if (dumping !== null) {
    throw new ConfigError(`NODE_OPTIONS: ${dumping} writes memory into files, and tips with it; leave it out`)
  }
  const log = createLog()
  if (!forbidMemoryDumps()) log.info('core dumps could not be turned off; is prlimit installed?')
  const report = (error: unknown): void => log.error(error)
  const { connection, release } = await openDatabase(config, report)
  const { db } = connection
  const photos = createPhotoDecoder({ workerPath: PHOTO_WORKER, report })
  const worker = config.role !== 'web'
  const jobs = createJobQueue(() => createBoss(connection, { supervise: worker, schedule: worker }), log)
  let starting: NodeJS.Timeout | undefined
  let marking: NodeJS.Timeout | undefined
  const close = async (): Promise<void> => {
    clearTimeout(starting)
    clearInterval(marking)
    await jobs.close()
    await photos.close()
    await connection.close()
    release()
  }
  try {
    await ensurePlan(db)
    const versions = createDataVersions(
      db,
      systemClock,
      connection.engine === 'pglite' ? Number.POSITIVE_INFINITY : OTHER_PROCESS_MS,
    )
    const secrets = await openServerSecrets(join(config.dataDir, 'keys'), systemRandom, {
      create: createSecrets,
    })
    const deps: Deps = {
      db,
      clock: systemClock,
      random: systemRandom,
      files: createDiskFiles(join(config.dataDir, 'blobs'), report),
      shredKeys: createDiskShredKeys(join(config.dataDir, 'wraps')),
      photos,
      secrets,
      pin: createRecipientPin(join(config.dataDir, 'keys', 'recipients.json'), systemRandom),
      auditMarks: createAuditMarks(join(config.dataDir, 'keys', 'audit-heads.jsonl')),
      gate: createAltcha({ clock: systemClock, secret: secrets.form }),
      thirdPartyGate: config.turnstile && createTurnstile(config.turnstile, { clock: systemClock }),
      plan: createPlanStore(db, versions),
      versions,
      jobs,
      mailer: createMailer(config),
      site: { name: config.siteName, url: config.publicUrl ?? `http://localhost:${config.port}` },
      demo: config.demo,
    }
    const services = createServices(deps)
    // A note that could not be made is made the next time.
    const markAudit = (): Promise<void> => services.auditTrail.mark().catch(report)
    if (config.demo) await loadDemo(deps, config.dataDir)
    return {
      config,
      services,
      deps,
      clock: systemClock,
      random: systemRandom,
      log,
      engine: connection.engine,
      demoLogins: config.demo ? await demoLogins(config.dataDir) : [],
      demoReceipt: config.demo ? await demoReceipt(config.dataDir) : null,
      demoAsked: config.demo ? await demoAsked(config.dataDir) : null,
      keepUp() {
        marking ??= setInterval(() => void markAudit(), AUDIT_MARK_MS).unref()
        if (worker) starting ??= setTimeout(() => void jobs.work(jobHandlers(services)), JOBS_AFTER_MS)
      },
      guardStreams,
      async close() {
        await markAudit()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

const KEY = Symbol.for('lantian.runtime')

/** The process's one runtime: a second copy of this module (a hot reload) gets the same database. */
export async function currentRuntime(env: Record<string, string | undefined>): Promise<Runtime> {
  const holder = globalThis as { [KEY]?: Promise<Runtime> }
  holder[KEY] ??= createRuntime(readConfig(env))
  return holder[KEY]
}
