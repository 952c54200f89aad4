import chineseDays from 'chinese-days'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadCalendar } from '../../db/seed/calendar.ts'
import { addDays } from '../../src/domain/day.ts'
import {
  addWorkingDays,
  DEADLINE_STEPS,
  DEFAULT_DEADLINE_RULES,
  dueDay,
  isWorkingDay,
  type DeadlineRule,
} from '../../src/domain/deadline.ts'

const calendar = loadCalendar()

describe('the calendar', () => {
  it('holds the plan year and every published year from 2024 on, and no other', () => {
    expect([...calendar.years]).toEqual([2017, 2024, 2025, 2026])
  })

  it('equals chinese-days on every day of its years', () => {
    for (const year of calendar.years) {
      let days = 0
      for (let day = `${year}-01-01`; day <= `${year}-12-31`; day = addDays(day, 1), days++) {
        expect(isWorkingDay(calendar, day), day).toBe(chineseDays.isWorkday(day))
      }
      expect(days).toBeGreaterThanOrEqual(365)
    }
  })

  it('knows the long holiday of 2026 with its make-up days', () => {
    expect(isWorkingDay(calendar, '2026-02-14')).toBe(true)
    expect(isWorkingDay(calendar, '2026-02-23')).toBe(false)
    expect(isWorkingDay(calendar, '2026-02-28')).toBe(true)
    expect(isWorkingDay(calendar, '2026-11-24')).toBe(true)
    expect(isWorkingDay(calendar, '2026-11-28')).toBe(false)
  })

  it('does not know a year that is not loaded', () => {
    expect(isWorkingDay(calendar, '2027-01-04')).toBeNull()
    expect(isWorkingDay(calendar, '2018-01-02')).toBeNull()
  })
})

describe('adding working days', () => {
  it('does not count the first day', () => {
    expect(addWorkingDays(calendar, '2026-11-24', 2)).toBe('2026-11-26')
    expect(addWorkingDays(calendar, '2026-11-27', 1)).toBe('2026-11-30')
  })

  it('walks over the spring festival and works on its make-up Saturdays', () => {
    expect(addWorkingDays(calendar, '2026-02-13', 1)).toBe('2026-02-14')
    expect(addWorkingDays(calendar, '2026-02-14', 1)).toBe('2026-02-24')
    expect(addWorkingDays(calendar, '2026-02-27', 1)).toBe('2026-02-28')
  })

  it('promises no date in a year without a calendar', () => {
    expect(addWorkingDays(calendar, '2026-12-31', 1)).toBeNull()
    expect(addWorkingDays(calendar, '2026-12-29', 15)).toBeNull()
    expect(addWorkingDays(calendar, '2026-12-29', 1)).toBe('2026-12-30')
  })

  it('refuses a count that is no number of days', () => {
    expect(() => addWorkingDays(calendar, '2026-01-01', 0)).toThrow(RangeError)
    expect(() => addWorkingDays(calendar, '2026-01-01', 1.5)).toThrow(RangeError)
  })

  it('lands on a working day with exactly that many in between', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 1, max: 60 }), (offset, count) => {
        const from = addDays('2024-01-01', offset)
        const due = addWorkingDays(calendar, from, count)
        if (due === null) {
          expect(addDays(from, 3 * count + 15) > '2026-12-31').toBe(true)
          return
        }
        expect(isWorkingDay(calendar, due)).toBe(true)
        expect(chineseDays.getWorkdaysInRange(addDays(from, 1), due, true)).toHaveLength(count)
      }),
    )
  })
})

describe('a promise', () => {
  it('is the default of the design', () => {
    const on = (step: DeadlineRule['step']) =>
      dueDay(DEFAULT_DEADLINE_RULES, calendar, 'fireworks', step, '2026-11-24')
    expect(on('accept')).toEqual({ day: '2026-11-26', count: 2, unit: 'working' })
    expect(on('conclude')).toEqual({ day: '2026-12-15', count: 15, unit: 'working' })
    expect(on('conclude-complex')).toEqual({ day: '2027-01-23', count: 60, unit: 'calendar' })
    expect(on('arbitrate')).toEqual({ day: '2026-11-25', count: 1, unit: 'working' })
    expect(on('reporter-answer')).toEqual({ day: '2026-12-01', count: 5, unit: 'working' })
    expect(on('dispute')).toEqual({ day: '2026-12-09', count: 15, unit: 'calendar' })
    expect(DEFAULT_DEADLINE_RULES.map(({ step }) => step)).toEqual([...DEADLINE_STEPS])
  })

  it('keeps its length when the calendar is missing', () => {
    expect(dueDay(DEFAULT_DEADLINE_RULES, calendar, 'other', 'conclude', '2026-12-20')).toEqual({
      day: null,
      count: 15,
      unit: 'working',
    })
  })

  it('takes the rule of the category, and only in its days', () => {
    const rules: DeadlineRule[] = [
      ...DEFAULT_DEADLINE_RULES,
      {
        category: 'fireworks',
        step: 'accept',
        count: 1,
        unit: 'calendar',
        validFrom: '2026-02-01',
        validUntil: '2026-03-01',
      },
      {
        category: null,
        step: 'accept',
        count: 3,
        unit: 'working',
        validFrom: '2026-06-01',
        validUntil: null,
      },
    ]
    const count = (category: string, from: string) => dueDay(rules, calendar, category, 'accept', from).count
    expect(count('fireworks', '2026-01-31')).toBe(2)
    expect(count('fireworks', '2026-02-01')).toBe(1)
    expect(count('fireworks', '2026-03-01')).toBe(1)
    expect(count('fireworks', '2026-03-02')).toBe(2)
    expect(count('other', '2026-02-01')).toBe(2)
    expect(count('other', '2026-06-01')).toBe(3)
  })

  it('does not invent one where no rule is in force', () => {
    expect(() => dueDay([], calendar, 'other', 'accept', '2026-01-01')).toThrow(/no deadline rule/)
  })
})
