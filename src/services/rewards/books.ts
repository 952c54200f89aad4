import { dropPayee } from '../../db/payees.ts'
import { allBalances, ledgerPage, paidCells, type EntryRow } from '../../db/reward-ledger.ts'
import { lockReward, openRewards, updateReward } from '../../db/rewards.ts'
import { DomainError } from '../../domain/errors.ts'
import { publishable, type Balances, type PaidGroup } from '../../domain/reward-ledger.ts'
import { rewardRefusal, scheduleOn, type RewardSchedule } from '../../domain/reward.ts'
import type { Reader } from '../case-access.ts'
import { decodeCursor, encodeCursor } from '../cursor.ts'
import type { Deps } from '../ports.ts'
import type { RewardRules } from '../reward-rules.ts'
import type { RewardMeans } from './means.ts'

const LEDGER_PAGE = 100

/** Everything the public may know about rewards; never which case was rewarded. */
export interface PublicRewards {
  /** The schedule in force today; null: rewards are closed. */
  readonly schedule: RewardSchedule | null
  /** Confirmed ones that begin later. */
  readonly upcoming: readonly RewardSchedule[]
  readonly earlier: readonly RewardSchedule[]
  readonly anonymous: boolean
  readonly groups: readonly PaidGroup[]
}

/** What was paid, what may be, and what time alone does. */
export interface RewardBooks {
  public(): Promise<PublicRewards>
  /** The books. @throws {DomainError} `forbidden`, `bad-cursor` */
  ledger(
    reader: Reader,
    cursor: string | null,
  ): Promise<{ readonly items: readonly EntryRow[]; readonly next: string | null }>
  budgets(reader: Reader): Promise<readonly { readonly year: number; readonly balances: Balances }[]>
  /** What time alone does: lets uncollected rewards lapse, opens the year's budget. Answers how many lapsed. */
  tick(): Promise<number>
}

export function createRewardBooks(deps: Deps, means: RewardMeans, rules: RewardRules): RewardBooks {
  const { db } = deps
  const { today, situation, allow, enter } = means

  return {
    async public() {
      const schedules = await rules.schedules()
      const { anonymous } = await rules.setting()
      const day = today()
      const schedule = scheduleOn(schedules, day)
      return {
        schedule,
        upcoming: schedules.filter(({ validFrom }) => validFrom > day),
        earlier: schedules.filter(({ validFrom, id }) => validFrom <= day && id !== schedule?.id).reverse(),
        anonymous,
        groups: publishable(await paidCells(db), day.slice(0, 7)),
      }
    },

    async ledger(reader, cursor) {
      allow(reader, ['auditor', 'finance', 'approver', 'admin'])
      const before = cursor === null ? null : Number(decodeCursor(cursor, 1)[0])
      if (before !== null && !Number.isSafeInteger(before))
        throw new DomainError('bad-cursor', '这个翻页位置无效，请回到第一页重新翻。')
      const rows = await ledgerPage(db, before, LEDGER_PAGE + 1)
      const items = rows.slice(0, LEDGER_PAGE)
      const last = rows.length > LEDGER_PAGE ? items.at(-1) : undefined
      return { items, next: last ? encodeCursor([String(last.id)]) : null }
    },

    async budgets(reader) {
      allow(reader, ['auditor', 'finance', 'approver', 'admin'])
      return allBalances(db)
    },

    async tick() {
      const { calendar } = await deps.plan.current()
      const day = today()
      await db.transaction().execute((tx) => rules.appropriate(tx, day))
      const late = (await openRewards(db)).filter(
        (row) => rewardRefusal('lapse', situation(row, calendar)) === null,
      )
      for (const { id } of late) {
        await db.transaction().execute(async (tx) => {
          const row = await lockReward(tx, id)
          // Collected, or put under review, since it was looked for.
          if (!row || rewardRefusal('lapse', situation(row, calendar)) !== null) return
          await updateReward(tx, id, { status: 'lapsed' })
          await dropPayee(tx, row.tipId)
          await enter(tx, row, 'lapse', { member: null, role: 'system' })
        })
      }
      return late.length
    },
  }
}
