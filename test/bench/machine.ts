import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

// Linux counts in hundredths of a second for every program.
const TICK_MS = 10

/** The share of the machine that is busy now, 0 to 1. Ask while our own programs are idle: then it is the others'. */
export async function otherLoad(sampleMs: number): Promise<number> {
  const count = () =>
    cpus().reduce(
      (sum, { times }) => ({
        busy: sum.busy + times.user + times.nice + times.sys + times.irq,
        idle: sum.idle + times.idle,
      }),
      { busy: 0, idle: 0 },
    )
  const before = count()
  await sleep(sampleMs)
  const after = count()
  const busy = after.busy - before.busy
  const all = busy + after.idle - before.idle
  return all === 0 ? 0 : busy / all
}

/** Fields of /proc/PID/stat after the name, which may hold spaces. */
function statOf(pid: string): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}

/** Processor time that a program and its children have used so far, in ms; null where the system does not tell. */
export function cpuMs(pid: number): number | null {
  if (process.platform !== 'linux') return null
  const all = new Map<string, string[]>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(name) : null
    if (stat) all.set(name, stat)
  }
  const family = (root: string): string[] => [
    root,
    ...[...all].flatMap(([child, stat]) => (stat[1] === root ? family(child) : [])),
  ]
  return family(String(pid)).reduce((sum, member) => {
    // utime, stime, and those of children that have ended.
    const ticks = (all.get(member) ?? []).slice(11, 15).reduce((total, text) => total + Number(text), 0)
    return sum + ticks * TICK_MS
  }, 0)
}

/** Memory of a program without what it shares, in MiB; null where the system does not tell. */
export function memoryMib(pid: number): number | null {
  try {
    const found = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
    return found ? Number(found[1]) / 1024 : null
  } catch {
    return null
  }
}
