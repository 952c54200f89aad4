import { createHash } from 'node:crypto'
import { findProposal, insertProposal } from '../../db/list-proposals.ts'
import { findEntry, type EntryRow } from '../../db/lists.ts'
import { dayOf, type Day } from '../../domain/day.ts'
import { DomainError } from '../../domain/errors.ts'
import { changesBetween, type EntryData, type ListKind } from '../../domain/list.ts'
import {
  entrySchemaOf,
  MAX_CSV_ROWS,
  problemsOf,
  readEntryCsv,
  type ReadRow,
  type RowProblem,
} from '../../schemas/list.ts'
import { recordAudit } from '../audit.ts'
import type { Deps } from '../ports.ts'
import { isUuid } from '../uuid.ts'
import { duplicateEntry, duplicatesIn, hasTwin } from './duplicates.ts'
import { kindToChange, type ListStaff } from './kind.ts'
import { readReason } from './reason.ts'
import { staleEntry, type StoredPayload } from './proposals.ts'
import { withAuthority } from './words.ts'

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

/** The first of the two people who change a list. */
export function createListProposing({
  db,
  clock,
  random,
  plan,
}: Pick<Deps, 'db' | 'clock' | 'random' | 'plan'>) {
  const today = (): Day => dayOf(clock.now())

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
    errors.push(...(await duplicatesIn(db, kind, read)))
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
    const entry = await findEntry(db, list, entryNo)
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
    if (await hasTwin(db, kind, entry.entry_no, data)) throw duplicateEntry()
    return { ...seen, data }
  }

  return {
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
      const kind = kindToChange(staff, list)
      const read = readEntryCsv(kind, text, today())
      const snapshot = await plan.current()
      const rows = read.rows.map(({ row, data }) => ({ row, data: withAuthority(snapshot, data) }))
      const twice = await duplicatesIn(db, kind, rows)
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
      const kind = kindToChange(staff, list)
      if (!isUuid(id)) throw new DomainError('invalid-input', '页面已过期，请重新打开后再提交。')
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
        await recordAudit(tx, {
          at,
          memberId: staff.memberId,
          role,
          action: `list.propose.${action}`,
          object: id,
          data: { list },
        })
      })
      return id
    },
  }
}
