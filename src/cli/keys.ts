import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { readConfig } from '../config.ts'
import { fingerprintOf } from '../sealing/recipient-list.ts'
import { runCommand, UsageError, type Given } from './command.ts'
import { StartError } from './failure.ts'
import { withRuntime } from './with-runtime.ts'

const HELP = `
Usage: npm run keys -- init [--out FILE]
       npm run keys -- roles --escrow FILE [--out FILE]
       npm run keys -- grant --escrow FILE --member USER --fingerprint TEXT [--department ID]
       npm run keys -- rotate --escrow FILE --department ID
       npm run keys -- check --escrow FILE
       npm run keys -- sign --escrow FILE [--anew] [--approver-escrow FILE]
       npm run keys -- export --case NUMBER --out FOLDER
       npm run keys -- accept-loss

init    Makes the server's own secrets, one key for every department's queue and for the roles that keep, approve and
        pay, and two offline escrow keys. The first opens every key but the approvers', the second opens only that one:
        a reporter's name needs both. They are shown once, or written to FILE and FILE.approver (mode 0600, outside
        DATA_DIR). Print them, put them into two sealed envelopes kept by two people, and delete the files: whoever
        holds the first can read every tip.
roles   Makes the keys of the roles and the second escrow key where init made only those of the departments.
grant   Gives a member a department's key with the escrow key, for when no colleague can, and vouches for the member's
        own key. Ask the member in person or by telephone what fingerprint the console's page 我的账号 shows: whoever
        changed the database could have put another key in its place.
rotate  Makes a department's next key and moves the open tips to it, for when somebody left and nobody who stays holds
        the present one. Otherwise a colleague does it in the console, where the server never sees the secret. Members
        whose own key nobody has vouched for are named and get nothing; grant it to them afterwards.
check   Tells whether the escrow key still opens every department's key. Do it once a year, and after keys changed.
sign    Signs the keys that there are, for a database from before keys were signed, and makes this machine believe the
        list. --anew: also when the database holds fewer keys than this machine has seen, or other ones, after you
        restored a backup; compare the fingerprints that are printed with those the departments see.
export  Writes a case's sealed files, the keys that lead to them and a script into FOLDER. Nothing is opened here:
        on a machine without a network, "sh open.sh ESCROW-FILE" opens them with Debian's "age".
accept-loss  When DATA_DIR/wraps is lost and no backup of it is left: nothing opens what was locked with it, so its tips
        count as destroyed and their sealed parts are deleted. Without this the form stays closed.

  --out PATH        where to write
  --escrow FILE     file that holds the escrow key (of role-approver: the approvers' one)
  --approver-escrow FILE   file that holds the approvers' escrow key
  --member USER     user name of the member who gets the key
  --fingerprint TEXT   of the member's own key, as the member tells it
  --department ID   the department whose key it is, or role-custodian, role-approver, role-finance; default for grant:
                    the member's own department
  --case NUMBER     e.g. ZY-2611-7QK3F
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

/** Opens files before the keys exist: a key that cannot be written down would be lost for good. */
async function intoFiles<T>(outs: readonly string[], make: () => Promise<T>) {
  const files: ReturnType<typeof openEscrowFile>[] = []
  try {
    for (const out of outs) files.push(openEscrowFile(out))
    return { made: await make(), files }
  } catch (error) {
    for (const file of files) file.discard()
    throw error
  }
}

async function init(given: Given): Promise<void> {
  const out = given.text('out')
  const outs = out === null ? [] : [out, secondFile(out)]
  const { made, files } = await intoFiles(outs, () =>
    withRuntime(({ services }) => services.keys.init(), { createSecrets: true }),
  )
  console.log(`Made keys for ${String(made.departments)} departments.`)
  if (out !== null) {
    files[0]?.write(`${made.escrowIdentity}\n`)
    files[1]?.write(`${made.approverEscrowIdentity}\n`)
    console.log(`The escrow key is in ${out}. Keep it offline: whoever holds it can read every tip.`)
    console.log(`The approvers' escrow key is in ${secondFile(out)}. Keep it with somebody else.`)
    return
  }
  console.log('The escrow key follows. It is not stored and not shown again; keep it offline:')
  console.log(made.escrowIdentity)
  console.log("The approvers' escrow key follows. Give it to somebody else to keep:")
  console.log(made.approverEscrowIdentity)
}

const secondFile = (out: string): string => `${out}.approver`

async function initRoles(given: Given): Promise<void> {
  const escrow = readEscrow(given)
  const out = given.text('out')
  const { made, files } = await intoFiles(out === null ? [] : [out], () =>
    withRuntime(({ services }) => services.keys.initRoles(escrow)),
  )
  console.log('Made keys for the roles.')
  files[0]?.write(`${made.approverEscrowIdentity}\n`)
  if (out !== null) console.log(`The approvers' escrow key is in ${out}. Keep it with somebody else.`)
  else
    console.log(
      `The approvers' escrow key follows. Give it to somebody else to keep:\n${made.approverEscrowIdentity}`,
    )
}

function readEscrow(given: Given, option = 'escrow'): string {
  const path = given.required(option)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new StartError(
      `--${option}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'failed'})`,
    )
  }
  const escrow = text
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line.startsWith('AGE-SECRET-KEY-'))
  if (!escrow)
    throw new StartError(`--${option}: ${path} holds no escrow key (a line that begins with AGE-SECRET-KEY-)`)
  return escrow
}

async function grant(given: Given): Promise<void> {
  const escrow = readEscrow(given)
  const member = given.required('member')
  await withRuntime(({ services }) =>
    services.keys.grantFromEscrow(
      escrow,
      member,
      given.text('department') ?? undefined,
      given.required('fingerprint'),
    ),
  )
  console.log(`Granted to ${member}.`)
}

async function rotate(given: Given): Promise<void> {
  const escrow = readEscrow(given)
  const department = given.required('department')
  const { members, leftOut, tips } = await withRuntime(({ services }) =>
    services.rotations.rotateFromEscrow(escrow, department),
  )
  console.log(`Made a new key of ${department} for ${members} member(s); moved ${tips} tip(s) to it.`)
  if (leftOut.length > 0) {
    console.log(
      `Nobody has vouched for the keys of these, who get nothing until granted: ${leftOut.join(', ')}`,
    )
  }
}

async function checkEscrow(given: Given): Promise<void> {
  const escrow = readEscrow(given)
  const { keys, bad } = await withRuntime(({ services }) => services.keys.checkEscrow(escrow))
  if (bad.length === 0) {
    console.log(`The escrow key opens all ${keys} keys.`)
    return
  }
  for (const { departmentId, epoch, why } of bad) {
    console.error(`${departmentId}, key ${epoch}: ${WHY[why]}`)
  }
  throw new StartError(`${bad.length} of ${keys} keys are not what they should be; change those keys.`)
}

async function sign(given: Given): Promise<void> {
  const escrow = readEscrow(given)
  const approverEscrowIdentity =
    given.text('approver-escrow') === null ? undefined : readEscrow(given, 'approver-escrow')
  const { root, signed, entries } = await withRuntime(({ services }) =>
    services.keys.sign(escrow, { anew: given.flag('anew'), approverEscrowIdentity }),
  )
  for (const { owner, epoch, recipient } of signed) {
    console.log(`${owner}, key ${epoch}: ${fingerprintOf(recipient)}`)
  }
  console.log(
    signed.length === 0
      ? `The list of ${entries} entries holds; nothing was signed. Root: ${fingerprintOf(root)}`
      : `Signed ${signed.length} keys. Root: ${fingerprintOf(root)}`,
  )
}

const WHY = {
  missing: 'was never wrapped to the escrow',
  'does-not-open': 'does not open with the escrow key',
  'another-key': 'opens, but is not the key that tips are sealed to',
} as const

async function exportCase(given: Given): Promise<void> {
  const caseNo = given.required('case')
  const folder = resolve(given.required('out'))
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    throw new StartError(
      `--out: ${folder} cannot be made (${(error as NodeJS.ErrnoException).code ?? 'failed'})`,
    )
  }
  const files = await withRuntime(({ services }) => services.offline.exportCase(caseNo))
  for (const { name, bytes } of files) writeFileSync(join(folder, name), bytes, { mode: 0o600 })
  console.log(`Wrote ${files.length} files to ${folder}. Open them offline: sh open.sh ESCROW-FILE`)
}

async function acceptLoss(): Promise<void> {
  const tips = await withRuntime(({ services }) => services.retention.acceptLoss())
  console.log(`${tips} tip(s) count as destroyed: their keys are not in DATA_DIR/wraps.`)
}

const VERBS: Readonly<Record<string, (given: Given) => Promise<void>>> = {
  init,
  roles: initRoles,
  grant,
  rotate,
  check: checkEscrow,
  sign,
  export: exportCase,
  'accept-loss': acceptLoss,
}

await runCommand({
  help: HELP,
  words: 1,
  options: {
    out: { type: 'string' },
    escrow: { type: 'string' },
    'approver-escrow': { type: 'string' },
    member: { type: 'string' },
    fingerprint: { type: 'string' },
    department: { type: 'string' },
    case: { type: 'string' },
    anew: { type: 'boolean' },
  },
  run: async (given) => {
    const verb = VERBS[given.positionals[0] ?? '']
    if (!verb) throw new UsageError(`Say what to do: ${Object.keys(VERBS).join(', ')}`)
    await verb(given)
  },
})
