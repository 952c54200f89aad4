import { replacePayee } from '../../db/payees.ts'
import { lockReward, rewardOfTip, tipArrivals, updateReward } from '../../db/rewards.ts'
import type { Outcome } from '../../domain/case.ts'
import { formatCollectionCode } from '../../domain/collection-code.ts'
import type { Day } from '../../domain/day.ts'
import { DomainError } from '../../domain/errors.ts'
import { assess, firstTip, scheduleOn, type RewardLine } from '../../domain/reward.ts'
import type { TwoLayerPart } from '../../sealing/two-layer.ts'
import { collectionHash, newCollectionCode } from '../collection-codes.ts'
import type { Deps } from '../ports.ts'
import type { RewardRules } from '../reward-rules.ts'
import { lockLayers } from '../two-layer-locks.ts'
import type { WrapLocks } from '../wrap-locks.ts'
import { STANDING, noCase, notFound, type RewardMeans } from './means.ts'

/** Where the reporter's reward stands, as the reporter may know it. */
export const REPORTER_STAGES = [
  'closed',
  'pending',
  'refused',
  'review',
  'claimable',
  'claimed',
  'paid',
  'lapsed',
] as const
export type ReporterStage = (typeof REPORTER_STAGES)[number]

export interface ReporterReward {
  readonly stage: ReporterStage
  /** Empty until there is something to tell. */
  readonly lines: readonly RewardLine[]
  readonly amountFen: number | null
  /** Last day to collect; null when nothing runs, or while that year's calendar is missing. */
  readonly lastDay: Day | null
  readonly paidDay: Day | null
  /** The desk asks for an identity document. */
  readonly identityNeeded: boolean
}

/** Shown once; only its HMAC is kept. */
export interface Claimed {
  /** `7QK3F-M4XWG` */
  readonly code: string
  readonly amountFen: number
  readonly lastDay: Day | null
  readonly identityNeeded: boolean
}

/** The reporter's side of a reward. */
export interface ReporterRewards {
  /** The reporter's view of the own tip's reward. */
  ofTip(tipId: string): Promise<ReporterReward>
  /**
   * Answers a collection code, once. `again` replaces one that was given before; the same `seed` repeats its own.
   * With a payee it can also be paid to an account; a new one replaces the one before.
   * @throws {DomainError} `not-found`, `reward-transition`
   */
  claim(tipId: string, seed: string, again: boolean, payee?: TwoLayerPart | null): Promise<Claimed>
}

export function createReporterRewards(
  deps: Deps,
  means: RewardMeans,
  rules: RewardRules,
  locks: WrapLocks,
): ReporterRewards {
  const { db, secrets } = deps
  const { today, caseStands, lastDayOf, situation, must, isAnonymous } = means

  return {
    async ofTip(tipId) {
      const snapshot = await deps.plan.current()
      const schedules = await rules.schedules()
      const { anonymous } = await rules.setting()
      const tip = await db
        .selectFrom('tip')
        .innerJoin('case_file', 'case_file.id', 'tip.case_id')
        .select((eb) => ['tip.day', eb.fn.coalesce('case_file.attached_to', 'case_file.id').as('root')])
        .where('tip.id', '=', tipId)
        .executeTakeFirst()
      const root =
        tip && (await db.selectFrom('case_file').selectAll().where('id', '=', tip.root).executeTakeFirst())
      if (!root) throw noCase()
      const nothing = { lines: [], amountFen: null, lastDay: null, paidDay: null, identityNeeded: !anonymous }
      const schedule = scheduleOn(schedules, tip.day)
      if (!schedule) return { ...nothing, stage: 'closed' }

      const reward = await rewardOfTip(db, tipId)
      const known = reward && {
        lines: reward.lines,
        amountFen: reward.amountFen,
        lastDay: lastDayOf(reward, snapshot.calendar),
        paidDay: reward.paidDay,
        identityNeeded: !isAnonymous(reward, anonymous),
      }
      // Money that was paid or forfeited stays so, whatever becomes of the case.
      if (known && (reward.status === 'paid' || reward.status === 'lapsed'))
        return { ...known, stage: reward.status }
      if (!STANDING.includes(root.state))
        return { ...nothing, stage: root.published_day === null ? 'pending' : 'review' }
      if (known && caseStands(reward)) {
        if (reward.status === 'denied') return { ...known, amountFen: null, lastDay: null, stage: 'refused' }
        if (reward.status === 'approved') return { ...known, stage: 'claimable' }
        if (reward.status === 'claimed') return { ...known, stage: 'claimed' }
      }
      const tips = await tipArrivals(db, root.id)
      const { lines } = assess(
        {
          category: root.category_id,
          categoryName: snapshot.categories.get(root.category_id)?.name ?? root.category_id,
          outcome: root.outcome as Outcome | null,
          decisionNo: null,
          first: firstTip(tips)?.id === tipId,
          findings: null,
        },
        schedule,
      )
      const refused = lines.some((line) => line.kind === 'condition' && !line.met)
      return { ...nothing, lines: refused ? lines : [], stage: refused ? 'refused' : 'pending' }
    },

    async claim(tipId, seed, again, payee = null) {
      const { calendar } = await deps.plan.current()
      const { anonymous } = await rules.setting()
      const own = await rewardOfTip(db, tipId)
      if (!own) throw new DomainError('reward-transition', '这件举报没有可以领取的奖励。')
      const code = newCollectionCode(secrets, own.id, seed)
      const hash = collectionHash(secrets, code)
      const address = { purpose: 'tip.payee', tip: tipId } as const
      const locked = payee && (await lockLayers(locks, address, payee.sealed))
      return db.transaction().execute(async (tx) => {
        const row = await lockReward(tx, own.id)
        if (!row) throw notFound()
        must('claim', situation(row, calendar))
        if (row.status === 'claimed' && !again && row.codeHash?.equals(hash) !== true) {
          throw new DomainError(
            'reward-transition',
            '领取码已经给过一次。没有记下的，可以换一个新的，旧的随即作废。',
          )
        }
        await updateReward(tx, row.id, {
          status: 'claimed',
          claimed_day: row.claimedDay ?? today(),
          code_hash: hash,
        })
        if (payee && locked) {
          await replacePayee(tx, {
            tip_id: tipId,
            recipient: payee.recipient,
            ...locked,
            keeper: payee.keeper,
            keeper_epoch: payee.keeperEpoch,
            approver_epoch: payee.approverEpoch,
            wrapped: Buffer.from(payee.wrapped),
          })
        }
        return {
          code: formatCollectionCode(code),
          amountFen: row.amountFen,
          lastDay: lastDayOf(row, calendar),
          identityNeeded: !isAnonymous(row, anonymous),
        }
      })
    },
  }
}
