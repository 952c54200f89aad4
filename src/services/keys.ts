import { DomainError } from '../domain/errors.ts'
import { currentRecipients, type DepartmentRecipient } from '../db/keys.ts'
import type { Tx } from '../db/connect.ts'
import { createKeyPair, pairOf } from '../sealing/age-identity.ts'
import { createDepartmentKey, grantDepartmentKey, openGrant } from '../sealing/department-keys.ts'
import { recordAudit } from './audit.ts'
import type { Reader } from './case-access.ts'
import type { Deps } from './ports.ts'

/** A department's secret, wrapped to one member. */
export interface Grant {
  readonly departmentId: string
  readonly epoch: number
  readonly wrapped: Uint8Array
}

/** A colleague who cannot open anything yet. */
export interface WaitingMember {
  readonly memberId: string
  readonly username: string
  readonly displayName: string
  readonly departmentId: string
  readonly epoch: number
  readonly recipient: string
}

export interface Keys {
  /**
   * Makes one key for each department and the offline escrow, whose secret is answered once and kept nowhere.
   * @throws {DomainError} `case-transition` when there are keys already
   */
  init(): Promise<{ readonly escrowIdentity: string; readonly departments: number }>
  /**
   * Recovers with the escrow secret: grants a member the key of the own department, or of another one.
   * @throws {DomainError} `not-found`, `invalid-input` for a secret that is not the escrow's
   */
  grantFromEscrow(escrowIdentity: string, username: string, departmentId?: string): Promise<void>
  /** To whom tips are sealed. */
  recipients(tx?: Tx): Promise<ReadonlyMap<string, DepartmentRecipient>>
  grantsFor(memberId: string): Promise<Grant[]>
  /** Officers and dispatchers of the reader's department without the current key. */
  waiting(reader: Reader): Promise<WaitingMember[]>
  /** A colleague's browser wrapped the key. @throws {DomainError} `forbidden`, `invalid-input` */
  addGrant(reader: Reader, grant: { memberId: string; epoch: number; wrapped: Uint8Array }): Promise<void>
}

const READING_ROLES = ['officer', 'dispatcher']

export function createKeys(deps: Deps): Keys {
  const { db, random } = deps

  async function waitingIn(departmentId: string): Promise<WaitingMember[]> {
    const current = (await currentRecipients(db)).get(departmentId)
    if (!current) return []
    const rows = await db
      .selectFrom('member')
      .select(['id', 'username', 'display_name', 'recipient'])
      .where('department_id', '=', departmentId)
      .where('status', '=', 'active')
      .where((eb) =>
        eb.exists(
          eb
            .selectFrom('member_role')
            .select('role')
            .whereRef('member_role.member_id', '=', 'member.id')
            .where('role', 'in', READING_ROLES),
        ),
      )
      .where((eb) =>
        eb.not(
          eb.exists(
            eb
              .selectFrom('key_grant')
              .select('id')
              .whereRef('key_grant.member_id', '=', 'member.id')
              .where('key_grant.department_id', '=', departmentId)
              .where('key_grant.epoch', '=', current.epoch),
          ),
        ),
      )
      .orderBy('username')
      .execute()
    return rows.map((row) => ({
      memberId: row.id,
      username: row.username,
      displayName: row.display_name,
      departmentId,
      epoch: current.epoch,
      recipient: row.recipient,
    }))
  }

  return {
    async init() {
      const { departments } = (await deps.plan.current()).plan
      const escrow = await createKeyPair()
      const made = await Promise.all(
        departments.map(async ({ id }) => {
          const pair = await createDepartmentKey()
          const wrapped = await grantDepartmentKey(
            { department: id, epoch: 1 },
            pair.identity,
            escrow.recipient,
          )
          return { id, recipient: pair.recipient, wrapped: Buffer.from(wrapped) }
        }),
      )
      await db.transaction().execute(async (tx) => {
        const stored = await tx
          .insertInto('setting')
          .values({ key: 'escrow', value: JSON.stringify({ recipient: escrow.recipient }) })
          .onConflict((conflict) => conflict.doNothing())
          .returning('key')
          .executeTakeFirst()
        if (!stored) throw new DomainError('case-transition', 'keys exist already; they are made once')
        await tx
          .insertInto('department_key')
          .values(made.map(({ id, recipient }) => ({ department_id: id, epoch: 1, recipient })))
          .execute()
        await tx
          .insertInto('key_grant')
          .values(
            made.map(({ id, wrapped }) => ({
              id: random.uuid(),
              department_id: id,
              epoch: 1,
              member_id: null,
              wrapped,
              granted_by: null,
            })),
          )
          .execute()
      })
      return { escrowIdentity: escrow.identity, departments: made.length }
    },

    async grantFromEscrow(escrowIdentity, username, departmentId) {
      const member = await db
        .selectFrom('member')
        .select(['id', 'department_id', 'recipient'])
        .where('username', '=', username)
        .where('status', '=', 'active')
        .executeTakeFirst()
      if (!member) throw new DomainError('not-found', `no active member ${username}`)
      const department = departmentId ?? member.department_id
      const escrow = await db
        .selectFrom('setting')
        .select('value')
        .where('key', '=', 'escrow')
        .executeTakeFirst()
      const pair = await pairOf(escrowIdentity).catch(() => null)
      if (!pair || (escrow?.value as { recipient?: string } | undefined)?.recipient !== pair.recipient) {
        throw new DomainError('invalid-input', 'this is not the escrow key of this database')
      }
      const grants = await db
        .selectFrom('key_grant')
        .select(['epoch', 'wrapped'])
        .where('department_id', '=', department)
        .where('member_id', 'is', null)
        .execute()
      if (grants.length === 0) throw new DomainError('not-found', `no key of ${department}`)
      for (const { epoch, wrapped } of grants) {
        const address = { department, epoch }
        const identity = await openGrant(address, wrapped, escrowIdentity)
        await db
          .insertInto('key_grant')
          .values({
            id: random.uuid(),
            department_id: department,
            epoch,
            member_id: member.id,
            wrapped: Buffer.from(await grantDepartmentKey(address, identity, member.recipient)),
            granted_by: null,
          })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
      }
    },

    recipients: (tx) => currentRecipients(tx ?? db),

    async grantsFor(memberId) {
      const rows = await db
        .selectFrom('key_grant')
        .select(['department_id', 'epoch', 'wrapped'])
        .where('member_id', '=', memberId)
        .orderBy('epoch')
        .execute()
      return rows.map((row) => ({ departmentId: row.department_id, epoch: row.epoch, wrapped: row.wrapped }))
    },

    waiting: (reader) =>
      reader.roles.some((role) => READING_ROLES.includes(role))
        ? waitingIn(reader.departmentId)
        : Promise.resolve([]),

    async addGrant(reader, grant) {
      const held = await db
        .selectFrom('key_grant')
        .select('id')
        .where('member_id', '=', reader.memberId)
        .where('department_id', '=', reader.departmentId)
        .where('epoch', '=', grant.epoch)
        .executeTakeFirst()
      if (!held) throw new DomainError('forbidden', '您自己还没有本单位的钥匙，不能授予别人。')
      const target = (await waitingIn(reader.departmentId)).find(
        (member) => member.memberId === grant.memberId,
      )
      if (target?.epoch !== grant.epoch) {
        throw new DomainError('invalid-input', '这位成员不在等待名单里，请刷新页面。')
      }
      await db.transaction().execute(async (tx) => {
        await tx
          .insertInto('key_grant')
          .values({
            id: random.uuid(),
            department_id: reader.departmentId,
            epoch: grant.epoch,
            member_id: grant.memberId,
            wrapped: Buffer.from(grant.wrapped),
            granted_by: reader.memberId,
          })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        await recordAudit(tx, {
          at: deps.clock.now(),
          memberId: reader.memberId,
          role: reader.roles.find((role) => READING_ROLES.includes(role)) ?? null,
          action: 'key.grant',
          object: target.username,
        })
      })
    },
  }
}
