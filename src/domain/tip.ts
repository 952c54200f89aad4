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
