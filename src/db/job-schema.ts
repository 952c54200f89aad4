import type { ConstructorOptions, PgBoss } from 'pg-boss'
import packageJson from 'pg-boss/package.json' with { type: 'json' }
import type { Connection } from './connect.ts'

type Store = Pick<Connection, 'engine' | 'execute'>

/** A queue of jobs (pg-boss) on our own connections, not started. It keeps no register of machines and no traces. */
export async function createBoss(store: Store, options: ConstructorOptions = {}): Promise<PgBoss> {
  // Loaded here: what needs no jobs starts without it.
  const { PgBoss } = await import('pg-boss')
  return new PgBoss({
    db: { executeSql: (text, values) => store.execute(text, values) },
    backend: store.engine,
    registerInstance: false,
    openTelemetry: { enabled: false },
    // What the queue keeps is small and short-lived; its indexes need no care.
    reindex: false,
    monitorVacuum: false,
    ...options,
  })
}

/** Whether the queue's tables are there and as new as this program needs them. */
export async function jobsAreInstalled(store: Store): Promise<boolean> {
  const { rows: tables } = await store.execute(`select to_regclass('pgboss.version') is not null as there`)
  if (!(tables as { there: boolean }[])[0]?.there) return false
  const { rows } = await store.execute('select version from pgboss.version')
  return Number((rows as { version: number }[])[0]?.version) >= packageJson.pgboss.schema
}

/** Makes the tables of the queue of jobs, or brings them up to date. Answers whether there was something to do. */
export async function installJobs(store: Store): Promise<boolean> {
  if (await jobsAreInstalled(store)) return false
  const boss = await createBoss(store, { supervise: false, schedule: false })
  await boss.start()
  await boss.stop({ close: false })
  return true
}
