import { OUTCOME_LABELS, type Outcome } from '../domain/case.ts'

/** The states the public sees (D§5.1), fewer than a case has. */
export const PUBLIC_STATE_LABELS = {
  routed: '已派单，等待受理',
  accepted: '已受理',
  working: '办理中',
  reviewing: '复核中',
  published: '已办结公开',
  closed: '已归档',
} as const
export type PublicStateWord = keyof typeof PUBLIC_STATE_LABELS

/** A state or outcome in words; anything unknown as it came. */
export function stateText(state: string): string {
  return PUBLIC_STATE_LABELS[state as PublicStateWord] ?? state
}

export function outcomeText(outcome: string): string {
  return OUTCOME_LABELS[outcome as Outcome] ?? outcome
}
