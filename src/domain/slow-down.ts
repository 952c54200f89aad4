/** How fast somebody may try again after wrong ones. Nobody is ever locked out for good. */
export interface SlowDown {
  /** Wrong tries in a row that cost nothing. */
  readonly freeTries: number
  /** The wait doubles from one second up to this. */
  readonly maxDelayMs: number
  /** After so long without a wrong try all is forgotten. */
  readonly forgetMs: number
}

/** @source OWASP ASVS 5.0, 6.3.1: guessing is slowed; DESIGN: five failures in 15 minutes, then a delay, never a lock. */
export const PASSPHRASE_TRIES: SlowDown = { freeTries: 5, maxDelayMs: 30_000, forgetMs: 15 * 60_000 }
/** Six digits are few, so the wait grows longer: after the free tries at most 96 guesses a day at a million codes. */
export const FACTOR_TRIES: SlowDown = { freeTries: 5, maxDelayMs: 15 * 60_000, forgetMs: 24 * 3_600_000 }

/** Wrong tries in a row. */
export interface Failures {
  readonly count: number
  readonly lastAt: Date
  readonly retryAfter: Date | null
}

/**
 * Counts a try before it is looked at, as if it were wrong, so that many at once are counted as many; whoever was
 * right is forgotten afterwards. A refused try counts nothing and is told nothing, right or wrong: else the wait
 * would slow nobody down.
 */
export function countTry(
  { freeTries, maxDelayMs, forgetMs }: SlowDown,
  before: Failures,
  now: Date,
): { readonly allowed: true; readonly after: Failures } | { readonly allowed: false; readonly wait: Date } {
  if (before.retryAfter !== null && before.retryAfter > now) {
    return { allowed: false, wait: before.retryAfter }
  }
  const forgotten = now.getTime() - before.lastAt.getTime() > forgetMs
  const count = (forgotten ? 0 : before.count) + 1
  const delayMs = count < freeTries ? 0 : Math.min(maxDelayMs, 1000 * 2 ** Math.min(count - freeTries, 20))
  return {
    allowed: true,
    after: { count, lastAt: now, retryAfter: delayMs === 0 ? null : new Date(now.getTime() + delayMs) },
  }
}
