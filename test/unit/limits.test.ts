import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RateLimitedError } from '../../src/domain/errors.ts'
import { giveBackOne, LIMITS, takeOne, UNPROVEN_CEILING, type LimitName } from '../../src/domain/rate.ts'
import { clientAddress } from '../../src/http/client-address.ts'
import { createRateLimits, type RateLimits } from '../../src/services/limits.ts'
import { seededBytes } from '../support/seeded-bytes.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** Seven in the evening in Beijing. */
const EVENING = Date.parse('2026-11-25T11:00:00Z')

function limitsAt(start = EVENING): { readonly limits: RateLimits; readonly pass: (ms: number) => void } {
  let now = start
  const bytes = seededBytes(5)
  const limits = createRateLimits({
    clock: { now: () => new Date(now) },
    random: { bytes, uuid: () => '' },
  })
  return { limits, pass: (ms) => (now += ms) }
}

/** How often it works before it is refused. */
function room(limits: RateLimits, limit: LimitName, client: string | null, most = 2000): number {
  for (let used = 0; used < most; used += 1) {
    try {
      limits.take(limit, client)
    } catch (error) {
      if (!(error instanceof RateLimitedError)) throw error
      return used
    }
  }
  return most
}

describe('a bucket', () => {
  const rate = fc.record({
    burst: fc.integer({ min: 1, max: 50 }),
    perHour: fc.integer({ min: 1, max: 3600 }),
  })

  it('never lets through more than its burst and what has flowed in since, and never less', () => {
    fc.assert(
      fc.property(rate, fc.array(fc.integer({ min: 0, max: HOUR }), { maxLength: 200 }), (bucket, pauses) => {
        let now = EVENING
        let fullAt: number | undefined
        // The same as a plain count of drops.
        let drops = bucket.burst
        for (const pause of pauses) {
          now += pause
          drops = Math.min(bucket.burst, drops + (pause * bucket.perHour) / HOUR)
          const taken = takeOne(bucket, fullAt, now)
          fullAt = taken.fullAt
          // Within a millisecond of the edge the two ways of counting may round apart.
          if (Math.abs(drops - 1) > 0.002) expect(taken.waitMs === 0).toBe(drops > 1)
          if (taken.waitMs === 0) drops -= 1
          else expect(Math.abs(taken.waitMs - ((1 - drops) * HOUR) / bucket.perHour)).toBeLessThan(5)
        }
      }),
    )
  })

  it('has room again exactly after the wait it named', () => {
    fc.assert(
      fc.property(rate, (bucket) => {
        let fullAt: number | undefined
        for (let used = 0; used < bucket.burst; used += 1) {
          const taken = takeOne(bucket, fullAt, EVENING)
          expect(taken.waitMs).toBe(0)
          fullAt = taken.fullAt
        }
        const { waitMs } = takeOne(bucket, fullAt, EVENING)
        expect(waitMs).toBeGreaterThan(0)
        expect(takeOne(bucket, fullAt, EVENING + waitMs).waitMs).toBe(0)
        expect(takeOne(bucket, fullAt, EVENING + waitMs - 5).waitMs).toBeGreaterThan(0)
      }),
    )
  })

  it('takes back what was not needed', () => {
    const bucket = { burst: 1, perHour: 1 }
    const { fullAt } = takeOne(bucket, undefined, EVENING)
    expect(takeOne(bucket, fullAt, EVENING).waitMs).toBeGreaterThan(0)
    expect(takeOne(bucket, giveBackOne(bucket, fullAt), EVENING).waitMs).toBe(0)
  })
})

describe('the rate limits', () => {
  it('refuse none of 300 citizens behind one address who file in one evening', () => {
    const { limits, pass } = limitsAt()
    const refused: string[] = []
    const use = (limit: LimitName, citizen: number): void => {
      try {
        limits.take(limit, limits.keyOf('203.0.113.7'))
      } catch (error) {
        refused.push(`${limit} ${citizen}: ${String(error)}`)
      }
    }
    for (let citizen = 0; citizen < 300; citizen += 1) {
      // Half of them within the first hour, the others in the three that follow.
      pass(citizen < 150 ? HOUR / 150 : (3 * HOUR) / 150)
      use('drafts', citizen)
      for (let photo = 0; photo < 3; photo += 1) use('uploads', citizen)
      use('challenges', citizen)
      if (citizen % 2 === 0) use('challenges', citizen)
      use('tips', citizen)
      use('receipts', citizen)
      if (citizen % 2 === 0) use('receipts', citizen)
      if (citizen % 3 === 0) use('searches', citizen)
    }
    expect(refused).toEqual([])
  })

  it('refuse none of 200 officers behind the gateway of one building who sign in within ten minutes', () => {
    const { limits, pass } = limitsAt()
    const building = limits.keyOf('203.0.113.8')
    for (let officer = 0; officer < 200; officer += 1) {
      pass(3000)
      // Every tenth mistypes once.
      if (officer % 10 === 0) limits.take('sign-ins', building)
      limits.take('sign-ins', building)
      limits.giveBack('sign-ins', building)
    }
    expect(room(limits, 'sign-ins', building)).toBeLessThanOrEqual(LIMITS['sign-ins'].burst)
  })

  it.each(Object.keys(LIMITS) as LimitName[])('%s ends with its burst, for this client alone', (limit) => {
    const { limits, pass } = limitsAt()
    const [one, other] = [limits.keyOf('203.0.113.1'), limits.keyOf('203.0.113.2')]
    expect(room(limits, limit, one)).toBe(LIMITS[limit].burst)
    expect(room(limits, limit, other)).toBe(LIMITS[limit].burst)
    pass(HOUR)
    expect(room(limits, limit, one)).toBe(Math.min(LIMITS[limit].burst, LIMITS[limit].perHour))
  })

  it('say how long to wait, in whole seconds', () => {
    const { limits, pass } = limitsAt()
    const client = limits.keyOf('203.0.113.1')
    room(limits, 'tips-unproven', client)
    const refusal = (): RateLimitedError => {
      try {
        limits.take('tips-unproven', client)
      } catch (error) {
        if (error instanceof RateLimitedError) return error
      }
      throw new Error('not refused')
    }
    expect(refusal()).toMatchObject({ code: 'rate-limited', retryAfterSeconds: 60 })
    expect(refusal().message).toContain('1 分钟')
    pass(59_500)
    expect(refusal().retryAfterSeconds).toBe(1)
    pass(500)
    expect(() => limits.take('tips-unproven', client)).not.toThrow()
  })

  it('know nobody who comes straight from this machine, and limit nobody then', () => {
    const { limits } = limitsAt()
    expect(limits.keyOf(null)).toBeNull()
    expect(room(limits, 'tips-unproven', null)).toBe(2000)
    limits.giveBack('tips-unproven', null)
  })

  it('forget everybody at midnight of Beijing, the key included', () => {
    const { limits, pass } = limitsAt(Date.parse('2026-11-25T15:59:00Z'))
    const before = limits.keyOf('203.0.113.1')
    expect(limits.keyOf('203.0.113.1')).toBe(before)
    expect(before).not.toContain('203')
    expect(room(limits, 'receipts', before)).toBe(LIMITS.receipts.burst)
    pass(MINUTE)
    const after = limits.keyOf('203.0.113.1')
    expect(after).not.toBe(before)
    expect(room(limits, 'receipts', after)).toBe(LIMITS.receipts.burst)
    // Of what was counted under the old key nothing is left either.
    expect(room(limits, 'receipts', before)).toBe(LIMITS.receipts.burst)
  })

  it('stay small when more addresses come than can be told apart', () => {
    const { limits } = limitsAt()
    const first = 'first'
    room(limits, 'tips-unproven', first)
    expect(room(limits, 'tips-unproven', first)).toBe(0)
    for (let other = 0; other < 100_000; other += 1) limits.take('tips-unproven', `other-${other}`)
    // The longest remembered made room.
    expect(room(limits, 'tips-unproven', first)).toBe(LIMITS['tips-unproven'].burst)
  })

  it('let forms without a proof into the normal lane by sender and by all together', () => {
    const { limits, pass } = limitsAt()
    const admitted = (client: string | null, tries: number): number =>
      Array.from({ length: tries }, () => limits.admitsUnproven(client)).filter(Boolean).length
    expect(admitted('one', 100)).toBe(LIMITS.unproven.burst)
    // Many senders with little each meet the ceiling; so do those whom nobody can tell apart.
    const others = Array.from({ length: 100 }, (_, index) => admitted(`sender-${index}`, 1))
    const sum = others.reduce((total, one) => total + one, 0)
    expect(sum).toBe(UNPROVEN_CEILING.burst - LIMITS.unproven.burst)
    expect(admitted(null, 5)).toBe(0)
    pass(HOUR)
    expect(admitted(null, 1000)).toBe(UNPROVEN_CEILING.burst)
  })
})

describe('the address of a client', () => {
  it.each([
    ['an IPv4 address', ['203.0.113.9', null, null], '203.0.113.9'],
    ['the same on a socket that speaks both', ['::ffff:203.0.113.9', null, null], '203.0.113.9'],
    ['an IPv6 address by its /64', ['2001:db8:1:2:3:4:5:6', null, null], '2001:db8:1:2::/64'],
    ['a short one', ['2001:db8::5', null, null], '2001:db8:0:0::/64'],
    ['another of the same network', ['2001:DB8:0::ffff:1', null, null], '2001:db8:0:0::/64'],
    ['one of another network', ['2001:db8:0:1::5', null, null], '2001:db8:0:1::/64'],
    ['a header from anybody: not believed', ['203.0.113.9', '198.51.100.1', null], '203.0.113.9'],
    ['a header from another than the proxy', ['203.0.113.9', '198.51.100.1', '203.0.113.10'], '203.0.113.9'],
    ['the proxy’s word', ['127.0.0.1', '198.51.100.1', '127.0.0.1'], '198.51.100.1'],
    ['the proxy’s last word only', ['127.0.0.1', '1.2.3.4, 198.51.100.1', '127.0.0.1'], '198.51.100.1'],
    ['a proxy on a socket that speaks both', ['::ffff:10.0.0.1', '198.51.100.1', '10.0.0.1'], '198.51.100.1'],
    ['IPv6 through the proxy', ['::1', '2001:db8:1:2::9', '::1'], '2001:db8:1:2::/64'],
    ['loopback through the proxy: a client of its own', ['10.0.0.1', '127.0.0.1', '10.0.0.1'], '127.0.0.1'],
    ['a proxy that says nothing', ['127.0.0.1', null, '127.0.0.1'], null],
    ['a proxy that says nonsense', ['127.0.0.1', 'unknown', '127.0.0.1'], null],
    ['this machine itself', ['127.0.0.1', null, null], null],
    ['this machine with a header', ['127.0.0.1', '198.51.100.1', null], null],
    ['this machine by IPv6', ['::1', null, null], null],
    ['no connection', [undefined, null, null], null],
  ] as const)('is %s', (_name, [remote, forwardedFor, proxy], expected) => {
    expect(clientAddress(remote, forwardedFor, proxy)).toBe(expected)
  })
})
