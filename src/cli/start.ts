import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { lockData } from '../adapters/data-lock.ts'
import { readConfig } from '../config.ts'
import { startServer, stopOnSignal } from '../server.ts'
import { build, isBuilt } from './build.ts'
import { runCommand } from './command.ts'
import { startWorker } from './worker.ts'

const HELP = `
Usage: npm start

Builds when needed, prepares the embedded database on its first start, and serves the site.

Settings are environment variables:
  PORT          4321           port; 0 takes a free one and prints it
  HOST          127.0.0.1      address to listen on; another one needs PUBLIC_URL
  DATA_DIR      data           folder of the embedded database, keys and files
  DATABASE_URL                 PostgreSQL 15 or newer instead of the embedded database
  PUBLIC_URL                   https address that visitors use
  TRUSTED_PROXY                IP address of the proxy in front; without it nobody behind it is rate-limited
  DEMO          on             demonstration data (embedded database on loopback only); off: start empty
  ROLE          all            web only serves, worker only works jobs (mail, upkeep); both need DATABASE_URL

The README lists all of them, those for mail too.

  --help   show this
`

/** Ours, past the guard on what libraries print. */
const say = (text: string): void => void process.stdout.write(`${text}\n`)

async function start(): Promise<void> {
  const config = readConfig(process.env)
  if (config.role === 'worker') {
    stopOnSignal(await startWorker())
    say(`\n  ${config.siteName}\n  working jobs\n`)
    return
  }
  if (!isBuilt()) {
    // A running server reads from dist/: do not replace it under its feet.
    const release = config.databaseUrl === null ? lockData(config.dataDir) : () => {}
    try {
      say('Building…')
      await build()
    } finally {
      release()
    }
  }
  const server = await startServer()
  stopOnSignal(server)
  say(`\n  ${config.siteName}\n  ${config.publicUrl ?? server.url}/\n`)
  const accounts = join(config.dataDir, 'demo-accounts.txt')
  if (config.demo && existsSync(accounts)) {
    const lines = readFileSync(accounts, 'utf8').trimEnd().split('\n')
    say(lines.map((line) => `  ${line}`.trimEnd()).join('\n'))
    say(`\n  (${accounts})\n`)
  }
}

await runCommand({ help: HELP, run: start })
