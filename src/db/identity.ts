import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Day } from '../domain/day.ts'
import type { RequestState } from '../domain/identity.ts'
import type { Db, Tx } from './connect.ts'
import type { IdentityRequestTable, TwoLayerPartTable } from './tables.ts'

/** A request with what whoever decides on it may know of its case. */
export type RequestRow = Selectable<IdentityRequestTable> & {
  readonly case_no: string
  readonly category_id: string
  readonly area_id: string
  readonly case_state: string
  readonly holder_id: string
  readonly received_day: Day
  readonly accused_department_id: string | null
  readonly asker_name: string
  readonly asker_recipient: string
}

const requests = (db: Db | Tx) =>
  db
    .selectFrom('identity_request')
    .innerJoin('case_file', 'case_file.id', 'identity_request.case_id')
    .innerJoin('member', 'member.id', 'identity_request.asked_by')
    .selectAll('identity_request')
    .select([
      'case_file.case_no',
      'case_file.category_id',
      'case_file.area_id',
      'case_file.state as case_state',
      'case_file.holder_id',
      'case_file.received_day',
      'case_file.accused_department_id',
      'member.display_name as asker_name',
      'member.recipient as asker_recipient',
    ])

export async function insertRequest(tx: Tx, row: Insertable<IdentityRequestTable>): Promise<void> {
  await tx.insertInto('identity_request').values(row).execute()
}

export async function findRequest(db: Db | Tx, id: string): Promise<RequestRow | undefined> {
  return requests(db).where('identity_request.id', '=', id).executeTakeFirst()
}

/** The request, locked until the transaction ends. */
export async function lockRequest(tx: Tx, id: string): Promise<RequestRow | undefined> {
  return requests(tx).where('identity_request.id', '=', id).forUpdate('identity_request').executeTakeFirst()
}

export async function updateRequest(
  tx: Tx,
  id: string,
  changes: Updateable<IdentityRequestTable>,
): Promise<void> {
  await tx.updateTable('identity_request').set(changes).where('id', '=', id).execute()
}

/** Those in some states, oldest first. */
export async function requestsIn(
  db: Db,
  states: readonly RequestState[],
  limit: number,
): Promise<RequestRow[]> {
  return requests(db).where('identity_request.state', 'in', states).orderBy('asked_at').limit(limit).execute()
}

/** Those somebody made, newest first. */
export async function requestsBy(db: Db, memberId: string, limit: number): Promise<RequestRow[]> {
  return requests(db).where('asked_by', '=', memberId).orderBy('asked_at', 'desc').limit(limit).execute()
}

/** Those about some tips, newest first. */
export async function requestsAbout(db: Db, tipIds: readonly string[]): Promise<RequestRow[]> {
  if (tipIds.length === 0) return []
  return requests(db).where('tip_id', 'in', tipIds).orderBy('asked_at', 'desc').execute()
}

export type TwoLayerRow = Selectable<TwoLayerPartTable>

export async function findTwoLayer(
  db: Db | Tx,
  tipId: string,
  purpose: TwoLayerRow['purpose'],
): Promise<TwoLayerRow | undefined> {
  return db
    .selectFrom('two_layer_part')
    .selectAll()
    .where('tip_id', '=', tipId)
    .where('purpose', '=', purpose)
    .executeTakeFirst()
}

/** Requests nobody decided on since `asked`, and passed ones no longer readable on `today`; takes what could open. */
export async function expireRequests(tx: Tx, asked: Date, today: Day): Promise<number> {
  const rows = await tx
    .updateTable('identity_request')
    .set({ state: 'expired', inner_layer: null, passed: null })
    .where((eb) =>
      eb.or([
        eb.and([eb('state', 'in', ['asked', 'stripped']), eb('asked_at', '<', asked)]),
        eb.and([eb('state', '=', 'passed'), eb('readable_until', '<', today)]),
      ]),
    )
    .returning('id')
    .execute()
  return rows.length
}
