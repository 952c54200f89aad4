import type { z } from 'zod'
import type { FieldError } from '../../domain/errors.ts'
import { INACTION_CATEGORY, type Plan } from '../../domain/plan.ts'
import { splitFor } from '../../domain/routing.ts'
import type { TipFacts } from '../../domain/tip.ts'
import { nameProblems, tipPlain } from '../../schemas/tip.ts'

/** The form's pages, in order. `question` is left out when the category asks nothing. */
export const STEPS = ['', 'question', 'where', 'what', 'contact', 'check', 'sent'] as const
export type Step = (typeof STEPS)[number]

export const STEP_TITLES: Readonly<Record<Step, string>> = {
  '': '您要举报什么？',
  question: '再问一句',
  where: '在哪里、什么时候？',
  what: '您看到了什么？',
  contact: '匿名，还是实名？',
  check: '核对后提交',
  sent: '已经收到',
}

/** The fields each page asks for. */
export const STEP_FIELDS: Readonly<Record<Step, readonly (keyof z.infer<typeof tipPlain> | 'identity')[]>> = {
  '': ['category'],
  question: ['answer', 'accused'],
  where: ['area', 'place', 'when', 'urgency'],
  what: ['description', 'checklist'],
  contact: ['identity', 'name', 'contact', 'callback'],
  check: [],
  sent: [],
}

/** Which of how many a page is. The question belongs to the first, so that the count never changes on the way. */
export function progressOf(step: Step): { readonly at: number; readonly of: number } | null {
  const numbered = STEPS.filter((name) => name !== 'question' && name !== 'sent')
  const at = numbered.findIndex((name) => name === (step === 'question' ? '' : step)) + 1
  return at === 0 ? null : { at, of: numbered.length }
}

/** A page's address below the site. */
export const addressOf = (step: Step): string => (step === '' ? '/report/' : `/report/${step}/`)

/** Whether a category needs to know more: its split question, or whom a complaint about inaction is about. */
export function asksMore(plan: Plan, category: string): boolean {
  return category === INACTION_CATEGORY || splitFor(plan, category) !== null
}

/** The page after one; `answered` says that the question came, with its answer, on the first page. */
export function stepAfter(step: Step, plan: Plan, answers: Answers, answered: boolean): Step {
  const to = STEPS[STEPS.indexOf(step) + 1] ?? 'check'
  return to === 'question' && (answered || !asksMore(plan, one(answers, 'category'))) ? 'where' : to
}

export function stepBefore(step: Step, plan: Plan, answers: Answers): Step {
  const to = STEPS[STEPS.indexOf(step) - 1] ?? ''
  return to === 'question' && !asksMore(plan, one(answers, 'category')) ? '' : to
}

export type Answers = Readonly<Record<string, readonly string[]>>

export const one = (answers: Answers, name: string): string => answers[name]?.[0] ?? ''

/** Answers as the tip's schema takes them. */
export function asPlain(answers: Answers): Record<string, unknown> {
  const plain: Record<string, unknown> = {}
  for (const [name, values] of Object.entries(answers))
    plain[name] = name === 'checklist' ? values : values[0]
  // Whoever chose to stay anonymous after all has given no name, whatever still stands in the fields.
  if (!isNamed(answers)) plain['name'] = plain['contact'] = ''
  return plain
}

/** Whether the reporter chose to give a name; anonymous unless told. */
export const isNamed = (answers: Answers): boolean => one(answers, 'identity') === 'named'

/** What is wrong with one page's answers. */
export function problemsOf(step: Step, answers: Answers): FieldError[] {
  const names = STEP_FIELDS[step]
  const parsed = tipPlain.safeParse(asPlain(answers))
  if (step === 'contact' && isNamed(answers)) {
    const missing = (['name', 'contact'] as const).filter((name) => one(answers, name).trim() === '')
    if (missing.length === 2) return missing.map((field) => ({ field, message: MISSING[field] ?? '' }))
    if (missing.length === 1) {
      return nameProblems({ name: one(answers, 'name').trim(), contact: one(answers, 'contact').trim() })
    }
  }
  if (parsed.success) return []
  return parsed.error.issues
    .filter((issue) => names.some((name) => name === issue.path[0]))
    .map((issue) => ({ field: issue.path.join('.'), message: wording(String(issue.path[0]), issue.message) }))
}

/** The first page whose answers will not do; undefined when all will. */
export function firstUnfinished(answers: Answers): Step | undefined {
  return STEPS.find((step) => problemsOf(step, answers).length > 0)
}

/** What a sent page says, by field; what it did not hold keeps its value of before. */
export function answersOn(
  step: Step,
  fields: ReadonlyMap<string, readonly string[]>,
  before: Answers,
): Record<string, readonly string[]> {
  const typed: Record<string, readonly string[]> = {}
  // With JavaScript the question stands under the category and comes with it.
  const asked = step === '' ? [...STEP_FIELDS[''], ...STEP_FIELDS.question] : STEP_FIELDS[step]
  for (const name of asked) {
    const values = fields.get(name)
    // An unticked list sends nothing at all; a missing text field was not on the page.
    if (values || name === 'checklist') typed[name] = values ?? []
  }
  // A new category makes the old answer meaningless.
  if (typed['category'] && typed['category'][0] !== one(before, 'category')) {
    typed['answer'] ??= []
    typed['accused'] ??= []
    typed['checklist'] = []
  }
  return typed
}

/** Answers as routing takes them; without an area yet, as if nobody knew it. */
export function routedBy(answers: Answers): Pick<TipFacts, 'category' | 'answer' | 'area' | 'accused'> {
  return {
    category: one(answers, 'category'),
    answer: one(answers, 'answer') || null,
    area: one(answers, 'area') || 'unsure',
    accused: one(answers, 'accused') || null,
  }
}

const MISSING: Readonly<Record<string, string>> = {
  name: '请写下姓名；不想写就选“匿名”。',
  contact: '请写下联系方式；不想留就选“匿名”。',
  category: '请选择一个类别；不知道选哪个，就选“其他或不清楚”。',
  area: '请选择街道；不知道就选“不清楚或跨街道”。',
  when: '请选择发生的时间。',
}

/** The library speaks English of missing values; the form does not. */
function wording(field: string, message: string): string {
  return /[一-鿿]/.test(message) && MISSING[field] === undefined ? message : (MISSING[field] ?? message)
}
