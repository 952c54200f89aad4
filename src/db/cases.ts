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

/** A step of a case as stored. */
export type StoredEvent = Selectable<CaseEventTable>

/** Appends to the case's history; nothing edits it. */
export async function appendEvent(tx: Tx, event: NewEvent): Promise<StoredEvent> {
  return tx
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
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** An event with the name of the member who caused it. */
export type EventRow = StoredEvent & { display_name: string | null }

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

/** Where an event stands: in which case, as which step. */
export interface EventPlace {
  readonly caseNo: string
  readonly ordinal: number
}

/** The events at some places; there may be none. */
export async function eventsAt(
  db: Db,
  places: readonly EventPlace[],
): Promise<(StoredEvent & { case_no: string })[]> {
  const line = sql<{ case_no: string; ordinal: number }>`unnest(
    ${places.map(({ caseNo }) => caseNo)}::text[], ${places.map(({ ordinal }) => ordinal)}::integer[])`
  return db
    .selectFrom(line.as<'line'>(sql`line (case_no, ordinal)`))
    .innerJoin('case_file', 'case_file.case_no', 'line.case_no')
    .innerJoin('case_event', (join) =>
      join.onRef('case_event.case_id', '=', 'case_file.id').onRef('case_event.ordinal', '=', 'line.ordinal'),
    )
    .selectAll('case_event')
    .select('case_file.case_no')
    .execute()
}

/**
 * When the first line of the audit was written that tells of an event, but never before the first line of all that is
 * kept: events from before have none, or none any more. Null while there is none.
 */
export async function firstEventLine(db: Db): Promise<Date | null> {
  const { rows } = await sql<{ at: Date }>`
    select greatest(first.at, line.at) as at
    from (select at from staff_audit order by no limit 1) as first,
      (select at from staff_audit where action like 'case.%' and data ->> 'sha256' is not null
        order by no limit 1) as line`.execute(db)
  return rows[0]?.at ?? null
}

/** How many events by staff there are since an instant, and how long the audit's chain is at the same moment. */
export async function countStaffEvents(db: Db, since: Date): Promise<{ events: number; lines: number }> {
  const { rows } = await sql<{ events: number; lines: number }>`
    select (select count(*) from case_event where actor_id is not null and at >= ${since}) as events,
      (select count from audit_head) as lines`.execute(db)
  return rows[0] ?? { events: 0, lines: 0 }
}

/** Some events by staff since an instant of which the audit has no line. */
export async function unlistedEvents(db: Db, since: Date, limit: number): Promise<EventPlace[]> {
  return db
    .selectFrom('case_event')
    .innerJoin('case_file', 'case_file.id', 'case_event.case_id')
    .select(['case_file.case_no as caseNo', 'case_event.ordinal'])
    .where('case_event.actor_id', 'is not', null)
    .where('case_event.at', '>=', since)
    .where(
      sql<boolean>`not exists (select from staff_audit where staff_audit.object = case_file.case_no
        and staff_audit.data ->> 'sha256' is not null
        and staff_audit.data -> 'event' = to_jsonb(case_event.ordinal))`,
    )
    .orderBy('case_event.at')
    .orderBy('caseNo')
    .orderBy('ordinal')
    .limit(limit)
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
