import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Another process holds the data directory. */
export class DataLockedError extends Error {}

interface Holder {
  readonly pid: number
  /** The machine's boot and the process's start: a pid alone can be reused, in a container at once. */
  readonly boot: string
  readonly started: string
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

/** Start time of a process in clock ticks since boot; empty where the system does not tell. */
function startedAt(pid: number): string {
  try {
    // The command name may hold spaces and brackets; the fields that follow do not.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function isAlive(holder: Holder): boolean {
  if (holder.boot !== bootId()) return false
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return holder.started === startedAt(holder.pid)
}

/**
 * Takes the data directory for this process, so that the embedded database is opened once.
 * A lock left behind by a killed process is recognised and replaced.
 * @throws {DataLockedError} when a living process holds it
 */
export function lockData(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, 'lock')
  const self: Holder = { pid: process.pid, boot: bootId(), started: startedAt(process.pid) }
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      writeFileSync(path, JSON.stringify(self), { flag: 'wx', mode: 0o600 })
      return () => {
        rmSync(path, { force: true })
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    let holder: Holder | null = null
    try {
      holder = JSON.parse(readFileSync(path, 'utf8')) as Holder
    } catch {
      // A lock cut short by a crash names nobody.
    }
    if (holder && isAlive(holder)) {
      throw new DataLockedError(
        `${dataDir} is in use by process ${holder.pid}; stop it first or set another DATA_DIR`,
      )
    }
    rmSync(path, { force: true })
  }
  throw new DataLockedError(`${dataDir} is being taken by another process`)
}
