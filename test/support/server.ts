import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readConfig } from '../../src/config.ts'
import { createRuntime, type Runtime } from '../../src/runtime.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
// A first start with demonstration data, beside everything else that a test machine does.
const START_MS = 120_000

/** A program that ended instead of listening. */
export class ServerEndedError extends Error {
  readonly exitCode: number | null
  readonly output: string

  constructor(exitCode: number | null, output: string) {
    super(`the server ended with ${String(exitCode)}: ${output}`)
    this.exitCode = exitCode
    this.output = output
  }
}

export interface TestServer {
  /** Without a trailing slash. */
  readonly url: string
  readonly dataDir: string
  readonly pid: number
  /** Everything it has written to both streams. */
  logs(): string
  /** Asks it to end and waits; answers the exit code. A folder made for this server is removed. */
  stop(): Promise<number | null>
  /** Ends it as a power cut would, and keeps the folder. */
  kill(): Promise<void>
}

/** The settings of the machine must not reach a server under test. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(?:HOST|PORT|DATA_DIR|DATABASE_URL|PUBLIC_URL|TRUSTED_PROXY|DEMO|SITE_\w+|TURNSTILE_\w+|ROLE|RESEND_\w+|SMTP_URL|MAIL_FROM|NODE_OPTIONS|VITEST.*)$/.test(
        name,
      ),
  )
  return Object.fromEntries(kept)
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode)
    else child.once('exit', (code) => resolve(code))
  })
}

/**
 * Starts the built program (`dist/`) on a free port, with a data directory of its own unless one is given.
 * @throws {ServerEndedError} when it ends before it listens
 */
export async function startServer(
  options: {
    readonly env?: Readonly<Record<string, string>>
    readonly dataDir?: string
    /** Told before it listens, by those who end it sooner. */
    readonly onSpawn?: (pid: number) => void
  } = {},
): Promise<TestServer> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'lantian-'))
  const child = spawn(process.execPath, [join(ROOT, 'src/server.ts')], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...cleanEnvironment(), PORT: '0', DATA_DIR: dataDir, ...options.env },
  })
  options.onSpawn?.(child.pid ?? 0)
  let output = ''
  const url = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`the server did not listen in ${START_MS / 1000} s: ${output}`))
    }, START_MS)
    const read = (chunk: Buffer): void => {
      output += chunk.toString()
      const listening = /Listening on (\S+)/.exec(output)
      if (!listening?.[1]) return
      clearTimeout(late)
      resolve(listening[1])
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.once('close', (code) => {
      clearTimeout(late)
      reject(new ServerEndedError(code, output.trim()))
    })
  })
  return {
    url,
    dataDir,
    pid: child.pid ?? 0,
    logs: () => output,
    stop: async () => {
      child.kill('SIGTERM')
      const code = await ended(child)
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
      return code
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended(child)
    },
  }
}

/** Prepares an embedded database with keys and no demonstration data; `fill` may put more into it. */
export async function prepareData(
  dataDir: string,
  fill: (runtime: Runtime, escrowIdentity: string) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const runtime = await createRuntime(readConfig({ DATA_DIR: dataDir, DEMO: 'off' }))
  try {
    const { escrowIdentity } = await runtime.services.keys.init()
    await fill(runtime, escrowIdentity)
  } finally {
    await runtime.close()
  }
}
