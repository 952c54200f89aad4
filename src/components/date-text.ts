import { addDays, type Day } from '../domain/day.ts'

export type DatePrecision = 'day' | 'month' | 'year' | 'week'

/**
 * A day for people: `2017年10月31日`; with month precision `2017年10月`; with week precision, from the Monday given,
 * `2026年11月23日至29日这一周`.
 */
export function dateText(day: Day, precision: DatePrecision = 'day'): string {
  const [year, month, date] = day.split('-').map(Number)
  if (precision === 'year') return `${year}年`
  if (precision === 'month') return `${year}年${month}月`
  const full = `${year}年${month}月${date}日`
  if (precision === 'day') return full
  const [endYear, endMonth, endDate] = addDays(day, 6).split('-').map(Number)
  const end =
    endYear !== year
      ? `${endYear}年${endMonth}月${endDate}日`
      : endMonth !== month
        ? `${endMonth}月${endDate}日`
        : `${endDate}日`
  return `${full}至${end}这一周`
}

/** A week for a table, by its Monday: `2026年11月23日当周`. */
export function shortWeekText(monday: Day): string {
  return `${dateText(monday)}当周`
}

/** An instant (ISO 8601) at +08:00 to the minute, as the meta tags of government pages want it: `2026-11-24 09:05`. */
export function minuteText(instant: string): string {
  const local = new Date(Date.parse(instant) + 8 * 3_600_000).toISOString()
  return `${local.slice(0, 10)} ${local.slice(11, 16)}`
}
