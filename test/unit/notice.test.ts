import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadCalendar } from '../../db/seed/calendar.ts'
import { CASE_STATES } from '../../src/domain/case.ts'
import { addDays, type Day } from '../../src/domain/day.ts'
import { termEnd } from '../../src/domain/deadline.ts'
import {
  OVERDUE,
  runningSteps,
  stageOf,
  toldOf,
  type NoticeStage,
  type Term,
} from '../../src/domain/notice.ts'

const calendar = loadCalendar()
const stagesUntil = (term: Term, last: Day): (NoticeStage | null)[] => {
  const seen: (NoticeStage | null)[] = []
  for (let day = term.since; day <= last; day = addDays(day, 1)) seen.push(stageOf(calendar, term, day))
  return seen
}

describe('the stage of a term', () => {
  it('of ten calendar days turns on the fifth, the eighth and the tenth', () => {
    const term: Term = { since: '2026-11-02', due: '2026-11-12', unit: 'calendar' }
    expect(stagesUntil(term, '2026-11-13')).toEqual([
      ...[null, null, null, null, null],
      ...[50, 50, 50, 80, 80],
      100,
      OVERDUE,
    ])
  })

  it('of working days turns by working days, with holidays and make-up days', () => {
    // 2026-09-30 is a Wednesday before seven days of holiday; Saturday 2026-10-10 is worked.
    const since = '2026-09-28'
    const due = termEnd(calendar, since, 4, 'working')
    expect(due).toBe('2026-10-09')
    const term: Term = { since, due: due ?? '', unit: 'working' }
    const turns = [
      ['2026-09-28', null],
      ['2026-09-29', null],
      ['2026-09-30', 50],
      ['2026-10-07', 50],
      ['2026-10-08', 50],
      ['2026-10-09', 100],
      ['2026-10-10', OVERDUE],
    ] as const
    for (const [day, stage] of turns) expect([day, stageOf(calendar, term, day)]).toEqual([day, stage])
  })

  it('of two working days is half on the first and due on the second', () => {
    const term: Term = { since: '2026-11-25', due: '2026-11-27', unit: 'working' }
    expect(stagesUntil(term, '2026-11-27')).toEqual([null, 50, 100])
  })

  it('is not known in a year without a calendar, but its end is', () => {
    const term: Term = { since: '2031-01-06', due: '2031-01-27', unit: 'working' }
    expect(stageOf(calendar, term, '2031-01-20')).toBeNull()
    expect(stageOf(calendar, term, '2031-01-27')).toBe(100)
    expect(stageOf(calendar, term, '2031-01-28')).toBe(OVERDUE)
  })

  it('never goes back, and is 100 on the due day alone', () => {
    const day = fc.integer({ min: 0, max: 250 }).map((days) => addDays('2026-01-05', days))
    fc.assert(
      fc.property(
        day,
        fc.integer({ min: 1, max: 60 }),
        fc.constantFrom('working', 'calendar'),
        (since, count, unit) => {
          const due = termEnd(calendar, since, count, unit)
          fc.pre(due !== null)
          const seen = stagesUntil({ since, due: due ?? '', unit }, addDays(due ?? '', 3)).map(
            (stage) => stage ?? 0,
          )
          expect(seen).toEqual(seen.toSorted((a, b) => a - b))
          expect(seen.filter((stage) => stage === 100)).toHaveLength(1)
          expect(seen.filter((stage) => stage === OVERDUE)).toHaveLength(3)
        },
      ),
    )
  })
})

describe('the terms that run', () => {
  it('are those of what is owed in each state', () => {
    expect(Object.fromEntries(CASE_STATES.map((state) => [state, runningSteps(state)]))).toEqual({
      received: ['conclude'],
      routed: ['accept', 'conclude'],
      accepted: ['conclude'],
      working: ['conclude'],
      returned: ['conclude'],
      reopened: ['conclude'],
      arbitration: ['arbitrate', 'conclude'],
      awaiting_reporter: [],
      concluded: [],
      published: [],
      closed: [],
      attached: [],
    })
  })
})

describe('who is told', () => {
  const plain = { holder: 'qu-huanbao', accused: null }

  it('is the holder until the end, and 区政府督查室 beyond it', () => {
    expect(toldOf('conclude', 80, plain)).toEqual([{ department: 'qu-huanbao', stage: 80 }])
    expect(toldOf('conclude', 100, plain)).toEqual([{ department: 'qu-huanbao', stage: 100 }])
    expect(toldOf('accept', OVERDUE, plain)).toEqual([
      { department: 'qu-huanbao', stage: 100 },
      { department: 'qu-duchashi', stage: OVERDUE },
    ])
  })

  it('is 区大气办 while it has to decide', () => {
    expect(toldOf('arbitrate', 100, plain)).toEqual([{ department: 'qu-daqiban', stage: 100 }])
  })

  it('is 区政府督查室 once about what it holds itself', () => {
    const held = { holder: 'qu-duchashi', accused: 'qu-huanbao' }
    expect(toldOf('conclude', OVERDUE, held)).toEqual([{ department: 'qu-duchashi', stage: OVERDUE }])
  })

  it('is never the accused, nor 区大气办 where somebody is accused', () => {
    for (const accused of ['qu-huanbao', 'qu-duchashi', 'qu-daqiban']) {
      for (const holder of ['qu-huanbao', 'qu-duchashi', 'qu-daqiban', 'qu-jianshe']) {
        for (const step of ['accept', 'arbitrate', 'conclude'] as const) {
          for (const stage of [50, 80, 100, OVERDUE] as const) {
            const told = toldOf(step, stage, { holder, accused }).map(({ department }) => department)
            expect(told).not.toContain(accused)
            expect(told).not.toContain('qu-daqiban')
          }
        }
      }
    }
  })
})
