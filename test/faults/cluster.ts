import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'

const OLDEST = 15
/** Debian's place, then where one finds it by itself. */
const ROOT = '/usr/lib/postgresql'

/** The folder with initdb and postgres, newest first; null when there is none of age. */
export function findBinaries(): string | null {
  const versions = existsSync(ROOT) ? readdirSync(ROOT).filter((name) => /^\d+$/.test(name)) : []
  const folders = [
    ...versions.sort((one, other) => Number(other) - Number(one)).map((name) => join(ROOT, name, 'bin')),
    ...(process.env['PATH'] ?? '').split(':'),
  ]
  const isGood = (folder: string): boolean => {
    if (!existsSync(join(folder, 'initdb')) || !existsSync(join(folder, 'postgres'))) return false
    const told = spawnSync(join(folder, 'postgres'), ['--version'], { encoding: 'utf8' }).stdout ?? ''
    return Number(/(\d+)\./.exec(told)?.[1] ?? 0) >= OLDEST
  }
  return folders.find(isGood) ?? null
}

/** PostgreSQL refuses to run as root: somebody else's number then, else nothing. */
function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((row) => row.startsWith(`${name}:`))
    const [, , uid, gid] = line?.split(':') ?? []
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('no user to run PostgreSQL as')
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/** A PostgreSQL server of the test's own, with one database that it owns. */
export interface Cluster {
  readonly url: string
  start(): Promise<void>
  /** kill -9 of the postmaster alone, or of every process of the server at once, as the machine's end would. */
  kill(all: boolean): Promise<void>
  stop(): Promise<void>
}

/** Processes that a process has started and that run. */
export const childrenOf = (pid: number): number[] => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** @param folder an empty folder that its owner may let PostgreSQL enter */
export async function createCluster(binaries: string, folder: string): Promise<Cluster> {
  const owner = unprivileged()
  const data = join(folder, 'cluster')
  mkdirSync(data, { mode: 0o700 })
  if (owner.uid !== undefined) {
    for (const path of [folder, data]) chownSync(path, owner.uid, owner.gid ?? owner.uid)
  }
  const made = spawnSync(
    join(binaries, 'initdb'),
    [
      '--pgdata',
      data,
      '--username',
      'lantian',
      '--auth',
      'trust',
      '--encoding',
      'UTF8',
      '--locale',
      'C',
      '--no-sync',
    ],
    { ...owner, cwd: folder, encoding: 'utf8', env: { PATH: process.env['PATH'], LC_ALL: 'C' } },
  )
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`)
  const port = await freePort()
  const url = `postgres://lantian@127.0.0.1:${port}/postgres`
  let postmaster: ChildProcess | null = null
  let ended: Promise<void> = Promise.resolve()

  async function answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 })
    client.on('error', () => {})
    try {
      await client.connect()
      return true
    } catch {
      return false
    } finally {
      await client.end().catch(() => {})
    }
  }

  return {
    url,
    async start() {
      // After the postmaster's sudden end its children may still hold the shared memory: then it ends at once.
      for (let attempt = 0; attempt < 100; attempt += 1) {
        const child = spawn(
          join(binaries, 'postgres'),
          [
            '-D',
            data,
            '-p',
            String(port),
            '-k',
            folder,
            '-c',
            'listen_addresses=127.0.0.1',
            '-c',
            'max_connections=50',
          ],
          { ...owner, cwd: folder, stdio: 'ignore', env: { PATH: process.env['PATH'], LC_ALL: 'C' } },
        )
        let over = false
        ended = new Promise((resolve) => {
          child.once('exit', () => {
            over = true
            resolve()
          })
        })
        while (!over) {
          if (await answers()) {
            postmaster = child
            return
          }
          await pause(50)
        }
        await pause(100)
      }
      throw new Error('PostgreSQL does not start')
    },
    async kill(all) {
      const pid = postmaster?.pid
      if (pid === undefined) throw new Error('PostgreSQL does not run')
      const children = all ? childrenOf(pid) : []
      for (const each of [pid, ...children]) {
        try {
          process.kill(each, 'SIGKILL')
        } catch {
          // A backend that ended meanwhile.
        }
      }
      await ended
      postmaster = null
    },
    async stop() {
      postmaster?.kill('SIGINT')
      await ended
      postmaster = null
    },
  }
}
