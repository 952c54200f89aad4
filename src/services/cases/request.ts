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

/** A message sealed to the tip's own recipient and to its reporter's. */
export interface NewMessage {
  readonly tipId: string
  /** Its place in the thread, which it is sealed for: one more than the last. */
  readonly number: number
  /** A random value of the form: the same one again is the same message. */
  readonly key: string
  readonly sealed: Uint8Array
  /** Photos already stored, by the ids that the sealed message names. */
  readonly photos: readonly StoredPhoto[]
}

export interface StoredPhoto {
  readonly id: string
  readonly blobKey: string
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
  /** The question of `ask_reporter`. */
  readonly message?: NewMessage
  /** The publisher shows less than the rule would. */
  readonly hideCategory?: boolean
  readonly hideArea?: boolean
}
