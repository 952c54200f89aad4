import type { Tx } from '../../db/connect.ts'
import { decideProposal, lockProposal } from '../../db/list-proposals.ts'
import {
  insertEntries,
  insertRevisions,
  lockEntry,
  takenEntryNos,
  updateEntry,
  type NewRevision,
} from '../../db/lists.ts'
import { dayOf, type Day } from '../../domain/day.ts'
import { DomainError } from '../../domain/errors.ts'
import {
  checkEntry,
  ENTRY_NO_SYMBOLS,
  entryNumber,
  listingEnd,
  mayApprove,
  searchableNames,
  type EntryData,
  type ListKind,
} from '../../domain/list.ts'
import { gramsOf, searchNameOf } from '../../domain/search-text.ts'
import { recordAudit } from '../audit.ts'
import type { Deps } from '../ports.ts'
import { isUuid } from '../uuid.ts'
import { duplicateEntry, hasTwin, keyOf, listedKeys } from './duplicates.ts'
import { kindOf, type ListStaff } from './kind.ts'
import { noProposal, staleEntry, type StoredChange, type StoredPayload } from './proposals.ts'
import { readReason } from './reason.ts'

/** What the history says of every entry that one approval concerns. */
type Mark = Omit<NewRevision, 'entryId' | 'revision' | 'data'>

/** The second of the two people who change a list. */
export function createListDecisions({
  db,
  clock,
  random,
  versions,
}: Pick<Deps, 'db' | 'clock' | 'random' | 'versions'>) {
  async function freshEntryNos(tx: Tx, kind: ListKind, count: number, day: Day): Promise<string[]> {
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

  /** @returns the numbers of the new entries */
  async function enter(
    tx: Tx,
    kind: ListKind,
    rows: readonly EntryData[],
    mark: Mark,
    day: Day,
  ): Promise<string[]> {
    const entryNos = await freshEntryNos(tx, kind, rows.length, day)
    const listed = await listedKeys(tx, kind, rows)
    const entries = rows.map((data, index) => {
      const content = contentOf(kind, data, day)
      if (checkEntry(content.data, day).length > 0) {
        throw new DomainError('invalid-input', `“${data.subjectName}”的日期已不合适，请退回后重新提出。`)
      }
      const key = keyOf(kind, data)
      if (key !== null && listed.has(key)) throw duplicateEntry(data.subjectName)
      return {
        id: random.uuid(),
        entryNo: entryNos[index] ?? '',
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
    return entryNos
  }

  return {
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
        const mark: Mark = {
          action: proposal.action,
          reason: proposal.reason,
          proposalId: id,
          proposedBy: proposal.proposedBy,
          approvedBy: staff.memberId,
          at,
        }
        const done =
          'rows' in payload
            ? await enter(tx, kind, payload.rows, mark, day)
            : [await amendOrRemove(tx, kind, payload, mark, day)]
        await decideProposal(tx, id, { status: 'approved', by: staff.memberId, at, reason: null })
        await versions.bump(tx, 'lists')
        await recordAudit(tx, {
          at,
          memberId: staff.memberId,
          role: kind.rules.approve.role,
          action: 'list.approve',
          object: id,
          data: { list: kind.id },
        })
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
        await recordAudit(tx, {
          at,
          memberId: staff.memberId,
          role: kind.rules.approve.role,
          action: 'list.reject',
          object: id,
          data: { list: kind.id },
        })
      })
    },
  }
}

/** @returns the number of the entry, if it still is what the proposal's author saw */
async function amendOrRemove(
  tx: Tx,
  kind: ListKind,
  payload: StoredChange,
  mark: Mark,
  day: Day,
): Promise<string> {
  const entry = await lockEntry(tx, kind.id, payload.entryNo)
  if (!entry || entry.state === 'ended' || entry.revision !== payload.revision) throw staleEntry()
  const content = contentOf(kind, payload.data ?? entry.data, entry.listed_on)
  if (payload.data && (await hasTwin(tx, kind, entry.entry_no, content.data))) throw duplicateEntry()
  const ended = mark.action === 'remove'
  const revision = entry.revision + 1
  await updateEntry(tx, entry.id, {
    ...content,
    state: ended ? 'ended' : 'listed',
    endedOn: ended ? day : null,
    revision,
  })
  await insertRevisions(tx, [{ entryId: entry.id, revision, data: content.data, ...mark }])
  return entry.entry_no
}

/** @throws {DomainError} `not-found`, `forbidden`, `stale-version` when decided before, `two-people` */
async function openForDecision(tx: Tx, staff: ListStaff, id: string) {
  const proposal = isUuid(id) ? await lockProposal(tx, id) : undefined
  if (!proposal) throw noProposal()
  const kind = kindOf(proposal.list)
  if (!mayApprove(kind, staff)) throw new DomainError('forbidden', '只有发布员能批准或退回名单提议。')
  if (proposal.status !== 'proposed') {
    throw new DomainError('stale-version', '这件提议已经有人处理过了，请刷新查看。')
  }
  if (proposal.proposedBy === staff.memberId) {
    throw new DomainError('two-people', '提议人不能批准自己的提议，请另一位发布员处理。')
  }
  return { kind, proposal }
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
