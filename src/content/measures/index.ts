import { section1 } from './section-1.ts'
import { section2 } from './section-2.ts'
import { section3 } from './section-3.ts'
import { section4 } from './section-4.ts'
import { section5 } from './section-5.ts'
import { section6 } from './section-6.ts'
import { section7 } from './section-7.ts'
import { section8 } from './section-8.ts'
import type { MeasureText } from './types.ts'

export type { ItemText, MeasureText, TermText } from './types.ts'

/** The explanations by measure id (`2017-14`), in the order of the plan. */
export const MEASURE_TEXTS: ReadonlyMap<string, MeasureText> = new Map(
  [section1, section2, section3, section4, section5, section6, section7, section8]
    .flat()
    .map((text) => [text.id, text]),
)
