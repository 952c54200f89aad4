import {
  sql,
  type Expression,
  type Selectable,
  type SqlBool,
  type Transaction,
  type Updateable,
} from 'kysely'
import type { Day } from '../domain/day.ts'
import { DISPATCHER_DEPARTMENT } from '../domain/plan.ts'
import type { Db } from './connect.ts'
import type { CaseEventTable, CaseFileTable, Database } from './tables.ts'
import type { PublicCaseRow } from './tips.ts'

export type CaseRow = Selectable<CaseFileTable>
export type Tx = Transaction<Database>

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

/** Puts the arrival of a case on a department's next digest, once. */
export async function noteArrival(tx: Tx, departmentId: string, caseNo: string, day: Day): Promise<void> {
  await tx
    .insertInto('notice')
    .values({ department_id: departmentId, case_no: caseNo, kind: 'arrival', day })
    .onConflict((conflict) => conflict.doNothing())
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
export async function storeLedgerRow(tx: Tx, row: PublicCaseRow): Promise<void> {
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

/** Queues with a number beside their name. */
export const COUNTED_BUCKETS = [
  'new',
  'working',
  'due-soon',
  'overdue',
  'concluded',
  'arbitration',
  'triage',
] as const
export type CountedBucket = (typeof COUNTED_BUCKETS)[number]

export const QUEUE_BUCKETS = [...COUNTED_BUCKETS, 'finished', 'all'] as const
export type QueueBucket = (typeof QUEUE_BUCKETS)[number]

/** Which cases somebody may look at at all; each true is one more way to see some. */
export interface QueueScope {
  readonly department: string
  /** What the own department holds. */
  readonly own: boolean
  /** Everything but cases of inaction: the dispatcher. */
  readonly withoutInaction: boolean
  /** Everything that is concluded: publishers. */
  readonly finished: boolean
  readonly all: boolean
}

export interface QueueQuery {
  readonly scope: QueueScope
  /** Only what this department holds. */
  readonly department: string | null
  readonly bucket: QueueBucket
  readonly category: string | null
  readonly area: string | null
  readonly lane: string | null
  readonly sort: 'due' | 'received'
  readonly today: Day
  readonly soon: Day
  readonly after: readonly [string, string] | null
  readonly limit: number
}

const UNFINISHED = sql<SqlBool>`state in ('routed', 'accepted', 'working', 'awaiting_reporter', 'reopened', 'arbitration')`
/** `nextDue` of the domain for a query; least() passes over what is null. */
const NEXT_DUE = sql<string | null>`case state
  when 'routed' then least(accept_due, conclude_due)
  when 'arbitration' then least(arbitrate_due, conclude_due)
  else conclude_due end`
const CONCLUDED = sql<SqlBool>`state in ('concluded', 'published', 'closed')`

/** Nobody of the accused department, nor of the dispatcher's, ever meets a case of inaction (D§6). */
function visibleTo(scope: QueueScope): Expression<SqlBool> {
  const { department, own, withoutInaction, finished, all } = scope
  return sql<SqlBool>`(
    (${withoutInaction} and accused_department_id is null)
    or (
      (accused_department_id is null
        or (accused_department_id <> ${department} and ${department !== DISPATCHER_DEPARTMENT}))
      and (${all} or (${own} and holder_id = ${department}) or (${finished} and ${CONCLUDED}))
    )
  )`
}

function inBucket(bucket: QueueBucket, today: Day, soon: Day): Expression<SqlBool> {
  switch (bucket) {
    case 'new':
      return sql`state in ('routed', 'reopened')`
    case 'working':
      return sql`state in ('accepted', 'working', 'awaiting_reporter')`
    case 'due-soon':
      return sql`${UNFINISHED} and ${NEXT_DUE} between ${today}::date and ${soon}::date`
    case 'overdue':
      return sql`${UNFINISHED} and ${NEXT_DUE} < ${today}::date`
    case 'concluded':
      return sql`state = 'concluded'`
    case 'arbitration':
      return sql`state = 'arbitration'`
    case 'triage':
      return sql`${UNFINISHED} and holder_id = ${DISPATCHER_DEPARTMENT}`
    case 'finished':
      return sql`state in ('published', 'closed', 'attached')`
    case 'all':
      return sql`true`
  }
}

/** How many cases each queue holds. */
export async function queueCounts(
  db: Db,
  scope: QueueScope,
  today: Day,
  soon: Day,
): Promise<Record<CountedBucket, number>> {
  const counts = COUNTED_BUCKETS.map((bucket) =>
    sql<number>`count(*) filter (where ${inBucket(bucket, today, soon)})`.as(bucket),
  )
  const row = await db
    .selectFrom('case_file')
    .select(counts)
    .where(visibleTo(scope))
    .executeTakeFirstOrThrow()
  return row as Record<CountedBucket, number>
}

// A case without a date yet sorts behind every dated one.
const DUE = sql<string>`coalesce(${NEXT_DUE}, 'infinity'::date)::text`
const RECEIVED = sql<string>`received_day::text`

/** One page of a queue, in order of due day (soonest first) or of receipt (oldest first), then case number. */
export async function queuePage(db: Db, query: QueueQuery): Promise<(CaseRow & { position: string })[]> {
  const position = query.sort === 'due' ? DUE : RECEIVED
  let select = db.selectFrom('case_file').selectAll().select(position.as('position'))
  select = select.where(visibleTo(query.scope)).where(inBucket(query.bucket, query.today, query.soon))
  if (query.department !== null) select = select.where('holder_id', '=', query.department)
  if (query.category !== null) select = select.where('category_id', '=', query.category)
  if (query.area !== null) select = select.where('area_id', '=', query.area)
  if (query.lane !== null) select = select.where('lane', '=', query.lane as 'normal')
  if (query.after) {
    const [after, caseNo] = query.after
    select = select.where(sql<boolean>`(${position}, case_no) > (${after}, ${caseNo})`)
  }
  return select.orderBy(position).orderBy('case_no').limit(query.limit).execute()
}
