import { yuanText } from '../../domain/money.ts'
import type { PaidGroup } from '../../domain/reward-ledger.ts'
import { fineTierText, PENALTY_LABELS, TIERED_PENALTIES, type RewardTerms } from '../../domain/reward.ts'
import { dateText } from '../date-text.ts'

/** `60天内`, `30个工作日内` */
export function windowText({ count, unit }: RewardTerms['window']): string {
  return `${count}${unit === 'working' ? '个工作日' : '天'}内`
}

/** Categories by what they are worth, the most first; ids that are not rewarded are left out. */
export function byAmount(
  terms: RewardTerms,
): readonly { readonly amountFen: number; readonly ids: string[] }[] {
  const found = new Map<number, string[]>()
  for (const [id, amountFen] of Object.entries(terms.fixedFen)) {
    found.set(amountFen, [...(found.get(amountFen) ?? []), id])
  }
  return [...found].map(([amountFen, ids]) => ({ amountFen, ids })).sort((a, b) => b.amountFen - a.amountFen)
}

/** What each kind of decision is worth, in the words of the schedule. */
export function byPenalty(terms: RewardTerms): readonly { readonly what: string; readonly amount: string }[] {
  return [
    ...TIERED_PENALTIES.map((kind) => ({
      what: PENALTY_LABELS[kind],
      amount: yuanText(terms.penaltyFen[kind]),
    })),
    ...terms.fineTiers.map((tier, index) => ({
      what: fineTierText(terms.fineTiers, index),
      amount: yuanText(tier.amountFen),
    })),
  ]
}

/** `2026年11月`, `2026年9月至11月` */
export function periodText({ from, until }: Pick<PaidGroup, 'from' | 'until'>): string {
  const begin = dateText(`${from}-01`, 'month')
  if (from === until) return begin
  const end = dateText(`${until}-01`, 'month')
  return from.slice(0, 4) === until.slice(0, 4) ? `${begin}至${end.slice(5)}` : `${begin}至${end}`
}
