import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  GRAIN,
  movedBy,
  onGrain,
  photoReviewOf,
  photoReviewText,
  squareOf,
  stepFor,
  type Cover,
} from '../../src/domain/redaction.ts'

const number = fc.double({ min: -5000, max: 5000, noNaN: true })
const cover: fc.Arbitrary<Cover> = fc.record({
  kind: fc.constantFrom('box', 'pixels'),
  x: number,
  y: number,
  width: fc.double({ min: 0, max: 5000, noNaN: true }),
  height: fc.double({ min: 0, max: 5000, noNaN: true }),
})
const side = fc.integer({ min: 1, max: 2560 })

describe('a cover', () => {
  it('stays in the picture, ends on whole squares, and covers all that was drawn in the picture', () => {
    fc.assert(
      fc.property(cover, side, side, (drawn, width, height) => {
        const made = onGrain(drawn, width, height)
        const ends = [made.x + made.width, made.y + made.height] as const
        expect(made.x % GRAIN).toBe(0)
        expect(made.y % GRAIN).toBe(0)
        expect(ends[0] % GRAIN === 0 || ends[0] === width).toBe(true)
        expect(ends[1] % GRAIN === 0 || ends[1] === height).toBe(true)
        expect(made.width).toBeGreaterThan(0)
        expect(made.height).toBeGreaterThan(0)
        expect(ends[0]).toBeLessThanOrEqual(width)
        expect(ends[1]).toBeLessThanOrEqual(height)
        // The last square counts as drawn on when all of it was beyond.
        const inside = (from: number, length: number) => Math.min(Math.max(from, 0), length)
        if (drawn.x < width && drawn.x + drawn.width > 0) {
          expect(made.x).toBeLessThanOrEqual(inside(drawn.x, width))
          expect(ends[0]).toBeGreaterThanOrEqual(inside(drawn.x + drawn.width, width))
        }
        expect(onGrain(made, width, height)).toEqual(made)
      }),
    )
  })

  it('keeps its size when moved about the middle', () => {
    const middle: Cover = { kind: 'box', x: 160, y: 160, width: 64, height: 32 }
    expect(movedBy(middle, 16, -32, 640, 480)).toEqual({ ...middle, x: 176, y: 128 })
    expect(movedBy(middle, -900, 900, 640, 480)).toEqual({ ...middle, x: 0, y: 448 })
  })

  it('is pixelated in four squares at most along its longer side, and moved in steps of whole squares', () => {
    for (const [width, height] of [
      [16, 16],
      [640, 16],
      [2560, 1920],
    ] as const) {
      const square = squareOf({ kind: 'pixels', x: 0, y: 0, width, height })
      expect(square % GRAIN).toBe(0)
      expect(Math.ceil(Math.max(width, height) / square)).toBeLessThanOrEqual(4)
      expect(stepFor(width, height) % GRAIN).toBe(0)
    }
  })
})

describe('the decision about a photo', () => {
  it('is what the editor writes, and nothing else is one', () => {
    expect(photoReviewOf(photoReviewText(3))).toBe('redacted')
    expect(photoReviewOf(photoReviewText(0))).toBe('checked')
    for (const text of ['', 'redacted', 'redacted:0', 'redacted:-1', 'redacted:1e3', 'checked ', 'yes'])
      expect(photoReviewOf(text)).toBeNull()
  })
})
