import { sql, type Insertable, type Selectable } from 'kysely'
import type { Db, Tx } from './connect.ts'
import { READING_ROLES, roleOfOwner } from '../domain/roles.ts'
import type { DepartmentKeyTable, KeyGrantTable, TwoLayerPartTable } from './tables.ts'

/** A department's or role's current key, as far as the server knows it. */
export interface DepartmentRecipient {
  readonly epoch: number
  readonly recipient: string
}

/** The newest key of each department. */
export async function currentKeys(db: Db | Tx): Promise<Selectable<DepartmentKeyTable>[]> {
  return db
    .selectFrom('department_key')
    .selectAll()
    .distinctOn('department_id')
    .orderBy('department_id')
    .orderBy('epoch', 'desc')
    .execute()
}

/** The newest recipient of each department. */
export async function currentRecipients(db: Db | Tx): Promise<ReadonlyMap<string, DepartmentRecipient>> {
  const rows = await currentKeys(db)
  return new Map(rows.map((row) => [row.department_id, { epoch: row.epoch, recipient: row.recipient }]))
}

/** The newest key of one department. */
export async function currentKey(
  db: Db | Tx,
  departmentId: string,
): Promise<Selectable<DepartmentKeyTable> | undefined> {
  return db
    .selectFrom('department_key')
    .selectAll()
    .where('department_id', '=', departmentId)
    .orderBy('epoch', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** {@link currentKey}, with all keys of the department locked: nobody else makes a newer one meanwhile. */
export async function lockCurrentKey(
  tx: Tx,
  departmentId: string,
): Promise<Selectable<DepartmentKeyTable> | undefined> {
  await tx
    .selectFrom('department_key')
    .select('epoch')
    .where('department_id', '=', departmentId)
    .orderBy('epoch')
    .forUpdate()
    .execute()
  // Looked up afterwards: what was waited for may have been a newer key.
  return currentKey(tx, departmentId)
}

/** Marks the newest keys that somebody holds: from now on a newer one is wanted. */
export async function askForNewKeys(tx: Tx, memberId: string, at: Date): Promise<void> {
  // A newer key that is just being made is waited for, and then marked too.
  await sql`
    select from department_key
    where department_id in (select department_id from key_grant where member_id = ${memberId}::uuid)
    order by department_id, epoch for update`.execute(tx)
  await sql`
    update department_key as held set replace_since = ${at}
    where replace_since is null
      and epoch = (select max(epoch) from department_key where department_id = held.department_id)
      and exists (select from key_grant as own where own.department_id = held.department_id
        and own.epoch = held.epoch and own.member_id = ${memberId}::uuid)`.execute(tx)
}

/** An active member, with the recipient that the database names. */
export interface KeyMember {
  readonly memberId: string
  readonly username: string
  readonly displayName: string
  readonly recipient: string
}

/** One who holds one generation of a department's key. */
export interface Holder extends KeyMember {
  /** That the recipient is the member's own; unchecked. */
  readonly voucher: string | null
}

export async function holdersOf(db: Db | Tx, departmentId: string, epoch: number): Promise<Holder[]> {
  return db
    .selectFrom('key_grant')
    .innerJoin('member', 'member.id', 'key_grant.member_id')
    .select([
      'member.id as memberId',
      'member.username',
      'member.display_name as displayName',
      'member.recipient',
      'key_grant.voucher',
    ])
    .where('key_grant.department_id', '=', departmentId)
    .where('key_grant.epoch', '=', epoch)
    .where('member.status', '=', 'active')
    .orderBy('member.username')
    .execute()
}

/** Members who were ever granted a key of an owner and have not left. */
export async function grantedMembers(db: Db | Tx, owner: string): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('key_grant')
    .select('member_id')
    .distinct()
    .where('department_id', '=', owner)
    .execute()
  return new Set(rows.flatMap(({ member_id: id }) => (id === null ? [] : [id])))
}

/** What is said to vouch for a member in the newest generation of an owner's key. */
export async function voucherOf(db: Db | Tx, owner: string, memberId: string): Promise<string | null> {
  const key = await currentKey(db, owner)
  if (!key) return null
  const grant = await db
    .selectFrom('key_grant')
    .select('voucher')
    .where('department_id', '=', owner)
    .where('epoch', '=', key.epoch)
    .where('member_id', '=', memberId)
    .executeTakeFirst()
  return grant?.voucher ?? null
}

type NewGrant = Omit<Insertable<KeyGrantTable>, 'member_id'>

/** Replaces what a member holds of these generations. */
export async function putGrants(tx: Tx, memberId: string, grants: readonly NewGrant[]): Promise<void> {
  for (const { department_id: owner, epoch } of grants) {
    await tx
      .deleteFrom('key_grant')
      .where('department_id', '=', owner)
      .where('epoch', '=', epoch)
      .where('member_id', '=', memberId)
      .execute()
  }
  await tx
    .insertInto('key_grant')
    .values(grants.map((grant) => ({ ...grant, member_id: memberId })))
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** Active members who are meant to hold a key: those who read cases in a department, or those in a role. */
export async function membersFor(db: Db | Tx, owner: string): Promise<KeyMember[]> {
  const role = roleOfOwner(owner)
  const roles = role === null ? READING_ROLES : [role]
  return db
    .selectFrom('member')
    .select(['id as memberId', 'username', 'display_name as displayName', 'recipient'])
    .$if(role === null, (query) => query.where('department_id', '=', owner))
    .where('status', '=', 'active')
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('member_role')
          .select('role')
          .whereRef('member_role.member_id', '=', 'member.id')
          .where('role', 'in', roles),
      ),
    )
    .orderBy('username')
    .execute()
}

/** A tip's secret under an older key of a department, or one in two layers under an older key of the approvers. */
export interface OldWrap {
  readonly purpose: 'tip.key' | TwoLayerPartTable['purpose']
  readonly tipId: string
  readonly epoch: number
  readonly wrapped: Uint8Array
}

/** Names and accounts whose outer layer is under an older key of the approvers. What lies inside stays as it is. */
const oldLayers = (db: Db | Tx, epoch: number) =>
  db.selectFrom('two_layer_part').where('approver_epoch', '<', epoch)

export async function countOldLayers(db: Db | Tx, epoch: number): Promise<number> {
  const row = await oldLayers(db, epoch)
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return row.count
}

export async function someOldLayers(db: Db | Tx, epoch: number, limit: number): Promise<OldWrap[]> {
  return oldLayers(db, epoch)
    .select(['purpose', 'tip_id as tipId', 'approver_epoch as epoch', 'wrapped'])
    .orderBy('tip_id')
    .orderBy('purpose')
    .limit(limit)
    .execute()
}

/** Puts an outer layer under a newer key in the place of an older one; never where there was none. */
export async function replaceLayer(tx: Tx, { purpose, tipId, epoch, wrapped }: OldWrap): Promise<boolean> {
  if (purpose === 'tip.key') return false
  const row = await tx
    .updateTable('two_layer_part')
    .set({ approver_epoch: epoch, wrapped: Buffer.from(wrapped) })
    .where('tip_id', '=', tipId)
    .where('purpose', '=', purpose)
    .where('approver_epoch', '<', epoch)
    .returning('tip_id')
    .executeTakeFirst()
  return row !== undefined
}
