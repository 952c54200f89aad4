import { ROLES, type Role } from '../domain/case.ts'
import { runCommand, UsageError, type Given } from './command.ts'
import { StartError } from './failure.ts'
import { withRuntime } from './with-runtime.ts'

const HELP = `
Usage: npm run staff -- add --username USER --name NAME --department ID --roles ROLE[,ROLE…]
       npm run staff -- remove USER
       npm run staff -- reset-factor USER
       npm run staff -- audit

add     Invites a member and prints a link that works once: the member opens it, chooses a passphrase, and the key
        made from it never leaves the browser. The first administrator of a real database is made this way.
remove  Takes away the member's access and keys; a colleague is asked in the console to change the department's key.
reset-factor
        Takes away a lost second factor, ends the member's sessions and prints a link for a new one. In the console any
        administrator does this for others; this is for the only one.
audit   Tells whether the trail of staff actions is as it was written: every row follows the one before it, all of it
        agrees with the notes in DATA_DIR/keys/audit-heads.jsonl, and every step of a case with its row. Ends with an
        error when it is not.

  --username USER   name to sign in with
  --name NAME       name that colleagues see
  --department ID   department or subdistrict, e.g. qu-daqiban
  --roles LIST      officer, dispatcher, publisher, custodian, approver, finance, auditor, admin
  --help            show this

The embedded database is opened by one program only: stop the server first.
`

function roleOf(name: string): Role {
  const role = ROLES.find((known) => known === name)
  if (!role) throw new UsageError(`--roles: no role ${name}; there are ${ROLES.join(', ')}`)
  return role
}

async function add(given: Given): Promise<void> {
  const invitation = {
    username: given.required('username'),
    displayName: given.required('name'),
    departmentId: given.required('department'),
    roles: given
      .required('roles')
      .split(',')
      .map((role) => role.trim())
      .filter((role) => role !== '')
      .map(roleOf),
    createdBy: null,
  }
  await withRuntime(async ({ services, config }) => {
    const { token, expiresAt } = await services.staff.createEnrolment(invitation)
    console.log(`Invited ${invitation.username}. The link works once, until ${expiresAt.toISOString()}:`)
    console.log(`${config.publicUrl ?? `http://localhost:${String(config.port)}`}/staff/enrol/#${token}`)
  })
}

async function remove(given: Given): Promise<void> {
  const username = given.positionals[1]
  if (username === undefined) throw new UsageError('Say whom to remove: remove USER')
  await withRuntime(({ services }) => services.staff.remove(username))
  console.log(`Removed ${username}.`)
}

async function resetFactor(given: Given): Promise<void> {
  const username = given.positionals[1]
  if (username === undefined) throw new UsageError('Say whose factor to reset: reset-factor USER')
  await withRuntime(async ({ services, config }) => {
    const link = await services.factors.reset(null, username)
    console.log(`The second factor of ${username} is gone. The link for a new one works once, for 72 hours:`)
    console.log(`${config.publicUrl ?? `http://localhost:${String(config.port)}`}/staff/factor/#${link}`)
  })
}

const FAULTS = {
  missing: 'is missing',
  changed: 'was changed',
  order: 'does not follow the one before it',
} as const

const EVENT_FAULTS = {
  missing: 'is missing',
  changed: 'was changed',
  unlisted: 'has no row',
} as const

async function audit(): Promise<void> {
  const state = await withRuntime(({ services }) => services.auditTrail.check(null))
  const last = state.lastMark
    ? `; the last, ${state.lastMark.at.toISOString()}, is row ${state.lastMark.count}`
    : ''
  console.log(
    `${state.unbrokenTo} of ${state.count} rows are unbroken. Notes outside the database: ${state.marks}${last}.`,
  )
  const { since, same, faults } = state.events
  if (since)
    console.log(
      `${same} steps of cases are as their rows say; each from ${since.toISOString()} on must have one.`,
    )
  if (state.intact) return
  if (state.fault !== null) console.error(`Row ${state.unbrokenTo + 1} ${FAULTS[state.fault]}.`)
  if (state.contradicted) {
    const { at, count } = state.contradicted
    console.error(
      `The trail is not the one noted at ${at.toISOString()} (row ${count}): it was cut or written anew.`,
    )
  }
  for (const { caseNo, ordinal, fault } of faults) {
    console.error(`Step ${ordinal} of ${caseNo} ${EVENT_FAULTS[fault]}.`)
  }
  if (state.unreadable > 0) console.error(`${state.unreadable} line(s) of the notes cannot be read.`)
  throw new StartError('The trail of staff actions is not as it was written.')
}

const VERBS: Readonly<Record<string, (given: Given) => Promise<void>>> = {
  add,
  remove,
  'reset-factor': resetFactor,
  audit,
}

await runCommand({
  help: HELP,
  words: 2,
  options: {
    username: { type: 'string' },
    name: { type: 'string' },
    department: { type: 'string' },
    roles: { type: 'string' },
  },
  run: async (given) => {
    const verb = VERBS[given.positionals[0] ?? '']
    if (!verb) throw new UsageError('Say what to do: add, remove, reset-factor or audit')
    await verb(given)
  },
})
