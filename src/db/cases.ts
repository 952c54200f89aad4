import { sql, type Selectable, type Updateable } from 'kysely'
import type { Day } from '../domain/day.ts'
import type { Db, Tx } from './connect.ts'
import type { CaseEventTable, CaseFileTable } from './tables.ts'
import type { NewPublicCase } from './tips.ts'

export type CaseRow = Selectable<CaseFileTable>

/** The case, locked until the transaction ends. */
export async function lockCase(tx: Tx, caseNo: string): Promise<CaseRow | undefined> {
  return tx.selectFrom('case_file').selectAll().where('case_no', '=', caseNo).forUpdate().executeTakeFirst()
}

export async function findCase(db: Db | Tx, caseNo: string): Promise<CaseRow | undefined> {
  return db.selectFrom('case_file').selectAll().where('case_no', '=', caseNo).executeTakeFirst()
}

/** The case of an id that another row names. */
export async function loadCase(db: Db | Tx, id: string): Promise<CaseRow> {
  return db.selectFrom('case_file').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
}

/** The cases folded into one. */
export async function attachedCases(db: Db | Tx, caseId: string): Promise<CaseRow[]> {
  return db.selectFrom('case_file').selectAll().where('attached_to', '=', caseId).execute()
}

/** The number under which a tip is worked: that of the case into which its own was folded, if it was. */
export async function workedCaseNo(db: Db | Tx, tipId: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('tip')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .leftJoin('case_file as parent', 'parent.id', 'case_file.attached_to')
    .select((eb) => eb.fn.coalesce('parent.case_no', 'case_file.case_no').as('case_no'))
    .where('tip.id', '=', tipId)
    .executeTakeFirst()
  return row?.case_no
}

/** Numbers of the cases whose pause or dispute window ended before `today`. */
export async function elapsedCaseNos(db: Db, today: Day): Promise<string[]> {
  const rows = await db
    .selectFrom('case_file')
    .select('case_no')
    .where((eb) =>
      eb.or([
        eb.and([eb('state', '=', 'published'), eb('dispute_until', '<', today)]),
        eb.and([eb('state', '=', 'awaiting_reporter'), eb('paused_until', '<', today)]),
      ]),
    )
    .execute()
  return rows.map((row) => row.case_no)
}

/** Writes what an action changed, one version on. */
export async function updateCase(tx: Tx, id: string, changes: Updateable<CaseFileTable>): Promise<void> {
  await tx
    .updateTable('case_file')
    .set({ ...changes, version: sql<number>`version + 1` })
    .where('id', '=', id)
    .execute()
}

/** Changes what is folded into a case. Not a new version: nobody works on those. */
export async function updateAttached(
  tx: Tx,
  caseId: string,
  changes: Pick<Updateable<CaseFileTable>, 'holder_id' | 'attached_to'>,
): Promise<void> {
  await tx.updateTable('case_file').set(changes).where('attached_to', '=', caseId).execute()
}

/** Who has worked on a case. Not a new version: a colleague's open page stays good. */
export async function setWorkers(tx: Tx, id: string, memberIds: readonly string[]): Promise<void> {
  await tx
    .updateTable('case_file')
    .set({ worked_by: [...memberIds] })
    .where('id', '=', id)
    .execute()
}

export interface NewEvent {
  readonly caseId: string
  readonly day: Day
  /** Null for what a citizen caused. */
  readonly at: Date | null
  readonly actorId: string | null
  readonly role: string
  readonly action: string
  readonly from: string
  readonly to: string
  /** Values from closed lists only. */
  readonly data: Readonly<Record<string, unknown>>
}

/** Appends to the case's history; nothing edits it. */
export async function appendEvent(tx: Tx, event: NewEvent): Promise<void> {
  await tx
    .insertInto('case_event')
    .values((eb) => ({
      case_id: event.caseId,
      ordinal: eb
        .selectFrom('case_event')
        .select(sql<number>`coalesce(max(ordinal), 0) + 1`.as('next'))
        .where('case_id', '=', event.caseId),
      day: event.day,
      at: event.at,
      actor_id: event.actorId,
      role: event.role,
      action: event.action,
      from_state: event.from,
      to_state: event.to,
      data: JSON.stringify(event.data),
    }))
    .execute()
}

/** An event with the name of the member who caused it. */
export type EventRow = Selectable<CaseEventTable> & { display_name: string | null }

/** A case's history in order. */
export async function eventsOf(db: Db, caseId: string): Promise<EventRow[]> {
  return db
    .selectFrom('case_event')
    .leftJoin('member', 'member.id', 'case_event.actor_id')
    .selectAll('case_event')
    .select('member.display_name')
    .where('case_id', '=', caseId)
    .orderBy('ordinal')
    .execute()
}

/** Puts the ledger's row in the place of the one before. */
export async function storeLedgerRow(tx: Tx, row: NewPublicCase): Promise<void> {
  await tx
    .insertInto('public_case')
    .values(row)
    .onConflict((conflict) => conflict.column('case_no').doUpdateSet(row))
    .execute()
}

/** Cases like this one received since a day: the same category in the same area, and in the whole district. */
export async function countSimilar(
  db: Db | Tx,
  category: string,
  area: string,
  since: Day,
): Promise<{ inArea: number; inDistrict: number }> {
  const row = await db
    .selectFrom('case_file')
    .select([
      sql<number>`count(*) filter (where area_id = ${area})`.as('in_area'),
      sql<number>`count(*)`.as('in_district'),
    ])
    .where('category_id', '=', category)
    .where('received_day', '>=', since)
    .executeTakeFirstOrThrow()
  return { inArea: row.in_area, inDistrict: row.in_district }
}
