import { createHash } from 'node:crypto'
import {
  auditLists,
  countEntries,
  decideProposal,
  entryAuthorities,
  entryRevisions,
  entryYears,
  findEntry,
  findListed,
  findProposal,
  insertEntries,
  insertProposal,
  insertRevisions,
  listEntries,
  loadProposals,
  lockEntry,
  lockProposal,
  newestEntries,
  takenEntryNos,
  updateEntry,
  type EntryCriteria,
  type EntryPosition,
  type EntryRow,
  type ProposalRow,
} from '../db/lists.ts'
import { BYTE_ORDER_MARK, csvRecord } from '../domain/csv.ts'
import { dayOf, type Day } from '../domain/day.ts'
import { DomainError } from '../domain/errors.ts'
import { leaks } from '../domain/leak.ts'
import {
  changesBetween,
  checkEntry,
  duplicateKey,
  ENTRY_NO_SYMBOLS,
  ENTRY_STATE_NAMES,
  entryNumber,
  entryState,
  listingEnd,
  mayApprove,
  mayPropose,
  readDay,
  searchableNames,
  SUBJECT_KIND_NAMES,
  type EntryData,
  type FieldChange,
  type ListAction,
  type ListKind,
} from '../domain/list.ts'
import { listKind, LIST_KINDS } from '../domain/lists/index.ts'
import { gramsOf, readSearch, searchNameOf } from '../domain/search-text.ts'
import {
  entrySchemaOf,
  exportHeading,
  MAX_CSV_ROWS,
  problemsOf,
  readEntryCsv,
  type EntryFilter,
  type EntrySummary,
  type EntryView,
  type ListSummary,
  type ReadRow,
  type RowProblem,
} from '../schemas/list.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { PlanSnapshot } from './plan-store.ts'
import type { Deps } from './ports.ts'

/** The part of a staff session that decides about lists. */
export interface ListStaff {
  readonly memberId: string
  readonly departmentId: string
  readonly roles: readonly string[]
}

/** Cells of one entry as they were typed or read. */
export type EntryCells = Readonly<Record<string, string | null>>

/** What a proposal asks for. `revision` is the one its author saw. */
export type ListChange =
  | { readonly action: 'enter'; readonly rows: readonly EntryCells[] }
  | {
      readonly action: 'amend'
      readonly entryNo: string
      readonly revision: number
      readonly data: EntryCells
    }
  | { readonly action: 'remove'; readonly entryNo: string; readonly revision: number }

export interface EntryPage {
  readonly items: readonly EntrySummary[]
  /** Opaque; null on the last page. */
  readonly next: string | null
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

export interface ProposalSummary {
  readonly id: string
  readonly list: string
  readonly listName: string
  readonly action: ListAction
  readonly reason: string
  readonly status: 'proposed' | 'approved' | 'rejected'
  readonly proposedBy: string
  readonly proposerDepartment: string
  readonly proposedAt: Date
  readonly decidedBy: string | null
  readonly decidedAt: Date | null
  readonly decisionReason: string | null
  /** First subject, and how many there are. */
  readonly subjectName: string
  readonly count: number
  readonly entryNo: string | null
  /** May this member decide on it. */
  readonly canDecide: boolean
  /** It is the member's own: somebody else has to decide. */
  readonly own: boolean
}

/** A proposal with everything its approver has to read. */
export interface ProposalView extends ProposalSummary {
  /** `enter`: the new entries. `remove`: the entry to go. */
  readonly rows: readonly EntryData[]
  /** `amend`: what would change. */
  readonly changes: readonly FieldChange[]
}

type StoredPayload =
  | { readonly rows: readonly EntryData[] }
  | {
      readonly entryNo: string
      readonly revision: number
      readonly before: EntryData
      readonly data?: EntryData
    }

const DECIDED_SHOWN = 20
const EXPORT_BATCH = 1000
const MAX_REASON = 500
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/

/** The lists of the plan: read by everybody, changed by two people, never edited in place. */
export function createLists(deps: Pick<Deps, 'db' | 'clock' | 'random' | 'plan' | 'versions'>) {
  const { db, clock, random, plan, versions } = deps
  const today = (): Day => dayOf(clock.now())

  function kindOf(list: string): ListKind {
    const kind = listKind(list)
    if (!kind) throw new DomainError('not-found', '没有这个名单。')
    return kind
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
      authority: filter.authority ? plainText(filter.authority) : null,
      year: filter.year ?? null,
    }
  }

  /** Rows that another row of the same file, or the list itself, already has. */
  async function duplicates(kind: ListKind, rows: readonly ReadRow[]): Promise<RowProblem[]> {
    const keyed = rows.map(({ row, data }) => ({ row, data, key: keyOf(kind, data) }))
    const numbers = [
      ...new Set(rows.flatMap(({ data }) => (data.decisionNo === null ? [] : [data.decisionNo]))),
    ]
    const listed = new Map(
      (await findListed(db, kind.id, numbers)).map((entry) => [duplicateKey(entry), entry.entryNo]),
    )
    const first = new Map<string, number>()
    const problems: RowProblem[] = []
    for (const { row, key } of keyed) {
      if (key === null) continue
      const earlier = first.get(key)
      const entryNo = listed.get(key)
      const message =
        entryNo !== undefined
          ? `同一主体、同一文号已在名单中（${entryNo}），需要修改请用“更正”。`
          : earlier !== undefined
            ? `与第 ${earlier} 行重复：同一主体、同一文号。`
            : null
      first.set(key, earlier ?? row)
      if (message !== null) problems.push({ row, key: 'decisionNo', column: '决定文号', message })
    }
    return problems
  }

  /** Checks the rows as a file would be: every cell, every row against the others, every row against the list. */
  async function readRows(kind: ListKind, rows: readonly EntryCells[]): Promise<EntryData[]> {
    if (rows.length === 0) throw new DomainError('invalid-input', '没有要列入的内容。')
    if (rows.length > MAX_CSV_ROWS) throw new DomainError('too-large', `一次最多列入 ${MAX_CSV_ROWS} 条。`)
    const snapshot = await plan.current()
    const schema = entrySchemaOf(kind, today())
    const read: ReadRow[] = []
    const errors: RowProblem[] = []
    for (const [index, cells] of rows.entries()) {
      const result = schema.safeParse(cells)
      if (result.success) read.push({ row: index + 1, data: withAuthority(snapshot, result.data) })
      else errors.push(...problemsOf(kind, index + 1, result.error))
    }
    errors.push(...(await duplicates(kind, read)))
    if (errors.length > 0) {
      throw new DomainError(
        'invalid-input',
        '内容有误，没有提交。',
        errors.map(({ row, key, message }) => ({
          field: rows.length === 1 ? (key ?? '') : `rows.${row}.${key ?? ''}`,
          message: rows.length === 1 ? message : `第 ${row} 条：${message}`,
        })),
      )
    }
    return read.map(({ data }) => data)
  }

  /** The entry somebody wants changed, as they saw it. */
  async function entrySeen(list: string, entryNo: string, revision: number): Promise<EntryRow> {
    const entry = await findEntry(db, list, plainText(entryNo))
    if (!entry) throw new DomainError('not-found', '没有这条记录。')
    if (entry.state === 'ended') throw new DomainError('stale-version', '这条记录已经移出名单，不能再改。')
    if (entry.revision !== revision) throw staleEntry()
    return entry
  }

  async function payloadOf(kind: ListKind, change: ListChange): Promise<StoredPayload> {
    if (change.action === 'enter') return { rows: await readRows(kind, change.rows) }
    const entry = await entrySeen(kind.id, change.entryNo, change.revision)
    const seen = { entryNo: entry.entry_no, revision: entry.revision, before: entry.data }
    if (change.action === 'remove') return seen
    const result = entrySchemaOf(kind, today()).safeParse(change.data)
    if (!result.success) {
      throw new DomainError(
        'invalid-input',
        '有几处需要修改，没有提交。',
        problemsOf(kind, 1, result.error).map(({ key, message }) => ({ field: key ?? '', message })),
      )
    }
    const read = withAuthority(await plan.current(), result.data)
    const data = { ...read, listedOn: read.listedOn ?? entry.listed_on }
    if (changesBetween(kind, entry.data, data).length === 0) {
      throw new DomainError('invalid-input', '没有任何改动。', [
        { field: '', message: '没有任何改动，请先修改要更正的内容。' },
      ])
    }
    const key = keyOf(kind, data)
    const twin = data.decisionNo === null ? [] : await findListed(db, kind.id, [data.decisionNo])
    if (twin.some((other) => other.entryNo !== entry.entry_no && duplicateKey(other) === key)) {
      throw duplicateEntry()
    }
    return { ...seen, data }
  }

  function summarise(row: ProposalRow, staff: ListStaff): ProposalSummary {
    const kind = kindOf(row.list)
    const payload = row.payload as StoredPayload
    const rows = 'rows' in payload ? payload.rows : [payload.before]
    const own = row.proposedBy === staff.memberId
    return {
      id: row.id,
      list: row.list,
      listName: kind.name,
      action: row.action,
      reason: row.reason,
      status: row.status,
      proposedBy: row.proposerName,
      proposerDepartment: row.proposerDepartment,
      proposedAt: row.proposedAt,
      decidedBy: row.deciderName,
      decidedAt: row.decidedAt,
      decisionReason: row.decisionReason,
      subjectName: rows[0]?.subjectName ?? '',
      count: rows.length,
      entryNo: 'rows' in payload ? null : payload.entryNo,
      canDecide: row.status === 'proposed' && !own && mayApprove(kind, staff),
      own,
    }
  }

  /** @throws {DomainError} `not-found`, `forbidden`, `stale-version` when decided before, `two-people` */
  async function openForDecision(
    tx: Parameters<Parameters<ReturnType<typeof db.transaction>['execute']>[0]>[0],
    staff: ListStaff,
    id: string,
  ) {
    const proposal = UUID.test(id) ? await lockProposal(tx, id) : undefined
    if (!proposal) throw noProposal()
    const kind = kindOf(proposal.list)
    if (!mayApprove(kind, staff)) throw new DomainError('forbidden', '只有发布员能批准或退回名单提议。')
    if (proposal.status !== 'proposed')
      throw new DomainError('stale-version', '这件提议已经有人处理过了，请刷新查看。')
    if (proposal.proposedBy === staff.memberId) {
      throw new DomainError('two-people', '提议人不能批准自己的提议，请另一位发布员处理。')
    }
    return { kind, proposal }
  }

  async function freshEntryNos(
    tx: Parameters<Parameters<ReturnType<typeof db.transaction>['execute']>[0]>[0],
    kind: ListKind,
    count: number,
    day: Day,
  ): Promise<string[]> {
    const numbers = new Set<string>()
    while (numbers.size < count) {
      const missing = count - numbers.size
      const drawn = Array.from({ length: missing }, () =>
        entryNumber(kind.prefix, day, random.bytes(ENTRY_NO_SYMBOLS)),
      )
      const taken = await takenEntryNos(tx, drawn)
      for (const number of drawn) if (!taken.has(number)) numbers.add(number)
    }
    return [...numbers]
  }

  /** An entry's columns for its data on the day it is listed. */
  function contentOf(kind: ListKind, data: EntryData, day: Day) {
    const listedOn = data.listedOn ?? day
    const months = kind.rules.listedForMonths
    const listedUntil = data.listedUntil ?? (months === null ? null : listingEnd(listedOn, months))
    const complete: EntryData = { ...data, listedOn, listedUntil }
    const searchName = searchNameOf(searchableNames(kind, complete))
    return { data: complete, listedOn, searchName, grams: gramsOf(searchName) }
  }

  const readableLists = (staff: ListStaff): string[] =>
    LIST_KINDS.filter(
      (kind) => mayPropose(kind, staff) || mayApprove(kind, staff) || staff.roles.includes('auditor'),
    ).map(({ id }) => id)

  return {
    /** Every published list with how many entries it has. */
    async kinds(): Promise<ListSummary[]> {
      const counts = await countEntries(db, today())
      return LIST_KINDS.map((kind) => ({
        id: kind.id,
        name: kind.name,
        description: kind.description,
        hook: kind.hook,
        measureRefs: [...kind.measureRefs],
        term: kind.rules.term,
        consequences: [...kind.rules.consequences],
        columns: kind.columns.map(({ key, label }) => ({ key, label })),
        ...(counts.get(kind.id) ?? { listed: 0, past: 0 }),
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
      if (!criteria) return { items: [], next: null }
      const size = Math.min(Math.max(1, limit), 200)
      const rows = await listEntries(db, list, criteria, after, size + 1)
      const shown = rows.slice(0, size)
      const last = shown.at(-1)
      const snapshot = await plan.current()
      return {
        items: shown.map((row) => summary(kind, row, snapshot, at)),
        next: rows.length > size && last ? encodeCursor([last.listed_on, last.entry_no]) : null,
      }
    },

    /** Values that the filters of a list may take. */
    async facets(list: string): Promise<ListFacets> {
      kindOf(list)
      const authorities = await entryAuthorities(db, list)
      const years = await entryYears(db, list)
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
      const row = await findEntry(db, list, plainText(entryNo).toUpperCase())
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
          const rows: EntryRow[] = await listEntries(db, list, criteria, after, EXPORT_BATCH)
          const last = rows.at(-1)
          if (!last) return
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
          if (rows.length < EXPORT_BATCH) return
          after = { listedOn: last.listed_on, entryNo: last.entry_no }
        }
      })()
    },

    /** Whether a member may propose to, or decide about, a list. @throws {DomainError} `not-found` */
    rights(staff: ListStaff, list: string): { readonly propose: boolean; readonly approve: boolean } {
      const kind = kindOf(list)
      return { propose: mayPropose(kind, staff), approve: mayApprove(kind, staff) }
    },

    /** The lists a member has to do with in the console. */
    readable: readableLists,

    /** The id of the proposal that a form's token stands for: sending the form twice proposes once. */
    proposalId(token: string): string {
      const hex = createHash('sha256').update(token).digest('hex')
      return [
        hex.slice(0, 8),
        hex.slice(8, 12),
        hex.slice(12, 16),
        hex.slice(16, 20),
        hex.slice(20, 32),
      ].join('-')
    },

    /**
     * Reads a CSV file and stores nothing.
     * @throws {DomainError} `not-found`, `forbidden`
     */
    async previewCsv(
      staff: ListStaff,
      list: string,
      text: string,
    ): Promise<{ rows: readonly ReadRow[]; errors: readonly RowProblem[] }> {
      const kind = kindOf(list)
      if (!mayPropose(kind, staff)) throw mayNotPropose(kind)
      const read = readEntryCsv(kind, text, today())
      const snapshot = await plan.current()
      const rows = read.rows.map(({ row, data }) => ({ row, data: withAuthority(snapshot, data) }))
      const twice = await duplicates(kind, rows)
      const refused = new Set(twice.map(({ row }) => row))
      return {
        rows: rows.filter(({ row }) => !refused.has(row)),
        errors: [...read.errors, ...twice].sort((a, b) => a.row - b.row),
      }
    },

    /**
     * Proposes a change; nothing is public before a second person approves.
     * @param reason public, in the entry's history
     * @param id of the form it came from, so that sending it twice proposes once
     * @returns the proposal's id
     * @throws {DomainError} `not-found`, `forbidden`, `invalid-input`, `stale-version`
     */
    async propose(
      staff: ListStaff,
      list: string,
      change: ListChange,
      reason: string,
      id: string = random.uuid(),
    ): Promise<string> {
      const kind = kindOf(list)
      if (!mayPropose(kind, staff)) throw mayNotPropose(kind)
      if (!UUID.test(id)) throw new DomainError('invalid-input', '页面已过期，请重新打开后再提交。')
      const known = await findProposal(db, id)
      if (known) {
        if (known.proposedBy !== staff.memberId) throw new DomainError('forbidden', '这件提议不是您提出的。')
        return id
      }
      const why = readReason(reason)
      const payload = await payloadOf(kind, change)
      const at = clock.now()
      await db.transaction().execute(async (tx) => {
        const action = change.action
        const proposal = {
          id,
          list,
          action,
          payload,
          reason: why,
          proposedBy: staff.memberId,
          proposedAt: at,
        }
        if (!(await insertProposal(tx, proposal))) return
        const role = kind.rules.propose.role
        await auditLists(tx, {
          at,
          memberId: staff.memberId,
          role,
          action: `list.propose.${action}`,
          object: id,
          list,
        })
      })
      return id
    },

    /** Proposals of the lists a member has to do with: those waiting first, then the latest decided. */
    async proposals(staff: ListStaff): Promise<ProposalSummary[]> {
      const rows = await loadProposals(db, readableLists(staff), DECIDED_SHOWN)
      return rows.map((row) => summarise(row, staff))
    },

    /** One proposal in full. @throws {DomainError} `not-found`, also for one the member may not see */
    async proposal(staff: ListStaff, id: string): Promise<ProposalView> {
      const row = UUID.test(id) ? await findProposal(db, id) : undefined
      if (!row || !readableLists(staff).includes(row.list)) throw noProposal()
      const payload = row.payload as StoredPayload
      const snapshot = await plan.current()
      const printed = (data: EntryData) => shownData(snapshot, data)
      return {
        ...summarise(row, staff),
        rows: ('rows' in payload ? payload.rows : [payload.before]).map(printed),
        changes:
          'rows' in payload || !payload.data
            ? []
            : changesBetween(kindOf(row.list), printed(payload.before), printed(payload.data)),
      }
    },

    /**
     * Approves a proposal: one transaction writes the entries and their revisions, public at once.
     * @returns the entry numbers concerned
     * @throws {DomainError} `not-found`, `forbidden`, `two-people`, `stale-version`, `invalid-input` when it no longer fits
     */
    async approve(staff: ListStaff, id: string): Promise<string[]> {
      const at = clock.now()
      const day = dayOf(at)
      const entryNos = await db.transaction().execute(async (tx) => {
        const { kind, proposal } = await openForDecision(tx, staff, id)
        const payload = proposal.payload as StoredPayload
        const mark = {
          action: proposal.action,
          reason: proposal.reason,
          proposalId: id,
          proposedBy: proposal.proposedBy,
          approvedBy: staff.memberId,
          at,
        }
        let done: string[]
        if ('rows' in payload) {
          done = await freshEntryNos(tx, kind, payload.rows.length, day)
          const numbers = [
            ...new Set(payload.rows.flatMap(({ decisionNo }) => (decisionNo === null ? [] : [decisionNo]))),
          ]
          const listed = new Set((await findListed(tx, kind.id, numbers)).map(duplicateKey))
          const entries = payload.rows.map((data, index) => {
            const content = contentOf(kind, data, day)
            if (checkEntry(content.data, day).length > 0) {
              throw new DomainError(
                'invalid-input',
                `“${data.subjectName}”的日期已不合适，请退回后重新提出。`,
              )
            }
            const key = keyOf(kind, data)
            if (key !== null && listed.has(key)) throw duplicateEntry(data.subjectName)
            return {
              id: random.uuid(),
              entryNo: done[index] ?? '',
              state: 'listed' as const,
              revision: 1,
              endedOn: null,
              ...content,
            }
          })
          await insertEntries(tx, kind.id, entries)
          await insertRevisions(
            tx,
            entries.map((entry) => ({ entryId: entry.id, revision: 1, data: entry.data, ...mark })),
          )
        } else {
          const entry = await lockEntry(tx, kind.id, payload.entryNo)
          if (!entry || entry.state === 'ended' || entry.revision !== payload.revision) throw staleEntry()
          const content = contentOf(kind, payload.data ?? entry.data, entry.listed_on)
          const key = payload.data ? keyOf(kind, content.data) : null
          const twins =
            key === null || !content.data.decisionNo
              ? []
              : await findListed(tx, kind.id, [content.data.decisionNo])
          if (twins.some((twin) => twin.entryNo !== entry.entry_no && duplicateKey(twin) === key))
            throw duplicateEntry()
          const ended = proposal.action === 'remove'
          const revision = entry.revision + 1
          await updateEntry(tx, entry.id, {
            ...content,
            state: ended ? 'ended' : 'listed',
            endedOn: ended ? day : null,
            revision,
          })
          await insertRevisions(tx, [{ entryId: entry.id, revision, data: content.data, ...mark }])
          done = [entry.entry_no]
        }
        await decideProposal(tx, id, { status: 'approved', by: staff.memberId, at, reason: null })
        const role = kind.rules.approve.role
        await auditLists(tx, {
          at,
          memberId: staff.memberId,
          role,
          action: 'list.approve',
          object: id,
          list: kind.id,
        })
        await versions.bump(tx, 'lists')
        return done
      })
      versions.expire()
      return entryNos
    },

    /**
     * Sends a proposal back; it stays on record.
     * @throws {DomainError} `not-found`, `forbidden`, `two-people`, `stale-version`, `invalid-input`
     */
    async reject(staff: ListStaff, id: string, reason: string): Promise<void> {
      const at = clock.now()
      const why = readReason(reason)
      await db.transaction().execute(async (tx) => {
        const { kind } = await openForDecision(tx, staff, id)
        await decideProposal(tx, id, { status: 'rejected', by: staff.memberId, at, reason: why })
        const role = kind.rules.approve.role
        await auditLists(tx, {
          at,
          memberId: staff.memberId,
          role,
          action: 'list.reject',
          object: id,
          list: kind.id,
        })
      })
    },
  }
}

export type Lists = ReturnType<typeof createLists>

function keyOf(kind: ListKind, data: EntryData): string | null {
  return duplicateKey({
    uscc: data.uscc,
    decisionNo: data.decisionNo,
    searchName: searchNameOf(searchableNames(kind, data)),
  })
}

/** A department's printed name, or the name of an authority outside the plan as it is. */
function authorityName(snapshot: PlanSnapshot, authority: string): string {
  return snapshot.departments.get(authority)?.name ?? authority
}

/** Entry data in words: departments and kinds of subject by name. */
function shownData(snapshot: PlanSnapshot, data: EntryData): EntryData {
  return {
    ...data,
    authority: authorityName(snapshot, data.authority),
    // A word instead of the code; the type only knows codes.
    subjectKind: SUBJECT_KIND_NAMES[data.subjectKind] as EntryData['subjectKind'],
  }
}

/** An authority written by any of a department's names becomes that department. */
function withAuthority(snapshot: PlanSnapshot, data: EntryData): EntryData {
  const written = data.authority
  const found = snapshot.plan.departments.find(({ id, name, fullName }) =>
    [id, name, fullName].includes(written),
  )
  return found ? { ...data, authority: found.id } : data
}

/** PostgreSQL refuses NUL in a text; nothing stored holds one, so nothing is found less. */
const plainText = (text: string): string => text.replaceAll('\0', '\ufffd')

function positionOf(cursor: string): EntryPosition {
  const [listedOn = '', entryNo = ''] = decodeCursor(cursor, 2)
  // 2026-02-31 is no day for the database, and no entry number holds anything else.
  if (readDay(listedOn) !== listedOn || !/^[0-9A-Z-]{1,20}$/.test(entryNo)) {
    throw new DomainError('bad-cursor', '这个翻页位置无效，请回到第一页重新翻。')
  }
  return { listedOn, entryNo }
}

/** @throws {DomainError} `invalid-input` on the field `why`: `reason` is a column */
function readReason(reason: string): string {
  const text = reason.replace(/\r\n?/g, '\n').trim()
  const problem =
    text === ''
      ? '请写明理由。'
      : Array.from(text).length > MAX_REASON
        ? `理由最多 ${MAX_REASON} 个字。`
        : /[\p{Cc}\p{Cs}]/u.test(text.replaceAll('\n', ''))
          ? '理由里有看不见的控制字符，请删去后重填。'
          : leaks(text, { reporterWords: [] }).length > 0
            ? '理由会公开，里面像有电话或身份证号码，请删去。'
            : null
  if (problem !== null) throw new DomainError('invalid-input', problem, [{ field: 'why', message: problem }])
  return text
}

const noProposal = () => new DomainError('not-found', '没有这件提议。')
const staleEntry = () => new DomainError('stale-version', '这条记录在您打开之后有了改动，请重新打开再提交。')
const mayNotPropose = (kind: ListKind) =>
  new DomainError('forbidden', `只有${kind.name}主管部门的承办员能提出改动。`)
const duplicateEntry = (subjectName?: string) =>
  new DomainError(
    'invalid-input',
    `${subjectName === undefined ? '' : `“${subjectName}”：`}同一主体、同一文号已在名单中，不能重复列入。`,
  )
