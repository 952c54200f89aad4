import { createHmac } from 'node:crypto'
import { dayOf, type Day } from '../domain/day.ts'
import { RateLimitedError } from '../domain/errors.ts'
import { giveBackOne, LIMITS, takeOne, UNPROVEN_CEILING, type LimitName } from '../domain/rate.ts'
import type { Clock, Random } from './ports.ts'

/**
 * Stands for a client's address in this process until midnight, and for nothing afterwards. Null: the request came
 * straight from this machine and no proxy is declared, so there is nobody to tell apart and nothing is limited.
 */
export type ClientKey = string | null

/**
 * Counts uses without knowing who. The counts live in this process's memory only, under an HMAC of the address with
 * a random key that is thrown away every midnight (Beijing time) together with them: neither a row, a log nor a dump
 * of a later day says who was here.
 */
export interface RateLimits {
  /** @param address as http/client-address.ts answers it */
  keyOf(address: string | null): ClientKey
  /** @throws {RateLimitedError} `rate-limited` with the seconds to wait */
  take(limit: LimitName, client: ClientKey): void
  /** Undoes one {@link take}. */
  giveBack(limit: LimitName, client: ClientKey): void
  /** Whether one more form without a proof may go to the normal lane: by its sender and by all of them together. */
  admitsUnproven(client: ClientKey): boolean
}

/** Full buckets are swept out when so many clients are remembered for one limit, then when twice as many as stayed. */
const SWEEP_CLIENTS = 10_000
/** More than can be told apart: an IPv6 network in one hand. The longest remembered are forgotten first. */
const MAX_CLIENTS = 100_000
const KEY_BYTES = 32

const waitWords = (seconds: number): string =>
  seconds < 60 ? `${seconds} 秒` : `${Math.ceil(seconds / 60)} 分钟`

interface Buckets {
  /** By client: when its bucket is full again, in ms since 1970. */
  readonly fullAt: Map<string, number>
  sweepAt: number
}

export function createRateLimits({ clock, random }: { clock: Clock; random: Random }): RateLimits {
  let day: Day | null = null
  let secret: Uint8Array = new Uint8Array()
  const buckets = new Map<LimitName, Buckets>()
  let unprovenFullAt: number | undefined

  function turnDay(): void {
    const today = dayOf(clock.now())
    if (today === day) return
    day = today
    secret = random.bytes(KEY_BYTES)
    buckets.clear()
  }

  function bucketsOf(limit: LimitName): Buckets {
    const found = buckets.get(limit) ?? { fullAt: new Map<string, number>(), sweepAt: SWEEP_CLIENTS }
    buckets.set(limit, found)
    return found
  }

  function makeRoom(of: Buckets, now: number): void {
    if (of.fullAt.size >= of.sweepAt) {
      for (const [client, fullAt] of of.fullAt) if (fullAt <= now) of.fullAt.delete(client)
      of.sweepAt = Math.max(SWEEP_CLIENTS, 2 * of.fullAt.size)
    }
    if (of.fullAt.size < MAX_CLIENTS) return
    const [longest] = of.fullAt.keys()
    if (longest !== undefined) of.fullAt.delete(longest)
  }

  /** @returns ms to wait; 0 when it was taken */
  function tryTake(limit: LimitName, client: ClientKey): number {
    if (client === null) return 0
    turnDay()
    const now = clock.now().getTime()
    const of = bucketsOf(limit)
    const { fullAt, waitMs } = takeOne(LIMITS[limit], of.fullAt.get(client), now)
    if (!of.fullAt.has(client)) makeRoom(of, now)
    of.fullAt.set(client, fullAt)
    return waitMs
  }

  return {
    keyOf(address) {
      if (address === null) return null
      turnDay()
      return createHmac('sha256', secret).update(address).digest('base64url')
    },

    take(limit, client) {
      const waitMs = tryTake(limit, client)
      if (waitMs === 0) return
      const seconds = Math.max(1, Math.ceil(waitMs / 1000))
      throw new RateLimitedError(
        limit === 'messages'
          ? `这件举报的留言太密，请过 ${waitWords(seconds)}再发。急事请拨打 12345。`
          : `从您所在的网络来的请求太多，请过 ${waitWords(seconds)}再试，或者换一个网络。急事请拨打 12345。`,
        seconds,
      )
    },

    giveBack(limit, client) {
      if (client === null) return
      const { fullAt } = bucketsOf(limit)
      const before = fullAt.get(client)
      if (before !== undefined) fullAt.set(client, giveBackOne(LIMITS[limit], before))
    },

    admitsUnproven(client) {
      if (tryTake('unproven', client) > 0) return false
      const { fullAt, waitMs } = takeOne(UNPROVEN_CEILING, unprovenFullAt, clock.now().getTime())
      unprovenFullAt = fullAt
      return waitMs === 0
    },
  }
}
