import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'

/** Node options that write memory, and with it what people told, into a file. */
const DUMPING =
  /(?:^|\s)(--(?:heapsnapshot-signal|heapsnapshot-near-heap-limit|report-on-fatalerror|report-on-signal|report-uncaught-exception|abort-on-uncaught-exception))\b/

/** The name of the first such option that Node was started with; null when there is none. */
export function dumpingOption(
  args: readonly string[] = process.execArgv,
  nodeOptions: string | undefined = process.env['NODE_OPTIONS'],
): string | null {
  return DUMPING.exec([...args, nodeOptions ?? ''].join(' ').replaceAll('_', '-'))?.[1] ?? null
}

/**
 * Keeps this process and its children from leaving their memory on disk when they crash. Needs no rights: a process may
 * always lower its own limit. Where a program collects the dumps instead of the limit deciding (a pipe in
 * `core_pattern`), the second line leaves nothing of the memory in them.
 * @returns whether both took hold; elsewhere than on Linux there is nothing to do
 */
export function forbidMemoryDumps(): boolean {
  if (process.report) {
    process.report.reportOnFatalError = false
    process.report.reportOnSignal = false
    process.report.reportOnUncaughtException = false
  }
  if (process.platform !== 'linux') return true
  let done = true
  try {
    execFileSync('prlimit', ['--pid', String(process.pid), '--core=0:0'], { stdio: 'ignore' })
  } catch {
    // No util-linux here.
    done = false
  }
  try {
    writeFileSync('/proc/self/coredump_filter', '0')
  } catch {
    done = false
  }
  return done
}
