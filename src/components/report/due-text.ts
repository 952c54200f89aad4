import type { Due } from '../../domain/deadline.ts'

/** A promised day; its term where the holidays of the year are not known yet. */
export function dueText(due: Due): string {
  return (
    due.day ?? `${due.count} 个${due.unit === 'working' ? '工作日' : '自然日'}内（具体日期待放假安排公布）`
  )
}
