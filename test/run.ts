/**
 * Everything, in the order of cost: `npm test`, the README and CI call exactly this. It stops at the first stage
 * that fails; the last line says how many tests passed and failed.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lacking } from './faults/means.ts'
import { findChromium } from './support/browser.ts'
import { findPostgres } from './support/postgres.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const RESULTS = join(ROOT, 'test/results')

interface Counts {
  readonly passed: number
  readonly failed: number
}

interface Stage {
  readonly name: string
  /** Answers what it counted (nothing for a stage that holds no tests) and whether it succeeded. */
  run(): Promise<{ readonly ok: boolean; readonly counts?: Counts | null }>
}

interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
}

interface PlaywrightReport {
  readonly stats: { readonly expected: number; readonly unexpected: number; readonly flaky: number }
}

const notes: string[] = []

function note(line: string): void {
  notes.push(line)
  console.log(`\n*** ${line} ***`)
}

/** Runs a program in the project's folder; answers whether it ended well. */
function execute(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ASTRO_TELEMETRY_DISABLED: '1', ...env },
    })
    child.once('error', (error) => {
      console.error(error.message)
      resolve(false)
    })
    child.once('exit', (code) => {
      resolve(code === 0)
    })
  })
}

/** The same for a program of node_modules, with the Node that runs this. */
const tool = (
  path: string,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<boolean> => execute(process.execPath, [join(ROOT, 'node_modules', path), ...args], env)

function readReport<T>(path: string, count: (report: T) => Counts): Counts | null {
  return existsSync(path) ? count(JSON.parse(readFileSync(path, 'utf8')) as T) : null
}

async function vitest(
  project: string,
  name: string,
  env: Readonly<Record<string, string>> = {},
): ReturnType<Stage['run']> {
  const report = join(RESULTS, `${name}.json`)
  const ok = await tool(
    'vitest/vitest.mjs',
    [
      'run',
      '--config',
      '.config/vitest.config.ts',
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    env,
  )
  const counts = readReport<VitestReport>(report, (read) => ({
    passed: read.numPassedTests,
    failed: read.numFailedTests,
  }))
  return { ok, counts }
}

async function onPostgres(): ReturnType<Stage['run']> {
  const found = await findPostgres()
  if ('reason' in found) {
    note(`SKIPPED: integration on PostgreSQL, none answers (${found.reason}); set TEST_DATABASE_URL`)
    return { ok: true }
  }
  return vitest('integration', 'integration-postgres', {
    LANTIAN_TEST_ENGINE: 'postgres',
    LANTIAN_TEST_URL: found.url,
  })
}

/** A handful of each fault; `npm run test:faults` is the long run. */
function faults(): ReturnType<Stage['run']> {
  for (const line of lacking()) note(`SKIPPED: ${line}`)
  return vitest('faults', 'faults', { LANTIAN_FAULTS_LENGTH: 'short' })
}

/** Gets a Chromium when the machine has none. */
async function provideBrowser(): Promise<boolean> {
  if (findChromium() !== null) return true
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    note('No browser found: installing Debian’s chromium with apt-get')
    const quiet = { DEBIAN_FRONTEND: 'noninteractive' }
    const installed =
      (await execute('apt-get', ['update', '-q'], quiet)) &&
      (await execute('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium'], quiet))
    if (installed && findChromium() !== null) return true
  }
  note('No browser found: downloading Playwright’s Chromium')
  return (await tool('@playwright/test/cli.js', ['install', 'chromium'])) && findChromium() !== null
}

async function endToEnd(): ReturnType<Stage['run']> {
  if (!(await provideBrowser())) {
    console.error('No browser could be had. Install Chromium, or set CHROMIUM_PATH to one.')
    return { ok: false }
  }
  const report = join(RESULTS, 'e2e.json')
  const ok = await tool('@playwright/test/cli.js', ['test', '--config', '.config/playwright.config.ts'], {
    PLAYWRIGHT_JSON_OUTPUT_FILE: report,
  })
  const counts = readReport<PlaywrightReport>(report, ({ stats }) => ({
    passed: stats.expected + stats.flaky,
    failed: stats.unexpected,
  }))
  return { ok, counts }
}

const check = (name: string, run: () => Promise<boolean>): Stage => ({
  name,
  run: async () => ({ ok: await run() }),
})

const STAGES: readonly Stage[] = [
  check('formatting', () => tool('prettier/bin/prettier.cjs', ['--check', '--log-level', 'warn', '.'])),
  check('lint', () => tool('eslint/bin/eslint.js', ['--config', '.config/eslint.config.js', '.'])),
  check('types of pages', () => tool('astro/bin/astro.mjs', ['check', '--minimumFailingSeverity', 'error'])),
  check('types', () => tool('typescript/bin/tsc', ['-p', 'tsconfig.json', '--noEmit'])),
  // Before the tests: one of them starts the built program.
  check('build', () => execute(process.execPath, [join(ROOT, 'src/cli/build.ts')])),
  { name: 'unit', run: () => vitest('unit', 'unit') },
  {
    name: 'integration on PGlite',
    run: () => vitest('integration', 'integration-pglite', { LANTIAN_TEST_ENGINE: 'pglite' }),
  },
  { name: 'integration on PostgreSQL', run: onPostgres },
  { name: 'faults', run: faults },
  { name: 'end to end in Chromium', run: endToEnd },
]

rmSync(RESULTS, { recursive: true, force: true })
mkdirSync(RESULTS, { recursive: true })
let passed = 0
let failed = 0
for (const stage of STAGES) {
  const { name } = stage
  console.log(`\n== ${name}`)
  const startedAt = performance.now()
  const { ok, counts } = await stage.run()
  passed += counts?.passed ?? 0
  // A stage that fails without a failed test (a type error, a server that does not start) is one failure.
  const failures = counts?.failed ?? 0
  failed += ok ? failures : Math.max(failures, 1)
  console.log(`== ${name}: ${ok ? 'ok' : 'FAILED'} (${Math.round((performance.now() - startedAt) / 1000)} s)`)
  if (!ok) break
}
for (const line of notes) console.log(`*** ${line} ***`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
