import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from './command.ts'
import { StartError } from './failure.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const STAMP = join(ROOT, 'dist', 'source-stamp')
const SOURCES = ['src', 'public', 'db', 'astro.config.mjs', 'package-lock.json', 'tsconfig.json']

const HELP = `
Usage: npm run build

Builds the program into dist/. "npm start" does this by itself when the sources have changed.

  --help   show this
`

/** The sources of the built program: their names and their content, not their times (a clone has new ones). */
function sourceStamp(): string {
  const hash = createHash('sha256')
  const add = (path: string): void => {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(ROOT, path)))
      .update('\0')
  }
  for (const source of SOURCES) {
    const path = join(ROOT, source)
    if (!existsSync(path)) continue
    if (/\.\w+$/.test(source)) {
      add(source)
      continue
    }
    const names = readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
      .sort()
    for (const name of names) add(name)
  }
  return hash.digest('hex')
}

/** True when dist/ holds what the sources say. */
export function isBuilt(): boolean {
  return (
    existsSync(join(ROOT, 'dist/server/entry.mjs')) &&
    existsSync(STAMP) &&
    readFileSync(STAMP, 'utf8') === sourceStamp()
  )
}

/** Runs one of Astro's commands with the same Node that runs this; answers the exit code. */
export function runAstro(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [join(ROOT, 'node_modules/astro/bin/astro.mjs'), ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ASTRO_TELEMETRY_DISABLED: '1' },
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => child.kill(signal))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => {
      resolve(code ?? 1)
    })
  })
}

/** Builds the program and remembers from which sources, taken before, so that an edit meanwhile is not missed. */
export async function build(): Promise<void> {
  const stamp = sourceStamp()
  if ((await runAstro(['build'])) !== 0) throw new StartError('The build failed; the lines above say where.')
  writeFileSync(STAMP, stamp)
}

if (import.meta.main) await runCommand({ help: HELP, run: build })
