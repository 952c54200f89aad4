import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Role } from '../../src/domain/case.ts'
import type { Runtime } from '../../src/runtime.ts'
import { createMemberKeys, MEMBER_KDF, SALT_BYTES } from '../../src/sealing/member-keys.ts'
import { createAuthenticator, type Authenticator } from './authenticator.ts'
import { prepareData, startServer, type TestServer } from './server.ts'

/** A member with everything: passphrase, authenticator and, for officers and dispatchers, the department's key. */
export interface SeatedMember {
  readonly username: string
  readonly passphrase: string
  readonly authenticator: Authenticator
}

export interface StaffSite extends TestServer {
  /** By name, where passkeys work; they do not belong to an address. */
  readonly site: string
  readonly members: Readonly<Record<string, SeatedMember>>
  /** The server's. */
  readonly clock: { now(): Date }
  /** Moves the server's clock on by eleven minutes: no second factor is recent any more. */
  passElevenMinutes(): void
  close(): Promise<void>
}

const STEP_MINUTES = 11

async function seat(
  { services, random }: Runtime,
  escrowIdentity: string,
  username: string,
  departmentId: string,
  roles: readonly Role[],
  clock: { now(): Date },
): Promise<SeatedMember> {
  const passphrase = `${username} keeps this to themself`
  const salt = random.bytes(SALT_BYTES)
  const { identity: _identity, ...keys } = await createMemberKeys({
    username,
    passphrase,
    salt,
    params: MEMBER_KDF,
    random: (n) => random.bytes(n),
  })
  const { token } = await services.staff.createEnrolment({
    username,
    displayName: `员${username}`,
    departmentId,
    roles,
    createdBy: null,
  })
  const link = await services.staff.enrol({ token, salt, kdf: MEMBER_KDF, ...keys })
  const offer = await services.factors.offerTotp({ link }, { name: 'test' })
  const authenticator = createAuthenticator(offer.secret, clock)
  await services.factors.confirmTotp({ link }, offer.sealed, authenticator.code())
  if (roles.some((role) => role === 'officer' || role === 'dispatcher')) {
    await services.keys.grantFromEscrow(escrowIdentity, username)
  }
  return { username, passphrase, authenticator }
}

/** The built program as a district runs it: no demonstration, second factors asked for. */
export async function openStaffSite(
  people: readonly {
    readonly username: string
    readonly department: string
    readonly roles: readonly Role[]
  }[],
): Promise<StaffSite> {
  const dataDir = mkdtempSync(join(tmpdir(), 'lantian-staff-'))
  const members: Record<string, SeatedMember> = {}
  let aheadMs = 0
  const clock = { now: () => new Date(Date.now() + aheadMs) }
  await prepareData(dataDir, async (runtime, escrow) => {
    for (const { username, department, roles } of people) {
      members[username] = await seat(runtime, escrow, username, department, roles, clock)
    }
  })
  const movable = new URL('movable-clock.ts', import.meta.url).href
  const server = await startServer({
    dataDir,
    env: {
      DEMO: 'off',
      NODE_OPTIONS: `--import=${movable}`,
      LANTIAN_CLOCK_STEP_MINUTES: String(STEP_MINUTES),
    },
  })
  return {
    ...server,
    site: `http://localhost:${new URL(server.url).port}`,
    members,
    clock,
    passElevenMinutes: () => {
      aheadMs += STEP_MINUTES * 60_000
      process.kill(server.pid, 'SIGUSR2')
    },
    close: async () => {
      await server.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
