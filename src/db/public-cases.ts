import { sql, type Selectable, type SelectQueryBuilder } from 'kysely'
import type { Day } from '../domain/day.ts'
import type { Db } from './connect.ts'
import type { Database, PublicCaseTable } from './tables.ts'

export type PublicCaseRow = Selectable<PublicCaseTable>

export interface PublicCaseFilter {
  readonly state?: string | undefined
  readonly holder?: string | undefined
  readonly group?: string | undefined
  readonly category?: string | undefined
  readonly area?: string | undefined
  readonly outcome?: string | undefined
  readonly overdue?: boolean | undefined
}

/** Where a page of the ledger ended. */
export interface LedgerPosition {
  readonly week: Day
  readonly caseNo: string
}

export interface HolderCount {
  readonly open: number
  readonly overdue: number
  readonly published: number
}

/**
 * `today` is always the public day (`publicDay`): rows from later days do not exist. No column of any other table is read
 * here: what is not in `public_case` is not public.
 */
const visible = (db: Db, today: Day) => db.selectFrom('public_case').where('visible_from', '<=', today)

/** States in which the public waits for nothing more. */
export const SETTLED_STATES = ['published', 'closed'] as const

const isOpen = sql<boolean>`state not in ('published', 'closed')`
const isOverdue = (today: Day) => sql<boolean>`${isOpen} and overdue_from <= ${today}`

function narrowed<O>(
  query: SelectQueryBuilder<Database, 'public_case', O>,
  today: Day,
  filter: PublicCaseFilter,
) {
  return query
    .$if(filter.state !== undefined, (q) => q.where('state', '=', filter.state ?? ''))
    .$if(filter.holder !== undefined, (q) => q.where('holder_id', '=', filter.holder ?? ''))
    .$if(filter.group !== undefined, (q) => q.where('group_id', '=', filter.group ?? ''))
    .$if(filter.category !== undefined, (q) => q.where('category_id', '=', filter.category ?? ''))
    .$if(filter.area !== undefined, (q) => q.where('area_id', '=', filter.area ?? ''))
    .$if(filter.outcome !== undefined, (q) => q.where('outcome', '=', filter.outcome ?? ''))
    .$if(filter.overdue === true, (q) => q.where(isOverdue(today)))
}

/** One page of the ledger, newest received week first; serves index `public_case_ledger`. */
export function listPublicCases(
  db: Db,
  today: Day,
  filter: PublicCaseFilter,
  after: LedgerPosition | null,
  limit: number,
): Promise<PublicCaseRow[]> {
  let query = narrowed(visible(db, today).selectAll(), today, filter)
  if (after) query = query.where(sql<boolean>`(received_week, case_no) < (${after.week}, ${after.caseNo})`)
  return query.orderBy('received_week', 'desc').orderBy('case_no', 'desc').limit(limit).execute()
}

/** How many rows match, counted no further than `cap`. */
export async function countPublicCases(
  db: Db,
  today: Day,
  filter: PublicCaseFilter,
  cap: number,
): Promise<number> {
  const row = await db
    .selectFrom(narrowed(visible(db, today).select('case_no'), today, filter).limit(cap).as('found'))
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

export async function findPublicCase(db: Db, today: Day, caseNo: string): Promise<PublicCaseRow | null> {
  const row = await visible(db, today).selectAll().where('case_no', '=', caseNo).executeTakeFirst()
  return row ?? null
}

/** The newest published cases, of all or under some rows of the plan; serves index `public_case_published`. */
export function newestPublished(
  db: Db,
  today: Day,
  limit: number,
  measureRefs?: readonly string[],
): Promise<PublicCaseRow[]> {
  return visible(db, today)
    .selectAll()
    .where('published_day', 'is not', null)
    .where('state', 'in', SETTLED_STATES)
    .$if(measureRefs !== undefined, (q) =>
      q.where(sql<boolean>`measure_refs && ${[...(measureRefs ?? [])]}::text[]`),
    )
    .orderBy('published_day', 'desc')
    .orderBy('case_no', 'desc')
    .limit(limit)
    .execute()
}

/** What each holder has at hand and has published. */
export async function countByHolder(db: Db, today: Day): Promise<ReadonlyMap<string, HolderCount>> {
  const rows = await visible(db, today)
    .select([
      'holder_id',
      sql<number>`count(*) filter (where ${isOpen})`.as('open'),
      sql<number>`count(*) filter (where ${isOverdue(today)})`.as('overdue'),
      sql<number>`count(*) filter (where not (${isOpen}))`.as('published'),
    ])
    .groupBy('holder_id')
    .execute()
  return new Map(
    rows.map((row) => [
      row.holder_id,
      { open: Number(row.open), overdue: Number(row.overdue), published: Number(row.published) },
    ]),
  )
}

export interface MonthCount {
  /** Published since `from`, concluded in time. */
  readonly onTime: number
  /** Published since `from`, concluded late. */
  readonly late: number
  /** Open and overdue on the day asked for. */
  readonly overdue: number
  /** Open, overdue ones included. */
  readonly open: number
}

export async function countSince(db: Db, today: Day, from: Day): Promise<MonthCount> {
  const row = await visible(db, today)
    .select([
      sql<number>`count(*) filter (where published_day >= ${from} and on_time)`.as('onTime'),
      sql<number>`count(*) filter (where published_day >= ${from} and not on_time)`.as('late'),
      sql<number>`count(*) filter (where ${isOverdue(today)})`.as('overdue'),
      sql<number>`count(*) filter (where ${isOpen})`.as('open'),
    ])
    .executeTakeFirstOrThrow()
  return {
    onTime: Number(row.onTime),
    late: Number(row.late),
    overdue: Number(row.overdue),
    open: Number(row.open),
  }
}
