/** What the site says about one numbered item of a measure, e.g. 15(2). */
export interface ItemText {
  /** `2017-15.2` */
  readonly id: string
  /** One to three sentences. */
  readonly text: string
}

/** A word of the plan that a resident may not know. */
export interface TermText {
  readonly term: string
  readonly meaning: string
}

/**
 * The explanation of one measure of 中原政〔2017〕2号, in our own words. Titles, unit names, dates and figures
 * are those of the plan; the text itself is not copied.
 */
export interface MeasureText {
  /** `2017-14` */
  readonly id: string
  /** One sentence of at most 60 characters, for the index and the page description. */
  readonly summary: string
  /** One to three short paragraphs: what it asks. */
  readonly asks: readonly string[]
  /** Of whom, and which units answer for it. */
  readonly whom: string
  /** By when; says so where the plan gives no date. */
  readonly byWhen: string
  /** What it means for a resident; paragraphs are separated by a line feed. */
  readonly resident: string
  /** What can be reported and what to look for, or that there is nothing; paragraphs as in `resident`. */
  readonly reportable: string
  readonly terms: readonly TermText[]
  /** A slip or a gap of the source that the reader should know of. */
  readonly note: string | null
  /** One text per numbered item, in order; empty where the measure has none. */
  readonly items: readonly ItemText[]
}
