import type { PhotoKind } from '../domain/photo.ts'

/** What decoder and worker agree on; the worker's header tells the frames. */
export const KINDS: readonly PhotoKind[] = ['jpeg', 'png', 'webp']
export const FRAME_HEADER_BYTES = 5
export const ANSWER_HEADER_BYTES = 13
export const READY = Uint8Array.of(0x52)
export const STATUS = { done: 0, refused: 1 } as const
