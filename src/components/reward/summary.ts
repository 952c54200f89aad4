import { yuanText } from '../../domain/money.ts'
import { REWARD_STATUS_LABELS, type RewardStatus } from '../../domain/reward.ts'

/** `500元`, or that nothing is paid. */
export function resultText(reward: { readonly eligible: boolean; readonly amountFen: number }): string {
  return reward.eligible ? yuanText(reward.amountFen) : '不予奖励'
}

export function statusText(status: RewardStatus): string {
  return REWARD_STATUS_LABELS[status]
}
