import chineseDays from 'chinese-days'
import type { WorkCalendar } from '../../src/domain/deadline.ts'
import { addDays, type Day } from '../../src/domain/day.ts'

/** The plan's own year, and the years in which cases can be due. A year enters only when its schedule is published. */
const WANTED_YEARS = [2017, 2024, 2025, 2026, 2027]

/** A year's notice of the State Council names at least these three holidays; with them the year is complete. */
const ALWAYS_NAMED = ['01-01', '05-01', '10-01']

/**
 * The official working days of China by the package `chinese-days`, for those wanted years it has the schedule of.
 * The package answers other years by weekday alone; such a year is left out, so that no date is promised on a guess.
 * @source 国务院办公厅关于部分节假日安排的通知, yearly, as collected by chinese-days 1.5.7 (2004-2026)
 */
export function loadCalendar(): WorkCalendar {
  const years = new Set<number>()
  const holidays = new Set<Day>()
  const makeUpDays = new Set<Day>()
  for (const year of WANTED_YEARS) {
    const first = `${year}-01-01`
    const named = new Set(chineseDays.getHolidaysInRange(first, `${year}-12-31`, false))
    if (!ALWAYS_NAMED.every((monthDay) => named.has(`${year}-${monthDay}`))) continue
    years.add(year)
    for (let day = first; day.startsWith(`${year}`); day = addDays(day, 1)) {
      const weekday = new Date(`${day}T00:00:00Z`).getUTCDay()
      const weekend = weekday === 0 || weekday === 6
      const works = chineseDays.isWorkday(day)
      if (works && weekend) makeUpDays.add(day)
      if (!works && !weekend) holidays.add(day)
    }
  }
  return { years, holidays, makeUpDays }
}
