import { sql, type Expression, type SqlBool } from 'kysely'
import type { Day } from '../domain/day.ts'
import { DISPATCHER_DEPARTMENT } from '../domain/plan.ts'
import type { CaseRow } from './cases.ts'
import type { Db } from './connect.ts'
import { UNANSWERED } from './messages.ts'

/** Queues with a number beside their name. */
export const COUNTED_BUCKETS = [
  'new',
  'unverified',
  'working',
  'due-soon',
  'overdue',
  'concluded',
  'arbitration',
  'triage',
  'unanswered',
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
/** Nobody has taken it up yet. Until then what came without a proof waits in a queue of its own. */
const WAITING = sql<SqlBool>`state in ('routed', 'reopened')`
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
      return sql`${WAITING} and lane = 'normal'`
    case 'unverified':
      return sql`${WAITING} and lane = 'unverified'`
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
      return sql`${UNFINISHED} and holder_id = ${DISPATCHER_DEPARTMENT} and not (${WAITING} and lane = 'unverified')`
    case 'unanswered':
      return sql`state not in ('closed', 'attached') and id in ${UNANSWERED}`
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
