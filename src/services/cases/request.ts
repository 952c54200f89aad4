import type { CaseAction, Outcome } from '../../domain/case.ts'

/** A tip's secret wrapped anew by somebody's browser for the department that shall hold the case. */
export interface NewWrap {
  readonly tipId: string
  readonly epoch: number
  readonly wrapped: Uint8Array
}

/** Free text sealed in the browser to a tip's own recipient. */
export interface NewNote {
  readonly tipId: string
  readonly purpose: 'tip.note' | 'tip.reason'
  readonly sealed: Uint8Array
}

/** What a member asks for. Each action reads only its own part. */
export interface ActRequest {
  readonly version: number
  readonly action: CaseAction
  /** The closed-list reason of a return; other reasons are sealed notes. */
  readonly reason?: string
  readonly target?: string
  readonly attachTo?: string
  readonly outcome?: Outcome
  readonly statement?: string
  readonly competentBody?: string
  readonly wraps?: readonly NewWrap[]
  readonly note?: NewNote
  /** The publisher shows less than the rule would. */
  readonly hideCategory?: boolean
  readonly hideArea?: boolean
}
