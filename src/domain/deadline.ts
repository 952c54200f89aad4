import { addDays, type Day } from './day.ts'

/** The years whose official schedule is known, and how they differ from Monday to Friday. */
export interface WorkCalendar {
  readonly years: ReadonlySet<number>
  /** Weekdays on which nobody works. */
  readonly holidays: ReadonlySet<Day>
  /** Saturdays and Sundays on which everybody works (调休). */
  readonly makeUpDays: ReadonlySet<Day>
}

export const DEADLINE_STEPS = [
  'accept',
  'conclude',
  'conclude-complex',
  'arbitrate',
  'reporter-answer',
  'dispute',
] as const
export type DeadlineStep = (typeof DEADLINE_STEPS)[number]

export type DeadlineUnit = 'working' | 'calendar'

/** One promise of the operator; editable data, with the days on which it applies (both inclusive). */
export interface DeadlineRule {
  /** Null for every category without a rule of its own. */
  readonly category: string | null
  readonly step: DeadlineStep
  readonly count: number
  readonly unit: DeadlineUnit
  readonly validFrom: Day
  readonly validUntil: Day | null
}

export interface Due {
  /** Null when a needed year has no calendar yet: "N working days, date pending calendar". */
  readonly day: Day | null
  readonly count: number
  readonly unit: DeadlineUnit
}

const SINCE = '2017-01-01'

function forAll(step: DeadlineStep, count: number, unit: DeadlineUnit): DeadlineRule {
  return { category: null, step, count, unit, validFrom: SINCE, validUntil: null }
}

/** The promises of D§5 with which a new installation starts. */
export const DEFAULT_DEADLINE_RULES: readonly DeadlineRule[] = [
  forAll('accept', 2, 'working'),
  forAll('conclude', 15, 'working'),
  forAll('conclude-complex', 60, 'calendar'),
  forAll('arbitrate', 1, 'working'),
  forAll('reporter-answer', 5, 'working'),
  forAll('dispute', 15, 'calendar'),
]

/** Whether people work on the day; null when its year is not loaded. */
export function isWorkingDay(calendar: WorkCalendar, day: Day): boolean | null {
  if (!calendar.years.has(Number(day.slice(0, 4)))) return null
  if (calendar.holidays.has(day)) return false
  if (calendar.makeUpDays.has(day)) return true
  const weekday = new Date(`${day}T00:00:00Z`).getUTCDay()
  return weekday !== 0 && weekday !== 6
}

/**
 * The `count`-th working day after `from`; the day itself does not count. Null when a year on the way is not loaded.
 * @source 中华人民共和国民法典 第二百零一条 (2021-01-01): 按照年、月、日计算期间的，开始的当日不计入，自下一日开始计算
 */
export function addWorkingDays(calendar: WorkCalendar, from: Day, count: number): Day | null {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`${count} is not a number of working days`)
  let day = from
  for (let left = count; left > 0;) {
    day = addDays(day, 1)
    const working = isWorkingDay(calendar, day)
    if (working === null) return null
    if (working) left -= 1
  }
  return day
}

/** When a term of `count` days that starts on `from` ends. */
export function termEnd(calendar: WorkCalendar, from: Day, count: number, unit: DeadlineUnit): Day | null {
  return unit === 'calendar' ? addDays(from, count) : addWorkingDays(calendar, from, count)
}

/**
 * The last day for a step that starts on `from`. The category's own rule goes before the common one; of several in
 * force the latest counts.
 * @throws Error when no rule is in force: the table is incomplete, which the console must not allow.
 */
export function dueDay(
  rules: readonly DeadlineRule[],
  calendar: WorkCalendar,
  category: string,
  step: DeadlineStep,
  from: Day,
): Due {
  const inForce = rules
    .filter((rule) => rule.step === step && rule.validFrom <= from)
    .filter((rule) => rule.validUntil === null || from <= rule.validUntil)
    .sort((a, b) => (a.validFrom < b.validFrom ? 1 : -1))
  const rule =
    inForce.find((each) => each.category === category) ?? inForce.find((each) => each.category === null)
  if (!rule) throw new Error(`no deadline rule for ${step} on ${from}`)
  return { day: termEnd(calendar, from, rule.count, rule.unit), count: rule.count, unit: rule.unit }
}
