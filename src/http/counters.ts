import { dayOf } from '../domain/day.ts'

/** What is told of requests: how many, by route, status and time taken. Nothing of any single one. */
export interface RequestCounters {
  /** @param ms what the answer took */
  count(path: string, status: number, ms: number, now: Date): void
  /** Tells of the periods that have ended by `now`. */
  turn(now: Date): void
}

/** One line: counts by `route status bucket`. */
export type TellCounts = (period: string, counts: Readonly<Record<string, number>>) => void

// Whoever reports comes this way, the form's own questions and its refusals included: counted by the day, never finer
// (the rows say no more either).
const REPORTING: Readonly<Record<string, string>> = {
  '/report': '/report/…',
  '/track': '/track/',
  '/problems': '/problems/…',
  '/api/v1/tips': '/api/v1/tips',
  '/api/v1/uploads': '/api/v1/uploads',
  '/api/v1/receipts': '/api/v1/receipts/…',
  '/api/v1/challenges': '/api/v1/challenges',
  '/api/v1/routing': '/api/v1/routing',
  '/api/v1/recipients': '/api/v1/recipients',
}
const READING: typeof REPORTING = {
  '/': '/',
  '/assets': '/assets/…',
  '/api/v1/staff': '/api/v1/staff/…',
  '/staff': '/staff/…',
  '/proof': '/proof/{id}/',
  '/healthz': '/healthz',
  '/readyz': '/readyz',
  ...Object.fromEntries(
    ['measures', 'departments', 'cases', 'lists', 'rewards', 'about'].map((name) => [
      `/${name}`,
      `/${name}/…`,
    ]),
  ),
}
const API = '/api/v1/'
const BUCKETS_MS = [50, 200, 1000, 5000]
const TEN_MINUTES_MS = 600_000

/** What a path begins with: its first part, of the API the part after the version. */
function headOf(path: string): string {
  const end = path.indexOf('/', path.startsWith(API) ? API.length : 1)
  return end < 0 ? path : path.slice(0, end)
}

function bucketOf(ms: number): string {
  const limit = BUCKETS_MS.find((one) => ms < one)
  return limit === undefined ? `>=${BUCKETS_MS.at(-1) ?? 0}ms` : `<${limit}ms`
}

/**
 * Counts in memory. A period that the program does not live to the end of is told by nobody: half a day of a
 * reporter's routes would say more than the day.
 */
export function createRequestCounters(tell: TellCounts): RequestCounters {
  const tallies = {
    day: { period: '', counts: new Map<string, number>() },
    tenMinutes: { period: '', counts: new Map<string, number>() },
  }
  /** End of the present ten minutes, in ms since 1970; days end with one too. */
  let until = 0
  // Told by the clock, never by the first request after it: that would tell when it came.
  let ended: [period: string, counts: Readonly<Record<string, number>>][] = []

  function turnTo(tally: (typeof tallies)[keyof typeof tallies], period: string): void {
    if (tally.period === period) return
    if (tally.counts.size > 0) ended.push([tally.period, Object.fromEntries([...tally.counts].sort())])
    tally.counts.clear()
    tally.period = period
  }

  function move(now: Date): void {
    if (now.getTime() < until) return
    turnTo(tallies.day, dayOf(now))
    const start = Math.floor(now.getTime() / TEN_MINUTES_MS) * TEN_MINUTES_MS
    until = start + TEN_MINUTES_MS
    turnTo(tallies.tenMinutes, new Date(start).toISOString().slice(0, 16))
  }

  return {
    turn(now) {
      move(now)
      for (const [period, counts] of ended) tell(period, counts)
      ended = []
    },
    count(path, status, ms, now) {
      move(now)
      const head = headOf(path)
      const reporting = REPORTING[head]
      const { counts } = reporting === undefined ? tallies.tenMinutes : tallies.day
      const reading = READING[head] ?? (path.startsWith(API) ? '/api/v1/…' : 'other')
      const key = `${reporting ?? reading} ${status} ${bucketOf(ms)}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    },
  }
}
