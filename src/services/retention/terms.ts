import type { CaseRow } from '../../db/cases.ts'
import { dayOf, type Day } from '../../domain/day.ts'
import { daysOn, RETENTION_CLASSES, warningOf, type RetentionClass } from '../../domain/retention.ts'
import type { Deps } from '../ports.ts'
import type { RetentionFates } from './fates.ts'

/** How long what is sealed in a case is still there, for its reporter and for who works it. */
export interface CaseRetention {
  /** When its content goes; told from two weeks before. */
  readonly destroyOn: Day | null
  /** An auditor keeps it for the time being. */
  readonly held: boolean
  readonly destroyedDay: Day | null
  /** Once the content is gone: from this day on the receipt code opens nothing; null while it is not known. */
  readonly receiptUntil: Day | null
}

/** How long things are kept, for those whose they are. */
export interface RetentionTerms {
  /** How long each class is kept, by the rules that hold today: for everybody to read. */
  terms(): Promise<readonly { readonly class: RetentionClass; readonly days: number }[]>
  /** The days of a class by the rule that holds today. */
  days(name: RetentionClass): Promise<number>
  /** @param destroyedDay of the tip that is asked about */
  ofCase(row: CaseRow, destroyedDay: Day | null): Promise<CaseRetention>
}

export function createRetentionTerms(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  { schedule, fates }: RetentionFates,
): RetentionTerms {
  return {
    async terms() {
      const rules = await schedule()
      const today = dayOf(clock.now())
      return RETENTION_CLASSES.map((name) => ({ class: name, days: daysOn(rules, name, today) }))
    },

    async days(name) {
      return daysOn(await schedule(), name, dayOf(clock.now()))
    },

    async ofCase(row, destroyedDay) {
      const today = dayOf(clock.now())
      const fate = (await fates(db, [row], await schedule(), destroyedDay)).get(row.id)
      if (!fate) throw new Error('asked about one case')
      const { content, receipt } = fate
      return {
        destroyOn: destroyedDay === null ? warningOf(content, today) : null,
        held: 'kept' in content && content.kept === 'held',
        destroyedDay,
        receiptUntil: destroyedDay !== null && 'due' in receipt ? receipt.due : null,
      }
    },
  }
}
