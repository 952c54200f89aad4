import { Kysely, PostgresDialect, type PostgresPool, type Transaction } from 'kysely'
import pg from 'pg'
import type { Database } from './tables.ts'

export type Db = Kysely<Database>
/** One that is under way, as `db.transaction()` hands it over. */
export type Tx = Transaction<Database>

export interface Connection {
  readonly db: Db
  readonly engine: 'pglite' | 'postgres'
  /** Runs one statement, or several without values, as they are; answers the rows of all. For the queue of jobs. */
  execute(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>
  close(): Promise<void>
}

const { builtins } = pg.types
// The same parsers on both engines: int8 as a number (no column exceeds 2^53), dates as 'YYYY-MM-DD' strings.
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') => {
    if (format !== 'binary') {
      if (oid === (builtins.INT8 as number)) return Number
      if (oid === (builtins.DATE as number)) return (text: string) => text
    }
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum lists a part of the numbers only
    return pg.types.getTypeParser(oid, format) as (value: string) => unknown
  },
}

function kysely(pool: PostgresPool): Db {
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
}

/**
 * Codes of a connection that was refused, cut or ended by the server, and of a server that has no room left: its
 * connections, memory or disk. The same question may well be answered a moment later.
 */
const LOSS =
  /^(?:08\w{3}|53\w{3}|57P0[1-5]|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/
/** What `pg` says without a code. */
const LOSS_WORDS =
  /^(?:Connection terminated|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Client was closed)/

/** Whether a query failed for want of a working connection, not for what it asked. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? LOSS.test(code) : LOSS_WORDS.test(error.message)
}

function executor(connect: () => Promise<pg.PoolClient>): Connection['execute'] {
  return async (text, values = []) => {
    const client = await connect()
    try {
      const result: pg.QueryResult | pg.QueryResult[] = await client.query(text, [...values])
      client.release()
      return { rows: [result].flat().flatMap(({ rows }) => rows as unknown[]) }
    } catch (error) {
      client.release(error as Error)
      throw error
    }
  }
}

const CONNECT_MS = 2000
const TURN_MS = 15_000
const REOPEN_MS = 5000

/** The pool's time-out is for a turn among many; a server that does not answer shows much sooner. */
class QuickClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super({ ...config, connectionTimeoutMillis: CONNECT_MS })
  }
}

/**
 * Opens a PostgreSQL database (15 or newer). A new connection that cannot be had within 2 s fails instead of hanging;
 * in a burst a query waits up to 15 s for its turn.
 */
export function connectPostgres(url: string, max = 10): Connection {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: TURN_MS,
    types,
    Client: QuickClient,
  })
  // An idle connection that the server ends must not end the process; the next query reports the trouble.
  pool.on('error', () => {})
  // Nor must one that ends while it is in use: its query is rejected, the event would be thrown as well.
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = kysely(pool)
  return { db, engine: 'postgres', execute: executor(() => pool.connect()), close: () => db.destroy() }
}

interface Embedded {
  readonly pool: pg.Pool
  /** A PANIC ended it, such as a disk without room for the log; another call would never return. */
  readonly isDead: () => boolean
  close(): Promise<void>
}

async function openEmbedded(
  dataDir: string,
  image: Blob | undefined,
  report: (error: Error) => void,
): Promise<Embedded> {
  // On PostgreSQL nothing of it is loaded.
  const { PGlite } = await import('@electric-sql/pglite')
  const { createPgConfig } = await import('@electric-sql/pglite/node-postgres')
  const pglite = await PGlite.create({ dataDir, ...(image ? { loadDataDir: image } : {}) })
  let dead = false
  const execute = pglite.execProtocolStream.bind(pglite)
  pglite.execProtocolStream = async (...args) => {
    if (dead) throw stopped()
    const messages = await execute(...args)
    if (messages.some((message) => 'severity' in message && message.severity === 'PANIC')) {
      dead = true
      report(stopped())
    }
    return messages
  }
  const pool = new pg.Pool({
    ...createPgConfig(pglite),
    max: 1,
    connectionTimeoutMillis: 10_000,
    types,
  } as pg.PoolConfig)
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return {
    pool,
    isDead: () => dead,
    close: async () => {
      if (dead) return
      await pool.end()
      await pglite.close()
    },
  }
}

const stopped = (): Error => Object.assign(new Error('the embedded database has stopped'), { code: '57P02' })

/**
 * Opens the embedded database. One connection only: a nested query on another connection fails after the
 * time-out instead of waiting for itself for ever. When the database gives up (a full disk), queries fail with
 * `57P02` and it is opened anew, every {@link REOPEN_MS} at most, until that works: what it had confirmed is in its log.
 * @param dataDir folder, or `memory://`
 * @param image a dumped data directory to begin from (tests)
 * @param report told when the database gives up, for the operator
 */
export async function connectPglite(
  dataDir: string,
  image?: Blob,
  report: (error: Error) => void = () => {},
): Promise<Connection> {
  let current = await openEmbedded(dataDir, image, report)
  let reopening: Promise<void> | null = null
  let triedAt = 0
  const reopen = async (): Promise<void> => {
    triedAt = performance.now()
    current = await openEmbedded(dataDir, undefined, report)
  }
  const connect = async (): Promise<pg.PoolClient> => {
    if (current.isDead()) {
      if (!reopening && performance.now() - triedAt < REOPEN_MS) throw stopped()
      reopening ??= reopen().finally(() => {
        reopening = null
      })
      await reopening.catch(() => {
        throw stopped()
      })
    }
    return current.pool.connect()
  }
  const db = kysely({ connect, end: () => current.close(), options: {} })
  return { db, engine: 'pglite', execute: executor(connect), close: () => db.destroy() }
}
