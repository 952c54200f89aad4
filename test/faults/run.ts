/**
 * The fault pass: ends servers, databases and decoders at random moments, fills disks, and compares what is left with
 * what was promised. Everything random in it grows from one seed, which is printed.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build, isBuilt } from '../../src/cli/build.ts'
import { lacking } from './means.ts'
import { DEFAULT_SEED } from './settings.ts'

const HELP = `
Usage: npm run test:faults [-- --short] [-- --seed N] [-- --kills N] [-- --only NAME]

Runs the built program into faults under 20 submitters, and then looks for every tip that was acknowledged:
  kill-embedded   kill -9 of the server on the embedded database, also while it starts
  kill-postgres   the same on PostgreSQL, with two servers on one database
  postgres        kill -9 of PostgreSQL itself, on a cluster of its own
  disk            no room for photos; no room for the embedded database
  drain           SIGTERM during uploads
  upload          kill -9 of the server between two pieces of a sealed photo
  decoder         the photo decoder is killed, or hangs

It takes about half an hour. A PostgreSQL server is found as for the other tests (TEST_DATABASE_URL, else
127.0.0.1:5432); what the machine cannot do is skipped with a loud line (small disks need root on Linux).

  --short       a handful of each, as in npm test
  --seed N      begin from this seed (default: ${DEFAULT_SEED} when short, else from the clock)
  --kills N     so many sudden ends in each test
  --only NAME   one of the above
  --help        show this
`

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** What was asked for, or one line that says what is wrong with it. */
function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        short: { type: 'boolean', default: false },
        seed: { type: 'string' },
        kills: { type: 'string' },
        only: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    for (const option of ['seed', 'kills'] as const) {
      if (!/^[1-9]\d{0,8}$/.test(values[option] ?? '1')) return `'--${option}' must be a whole number`
    }
    if (values.only !== undefined && !existsSync(join(ROOT, `test/faults/${values.only}.test.ts`))) {
      return `'--only' names no fault: ${values.only}`
    }
    return values
  } catch (error) {
    return (error as Error).message.split('. ')[0] ?? 'wrong option'
  }
}

function vitest(args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--config', '.config/vitest.config.ts', ...args],
      { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } },
    )
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

const options = readOptions()
if (typeof options === 'string') {
  console.error(`${options}; see --help`)
  process.exit(2)
}
if (options.help) {
  console.log(HELP.trim())
  process.exit(0)
}
const { short, kills, only } = options
const seed = options.seed ?? String(short ? DEFAULT_SEED : 1 + (Date.now() % 1_000_000))
const missing = lacking()
for (const line of missing) console.log(`*** SKIPPED: ${line} ***`)
if (!isBuilt()) await build()
process.exitCode = await vitest(
  ['--project', 'faults', ...(only === undefined ? [] : [`faults/${only}.test`])],
  {
    LANTIAN_FAULTS_SEED: seed,
    LANTIAN_FAULTS_LENGTH: short ? 'short' : 'full',
    ...(kills === undefined ? {} : { LANTIAN_FAULTS_KILLS: kills }),
  },
)
for (const line of missing) console.log(`*** SKIPPED: ${line} ***`)
console.log(
  `faults: seed ${seed}; the same again: npm run test:faults -- --seed ${seed}${short ? ' --short' : ''}`,
)
