import { OUTCOME_LABELS, type Outcome } from '../domain/case.ts'
import { PUBLIC_STATE_LABELS, type PublicState } from '../domain/privacy.ts'

/** A public state in words; anything unknown as it came. */
export function stateText(state: string): string {
  return PUBLIC_STATE_LABELS[state as PublicState] ?? state
}

/** An outcome in words; anything unknown as it came. */
export function outcomeText(outcome: string): string {
  return OUTCOME_LABELS[outcome as Outcome] ?? outcome
}

/** What a case is about, as far as the public may know. */
export function caseSubject(item: {
  readonly category: { readonly name: string } | null
  readonly group: { readonly name: string } | null
}): string {
  return item.category?.name ?? item.group?.name ?? '类别在办结公开后显示'
}
