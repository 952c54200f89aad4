import { sql, type Selectable } from 'kysely'
import type { Db, Tx } from './connect.ts'
import { ownerOf, READING_ROLES, ROLE_OWNERS, roleOfOwner } from '../domain/roles.ts'
import type { DepartmentKeyTable, TwoLayerPartTable } from './tables.ts'

const APPROVERS = ownerOf('approver')

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

/** An active member who holds one generation of a department's key. */
export interface Holder {
  readonly memberId: string
  readonly username: string
  readonly displayName: string
  readonly recipient: string
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
    ])
    .where('key_grant.department_id', '=', departmentId)
    .where('key_grant.epoch', '=', epoch)
    .where('member.status', '=', 'active')
    .orderBy('member.username')
    .execute()
}

/** Active members who are meant to hold a key: those who read cases in a department, or those in a role. */
export async function membersFor(db: Db | Tx, owner: string): Promise<Holder[]> {
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

/** Tips whose case is not closed and that a department still opens with a key older than `epoch`. */
const oldWraps = (db: Db | Tx, departmentId: string, epoch: number) =>
  db
    .selectFrom('tip_wrap')
    .innerJoin('tip', 'tip.id', 'tip_wrap.tip_id')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .leftJoin('case_file as whole', 'whole.id', 'case_file.attached_to')
    .where('tip_wrap.department_id', '=', departmentId)
    .where('tip_wrap.epoch', '<', epoch)
    .where((eb) => eb(eb.fn.coalesce('whole.state', 'case_file.state'), '<>', 'closed'))

/** The same of what approvers open; what they keep from opening lies inside and stays as it is. */
const oldLayers = (db: Db | Tx, epoch: number) =>
  db.selectFrom('two_layer_part').where('approver_epoch', '<', epoch)

/** Roles other than the approvers' have nothing that could be moved without a second person. */
const movesLayers = (owner: string): boolean => owner === APPROVERS
const movesNothing = (owner: string): boolean => ROLE_OWNERS.includes(owner) && !movesLayers(owner)

export async function countOldWraps(db: Db | Tx, owner: string, epoch: number): Promise<number> {
  if (movesNothing(owner)) return 0
  const row = movesLayers(owner)
    ? await oldLayers(db, epoch)
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
    : await oldWraps(db, owner, epoch)
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
  return row.count
}

export async function someOldWraps(
  db: Db | Tx,
  owner: string,
  epoch: number,
  limit: number,
): Promise<OldWrap[]> {
  if (movesNothing(owner)) return []
  if (movesLayers(owner)) {
    return oldLayers(db, epoch)
      .select(['purpose', 'tip_id as tipId', 'approver_epoch as epoch', 'wrapped'])
      .orderBy('tip_id')
      .orderBy('purpose')
      .limit(limit)
      .execute()
  }
  const rows = await oldWraps(db, owner, epoch)
    .select(['tip_wrap.tip_id as tipId', 'tip_wrap.epoch', 'tip_wrap.wrapped'])
    .orderBy('tip_wrap.tip_id')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ ...row, purpose: 'tip.key' }))
}

/** Puts the wrap under a newer key in the place of an older one; never where there was none. */
export async function replaceWrap(tx: Tx, owner: string, wrap: OldWrap): Promise<boolean> {
  const wrapped = Buffer.from(wrap.wrapped)
  const { purpose, epoch, tipId } = wrap
  if (movesLayers(owner) !== (purpose !== 'tip.key')) return false
  const row =
    purpose === 'tip.key'
      ? await tx
          .updateTable('tip_wrap')
          .set({ epoch, wrapped })
          .where('tip_id', '=', tipId)
          .where('department_id', '=', owner)
          .where('epoch', '<', epoch)
          .returning('tip_id')
          .executeTakeFirst()
      : await tx
          .updateTable('two_layer_part')
          .set({ approver_epoch: epoch, wrapped })
          .where('tip_id', '=', tipId)
          .where('purpose', '=', purpose)
          .where('approver_epoch', '<', epoch)
          .returning('tip_id')
          .executeTakeFirst()
  return row !== undefined
}
