import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { relative, resolve, sep } from 'node:path'
import { readConfig } from '../config.ts'
import { runCommand, UsageError, type Given } from './command.ts'
import { StartError } from './failure.ts'
import { withRuntime } from './with-runtime.ts'

const HELP = `
Usage: npm run keys -- init [--out FILE]
       npm run keys -- grant --escrow FILE --member USER [--department ID]

init   Makes the server's own secrets, one key for every department's queue and the offline escrow key that can
       open them all. The escrow key is shown once, or written to FILE (mode 0600, outside DATA_DIR). Print it, put it
       into a sealed envelope, and delete the file: whoever holds it can read every tip.
grant  Gives a member a department's key with the escrow key, for when no colleague can.

  --out FILE        where to write the escrow key
  --escrow FILE     file that holds the escrow key
  --member USER     user name of the member who gets the key
  --department ID   the department whose key it is; default: the member's own
  --help            show this

The embedded database is opened by one program only: stop the server first.
`

function openEscrowFile(out: string): { write(text: string): void; discard(): void } {
  const path = resolve(out)
  const inside = relative(readConfig(process.env).dataDir, path)
  if (inside !== '..' && !inside.startsWith(`..${sep}`)) {
    throw new UsageError('--out: the escrow key must not lie in DATA_DIR, beside what it opens')
  }
  let file: number
  try {
    file = openSync(path, 'wx', 0o600)
  } catch (error) {
    throw new StartError(
      `--out: ${path} cannot be made (${(error as NodeJS.ErrnoException).code ?? 'failed'})`,
    )
  }
  return {
    write: (text) => {
      writeSync(file, text)
      closeSync(file)
    },
    discard: () => {
      closeSync(file)
      rmSync(path)
    },
  }
}

async function init(given: Given): Promise<void> {
  const out = given.text('out')
  // The file is opened before the keys exist: a key that cannot be written down would be lost for good.
  const file = out === null ? null : openEscrowFile(out)
  let made
  try {
    made = await withRuntime(({ services }) => services.keys.init(), { createSecrets: true })
  } catch (error) {
    file?.discard()
    throw error
  }
  console.log(`Made keys for ${String(made.departments)} departments.`)
  if (file) {
    file.write(`${made.escrowIdentity}\n`)
    console.log(`The escrow key is in ${String(out)}. Keep it offline: whoever holds it can read every tip.`)
    return
  }
  console.log('The escrow key follows. It is not stored and not shown again; keep it offline:')
  console.log(made.escrowIdentity)
}

async function grant(given: Given): Promise<void> {
  const path = given.required('escrow')
  const member = given.required('member')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new StartError(
      `--escrow: ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'failed'})`,
    )
  }
  const escrow = text
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line.startsWith('AGE-SECRET-KEY-'))
  if (!escrow)
    throw new StartError(`--escrow: ${path} holds no escrow key (a line that begins with AGE-SECRET-KEY-)`)
  await withRuntime(({ services }) =>
    services.keys.grantFromEscrow(escrow, member, given.text('department') ?? undefined),
  )
  console.log(`Granted to ${member}.`)
}

const VERBS: Readonly<Record<string, (given: Given) => Promise<void>>> = { init, grant }

await runCommand({
  help: HELP,
  words: 1,
  options: {
    out: { type: 'string' },
    escrow: { type: 'string' },
    member: { type: 'string' },
    department: { type: 'string' },
  },
  run: async (given) => {
    const verb = VERBS[given.positionals[0] ?? '']
    if (!verb) throw new UsageError('Say what to do: init or grant')
    await verb(given)
  },
})
