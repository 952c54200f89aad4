import type { CaseState } from './case.ts'

/** Who wrote a message. */
export const SIDES = ['officer', 'reporter'] as const
export type Side = (typeof SIDES)[number]

/** Characters of one message. */
export const MAX_MESSAGE = 3000
export const MAX_MESSAGE_PHOTOS = 3
/** Messages about one tip, of both sides together. */
export const MAX_THREAD = 400
/** Photos about one tip. */
export const MAX_THREAD_PHOTOS = 60

const OFFICER_STATES: readonly CaseState[] = [
  'accepted',
  'working',
  'awaiting_reporter',
  'concluded',
  'published',
]

/**
 * Whether that side may write about a case in this state. An officer writes once the department has accepted it, the
 * reporter from the first minute; with the case closed, both are done.
 */
export function mayWrite(state: CaseState, side: Side): boolean {
  return side === 'officer' ? OFFICER_STATES.includes(state) : state !== 'closed'
}

/** How the name of a photo in a sealed message must look: 16 random bytes. */
export function isPhotoId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text)
}
