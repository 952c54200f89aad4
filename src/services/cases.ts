import { createCaseDetails, type CaseDetails } from './cases/detail.ts'
import { createCasePreview, type CasePreview } from './cases/ledger.ts'
import { createCaseMessages, type CaseMessages } from './cases/messages.ts'
import { createCaseMoves, type CaseMoves } from './cases/moves.ts'
import { createCaseProofs, type CaseProofs } from './cases/proofs.ts'
import { createCaseQueue, type CaseQueue } from './cases/queue.ts'
import type { Keys } from './keys.ts'
import type { Deps } from './ports.ts'
import type { Retention } from './retention.ts'
import type { TipWraps } from './tip-wraps.ts'

export type { CaseDetail, CaseEvent, CaseTip } from './cases/detail.ts'
export type { QueueFilter, QueueItem } from './cases/queue.ts'
export type { ReporterThread, SealedMessage } from './cases/messages.ts'
export type { ActRequest, NewMessage, NewNote, NewWrap, StoredPhoto } from './cases/request.ts'

/** What a department does with a case: find it, read it, move it, prove it, look at it as the public will. */
export type Cases = CaseQueue & CaseDetails & CaseMoves & CaseMessages & CaseProofs & CasePreview

export function createCases(deps: Deps, keys: Keys, tipWraps: TipWraps, retention: Retention): Cases {
  const moves = createCaseMoves(deps, keys, tipWraps)
  return {
    ...createCaseQueue(deps),
    ...createCaseDetails(deps, tipWraps, retention),
    ...moves,
    ...createCaseMessages(deps, moves),
    ...createCaseProofs(deps),
    ...createCasePreview(deps),
  }
}
