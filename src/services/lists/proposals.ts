import { findProposal, loadProposals, type ProposalRow } from '../../db/list-proposals.ts'
import { DomainError } from '../../domain/errors.ts'
import {
  changesBetween,
  mayApprove,
  type EntryData,
  type FieldChange,
  type ListAction,
} from '../../domain/list.ts'
import type { Deps } from '../ports.ts'
import { isUuid } from '../uuid.ts'
import { kindOf, readableLists, type ListStaff } from './kind.ts'
import { shownData } from './words.ts'

/** What a proposal to amend or remove keeps until it is decided; without `data` the entry shall go. */
export interface StoredChange {
  readonly entryNo: string
  readonly revision: number
  readonly before: EntryData
  readonly data?: EntryData
}

export type StoredPayload = { readonly rows: readonly EntryData[] } | StoredChange

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

const DECIDED_SHOWN = 20

export const staleEntry = (): DomainError =>
  new DomainError('stale-version', '这条记录在您打开之后有了改动，请重新打开再提交。')
export const noProposal = (): DomainError => new DomainError('not-found', '没有这件提议。')

/** Reading what was proposed, in the console. */
export function createListProposals({ db, plan }: Pick<Deps, 'db' | 'plan'>) {
  return {
    /** Proposals of the lists a member has to do with: those waiting first, then the latest decided. */
    async proposals(staff: ListStaff): Promise<ProposalSummary[]> {
      const rows = await loadProposals(db, readableLists(staff), DECIDED_SHOWN)
      return rows.map((row) => summarise(row, staff))
    },

    /** One proposal in full. @throws {DomainError} `not-found`, also for one the member may not see */
    async proposal(staff: ListStaff, id: string): Promise<ProposalView> {
      const row = isUuid(id) ? await findProposal(db, id) : undefined
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
  }
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
