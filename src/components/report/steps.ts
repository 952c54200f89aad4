import type { z } from 'zod'
import type { FieldError } from '../../domain/errors.ts'
import { tipPlain } from '../../schemas/tip.ts'

/** The form's pages, in order. `question` is left out when the category asks nothing. */
export const STEPS = ['', 'question', 'where', 'what', 'contact', 'check', 'sent'] as const
export type Step = (typeof STEPS)[number]

export const STEP_TITLES: Readonly<Record<Step, string>> = {
  '': '您要举报什么？',
  question: '再问一句',
  where: '在哪里、什么时候？',
  what: '您看到了什么？',
  contact: '办理人员可以给您打电话吗？',
  check: '核对后提交',
  sent: '已经收到',
}

/** The fields each page asks for. */
export const STEP_FIELDS: Readonly<Record<Step, readonly (keyof z.infer<typeof tipPlain>)[]>> = {
  '': ['category'],
  question: ['answer', 'accused'],
  where: ['area', 'place', 'when', 'urgency'],
  what: ['description', 'checklist'],
  contact: ['callback'],
  check: [],
  sent: [],
}

/** Which of how many a page is. The question belongs to the first, so that the count never changes on the way. */
export function progressOf(step: Step): { readonly at: number; readonly of: number } | null {
  const numbered = STEPS.filter((name) => name !== 'question' && name !== 'sent')
  const at = numbered.findIndex((name) => name === (step === 'question' ? '' : step)) + 1
  return at === 0 ? null : { at, of: numbered.length }
}

export type Answers = Readonly<Record<string, readonly string[]>>

export const one = (answers: Answers, name: string): string => answers[name]?.[0] ?? ''

/** Answers as the tip's schema takes them. */
export function asPlain(answers: Answers): Record<string, unknown> {
  const plain: Record<string, unknown> = {}
  for (const [name, values] of Object.entries(answers))
    plain[name] = name === 'checklist' ? values : values[0]
  return plain
}

/** What is wrong with one page's answers. */
export function problemsOf(step: Step, answers: Answers): FieldError[] {
  const names = STEP_FIELDS[step]
  const parsed = tipPlain.safeParse(asPlain(answers))
  if (parsed.success) return []
  return parsed.error.issues
    .filter((issue) => names.some((name) => name === issue.path[0]))
    .map((issue) => ({ field: issue.path.join('.'), message: wording(String(issue.path[0]), issue.message) }))
}

const MISSING: Readonly<Record<string, string>> = {
  category: '请选择一个类别；不知道选哪个，就选“其他或不清楚”。',
  area: '请选择街道；不知道就选“不清楚或跨街道”。',
  when: '请选择发生的时间。',
}

/** The library speaks English of missing values; the form does not. */
function wording(field: string, message: string): string {
  return /[一-鿿]/.test(message) && MISSING[field] === undefined ? message : (MISSING[field] ?? message)
}
