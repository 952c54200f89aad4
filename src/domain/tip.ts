import { MAX_CONTACT, MAX_NAME, type NamedReporter } from './identity.ts'

/** When it happened, as told: one of a few buckets, so that the plain part of a tip cannot carry free text (D§7). */
export const WHEN_BUCKETS = ['now', 'today', 'this-week', 'older', 'recurring'] as const
export type WhenBucket = (typeof WHEN_BUCKETS)[number]

export const WHEN_LABELS: Readonly<Record<WhenBucket, string>> = {
  now: '正在发生',
  today: '今天早些时候',
  'this-week': '最近七天',
  older: '更早',
  recurring: '经常发生',
}

export const URGENCIES = ['danger', 'soon', 'normal'] as const
export type Urgency = (typeof URGENCIES)[number]

export const URGENCY_LABELS: Readonly<Record<Urgency, string>> = {
  danger: '很急：污染很重，或者马上会停、会跑掉',
  soon: '尽快：还在继续，影响生活',
  normal: '不急：希望查清楚、改正',
}

/** Characters, not bytes. */
export const MAX_DESCRIPTION = 3000
export const MAX_PLACE = 300
export const MAX_CALLBACK = 30

/** What the reporter wrote, before sealing. Only the route's recipients read it again. */
export interface Narrative {
  readonly description: string
  readonly place: string
  /** Telephone number to call back; null when no call is wanted. */
  readonly callback: string | null
  /** Ids of the checklist items ticked, e.g. `construction-dust/no-fence`. */
  readonly checklist: readonly string[]
}

/** What the server may read of a tip: values from closed lists, nothing a person wrote. */
export interface TipFacts {
  readonly category: string
  readonly answer: string | null
  readonly area: string
  readonly when: WhenBucket
  readonly urgency: Urgency
  readonly accused: string | null
}

/**
 * Free text as it may be sealed and shown: one kind of line end, no control characters, no blanks around it.
 * Invisible characters are dropped silently: a person cannot see them, so a person cannot correct them.
 */
export function cleanText(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (sign) =>
      sign === '\n' || sign === '\t' ? sign : '',
    )
    .trim()
}

// Chinese mobile and landline numbers, written any usual way; the officer dials them, the program does not.
const PHONE = /^(?:\+?86)?(?:1[3-9]\d{9}|0\d{2,3}\d{7,8}(?:-\d{1,6})?|\d{7,8})$/
const MIN_DESCRIPTION = 5
const MAX_CHECKLIST = 20
const MAX_CHECKLIST_ID = 60

const tooLong = (text: string, max: number): string | null =>
  Array.from(text).length > max ? `最多 ${max} 个字，请删减。` : null

/** A telephone number as it is kept: plain digits, no blanks or brackets. */
export function cleanCallback(text: string): string {
  return text.normalize('NFKC').replace(/[\s()（）-]/g, '')
}

/** What is wrong with a cleaned description, in a sentence; null when nothing is. */
export function descriptionProblem(text: string): string | null {
  if (text.length < MIN_DESCRIPTION) return `请写下您看到了什么，至少 ${MIN_DESCRIPTION} 个字。`
  return tooLong(text, MAX_DESCRIPTION)
}

/** The same of a place, which may be empty. */
export function placeProblem(text: string): string | null {
  return tooLong(text, MAX_PLACE)
}

/** The same of a cleaned number. */
export function callbackProblem(text: string): string | null {
  return PHONE.test(text) ? null : '电话号码不完整，请检查；不想接电话可以留空。'
}

/** How one answer becomes part of the narrative. */
interface SealedRule {
  /** @param typed the field's values as typed, none where the field was not filled in */
  readonly read: (typed: readonly string[]) => string | null | readonly string[]
  readonly problem: (typed: readonly string[]) => string | null
}

/**
 * The answers that only the route's recipients may read, by the name of their field. With JavaScript none of them
 * leaves the browser in plain: what this table names is taken out of every page that is sent, checked here, and sealed.
 */
export const SEALED_FIELDS = {
  description: {
    read: ([text = '']) => cleanText(text),
    problem: ([text = '']) => descriptionProblem(cleanText(text)),
  },
  place: {
    read: ([text = '']) => cleanText(text),
    problem: ([text = '']) => placeProblem(cleanText(text)),
  },
  checklist: {
    read: (ticked) => ticked.filter((id) => id.length <= MAX_CHECKLIST_ID).slice(0, MAX_CHECKLIST),
    problem: () => null,
  },
  callback: {
    read: ([text = '']) => cleanCallback(text) || null,
    problem: ([text = '']) => (cleanCallback(text) === '' ? null : callbackProblem(cleanCallback(text))),
  },
  // Of a named reporter; sealed apart from the rest (sealing/two-layer.ts).
  name: {
    read: ([text = '']) => cleanText(text),
    problem: ([text = '']) => tooLong(cleanText(text), MAX_NAME),
  },
  contact: {
    read: ([text = '']) => cleanText(text),
    problem: ([text = '']) => tooLong(cleanText(text), MAX_CONTACT),
  },
} as const satisfies Readonly<Record<keyof Narrative | keyof NamedReporter, SealedRule>>
export type SealedField = keyof typeof SEALED_FIELDS

export const SEALED_FIELD_NAMES = Object.keys(SEALED_FIELDS) as readonly SealedField[]

export const isSealedField = (name: string): name is SealedField => Object.hasOwn(SEALED_FIELDS, name)

/** Answers of the sealed fields as typed. */
export type SealedAnswers = Readonly<Partial<Record<SealedField, readonly string[]>>>

/** Who the reporter says to be; whether it will do is told by {@link SEALED_FIELDS} and `namedProblems`. */
export function reporterOf(answers: SealedAnswers): NamedReporter {
  return {
    name: SEALED_FIELDS.name.read(answers.name ?? []),
    contact: SEALED_FIELDS.contact.read(answers.contact ?? []),
  }
}

/** The narrative that those answers make; whether they will do is told by {@link SEALED_FIELDS}. */
export function narrativeOf(answers: SealedAnswers): Narrative {
  return {
    description: SEALED_FIELDS.description.read(answers.description ?? []),
    place: SEALED_FIELDS.place.read(answers.place ?? []),
    callback: SEALED_FIELDS.callback.read(answers.callback ?? []),
    checklist: SEALED_FIELDS.checklist.read(answers.checklist ?? []),
  }
}
