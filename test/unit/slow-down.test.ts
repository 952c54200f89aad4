import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countTry, FACTOR_TRIES, PASSPHRASE_TRIES, type Failures } from '../../src/domain/slow-down.ts'

const START = new Date('2026-11-24T09:00:00Z')
const NONE: Failures = { count: 0, lastAt: START, retryAfter: null }
const later = (ms: number): Date => new Date(START.getTime() + ms)

/** Tries as often as it is allowed to; answers the waits between, in seconds. */
function waits(policy: typeof PASSPHRASE_TRIES, tries: number): number[] {
  let failures = NONE
  let now = START
  return Array.from({ length: tries }, () => {
    const result = countTry(policy, failures, now)
    if (!result.allowed) throw new Error('it was waited for')
    failures = result.after
    const next = failures.retryAfter ?? now
    const wait = (next.getTime() - now.getTime()) / 1000
    now = next
    return wait
  })
}

describe('wrong tries', () => {
  it('cost nothing five times, then ever more up to half a minute', () => {
    expect(waits(PASSPHRASE_TRIES, 12)).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30])
  })

  it('of a second factor leave a guesser fewer than a hundred a day', () => {
    const day = waits(FACTOR_TRIES, 200)
    let passed = 0
    const within = day.filter((wait) => (passed += wait) <= 86_400)
    expect(within.length).toBeLessThan(110)
    expect(Math.max(...day)).toBe(900)
  })

  it('are refused while the wait lasts, and a refused one makes it no longer', () => {
    const failures: Failures = { count: 9, lastAt: START, retryAfter: later(16_000) }
    expect(countTry(PASSPHRASE_TRIES, failures, later(15_999))).toEqual({
      allowed: false,
      wait: later(16_000),
    })
    expect(countTry(PASSPHRASE_TRIES, failures, later(16_000)).allowed).toBe(true)
  })

  it('are forgotten after a quarter of an hour', () => {
    const failures: Failures = { count: 9, lastAt: START, retryAfter: later(16_000) }
    const result = countTry(PASSPHRASE_TRIES, failures, later(15 * 60_000 + 1))
    expect(result).toMatchObject({ allowed: true, after: { count: 1, retryAfter: null } })
  })

  it('never lock anybody out for longer than the longest wait', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000_000 }), (count) => {
        const result = countTry(FACTOR_TRIES, { count, lastAt: START, retryAfter: null }, START)
        const until = result.allowed ? (result.after.retryAfter ?? START) : result.wait
        expect(until.getTime() - START.getTime()).toBeLessThanOrEqual(FACTOR_TRIES.maxDelayMs)
      }),
    )
  })
})
