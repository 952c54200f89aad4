import { describe, expect, it } from 'vitest'
import { createRequestCounters } from '../../src/http/counters.ts'

const at = (time: string): Date => new Date(`2026-11-25T${time}+08:00`)

function counted(): {
  told: [string, Readonly<Record<string, number>>][]
  counters: ReturnType<typeof createRequestCounters>
} {
  const told: [string, Readonly<Record<string, number>>][] = []
  return { told, counters: createRequestCounters((period, counts) => told.push([period, counts])) }
}

describe('the counters of requests', () => {
  it('tell of reading by ten minutes: route, status and how long, never which page', () => {
    const { told, counters } = counted()
    counters.count('/cases/ZY-2611-7QK3F/', 200, 12, at('10:01:00'))
    counters.count('/cases/ZY-2611-00000/', 200, 49.9, at('10:09:59'))
    counters.count('/cases/', 404, 50, at('10:09:59'))
    counters.count('/proof/0189c0de/', 200, 6000, at('10:09:59'))
    counters.count('/anything?q=secret', 404, 1, at('10:09:59'))
    counters.turn(at('10:09:59'))
    expect(told).toEqual([])
    counters.turn(at('10:10:00'))
    expect(told).toEqual([
      [
        '2026-11-25T02:00',
        {
          '/cases/… 200 <50ms': 2,
          '/cases/… 404 <200ms': 1,
          '/proof/{id}/ 200 >=5000ms': 1,
          'other 404 <50ms': 1,
        },
      ],
    ])
  })

  it('tell of a period when the clock asks, not when a request comes', () => {
    const { told, counters } = counted()
    counters.count('/report/', 200, 10, at('23:59:00'))
    counters.count('/report/', 200, 10, new Date('2026-11-26T00:00:01+08:00'))
    expect(told).toEqual([])
    counters.turn(new Date('2026-11-26T00:10:00+08:00'))
    expect(told).toEqual([['2026-11-25', { '/report/… 200 <50ms': 1 }]])
  })

  it('tell of a reporter’s routes by the day, never finer', () => {
    const { told, counters } = counted()
    for (const path of ['/report/', '/report/check/', '/track/', '/api/v1/tips', '/api/v1/tips/x'])
      counters.count(path, 200, 100, at('09:00:00'))
    for (const path of ['/api/v1/receipts/open', '/api/v1/challenges', '/api/v1/uploads/secret'])
      counters.count(path, 404, 900, at('23:50:00'))
    counters.turn(at('23:59:59'))
    expect(told).toEqual([])
    counters.turn(new Date('2026-11-26T00:00:00+08:00'))
    expect(told).toEqual([
      [
        '2026-11-25',
        {
          '/report/… 200 <200ms': 2,
          '/track/ 200 <200ms': 1,
          '/api/v1/tips 200 <200ms': 2,
          '/api/v1/uploads 404 <1000ms': 1,
          '/api/v1/receipts/… 404 <1000ms': 1,
          '/api/v1/challenges 404 <1000ms': 1,
        },
      ],
    ])
  })
})
