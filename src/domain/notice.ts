import { isFinished, type CaseState } from './case.ts'
import { addDays, daysBetween, type Day } from './day.ts'
import { isWorkingDay, type DeadlineUnit, type WorkCalendar } from './deadline.ts'
import { DISPATCHER_DEPARTMENT, SUPERVISION_DEPARTMENT } from './plan.ts'

/** What departments are told by mail: that cases came, that a term runs out, that one has run out. */
export const NOTICE_KINDS = ['arrivals', 'due', 'overdue'] as const
export type NoticeKind = (typeof NOTICE_KINDS)[number]

/** How much of a term has passed, in percent; {@link OVERDUE} is beyond its last day. In the order in which they come. */
export const NOTICE_STAGES = [50, 80, 100, 101] as const
export type NoticeStage = (typeof NOTICE_STAGES)[number]
export const OVERDUE = 101 satisfies NoticeStage

/** What a department owes within a term. */
export type DueStep = 'accept' | 'arbitrate' | 'conclude'

export interface Term {
  /** The day that started it, which itself does not count. */
  readonly since: Day
  readonly due: Day
  readonly unit: DeadlineUnit
}

/** One case in a mail: its number and, of a term, which one and how far. */
export interface NoticeItem {
  readonly caseNo: string
  readonly step: DueStep | null
  readonly stage: NoticeStage | null
}

/** The terms that run in a state; none while the reporter is asked, and none when nothing is owed any more. */
export function runningSteps(state: CaseState): readonly DueStep[] {
  if (isFinished(state) || state === 'awaiting_reporter') return []
  if (state === 'routed') return ['accept', 'conclude']
  return state === 'arbitration' ? ['arbitrate', 'conclude'] : ['conclude']
}

/** Days of the unit after `from` up to and with `to`; null when a year on the way has no calendar. */
function daysWithin(calendar: WorkCalendar, from: Day, to: Day, unit: DeadlineUnit): number | null {
  if (unit === 'calendar') return daysBetween(from, to)
  let count = 0
  for (let day = addDays(from, 1); day <= to; day = addDays(day, 1)) {
    const working = isWorkingDay(calendar, day)
    if (working === null) return null
    if (working) count += 1
  }
  return count
}

/**
 * The last stage that the term has reached on a day, or null before the first. The due day itself is 100 %, so a term
 * too short for another stage still has this one.
 */
export function stageOf(calendar: WorkCalendar, term: Term, today: Day): NoticeStage | null {
  if (today > term.due) return OVERDUE
  if (today === term.due) return 100
  const whole = daysWithin(calendar, term.since, term.due, term.unit)
  const passed = daysWithin(calendar, term.since, today, term.unit)
  if (whole === null || passed === null) return null
  const reached = NOTICE_STAGES.filter((stage) => stage < 100 && passed * 100 >= whole * stage)
  return reached.at(-1) ?? null
}

/** Whom a stage concerns, and how far it is for them. */
export interface Told {
  readonly department: string
  readonly stage: NoticeStage
}

/**
 * Who is told that a term has reached a stage: whoever owes the step, for whom its end is the last stage, and beyond it
 * 区政府督查室 as well. Of a complaint about inaction neither the accused nor 区大气办 ever hears (D§6).
 */
export function toldOf(
  step: DueStep,
  stage: NoticeStage,
  found: { readonly holder: string; readonly accused: string | null },
): Told[] {
  const owing = step === 'arbitrate' ? DISPATCHER_DEPARTMENT : found.holder
  const late = stage === OVERDUE
  const told: Told[] = [
    // 区政府督查室 holds some cases itself: one line about each is enough.
    ...(late && owing === SUPERVISION_DEPARTMENT
      ? []
      : [{ department: owing, stage: late ? 100 : stage } satisfies Told]),
    ...(late ? [{ department: SUPERVISION_DEPARTMENT, stage }] : []),
  ]
  const { accused } = found
  return told.filter(
    ({ department }) => accused === null || (department !== accused && department !== DISPATCHER_DEPARTMENT),
  )
}

/** Why a mail did not go out, without a word of what the other side said. */
export const MAIL_FAULTS = [
  'unreachable',
  'timeout',
  'busy',
  'credentials',
  'tls',
  'refused',
  'no-mailbox',
  'interrupted',
] as const
export type MailFault = (typeof MAIL_FAULTS)[number]
