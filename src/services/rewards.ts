import type { Deps } from './ports.ts'
import type { RewardRules } from './reward-rules.ts'
import { createRewardAssessing, type RewardAssessing } from './rewards/assessing.ts'
import { createRewardBooks, type RewardBooks } from './rewards/books.ts'
import { createRewardDeciding, type RewardDeciding } from './rewards/deciding.ts'
import { createRewardMeans } from './rewards/means.ts'
import { createRewardPaying, type RewardPaying } from './rewards/paying.ts'
import { createReporterRewards, type ReporterRewards } from './rewards/reporter.ts'
import type { WrapLocks } from './wrap-locks.ts'

export type { AssessmentView } from './rewards/assessing.ts'
export type { PublicRewards } from './rewards/books.ts'
export type { RewardSummary, RewardView, WaitingRewards } from './rewards/deciding.ts'
export type { PayeeView, RewardDesk, Transfer } from './rewards/paying.ts'
export { REPORTER_STAGES, type Claimed, type ReporterReward, type ReporterStage } from './rewards/reporter.ts'

/** A reward from its assessment to its payment, each step by somebody else, and the books about it. */
export type Rewards = RewardBooks & ReporterRewards & RewardAssessing & RewardDeciding & RewardPaying

export function createRewards(deps: Deps, rules: RewardRules, locks: WrapLocks): Rewards {
  const means = createRewardMeans(deps)
  return {
    ...createRewardBooks(deps, means, rules),
    ...createReporterRewards(deps, means, rules, locks),
    ...createRewardAssessing(deps, means, rules),
    ...createRewardDeciding(deps, means, rules),
    ...createRewardPaying(deps, means, rules, locks),
  }
}
