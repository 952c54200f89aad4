import type { Role } from '../domain/case.ts'
import { dayOf, type Day } from '../domain/day.ts'
import { DomainError } from '../domain/errors.ts'
import {
  currentKey,
  grantedMembers,
  holdersOf,
  membersFor,
  putGrants,
  type DepartmentRecipient,
} from '../db/keys.ts'
import { ownerOf, ownersOf, READING_ROLES, ROLE_OWNERS, roleOfOwner } from '../domain/roles.ts'
import type { Tx } from '../db/connect.ts'
import { createKeyPair, pairOf, type KeyPair } from '../sealing/age-identity.ts'
import { createDepartmentKey, grantDepartmentKey, openGrant } from '../sealing/department-keys.ts'
import { isVouched, vouchForMember } from '../sealing/member-voucher.ts'
import { fingerprintOf, verifierOf } from '../sealing/recipient-list.ts'
import type { TwoLayerPurpose, TwoRoles } from '../sealing/two-layer.ts'
import { recordAudit } from './audit.ts'
import type { Reader } from './case-access.ts'
import { isAge } from './cases/wraps.ts'
import type { Deps } from './ports.ts'
import {
  APPROVER_ESCROW_OWNER,
  ESCROW_OWNER,
  RecipientsRefusedError,
  type NewRecipient,
  type Recipients,
} from './recipients.ts'
import type { Sessions } from './sessions.ts'
import type { StaffSession } from './staff.ts'

/** One generation of a department's secret, wrapped to one holder. */
export interface Grant {
  readonly departmentId: string
  readonly epoch: number
  readonly wrapped: Uint8Array
  /** What is sealed to it; the holder's browser checks that the secret belongs to it. */
  readonly recipient: string
}

/** A key that the escrow does not open, or that is not the one tips are sealed to. */
export interface BadEscrowGrant {
  readonly departmentId: string
  readonly epoch: number
  readonly why: 'missing' | 'does-not-open' | 'another-key'
}

/** What {@link Keys.sign} found and did. */
export interface SignedKeys {
  /** Public half of what signs: the root of the list. */
  readonly root: string
  /** Keys that were signed by this call, for the operator to compare. */
  readonly signed: readonly { readonly owner: string; readonly epoch: number; readonly recipient: string }[]
  /** All entries of the list. */
  readonly entries: number
}

/** A colleague who cannot open anything yet, or whose recipient nobody vouched for. */
export interface WaitingMember {
  readonly memberId: string
  readonly username: string
  readonly displayName: string
  readonly departmentId: string
  readonly epoch: number
  readonly recipient: string
  /** Some generation of the key was granted before. */
  readonly granted: boolean
}

/** The two secrets that lie offline, in two envelopes. */
export interface EscrowIdentities {
  /** Opens every key but the approvers'. */
  readonly escrowIdentity: string
  /** Opens the approvers' key. */
  readonly approverEscrowIdentity: string
}

interface MadeOwnerKey {
  readonly owner: string
  readonly recipient: string
  readonly identity: string
  readonly wrapped: Buffer
}

export interface Keys {
  /**
   * Makes one key for each department and role, and the two offline escrows, whose secrets are answered once and kept
   * nowhere. @throws {DomainError} `case-transition` when there are keys already
   */
  init(): Promise<EscrowIdentities & { readonly departments: number }>
  /**
   * Makes the keys of the roles where there are only those of the departments, from before roles had any. Answers the
   * second escrow's secret. @throws {DomainError} `not-found` before {@link init}, `case-transition` when they exist
   */
  initRoles(escrowIdentity: string): Promise<Pick<EscrowIdentities, 'approverEscrowIdentity'>>
  /**
   * Recovers with the escrow secret: grants a member the key of the own department, or of another one, and vouches for
   * the member's recipient.
   * @param fingerprint of the member's recipient as the member tells it; left out where the recipient was just made
   * @throws {DomainError} `not-found`, `invalid-input` for a secret that is not the escrow's or another fingerprint
   */
  grantFromEscrow(
    escrowIdentity: string,
    username: string,
    departmentId?: string,
    fingerprint?: string,
  ): Promise<void>
  /**
   * To whom tips are sealed: each department's newest key, as the signed list has it.
   * @throws {DomainError} `recipients-refused`
   */
  recipients(tx?: Tx): Promise<ReadonlyMap<string, DepartmentRecipient>>
  /** The two roles that keep an identity or a payee; null until they have keys. */
  twoRoles(purpose: TwoLayerPurpose): Promise<TwoRoles | null>
  grantsFor(memberId: string): Promise<Grant[]>
  /**
   * Members without a vouched grant of the current key of what the reader holds: of the department, or of a role.
   * @throws {RecipientsRefusedError}
   */
  waiting(reader: Reader): Promise<WaitingMember[]>
  /**
   * A colleague's browser wrapped the present key, and those before it that the colleague holds, so that older cases
   * open too.
   * @param voucher for the member's recipient, by the present key
   * @throws {DomainError} `factor-required`, `forbidden`, `invalid-input`, `recipients-refused`
   */
  addGrants(
    session: StaffSession,
    memberId: string,
    grants: readonly { readonly epoch: number; readonly wrapped: Uint8Array }[],
    voucher: string,
    owner?: string,
  ): Promise<void>
  /**
   * Signs the keys that there are with the escrow's secret and lets this machine believe them: for a database from
   * before there was a list, and for a machine that does not know the root. Of every key the escrow's copy is opened
   * and compared.
   * The approvers' keys open with their own escrow alone: it is needed besides when a list is begun.
   * @param anew also when the database holds less than this machine has seen (a restored backup), or something else:
   *   then a new list takes the place of what is there
   * @throws {DomainError} `invalid-input` for a secret that is not the escrow's, or a key that is not what the escrow
   *   holds; `recipients-refused` for a list that needs `anew`
   */
  sign(
    escrowIdentity: string,
    options: { readonly anew: boolean; readonly approverEscrowIdentity?: string | undefined },
  ): Promise<SignedKeys>
  /**
   * To whom a key is wrapped besides its holders: a department's unless told.
   * @throws {DomainError} `not-found` before {@link init}
   */
  escrowRecipient(owner?: string): Promise<string>
  /** Answers the escrow's recipient. @throws {DomainError} `invalid-input` for a secret that is not that escrow's */
  mustBeEscrow(escrowIdentity: string, owner?: string): Promise<string>
  /** All generations of an owner's key as its escrow opens them. */
  escrowGrants(owner: string): Promise<Grant[]>
  /**
   * Whether an escrow opens every key that it should and each is the one tips are sealed to: a browser makes keys where nobody can
   * look, so this is asked offline from time to time. Answers how many were looked at and what is wrong.
   */
  checkEscrow(escrowIdentity: string): Promise<{ readonly keys: number; readonly bad: BadEscrowGrant[] }>
}

/** The approvers' key has an escrow of its own: neither envelope alone leads to a name. */
const APPROVERS = ownerOf('approver')
const MAX_WRAP_BYTES = 4096

/** A fingerprint however it was typed. */
const compact = (fingerprint: string): string => fingerprint.replace(/\s/g, '').toLowerCase()

const firstEntry = ({ owner, recipient, identity }: MadeOwnerKey, day: Day): NewRecipient => ({
  owner,
  epoch: 1,
  recipient,
  verifier: verifierOf(identity),
  day,
})

/** The escrows stand in the list too: a swapped one would be given every later key. */
const escrowEntry = (owner: string, { identity, recipient }: KeyPair, day: Day): NewRecipient => ({
  owner,
  epoch: 1,
  recipient,
  verifier: verifierOf(identity),
  day,
})

export function createKeys(deps: Deps, sessions: Sessions, recipients: Recipients): Keys {
  const { db, random } = deps

  async function waitingIn(owner: string): Promise<WaitingMember[]> {
    const present = (await recipients.owners()).get(owner)
    if (!present) return []
    const { epoch } = present
    const holders = (await holdersOf(db, owner, epoch)).filter((holder) => isVouched(present, holder))
    const vouched = new Set(holders.map(({ memberId }) => memberId))
    const granted = await grantedMembers(db, owner)
    return (await membersFor(db, owner))
      .filter(({ memberId }) => !vouched.has(memberId))
      .map((member) => ({ ...member, departmentId: owner, epoch, granted: granted.has(member.memberId) }))
  }

  async function escrowRecipient(owner?: string): Promise<string> {
    const signed = (await recipients.owners()).get(owner === APPROVERS ? APPROVER_ESCROW_OWNER : ESCROW_OWNER)
    if (!signed) throw new DomainError('not-found', 'there are no keys yet')
    return signed.recipient
  }

  async function mustBeEscrow(escrowIdentity: string, owner?: string): Promise<string> {
    const recipient = await escrowRecipient(owner)
    const pair = await pairOf(escrowIdentity).catch(() => null)
    if (pair?.recipient !== recipient) {
      throw new DomainError('invalid-input', 'this is not the escrow key of this database')
    }
    return recipient
  }

  const makeFirst = (owners: readonly string[], escrow: string): Promise<MadeOwnerKey[]> =>
    Promise.all(
      owners.map(async (owner) => {
        const { identity, recipient } = await createDepartmentKey()
        const wrapped = await grantDepartmentKey({ department: owner, epoch: 1 }, identity, escrow)
        return { owner, recipient, identity, wrapped: Buffer.from(wrapped) }
      }),
    )

  async function storeFirst(tx: Tx, made: readonly MadeOwnerKey[]): Promise<void> {
    await tx
      .insertInto('department_key')
      .values(
        made.map(({ owner, recipient }) => ({
          department_id: owner,
          epoch: 1,
          recipient,
          made_at: null,
          made_by: null,
          replace_since: null,
        })),
      )
      .execute()
    await tx
      .insertInto('key_grant')
      .values(
        made.map(({ owner, wrapped }) => ({
          id: random.uuid(),
          department_id: owner,
          epoch: 1,
          member_id: null,
          wrapped,
          granted_by: null,
        })),
      )
      .execute()
  }

  /** The roles' keys: the approvers' for the second escrow, the others' for the first. */
  async function makeRoles(escrow: string): Promise<{ made: MadeOwnerKey[]; second: KeyPair }> {
    const second = await createKeyPair()
    const others = ROLE_OWNERS.filter((owner) => owner !== APPROVERS)
    const made = await Promise.all([makeFirst(others, escrow), makeFirst([APPROVERS], second.recipient)])
    return { made: made.flat(), second }
  }

  const grantsOf = (holder: string | null) =>
    db
      .selectFrom('key_grant')
      .innerJoin('department_key', (join) =>
        join
          .onRef('department_key.department_id', '=', 'key_grant.department_id')
          .onRef('department_key.epoch', '=', 'key_grant.epoch'),
      )
      .select([
        'key_grant.department_id as departmentId',
        'key_grant.epoch',
        'key_grant.wrapped',
        'department_key.recipient',
      ])
      .where('key_grant.member_id', holder === null ? 'is' : '=', holder)
      .orderBy('key_grant.department_id')
      .orderBy('key_grant.epoch')

  const escrowGrants = (departmentId: string): Promise<Grant[]> =>
    grantsOf(null).where('key_grant.department_id', '=', departmentId).execute()

  return {
    async init() {
      const { departments } = (await deps.plan.current()).plan
      const escrow = await createKeyPair()
      const roles = await makeRoles(escrow.recipient)
      const made = await makeFirst(
        departments.map(({ id }) => id),
        escrow.recipient,
      )
      await db.transaction().execute(async (tx) => {
        const value = { recipient: escrow.recipient, approver: roles.second.recipient }
        const stored = await tx
          .insertInto('setting')
          .values({ key: 'escrow', value: JSON.stringify(value) })
          .onConflict((conflict) => conflict.doNothing())
          .returning('key')
          .executeTakeFirst()
        if (!stored) throw new DomainError('case-transition', 'keys exist already; they are made once')
        await deps.versions.bump(tx, 'keys')
        await storeFirst(tx, [...made, ...roles.made])
        const day = dayOf(deps.clock.now())
        await recipients.begin(
          tx,
          verifierOf(escrow.identity),
          [
            escrowEntry(ESCROW_OWNER, escrow, day),
            escrowEntry(APPROVER_ESCROW_OWNER, roles.second, day),
            ...[...made, ...roles.made].map((key) => firstEntry(key, day)),
          ],
          escrow.identity,
        )
      })
      deps.versions.expire()
      return {
        escrowIdentity: escrow.identity,
        approverEscrowIdentity: roles.second.identity,
        departments: made.length,
      }
    },

    async initRoles(escrowIdentity) {
      const recipient = await mustBeEscrow(escrowIdentity)
      const { made, second } = await makeRoles(recipient)
      await db.transaction().execute(async (tx) => {
        await deps.versions.bump(tx, 'keys')
        if (await currentKey(tx, APPROVERS)) {
          throw new DomainError('case-transition', 'keys exist already; they are made once')
        }
        await tx
          .updateTable('setting')
          .set({ value: JSON.stringify({ recipient, approver: second.recipient }) })
          .where('key', '=', 'escrow')
          .execute()
        const day = dayOf(deps.clock.now())
        const entries = [
          escrowEntry(APPROVER_ESCROW_OWNER, second, day),
          ...made.map((key) => firstEntry(key, day)),
        ]
        await recipients.appendAsRoot(tx, entries, escrowIdentity)
        await storeFirst(tx, made)
      })
      deps.versions.expire()
      return { approverEscrowIdentity: second.identity }
    },

    async sign(escrowIdentity, { anew, approverEscrowIdentity }) {
      const escrow = await pairOf(escrowIdentity).catch(() => null)
      const row = await db
        .selectFrom('setting')
        .select('value')
        .where('key', '=', 'escrow')
        .executeTakeFirst()
      if (!row) throw new DomainError('not-found', 'there are no keys yet; run: npm run keys -- init')
      if (!escrow || escrow.recipient !== (row.value as { recipient?: string }).recipient) {
        throw new DomainError('invalid-input', 'this is not the escrow key of this database')
      }
      const root = verifierOf(escrowIdentity)
      const found = await recipients.adopt(root, { older: anew }).catch((error: unknown) => {
        if (anew && error instanceof RecipientsRefusedError) return 0
        throw error
      })
      if (found > 0) return { root, signed: [], entries: found }

      const known = (row.value as { approver?: string }).approver
      const second = approverEscrowIdentity === undefined ? null : await pairOf(approverEscrowIdentity)
      if (known !== undefined && second?.recipient !== known) {
        throw new DomainError(
          'invalid-input',
          'the approvers’ escrow key is needed too: --approver-escrow FILE; nothing was signed',
        )
      }
      const rows = await db
        .selectFrom('department_key')
        .selectAll()
        .orderBy('department_id')
        .orderBy('epoch')
        .execute()
      const grants = await grantsOf(null).execute()
      const today = dayOf(deps.clock.now())
      const signed: NewRecipient[] = []
      for (const { department_id: owner, epoch, recipient, made_at: madeAt } of rows) {
        const grant = grants.find((one) => one.departmentId === owner && one.epoch === epoch)
        const identity =
          grant &&
          (await openGrant(
            { department: owner, epoch },
            grant.wrapped,
            owner === APPROVERS ? (second?.identity ?? '') : escrowIdentity,
          ).catch(() => undefined))
        if (identity === undefined || (await pairOf(identity)).recipient !== recipient) {
          throw new DomainError(
            'invalid-input',
            `${owner}, key ${String(epoch)}: is not what the escrow holds; nothing was signed`,
          )
        }
        const day = madeAt === null ? today : dayOf(madeAt)
        signed.push({ owner, epoch, recipient, verifier: verifierOf(identity), day })
      }
      const escrows = [
        escrowEntry(ESCROW_OWNER, escrow, today),
        ...(second && known !== undefined ? [escrowEntry(APPROVER_ESCROW_OWNER, second, today)] : []),
      ]
      await db.transaction().execute(async (tx) => {
        await deps.versions.bump(tx, 'keys')
        await recipients.begin(tx, root, [...escrows, ...signed], escrowIdentity)
        await recordAudit(tx, {
          at: deps.clock.now(),
          memberId: null,
          role: 'admin',
          action: 'key.sign',
          object: root,
          data: { keys: signed.length },
        })
      })
      deps.versions.expire()
      return { root, signed, entries: signed.length + escrows.length }
    },

    async grantFromEscrow(escrowIdentity, username, departmentId, fingerprint) {
      const member = await db
        .selectFrom('member')
        .select(['id', 'department_id', 'recipient'])
        .where('username', '=', username)
        .where('status', '=', 'active')
        .executeTakeFirst()
      if (!member) throw new DomainError('not-found', `no active member ${username}`)
      const department = departmentId ?? member.department_id
      await mustBeEscrow(escrowIdentity, department)
      const role = roleOfOwner(department)
      if (
        role !== null &&
        !(await membersFor(db, department)).some(({ memberId }) => memberId === member.id)
      ) {
        throw new DomainError('invalid-input', `${username} does not have the role ${role}`)
      }
      const found = fingerprintOf(member.recipient)
      if (fingerprint !== undefined && compact(fingerprint) !== compact(found)) {
        throw new DomainError(
          'invalid-input',
          `the key that the database names for ${username} has the fingerprint ${found}, not this one; nothing was granted`,
        )
      }
      const grants = await escrowGrants(department)
      const newest = grants.at(-1)
      if (!newest) throw new DomainError('not-found', `no key of ${department}`)
      const holder = { memberId: member.id, recipient: member.recipient }
      const made = await Promise.all(
        grants.map(async ({ epoch, wrapped }) => {
          const address = { department, epoch }
          const identity = await openGrant(address, wrapped, escrowIdentity)
          return {
            id: random.uuid(),
            department_id: department,
            epoch,
            wrapped: Buffer.from(await grantDepartmentKey(address, identity, member.recipient)),
            granted_by: null,
            voucher: epoch === newest.epoch ? vouchForMember(address, holder, identity) : null,
          }
        }),
      )
      await db.transaction().execute((tx) => putGrants(tx, member.id, made))
    },

    recipients: (tx) => recipients.departments(tx),

    async twoRoles(purpose) {
      const known = await recipients.departments()
      const roleOf = (owner: string) => {
        const key = known.get(owner)
        return key && { owner, ...key }
      }
      const keeper = roleOf(keeperOf(purpose))
      const approver = roleOf(APPROVERS)
      return keeper && approver ? { keeper, approver } : null
    },

    grantsFor: (memberId) => grantsOf(memberId).execute(),

    escrowRecipient,
    mustBeEscrow,
    escrowGrants,

    async checkEscrow(escrowIdentity) {
      const second = await mustBeEscrow(escrowIdentity, APPROVERS).then(
        () => true,
        () => false,
      )
      if (!second) await mustBeEscrow(escrowIdentity)
      const keys = await db
        .selectFrom('department_key')
        .selectAll()
        .where('department_id', second ? '=' : '<>', APPROVERS)
        .orderBy('department_id')
        .execute()
      const grants = await grantsOf(null).execute()
      const bad: BadEscrowGrant[] = []
      for (const { department_id: departmentId, epoch, recipient } of keys) {
        const grant = grants.find((one) => one.departmentId === departmentId && one.epoch === epoch)
        const address = { department: departmentId, epoch }
        const identity = grant
          ? await openGrant(address, grant.wrapped, escrowIdentity).catch(() => null)
          : undefined
        const why =
          identity === undefined
            ? 'missing'
            : identity === null
              ? 'does-not-open'
              : (await pairOf(identity)).recipient === recipient
                ? null
                : 'another-key'
        if (why !== null) bad.push({ departmentId, epoch, why })
      }
      return { keys: keys.length, bad }
    },

    waiting: async (reader) => (await Promise.all(ownersOf(reader).map(waitingIn))).flat(),

    async addGrants(session, memberId, grants, voucher, owner) {
      await sessions.requireRecent(session)
      const departmentId = owner ?? session.departmentId
      const held = new Set(
        (await grantsOf(session.memberId).where('key_grant.department_id', '=', departmentId).execute()).map(
          ({ epoch }) => epoch,
        ),
      )
      if (grants.length === 0 || !grants.every(({ epoch }) => held.has(epoch))) {
        throw new DomainError('forbidden', '您自己还没有这把钥匙，不能授予别人。')
      }
      const target = (await waitingIn(departmentId)).find((member) => member.memberId === memberId)
      if (!target || !grants.some(({ epoch }) => epoch === target.epoch)) {
        throw new DomainError('invalid-input', '这位成员不在等待名单里，请刷新页面。')
      }
      const present = (await recipients.owners()).get(departmentId)
      if (!present || !isVouched(present, { ...target, voucher })) {
        throw new DomainError('invalid-input', '担保和登记的钥匙不符，请刷新页面，重新核对指纹。')
      }
      if (!grants.every(({ wrapped }) => isAge(wrapped) && wrapped.length <= MAX_WRAP_BYTES)) {
        throw new DomainError('invalid-input', '钥匙格式不对，请刷新页面重试。')
      }
      await db.transaction().execute(async (tx) => {
        // Whoever is being removed at this moment is waited for, and gets nothing.
        const active = await tx
          .selectFrom('member')
          .select('id')
          .where('id', '=', memberId)
          .where('status', '=', 'active')
          // Not against rows that name the member: two who grant each other a key would wait in a circle.
          .forNoKeyUpdate()
          .executeTakeFirst()
        if (!active) throw new DomainError('invalid-input', '这位成员已经离开，请刷新页面。')
        await putGrants(
          tx,
          memberId,
          grants.map(({ epoch, wrapped }) => ({
            id: random.uuid(),
            department_id: departmentId,
            epoch,
            wrapped: Buffer.from(wrapped),
            granted_by: session.memberId,
            voucher: epoch === target.epoch ? voucher : null,
          })),
        )
        await recordAudit(tx, {
          at: deps.clock.now(),
          memberId: session.memberId,
          role: holdingRole(session.roles, departmentId),
          action: 'key.grant',
          object: target.username,
          data: { key: departmentId, recipient: target.recipient },
        })
      })
    },
  }
}

/** Whose inner layer it is. */
export const keeperOf = (purpose: TwoLayerPurpose): string =>
  ownerOf(purpose === 'tip.identity' ? 'custodian' : 'finance')

/** The role in which somebody holds an owner's key. */
export function holdingRole(roles: readonly Role[], owner: string): Role | null {
  return roleOfOwner(owner) ?? roles.find((role) => READING_ROLES.includes(role)) ?? null
}
