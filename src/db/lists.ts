import { sql, type ExpressionBuilder, type RawBuilder, type Selectable, type SqlBool } from 'kysely'
import type { Day } from '../domain/day.ts'
import type { EntryData, ListAction } from '../domain/list.ts'
import type { SearchQuery } from '../domain/search-text.ts'
import type { Db, Tx } from './connect.ts'
import type { Database, EntryTable } from './tables.ts'

type Entries = ExpressionBuilder<Database, 'entry'>

/** An entry as stored; what is searched for stays in the database. */
export type EntryRow = Omit<Selectable<EntryTable>, 'grams' | 'search_name' | 'data'> & { data: EntryData }

export interface EntryCriteria {
  readonly search: SearchQuery | null
  /** The search is known to hit more than a few: nobody counts again. */
  readonly isCommon?: boolean
  /** In force on `today`, no longer, or both. */
  readonly state: 'listed' | 'past' | 'all'
  readonly today: Day
  readonly authority: string | null
  readonly year: number | null
}

export interface EntryPosition {
  readonly listedOn: Day
  readonly entryNo: string
}

const ENTRY_COLUMNS = [
  'id',
  'entry_no',
  'list',
  'state',
  'revision',
  'subject_name',
  'uscc',
  'decision_no',
  'authority',
  'listed_on',
  'listed_until',
  'ended_on',
  'data',
] as const

/** What one search may cost: at 1,000,000 entries a tenth of a second. */
const SEARCH_BOUNDS = {
  /** Up to so many hits are collected by the search index; beyond, walking the list in order finds a page sooner. */
  fewHits: 2000,
  /** So many entries are walked through at a time: what is common in the whole list may be rare where one looks. */
  stretch: 20_000,
}

/** PostgreSQL refuses NUL in a text; nothing stored holds one, so nothing is found less. */
const plainText = (text: string): string => text.replaceAll('\0', '\ufffd')

const inForce = (eb: Entries, today: Day) =>
  eb.and([
    eb('state', '=', 'listed'),
    eb.or([eb('listed_until', 'is', null), eb('listed_until', '>=', today)]),
  ])

/** The beginning of a code. Codes hold letters, digits, dashes and brackets, so nothing in them is a wildcard. */
const begins = (column: 'uscc' | 'decision_no' | 'entry_no', code: string): RawBuilder<SqlBool> =>
  sql<SqlBool>`${sql.ref(`entry.${column}`)} like ${`${code.replace(/[%_\\]/g, '')}%`}`

function matches(eb: Entries, search: SearchQuery) {
  const { uscc, decisionNo, entryNo, name } = search
  return eb.or([
    ...(uscc === null ? [] : [begins('uscc', uscc)]),
    ...(decisionNo === null ? [] : [begins('decision_no', decisionNo)]),
    ...(entryNo === null ? [] : [begins('entry_no', entryNo)]),
    ...(name === null ? [] : [sql<SqlBool>`(${named(name)})`]),
  ])
}

/** The index narrows down, the text decides: pairs may be there without standing together. */
const named = (name: NonNullable<SearchQuery['name']>) =>
  sql<SqlBool>`entry.grams @> ${[...name.grams]}::text[] and entry.search_name like ${`%${name.text}%`}`

/** What was found, newest listing first. */
export interface FoundEntries {
  readonly rows: EntryRow[]
  /** How far was looked when more may come after; null when everything was looked at, or the rows are `limit`. */
  readonly reached: EntryPosition | null
  /** More than a few hits, wherever they are. */
  readonly isCommon: boolean
}

/** Up to `limit` entries of one list. A search for common words may stop before the end, see {@link FoundEntries}. */
export async function listEntries(
  db: Db,
  list: string,
  criteria: EntryCriteria,
  after: EntryPosition | null,
  limit: number,
  bounds = SEARCH_BOUNDS,
): Promise<FoundEntries> {
  const { search, isCommon = false } = criteria
  const hits = search === null || isCommon ? null : await fewHits(db, search, bounds.fewHits)
  if (hits?.length === 0) return { rows: [], reached: null, isCommon: false }
  const inOrder = (entries: ReturnType<typeof narrowed>) =>
    entries.orderBy('listed_on', 'desc').orderBy('entry_no', 'desc')
  const all = narrowed(db, list, criteria, after)
  if (search === null || hits !== null) {
    const wanted = hits ? all.where('id', '=', sql<string>`any(${hits}::uuid[])`) : all
    const rows = await rowsOf(inOrder(wanted).select(ENTRY_COLUMNS).limit(limit))
    return { rows, reached: null, isCommon: false }
  }
  const stretch = inOrder(all).selectAll().limit(bounds.stretch)
  const found = inOrder(db.selectFrom(stretch.as('entry')).where((eb) => matches(eb, search)))
  const rows = await rowsOf(found.select(ENTRY_COLUMNS).limit(limit))
  if (rows.length === limit) return { rows, reached: null, isCommon: true }
  const end = await inOrder(all)
    .select(['listed_on', 'entry_no'])
    .offset(bounds.stretch - 1)
    .limit(1)
    .executeTakeFirst()
  return { rows, reached: end ? { listedOn: end.listed_on, entryNo: end.entry_no } : null, isCommon: true }
}

/** A list's entries as far as indexes in its order tell them apart. */
function narrowed(
  db: Db,
  list: string,
  { state, today, authority, year }: EntryCriteria,
  after: EntryPosition | null,
) {
  let query = db.selectFrom('entry').where('list', '=', list)
  if (state === 'listed') query = query.where((eb) => inForce(eb, today))
  // Said twice: the first is what the index `entry_past` holds.
  if (state === 'past') {
    query = query
      .where((eb) => eb.or([eb('state', '=', 'ended'), eb('listed_until', 'is not', null)]))
      .where((eb) => eb.not(inForce(eb, today)))
  }
  if (authority !== null) query = query.where('authority', '=', plainText(authority))
  if (year !== null)
    query = query.where('listed_on', '>=', `${year}-01-01`).where('listed_on', '<=', `${year}-12-31`)
  return after
    ? query.where(sql<SqlBool>`(listed_on, entry_no) < (${after.listedOn}::date, ${after.entryNo})`)
    : query
}

async function rowsOf(query: {
  execute(): Promise<(Omit<EntryRow, 'data'> & { data: unknown })[]>
}): Promise<EntryRow[]> {
  return (await query.execute()).map((row) => ({ ...row, data: row.data as EntryData }))
}

/**
 * All hits of a search when they are few. Ordering and limiting in the same query would tempt the planner to walk
 * the whole list for a rare name.
 * @returns null when there are more than `most`
 */
async function fewHits(db: Db, search: SearchQuery, most: number): Promise<string[] | null> {
  const rows = await db
    .selectFrom('entry')
    .select('id')
    .where((eb) => matches(eb, search))
    .limit(most + 1)
    .execute()
  return rows.length > most ? null : rows.map((row) => row.id)
}

/** The newest entries in force of the lists given. */
export async function newestEntries(
  db: Db,
  lists: readonly string[],
  today: Day,
  limit: number,
): Promise<EntryRow[]> {
  const rows: EntryRow[] = []
  for (const list of lists) {
    const criteria: EntryCriteria = { search: null, state: 'listed', today, authority: null, year: null }
    rows.push(...(await listEntries(db, list, criteria, null, limit)).rows)
  }
  return rows
    .sort((a, b) => compareDown(a.listed_on, b.listed_on) || compareDown(a.entry_no, b.entry_no))
    .slice(0, limit)
}

const compareDown = (a: string, b: string): number => (a < b ? 1 : a > b ? -1 : 0)

export async function findEntry(db: Db, list: string, entryNo: string): Promise<EntryRow | undefined> {
  const row = await db
    .selectFrom('entry')
    .select(ENTRY_COLUMNS)
    .where('list', '=', list)
    .where('entry_no', '=', plainText(entryNo))
    .executeTakeFirst()
  return row && { ...row, data: row.data as EntryData }
}

export interface RevisionRow {
  readonly revision: number
  readonly action: ListAction
  readonly data: EntryData
  readonly reason: string
  readonly at: Date
}

/** An entry's history, oldest first. */
export async function entryRevisions(db: Db, entryId: string): Promise<RevisionRow[]> {
  const rows = await db
    .selectFrom('entry_revision')
    .select(['revision', 'action', 'data', 'reason', 'at'])
    .where('entry_id', '=', entryId)
    .orderBy('revision')
    .execute()
  return rows.map((row) => ({ ...row, data: row.data as EntryData }))
}

/** How many entries of each list are in force, and how many no longer. */
export async function countEntries(
  db: Db,
  today: Day,
): Promise<Map<string, { listed: number; past: number }>> {
  const rows = await db
    .selectFrom('entry')
    .select((eb) => [
      'list',
      eb.fn.countAll<number>().as('all'),
      eb.fn
        .countAll<number>()
        .filterWhere((inner) => inForce(inner, today))
        .as('listed'),
    ])
    .groupBy('list')
    .execute()
  return new Map(rows.map((row) => [row.list, { listed: row.listed, past: row.all - row.listed }]))
}

/** The authorities of a list, found by hopping through the index instead of reading every entry. */
export async function entryAuthorities(db: Db, list: string): Promise<string[]> {
  const { rows } = await sql<{ authority: string }>`
    with recursive hop as (
      (select authority from entry where list = ${list} order by authority limit 1)
      union all
      select (
        select entry.authority from entry
        where entry.list = ${list} and entry.authority > hop.authority
        order by entry.authority limit 1
      ) from hop where hop.authority is not null
    )
    select authority from hop where authority is not null`.execute(db)
  return rows.map((row) => row.authority)
}

/** First and last year in which entries of a list were listed; null for an empty list. */
export async function entryYears(db: Db, list: string): Promise<{ first: number; last: number } | null> {
  const row = await db
    .selectFrom('entry')
    .select((eb) => [eb.fn.min('listed_on').as('first'), eb.fn.max('listed_on').as('last')])
    .where('list', '=', list)
    .executeTakeFirst()
  const { first, last } = (row ?? {}) as { first?: Day | null; last?: Day | null }
  return first && last ? { first: Number(first.slice(0, 4)), last: Number(last.slice(0, 4)) } : null
}

/** Entries in force or not, by what makes two of them the same listing. */
export async function findListed(
  db: Db,
  list: string,
  decisionNos: readonly string[],
): Promise<{ entryNo: string; uscc: string | null; decisionNo: string | null; searchName: string }[]> {
  if (decisionNos.length === 0) return []
  const rows = await db
    .selectFrom('entry')
    .select(['entry_no', 'uscc', 'decision_no', 'search_name'])
    .where('list', '=', list)
    .where('state', '=', 'listed')
    .where('decision_no', '=', sql<string>`any(${[...decisionNos]}::text[])`)
    .execute()
  return rows.map((row) => ({
    entryNo: row.entry_no,
    uscc: row.uscc,
    decisionNo: row.decision_no,
    searchName: row.search_name,
  }))
}

/** Which of these entry numbers are taken. */
export async function takenEntryNos(db: Db, entryNos: readonly string[]): Promise<Set<string>> {
  const rows = await db
    .selectFrom('entry')
    .select('entry_no')
    .where('entry_no', '=', sql<string>`any(${[...entryNos]}::text[])`)
    .execute()
  return new Set(rows.map((row) => row.entry_no))
}

/** What an entry is, apart from its identity. */
export interface EntryContent {
  readonly state: 'listed' | 'ended'
  readonly revision: number
  readonly data: EntryData
  readonly listedOn: Day
  readonly endedOn: Day | null
  readonly searchName: string
  readonly grams: readonly string[]
}

const contentColumns = (content: EntryContent) => ({
  state: content.state,
  revision: content.revision,
  subject_name: content.data.subjectName,
  uscc: content.data.uscc,
  decision_no: content.data.decisionNo,
  authority: content.data.authority,
  grams: [...content.grams],
  listed_on: content.listedOn,
  listed_until: content.data.listedUntil,
  ended_on: content.endedOn,
  data: JSON.stringify(content.data),
  search_name: content.searchName,
})

/** Rows in one statement; PostgreSQL takes 65,535 parameters. */
const BATCH = 500

export async function insertEntries(
  tx: Tx,
  list: string,
  entries: readonly (EntryContent & { readonly id: string; readonly entryNo: string })[],
): Promise<void> {
  for (let start = 0; start < entries.length; start += BATCH) {
    await tx
      .insertInto('entry')
      .values(
        entries
          .slice(start, start + BATCH)
          .map((entry) => ({ id: entry.id, entry_no: entry.entryNo, list, ...contentColumns(entry) })),
      )
      .execute()
  }
}

export async function updateEntry(tx: Tx, id: string, content: EntryContent): Promise<void> {
  await tx.updateTable('entry').set(contentColumns(content)).where('id', '=', id).execute()
}

/** The entry, locked until the transaction ends. */
export async function lockEntry(tx: Tx, list: string, entryNo: string): Promise<EntryRow | undefined> {
  const row = await tx
    .selectFrom('entry')
    .select(ENTRY_COLUMNS)
    .where('list', '=', list)
    .where('entry_no', '=', entryNo)
    .forUpdate()
    .executeTakeFirst()
  return row && { ...row, data: row.data as EntryData }
}

export interface NewRevision {
  readonly entryId: string
  readonly revision: number
  readonly action: ListAction
  readonly data: EntryData
  readonly reason: string
  readonly proposalId: string
  readonly proposedBy: string
  readonly approvedBy: string
  readonly at: Date
}

export async function insertRevisions(tx: Tx, revisions: readonly NewRevision[]): Promise<void> {
  for (let start = 0; start < revisions.length; start += BATCH) {
    await tx
      .insertInto('entry_revision')
      .values(
        revisions.slice(start, start + BATCH).map((revision) => ({
          entry_id: revision.entryId,
          revision: revision.revision,
          action: revision.action,
          data: JSON.stringify(revision.data),
          reason: revision.reason,
          proposal_id: revision.proposalId,
          proposed_by: revision.proposedBy,
          approved_by: revision.approvedBy,
          at: revision.at,
        })),
      )
      .execute()
  }
}
