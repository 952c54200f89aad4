import { sql, type Selectable, type Transaction, type Updateable } from 'kysely'
import type { Day } from '../domain/day.ts'
import type { Db } from './connect.ts'
import type { CaseFileTable, Database, ProofTable } from './tables.ts'
import type { PublicCaseRow } from './tips.ts'

export type CaseRow = Selectable<CaseFileTable>
export type ProofRow = Selectable<ProofTable>
export type Tx = Transaction<Database>

/** The case, locked until the transaction ends. */
export async function lockCase(tx: Tx, caseNo: string): Promise<CaseRow | undefined> {
  return tx.selectFrom('case_file').selectAll().where('case_no', '=', caseNo).forUpdate().executeTakeFirst()
}

export async function findCase(db: Db | Tx, caseNo: string): Promise<CaseRow | undefined> {
  return db.selectFrom('case_file').selectAll().where('case_no', '=', caseNo).executeTakeFirst()
}

/** Writes what an action changed, one version on. */
export async function updateCase(tx: Tx, id: string, changes: Updateable<CaseFileTable>): Promise<void> {
  await tx
    .updateTable('case_file')
    .set({ ...changes, version: sql<number>`version + 1` })
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

/** Ids of a case's tips: its own, and those of the cases folded into it. */
export async function tipIdsOf(db: Db | Tx, caseId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('tip')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .select('tip.id')
    .where((eb) => eb.or([eb('case_file.id', '=', caseId), eb('case_file.attached_to', '=', caseId)]))
    .orderBy('tip.day')
    .orderBy('tip.id')
    .execute()
  return rows.map((row) => row.id)
}

export async function proofsOf(db: Db | Tx, caseId: string): Promise<ProofRow[]> {
  return db
    .selectFrom('proof')
    .selectAll()
    .where('case_id', '=', caseId)
    .orderBy('added_at')
    .orderBy('id')
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
  tx: Tx,
  category: string,
  area: string,
  since: Day,
): Promise<{ inArea: number; inDistrict: number }> {
  const row = await tx
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

export const QUEUE_BUCKETS = [
  'new',
  'working',
  'due-soon',
  'overdue',
  'concluded',
  'arbitration',
  'finished',
  'all',
] as const
export type QueueBucket = (typeof QUEUE_BUCKETS)[number]

export interface QueueQuery {
  /** Departments whose cases are meant; null for the whole district. */
  readonly holder: string | null
  /** Leave out cases of inaction, which the dispatcher never sees. */
  readonly withoutInaction: boolean
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

const UNFINISHED = ['routed', 'accepted', 'working', 'awaiting_reporter', 'reopened', 'arbitration'] as const
// A case without a date yet sorts behind every dated one.
const DUE = sql<string>`coalesce(conclude_due, 'infinity'::date)::text`
const RECEIVED = sql<string>`received_day::text`

/** One page of a queue, in order of due day (soonest first) or of receipt (oldest first), then case number. */
export async function queuePage(db: Db, query: QueueQuery): Promise<(CaseRow & { position: string })[]> {
  const position = query.sort === 'due' ? DUE : RECEIVED
  let select = db.selectFrom('case_file').selectAll().select(position.as('position'))
  if (query.holder !== null) select = select.where('holder_id', '=', query.holder)
  if (query.withoutInaction) select = select.where('accused_department_id', 'is', null)
  if (query.category !== null) select = select.where('category_id', '=', query.category)
  if (query.area !== null) select = select.where('area_id', '=', query.area)
  if (query.lane !== null) select = select.where('lane', '=', query.lane as 'normal')
  switch (query.bucket) {
    case 'new':
      select = select.where('state', 'in', ['routed', 'reopened'])
      break
    case 'working':
      select = select.where('state', 'in', ['accepted', 'working', 'awaiting_reporter'])
      break
    case 'due-soon':
      select = select
        .where('state', 'in', UNFINISHED)
        .where('conclude_due', '>=', query.today)
        .where('conclude_due', '<=', query.soon)
      break
    case 'overdue':
      select = select
        .where('state', 'in', UNFINISHED)
        .where((eb) =>
          eb.or([
            eb('conclude_due', '<', query.today),
            eb.and([eb('state', '=', 'routed'), eb('accept_due', '<', query.today)]),
          ]),
        )
      break
    case 'concluded':
      select = select.where('state', '=', 'concluded')
      break
    case 'arbitration':
      select = select.where('state', '=', 'arbitration')
      break
    case 'finished':
      select = select.where('state', 'in', ['published', 'closed', 'attached'])
      break
    case 'all':
      break
  }
  if (query.after) {
    const [after, caseNo] = query.after
    select = select.where(sql<boolean>`(${position}, case_no) > (${after}, ${caseNo})`)
  }
  return select.orderBy(position).orderBy('case_no').limit(query.limit).execute()
}
