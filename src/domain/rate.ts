/** How often something may be done: `burst` at once, then `perHour` evenly. */
export interface Rate {
  readonly burst: number
  readonly perHour: number
}

const HOUR_MS = 3_600_000

/**
 * Decides one more use (GCRA: one number stands for a whole bucket).
 * @param fullAt when the bucket will be full again, in ms since 1970; undefined for one that is full
 * @param now in ms since 1970
 * @returns the new `fullAt`, and how long to wait in ms: 0 when there was room, else nothing is taken
 */
export function takeOne(
  rate: Rate,
  fullAt: number | undefined,
  now: number,
): { readonly fullAt: number; readonly waitMs: number } {
  const stepMs = HOUR_MS / rate.perHour
  const base = Math.max(fullAt ?? now, now)
  const next = base + stepMs
  const waitMs = next - now - rate.burst * stepMs
  // Instants of today hold no more than thousandths of a millisecond, and their sums less: nobody waits for those.
  return waitMs >= 1 ? { fullAt: base, waitMs } : { fullAt: next, waitMs: 0 }
}

/** Gives one use back: what was taken in advance and not needed. */
export function giveBackOne(rate: Rate, fullAt: number): number {
  return fullAt - HOUR_MS / rate.perHour
}

/**
 * The limits of one client in one process. A client is an IPv4 address or an IPv6 /64 (http/client-address.ts), and in
 * this city that is seldom one person: mobile carriers put whole streets behind one address, and so does the gateway of
 * a government building. The measure is an evening on which everybody sees the same smoke: 300 citizens of one carrier
 * address file a tip each within four hours, with three photos, after one and a half challenges, and look at their
 * receipt once or twice; the worst hour brings half of them. All of that passes with room to spare, and what is left
 * to an abuser costs the machine less than a hundredth of its time. Several processes grant as many times as much.
 */
export const LIMITS = {
  /** Tips filed, by form or program: 300 in an evening, 150 in an hour. */
  tips: { burst: 150, perHour: 240 },
  /** Tips of programs without a proof: they are told to wait where a form is only sorted (`unproven`). */
  'tips-unproven': { burst: 30, perHour: 60 },
  /** Forms without a proof that still reach the normal lane; more go to the unverified one, refused is none. */
  unproven: { burst: 20, perHour: 60 },
  /** Drafts begun: one a tip, and those who look and leave. */
  drafts: { burst: 300, perHour: 600 },
  /** Challenges: 450 in an evening. One costs half a millisecond. */
  challenges: { burst: 300, perHour: 1200 },
  /** Photos: 900 in an evening; one costs up to 200 ms, outside the request's process. */
  uploads: { burst: 300, perHour: 900 },
  /** Sealed files begun by browsers: a copy and an original for each of 900 photos, and some begun anew. */
  'sealed-uploads': { burst: 600, perHour: 2400 },
  /** Receipt codes tried, right or wrong: 600 in an evening. 115 random bits need no limit; the machine's time does. */
  receipts: { burst: 150, perHour: 300 },
  /** Messages of one reporter about one tip, whatever their address. */
  messages: { burst: 20, perHour: 60 },
  /** Sign-ins that failed; those that succeed are given back, since a whole building starts work at half past eight. */
  'sign-ins': { burst: 30, perHour: 60 },
  /** Pages and API reads that are in no cache, whatever they ask: a made-up address each costs some milliseconds. */
  pages: { burst: 1000, perHour: 7200 },
  /** Searches of lists that no cached page answers. */
  searches: { burst: 200, perHour: 1200 },
} as const satisfies Readonly<Record<string, Rate>>
export type LimitName = keyof typeof LIMITS

/** All forms without a proof together, whoever sends them; beyond it they go to the unverified lane. */
export const UNPROVEN_CEILING: Rate = { burst: 60, perHour: 240 }
