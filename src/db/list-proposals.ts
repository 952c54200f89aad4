import type { ListAction } from '../domain/list.ts'
import type { Db, Tx } from './connect.ts'

/** A proposal as stored. */
export interface ProposalRow {
  readonly id: string
  readonly list: string
  readonly action: ListAction
  readonly payload: unknown
  readonly reason: string
  readonly status: 'proposed' | 'approved' | 'rejected'
  readonly proposedBy: string
  readonly proposedAt: Date
  readonly proposerName: string
  readonly proposerDepartment: string
  readonly decidedBy: string | null
  readonly decidedAt: Date | null
  readonly deciderName: string | null
  readonly decisionReason: string | null
}

/** @returns false when this id was used before */
export async function insertProposal(
  tx: Tx,
  proposal: Pick<ProposalRow, 'id' | 'list' | 'action' | 'payload' | 'reason' | 'proposedBy' | 'proposedAt'>,
): Promise<boolean> {
  const inserted = await tx
    .insertInto('list_proposal')
    .values({
      id: proposal.id,
      list: proposal.list,
      action: proposal.action,
      payload: JSON.stringify(proposal.payload),
      reason: proposal.reason,
      status: 'proposed',
      proposed_by: proposal.proposedBy,
      proposed_at: proposal.proposedAt,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted !== undefined
}

function proposals(db: Db) {
  return db
    .selectFrom('list_proposal as proposal')
    .innerJoin('member as proposer', 'proposer.id', 'proposal.proposed_by')
    .leftJoin('member as decider', 'decider.id', 'proposal.decided_by')
    .select([
      'proposal.id',
      'proposal.list',
      'proposal.action',
      'proposal.payload',
      'proposal.reason',
      'proposal.status',
      'proposal.proposed_by as proposedBy',
      'proposal.proposed_at as proposedAt',
      'proposer.display_name as proposerName',
      'proposer.department_id as proposerDepartment',
      'proposal.decided_by as decidedBy',
      'proposal.decided_at as decidedAt',
      'decider.display_name as deciderName',
      'proposal.decision_reason as decisionReason',
    ])
}

/** Proposals to the lists given: all that wait, oldest first, then the latest decided. */
export async function loadProposals(
  db: Db,
  lists: readonly string[],
  decided: number,
): Promise<ProposalRow[]> {
  if (lists.length === 0) return []
  const waiting = await proposals(db)
    .where('proposal.list', 'in', lists)
    .where('proposal.status', '=', 'proposed')
    .orderBy('proposal.proposed_at')
    .orderBy('proposal.id')
    .execute()
  const past = await proposals(db)
    .where('proposal.list', 'in', lists)
    .where('proposal.status', '<>', 'proposed')
    .orderBy('proposal.decided_at', 'desc')
    .orderBy('proposal.id')
    .limit(decided)
    .execute()
  return [...waiting, ...past]
}

export async function findProposal(db: Db, id: string): Promise<ProposalRow | undefined> {
  return proposals(db).where('proposal.id', '=', id).executeTakeFirst()
}

/** The proposal, locked until the transaction ends. */
export async function lockProposal(
  tx: Tx,
  id: string,
): Promise<
  Pick<ProposalRow, 'id' | 'list' | 'action' | 'payload' | 'reason' | 'status' | 'proposedBy'> | undefined
> {
  return tx
    .selectFrom('list_proposal')
    .select(['id', 'list', 'action', 'payload', 'reason', 'status', 'proposed_by as proposedBy'])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
}

export async function decideProposal(
  tx: Tx,
  id: string,
  decision: { status: 'approved' | 'rejected'; by: string; at: Date; reason: string | null },
): Promise<void> {
  await tx
    .updateTable('list_proposal')
    .set({
      status: decision.status,
      decided_by: decision.by,
      decided_at: decision.at,
      decision_reason: decision.reason,
    })
    .where('id', '=', id)
    .execute()
}
