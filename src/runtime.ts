import { join } from 'node:path'
import { createDiskFiles } from './adapters/disk-files.ts'
import { lockData } from './adapters/data-lock.ts'
import { createLog, type Log } from './adapters/log.ts'
import { createPhotoDecoder } from './adapters/photo-decoder.ts'
import { openServerSecrets } from './adapters/server-secrets.ts'
import { systemClock, systemRandom } from './adapters/system.ts'
import { ConfigError, readConfig, type Config } from './config.ts'
import { connectPglite, connectPostgres, type Connection } from './db/connect.ts'
import { ensurePlan } from './db/ensure-plan.ts'
import { migrate, pendingMigrations } from './db/migrate.ts'
import { demoLogins, loadDemo, type DemoLogin } from './demo/load.ts'
import { createServices, type Services } from './services/index.ts'
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
  /** Does what nobody does by hand (see services/upkeep.ts), at once and then every ten minutes, until `close()`. */
  keepUp(): void
  close(): Promise<void>
}

const UPKEEP_MS = 10 * 60_000
const OTHER_PROCESS_MS = 500
// Run as source by the same Node: the bundle does not hold it, and `sharp` resolves from here.
const PHOTO_WORKER = join(process.cwd(), 'src/adapters/photo-worker.ts')

async function openDatabase(
  config: Config,
  report: (error: unknown) => void,
): Promise<{ connection: Connection; release: () => void }> {
  if (config.databaseUrl === null) {
    const release = lockData(config.dataDir)
    const connection = await connectPglite(join(config.dataDir, 'pglite'), undefined, report)
    await migrate(connection.db)
    return { connection, release }
  }
  const connection = connectPostgres(config.databaseUrl)
  const pending = await pendingMigrations(connection.db)
  if (pending.length > 0) {
    await connection.close()
    throw new ConfigError(`DATABASE_URL: ${pending.length} migration(s) missing; run: npm run db:migrate`)
  }
  return { connection, release: () => {} }
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
  const log = createLog()
  const report = (error: unknown): void => log.error(error)
  const { connection, release } = await openDatabase(config, report)
  const { db } = connection
  const photos = createPhotoDecoder({ workerPath: PHOTO_WORKER, report })
  let upkeep: NodeJS.Timeout | null = null
  let upkeepRun: Promise<void> = Promise.resolve()
  const stopUpkeep = new AbortController()
  const close = async (): Promise<void> => {
    stopUpkeep.abort()
    if (upkeep) clearInterval(upkeep)
    await upkeepRun
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
    const deps: Deps = {
      db,
      clock: systemClock,
      random: systemRandom,
      files: createDiskFiles(join(config.dataDir, 'blobs'), report),
      photos,
      secrets: await openServerSecrets(join(config.dataDir, 'keys'), systemRandom, { create: createSecrets }),
      plan: createPlanStore(db, versions),
      versions,
      demo: config.demo,
    }
    const services = createServices(deps)
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
      keepUp() {
        const run = (): void => {
          // One after the other: a run may outlast the interval.
          upkeepRun = upkeepRun.then(() => services.upkeep.run(stopUpkeep.signal)).catch(report)
        }
        if (upkeep) return
        run()
        upkeep = setInterval(run, UPKEEP_MS).unref()
      },
      close,
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
