import type { DeadlineState } from '../services/reading.ts'
import type { DatePrecision } from './date-text.ts'

/** Where a date of the plan stands, never "overdue": this site does not know what became of it. */
export const DEADLINE_STATE_LABELS: Readonly<Record<DeadlineState, string>> = {
  past: '期限已过，结果未在本站公布',
  ahead: '期限未到',
  recurring: '定期重复，或跟着工程、季节走',
  none: '原文没有写期限',
}

/** How exactly a date is to be shown. */
export function precisionOf(precision: string | null): DatePrecision {
  return precision === 'month' || precision === 'year' ? precision : 'day'
}

const OPERATORS: Readonly<Record<string, string>> = {
  '<=': '不高于',
  '>=': '不低于',
  '=': '',
  '<': '低于',
  '>': '高于',
}

/** `不高于 30 毫克/立方米` */
export function targetText(target: {
  readonly op: string
  readonly value: number
  readonly unit: string
}): string {
  const unit = target.unit === '%' ? '%' : ` ${target.unit}`
  return `${OPERATORS[target.op] ?? target.op} ${target.value}${unit}`.trim()
}
