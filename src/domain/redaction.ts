/**
 * What an officer decided about a picture before it may become a proof: something is covered, or it was looked at and
 * nothing has to be.
 */
export const PHOTO_REVIEWS = ['redacted', 'checked'] as const
export type PhotoReview = (typeof PHOTO_REVIEWS)[number]

/** Reads the decision as a request carries it: `redacted:3` or `checked`; null for anything else. */
export function photoReviewOf(text: string): PhotoReview | null {
  if (text === 'checked') return 'checked'
  return /^redacted:[1-9]\d{0,2}$/.test(text) ? 'redacted' : null
}

/** The decision as a request carries it. */
export const photoReviewText = (boxes: number): string => (boxes > 0 ? `redacted:${boxes}` : 'checked')

/** `box` fills with one colour, `pixels` with few large squares. */
export type CoverKind = 'box' | 'pixels'

/** A part of a picture that is covered, in its pixels. */
export interface Cover {
  readonly kind: CoverKind
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/**
 * JPEG encodes squares of 16 pixels. A cover that ends on their edges shares none with its surroundings, so everything
 * under it stays of one colour however often the picture is encoded.
 */
export const GRAIN = 16
/** Squares along the longer side of a pixelated part at most: few enough that no plate or face can be read back. */
const SQUARES = 4

/** The cover inside the picture, grown to whole squares of {@link GRAIN}; never smaller than one. */
export function onGrain(cover: Cover, width: number, height: number): Cover {
  const [x, right] = along(cover.x, cover.x + cover.width, width)
  const [y, bottom] = along(cover.y, cover.y + cover.height, height)
  return { kind: cover.kind, x, y, width: right - x, height: bottom - y }
}

function along(from: number, to: number, length: number): readonly [start: number, end: number] {
  const last = Math.floor((length - 1) / GRAIN) * GRAIN
  const start = Math.min(Math.max(0, Math.floor(from / GRAIN) * GRAIN), last)
  const end = Math.min(Math.max(start + GRAIN, Math.ceil(to / GRAIN) * GRAIN), length)
  return [start, end]
}

/** Moved by pixels, and kept inside the picture at its size. */
export function movedBy(cover: Cover, right: number, down: number, width: number, height: number): Cover {
  const x = Math.max(0, Math.min(cover.x + right, width - cover.width))
  const y = Math.max(0, Math.min(cover.y + down, height - cover.height))
  return onGrain({ ...cover, x, y }, width, height)
}

/** How far one press of an arrow key goes, in pixels: a fortieth of the picture. */
export const stepFor = (width: number, height: number): number =>
  Math.max(1, Math.round(Math.max(width, height) / 40 / GRAIN)) * GRAIN

/** The side of a pixelated part's squares, in pixels; a multiple of {@link GRAIN}. */
export const squareOf = (cover: Cover): number =>
  Math.max(2, Math.ceil(Math.max(cover.width, cover.height) / SQUARES / GRAIN)) * GRAIN
