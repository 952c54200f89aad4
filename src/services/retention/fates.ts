import { loadCase, type CaseRow } from '../../db/cases.ts'
import type { Db, Tx } from '../../db/connect.ts'
import {
  casesWithLayers,
  emptyTips,
  endedCases,
  holdsOf,
  operatorRules,
  rewardDaysOf,
  type EmptyTip,
} from '../../db/retention.ts'
import { addDays, dayOf, type Day } from '../../domain/day.ts'
import {
  fatesOf,
  SHIPPED_SCHEDULE,
  type Fates,
  type RetentionClass,
  type RetentionRule,
} from '../../domain/retention.ts'
import type { Deps } from '../ports.ts'

const BATCH = 50

export interface CaseFate {
  readonly row: CaseRow
  readonly fate: Fates
}

/** The rules that hold, and what they make of the cases there are. */
export type RetentionFates = ReturnType<typeof createRetentionFates>

export function createRetentionFates({ db, clock }: Pick<Deps, 'db' | 'clock'>) {
  const schedule = async (on: Db | Tx = db): Promise<RetentionRule[]> => [
    ...SHIPPED_SCHEDULE,
    ...(await operatorRules(on)),
  ]

  const shortest = (rules: readonly RetentionRule[], name: RetentionClass): number =>
    Math.min(...rules.filter((rule) => rule.class === name).map(({ days }) => days))

  /** What becomes of each of some cases. */
  async function fates(
    on: Db | Tx,
    rows: readonly CaseRow[],
    rules: readonly RetentionRule[],
    destroyedDay: Day | null = null,
  ): Promise<Map<string, Fates>> {
    const ids = rows.map(({ id }) => id)
    const rewards = await rewardDaysOf(on, ids)
    const holds = await holdsOf(on, ids)
    const today = dayOf(clock.now())
    return new Map(
      rows.map((row) => {
        const reward = rewards.get(row.id)
        const facts = {
          receivedDay: row.received_day,
          closedDay: row.closed_day,
          unproven: row.lane === 'unverified' && row.state === 'routed' && row.published_day === null,
          outside: row.outcome === 'outside',
          rewardOpen: reward?.open ?? false,
          rewardDay: reward?.lastDay ?? null,
          paidDay: reward?.paidDay ?? null,
          destroyedDay,
        }
        return [row.id, fatesOf(facts, rules, holds.get(row.id) ?? [], today)]
      }),
    )
  }

  /** Cases batch by batch, with what becomes of them. */
  async function* batches(
    next: (batch: { after: string | null; limit: number }) => Promise<CaseRow[]>,
    rules: readonly RetentionRule[],
  ): AsyncGenerator<CaseFate> {
    let after: string | null = null
    for (;;) {
      const rows: CaseRow[] = await next({ after, limit: BATCH })
      const found = await fates(db, rows, rules)
      for (const row of rows) {
        const fate = found.get(row.id)
        if (fate) yield { row, fate }
      }
      if (rows.length < BATCH) return
      after = rows.at(-1)?.id ?? null
    }
  }

  /** Cases whose content may be over by a day. */
  function endedBy(by: Day, rules: readonly RetentionRule[]): AsyncGenerator<CaseFate> {
    const closedBy = addDays(by, -shortest(rules, 'case'))
    const unverifiedBy = addDays(by, -shortest(rules, 'unverified'))
    return batches((batch) => endedCases(db, { closedBy, unverifiedBy, ...batch }), rules)
  }

  /** Cases in which a name or an account is still sealed. */
  const layersOf = (name: 'identity' | 'payee', rules: readonly RetentionRule[]): AsyncGenerator<CaseFate> =>
    batches((batch) => casesWithLayers(db, `tip.${name}`, batch), rules)

  /** Tips without content, with what becomes of their receipts. */
  async function* receiptsBy(
    by: Day,
    rules: readonly RetentionRule[],
  ): AsyncGenerator<{ tipId: string; fate: Fates }> {
    const destroyedBy = addDays(by, -shortest(rules, 'receipt'))
    let after: string | null = null
    for (;;) {
      const tips: EmptyTip[] = await emptyTips(db, destroyedBy, after, BATCH)
      for (const tip of tips) {
        const fate = (await fates(db, [await loadCase(db, tip.whole)], rules, tip.destroyed_day)).get(
          tip.whole,
        )
        if (fate) yield { tipId: tip.id, fate }
      }
      if (tips.length < BATCH) return
      after = tips.at(-1)?.id ?? null
    }
  }

  return { schedule, fates, endedBy, layersOf, receiptsBy }
}
