import {
  countEntries,
  entryAuthorities,
  entryRevisions,
  entryYears,
  findEntry,
  listEntries,
  newestEntries,
  type EntryCriteria,
  type EntryPosition,
  type EntryRow,
  type FoundEntries,
} from '../../db/lists.ts'
import { BYTE_ORDER_MARK, csvRecord } from '../../domain/csv.ts'
import { dayOf, type Day } from '../../domain/day.ts'
import { DomainError } from '../../domain/errors.ts'
import {
  changesBetween,
  ENTRY_STATE_NAMES,
  entryState,
  readDay,
  type EntryData,
  type ListKind,
} from '../../domain/list.ts'
import { listKind, LIST_KINDS } from '../../domain/lists/index.ts'
import { readSearch } from '../../domain/search-text.ts'
import {
  exportHeading,
  type EntryFilter,
  type EntrySummary,
  type EntryView,
  type ListSummary,
} from '../../schemas/list.ts'
import { decodeCursor, encodeCursor } from '../cursor.ts'
import type { PlanSnapshot } from '../plan-store.ts'
import type { Deps } from '../ports.ts'
import { remembered } from '../remembered.ts'
import { kindOf } from './kind.ts'
import { authorityName, shownData } from './words.ts'

export interface EntryPage {
  readonly items: readonly EntrySummary[]
  /** Opaque; null on the last page. */
  readonly next: string | null
  /** A search for common words looked through entries listed on this day and later; go on with `next`. */
  readonly reached: Day | null
}

export interface NewestEntry {
  readonly list: string
  readonly listName: string
  readonly entryNo: string
  readonly subjectName: string
  readonly listedOn: Day
  readonly reason: string
}

/** What the filters of a list offer. */
export interface ListFacets {
  readonly authorities: readonly { readonly id: string; readonly name: string }[]
  /** Newest first. */
  readonly years: readonly number[]
}

const EXPORT_BATCH = 1000
const MOST_COMMON = 500

/** What everybody sees of the lists. */
export function createListReading({
  db,
  clock,
  plan,
  versions,
}: Pick<Deps, 'db' | 'clock' | 'plan' | 'versions'>) {
  const today = (): Day => dayOf(clock.now())
  // Searches that hit more than a few: their next pages need not find that out again. Being out of date costs time only.
  const common = new Set<string>()

  async function entries(
    list: string,
    criteria: EntryCriteria,
    after: EntryPosition | null,
    limit: number,
  ): Promise<FoundEntries> {
    const key = JSON.stringify(criteria.search)
    const found = await listEntries(db, list, { ...criteria, isCommon: common.has(key) }, after, limit)
    if (found.isCommon) {
      if (common.size >= MOST_COMMON) common.clear()
      common.add(key)
    }
    return found
  }

  const counts = remembered(versions, 'lists', (day) => countEntries(db, day))
  const facets = remembered(versions, 'lists', async () => {
    const found = new Map<string, { authorities: string[]; years: { first: number; last: number } | null }>()
    for (const { id } of LIST_KINDS) {
      found.set(id, { authorities: await entryAuthorities(db, id), years: await entryYears(db, id) })
    }
    return found
  })

  return {
    /** Every published list with how many entries it has. */
    async kinds(): Promise<ListSummary[]> {
      const counted = await counts(today())
      return LIST_KINDS.map((kind) => ({
        id: kind.id,
        name: kind.name,
        description: kind.description,
        hook: kind.hook,
        measureRefs: [...kind.measureRefs],
        term: kind.rules.term,
        consequences: [...kind.rules.consequences],
        columns: kind.columns.map(({ key, label }) => ({ key, label })),
        ...(counted.get(kind.id) ?? { listed: 0, past: 0 }),
      }))
    },

    /** The declaration of a list. @throws {DomainError} `not-found` */
    kind: kindOf,

    /** The `count` newest entries in force, of all lists. */
    async newest(count: number): Promise<NewestEntry[]> {
      const rows = await newestEntries(
        db,
        LIST_KINDS.map(({ id }) => id),
        today(),
        count,
      )
      return rows.map((row) => ({
        list: row.list,
        listName: kindOf(row.list).name,
        entryNo: row.entry_no,
        subjectName: row.subject_name,
        listedOn: row.listed_on,
        reason: row.data.reason,
      }))
    },

    /**
     * One page of a list, newest listing first.
     * @param limit 1 to 200
     * @throws {DomainError} `not-found` (list), `bad-cursor`
     */
    async page(
      list: string,
      filter: EntryFilter = {},
      cursor: string | null = null,
      limit = 50,
    ): Promise<EntryPage> {
      const kind = kindOf(list)
      const after = cursor === null ? null : positionOf(cursor)
      const at = today()
      const criteria = criteriaOf(filter, at)
      if (!criteria) return { items: [], next: null, reached: null }
      const size = Math.min(Math.max(1, limit), 200)
      const { rows, reached } = await entries(list, criteria, after, size + 1)
      const shown = rows.slice(0, size)
      const last = shown.at(-1)
      const end = rows.length > size && last ? { listedOn: last.listed_on, entryNo: last.entry_no } : reached
      const snapshot = await plan.current()
      return {
        items: shown.map((row) => summary(kind, row, snapshot, at)),
        next: end && encodeCursor([end.listedOn, end.entryNo]),
        reached: reached && reached.listedOn,
      }
    },

    /** Values that the filters of a list may take. */
    async facets(list: string): Promise<ListFacets> {
      kindOf(list)
      const { authorities = [], years = null } = (await facets(today())).get(list) ?? {}
      const snapshot = await plan.current()
      return {
        authorities: authorities.map((id) => ({ id, name: authorityName(snapshot, id) })),
        years:
          years === null
            ? []
            : Array.from({ length: years.last - years.first + 1 }, (_, index) => years.last - index),
      }
    },

    /** An entry with its whole history; null when there is none. Case and a missing list alike: not found. */
    async entry(list: string, entryNo: string): Promise<EntryView | null> {
      const kind = listKind(list)
      if (!kind) return null
      const row = await findEntry(db, list, entryNo.toUpperCase())
      if (!row) return null
      const history = await entryRevisions(db, row.id)
      const snapshot = await plan.current()
      const printed = (data: EntryData) => shownData(snapshot, data)
      return {
        ...summary(kind, row, snapshot, today()),
        revision: row.revision,
        consequences: [...kind.rules.consequences],
        measureRefs: [...kind.measureRefs],
        revisions: history
          .map((revision, index) => ({
            revision: revision.revision,
            action: revision.action,
            reason: revision.reason,
            changes:
              revision.action === 'amend'
                ? changesBetween(kind, printed((history[index - 1] ?? revision).data), printed(revision.data))
                : [],
            proposedBy: 'officer' as const,
            approvedBy: 'publisher' as const,
            at: revision.at.toISOString(),
          }))
          .reverse(),
      }
    },

    /**
     * A list as CSV, record by record in batches, however long it is.
     * @param excel with byte-order mark, and formulas made harmless
     * @throws {DomainError} `not-found`, before the first record
     */
    csv(list: string, filter: EntryFilter = {}, excel = false): AsyncIterable<string> {
      const kind = kindOf(list)
      const at = today()
      const criteria = criteriaOf(filter, at)
      return (async function* () {
        yield (excel ? BYTE_ORDER_MARK : '') + csvRecord(exportHeading(kind), { excel })
        const snapshot = await plan.current()
        let after: EntryPosition | null = null
        while (criteria) {
          const { rows, reached }: FoundEntries = await entries(list, criteria, after, EXPORT_BATCH)
          const last = rows.at(-1)
          yield rows
            .map((row) => {
              const data = shownData(snapshot, row.data)
              const state = entryState({ state: row.state, listedUntil: row.listed_until }, at)
              return csvRecord(
                [
                  row.entry_no,
                  ENTRY_STATE_NAMES[state],
                  ...kind.columns.map(({ key }) => data[key] ?? null),
                  row.ended_on,
                  String(row.revision),
                ],
                { excel },
              )
            })
            .join('')
          if (reached) after = reached
          else if (last && rows.length === EXPORT_BATCH)
            after = { listedOn: last.listed_on, entryNo: last.entry_no }
          else return
        }
      })()
    },
  }
}

function summary(kind: ListKind, row: EntryRow, snapshot: PlanSnapshot, at: Day): EntrySummary {
  return {
    list: kind.id,
    listName: kind.name,
    entryNo: row.entry_no,
    state: entryState({ state: row.state, listedUntil: row.listed_until }, at),
    subjectName: row.subject_name,
    subjectKind: row.data.subjectKind,
    uscc: row.uscc,
    reason: row.data.reason,
    decisionNo: row.decision_no,
    authority: row.authority,
    authorityName: authorityName(snapshot, row.authority),
    listedOn: row.listed_on,
    listedUntil: row.listed_until,
    endedOn: row.ended_on,
    data: { ...row.data },
  }
}

function criteriaOf(filter: EntryFilter, at: Day): EntryCriteria | null {
  const typed = filter.q?.trim() ?? ''
  const search = typed === '' ? null : readSearch(typed)
  // Punctuation alone finds nothing, not everything.
  if (typed !== '' && search === null) return null
  return {
    search,
    state: filter.state ?? 'listed',
    today: at,
    authority: filter.authority || null,
    year: filter.year ?? null,
  }
}

function positionOf(cursor: string): EntryPosition {
  const [listedOn = '', entryNo = ''] = decodeCursor(cursor, 2)
  // 2026-02-31 is no day for the database, and no entry number holds anything else.
  if (readDay(listedOn) !== listedOn || !/^[0-9A-Z-]{1,20}$/.test(entryNo)) {
    throw new DomainError('bad-cursor', '这个翻页位置无效，请回到第一页重新翻。')
  }
  return { listedOn, entryNo }
}
