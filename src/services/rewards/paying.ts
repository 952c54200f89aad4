import { dropPayee, findPayee, insertRelease, payeeTips } from '../../db/payees.ts'
import { isTaken } from '../../db/reward-rules.ts'
import {
  findReward,
  findRewardByCode,
  findRewardByVoucher,
  lockReward,
  rewardsIn,
  updateReward,
} from '../../db/rewards.ts'
import { parseCollectionCode } from '../../domain/collection-code.ts'
import type { Day } from '../../domain/day.ts'
import { DomainError } from '../../domain/errors.ts'
import { rewardRefusal } from '../../domain/reward.ts'
import type { Reader } from '../case-access.ts'
import { isAge } from '../cases/wraps.ts'
import { collectionHash } from '../collection-codes.ts'
import type { Deps } from '../ports.ts'
import type { RewardRules } from '../reward-rules.ts'
import { unlockLayers } from '../two-layer-locks.ts'
import type { WrapLocks } from '../wrap-locks.ts'
import { WAITING_LIMIT, isRewardId, notFound, type RewardMeans } from './means.ts'

const MAX_WRAP_BYTES = 4096

const unknownCode = (): DomainError =>
  new DomainError('not-found', '没有这个领取码。请核对有没有听错、抄错。', [
    { field: 'code', message: '没有这个领取码，请核对。' },
  ])

/** The refusal of a voucher number that stands for another payment; whatever else it was goes on. */
function voucherTaken(error: unknown, field = 'voucher'): unknown {
  if (!isTaken(error)) return error
  const message = '这个凭证号已经用在另一笔发放上，请核对。'
  return new DomainError('invalid-input', message, [{ field, message }])
}

/** A reward to be paid to an account. */
export interface Transfer {
  readonly id: string
  readonly amountFen: number
  readonly department: string
  readonly lastDay: Day | null
  readonly released: boolean
}

/** For the approver both layers, for finance the inner one and the part itself. */
export interface PayeeView {
  readonly tip: string
  readonly recipient: string
  readonly wrapped: { readonly epoch: number; readonly bytes: Uint8Array } | null
  readonly inner: { readonly epoch: number; readonly bytes: Uint8Array } | null
  readonly sealed: Uint8Array | null
}

export interface RewardDesk {
  readonly amountFen: number
  readonly department: string
  readonly lastDay: Day | null
  readonly identityNeeded: boolean
  /** Why it cannot be paid; null when it can. */
  readonly refusal: string | null
}

/** What finance does, at the desk and to an account. */
export interface RewardPaying {
  /** Claimed rewards to be paid to an account: for approvers those to release, for finance those to pay. */
  transfers(reader: Reader): Promise<readonly Transfer[]>
  /** What this member's browser may open of a payee. @throws {DomainError} `not-found` */
  payee(reader: Reader, id: string): Promise<PayeeView>
  /**
   * An approver takes the outer layer off a payee, for finance.
   * @throws {DomainError} `not-found`, `invalid-input`, `reward-transition`
   */
  releasePayee(reader: Reader, id: string, inner: Uint8Array): Promise<void>
  /** Pays to the account that the payee names. @throws {DomainError} as {@link Rewards.pay} */
  transfer(reader: Reader, id: string, voucherNo: string): Promise<{ readonly amountFen: number }>
  /** What lies behind a code, for whoever pays. @throws {DomainError} `forbidden`, `invalid-input`, `not-found` */
  desk(reader: Reader, code: string): Promise<RewardDesk>
  /**
   * Pays against a code. Repeating the same payment changes nothing.
   * @throws {DomainError} `forbidden`, `invalid-input`, `not-found`, `two-people`, `reward-transition`
   */
  pay(
    reader: Reader,
    payment: { readonly code: string; readonly voucherNo: string; readonly identityChecked: boolean },
  ): Promise<{ readonly amountFen: number; readonly repeated: boolean }>
  correctVoucher(reader: Reader, wrong: string, right: string): Promise<void>
}

export function createRewardPaying(
  deps: Deps,
  means: RewardMeans,
  rules: RewardRules,
  locks: WrapLocks,
): RewardPaying {
  const { db, clock, secrets } = deps
  const {
    today,
    caseStands,
    lastDayOf,
    situation,
    must,
    isAnonymous,
    mayDecide,
    mayPayTo,
    allow,
    audit,
    enter,
    step,
    checkVoucher,
  } = means

  return {
    async transfers(reader) {
      allow(reader, ['approver', 'finance'])
      const { calendar } = await deps.plan.current()
      const released = reader.roles.includes('finance')
      const tips = await payeeTips(db, released)
      const claimed = await rewardsIn(db, ['claimed'], WAITING_LIMIT)
      return claimed
        .filter(
          (row) =>
            tips.has(row.tipId) &&
            caseStands(row) &&
            (released ? mayPayTo(row, reader) : mayDecide(row, reader)),
        )
        .map((row) => ({
          id: row.id,
          amountFen: row.amountFen,
          department: row.department,
          lastDay: lastDayOf(row, calendar),
          released,
        }))
    },

    async payee(reader, id) {
      const row = isRewardId(id) ? await findReward(db, id) : undefined
      const found = row?.status === 'claimed' ? await findPayee(db, row.tipId) : null
      if (!row || !found) throw notFound()
      const { part, release } = found
      const view = { tip: row.tipId, recipient: part.recipient, wrapped: null, inner: null, sealed: null }
      if (release !== null && mayPayTo(row, reader)) {
        const inner = { epoch: part.keeper_epoch, bytes: release.inner_layer }
        const sealed = await unlockLayers(locks, { purpose: 'tip.payee', tip: row.tipId }, part)
        if (sealed === null) throw notFound()
        return { ...view, inner, sealed }
      }
      if (release === null && mayDecide(row, reader)) {
        return { ...view, wrapped: { epoch: part.approver_epoch, bytes: part.wrapped } }
      }
      throw notFound()
    },

    async releasePayee(reader, id, inner) {
      if (!isAge(inner) || inner.length > MAX_WRAP_BYTES)
        throw new DomainError('invalid-input', '密封的内容格式不对，请刷新页面重试。')
      await step(
        id,
        (row) => mayDecide(row, reader),
        async (tx, row) => {
          const made =
            row.status === 'claimed' &&
            caseStands(row) &&
            (await findPayee(tx, row.tipId)) !== null &&
            (await insertRelease(tx, {
              tip_id: row.tipId,
              inner_layer: Buffer.from(inner),
              released_by: reader.memberId,
              released_at: clock.now(),
            }))
          if (!made)
            throw new DomainError('reward-transition', '这笔奖励没有等待放行的收款信息，请刷新页面。')
          await audit(tx, reader, 'approver', 'reward.payee.release', id)
        },
      )
    },

    async transfer(reader, id, voucher) {
      allow(reader, ['finance'])
      const voucherNo = checkVoucher(voucher, 'voucher')
      let amountFen = 0
      try {
        await step(
          id,
          (row) => mayPayTo(row, reader),
          async (tx, row, calendar) => {
            const found = await findPayee(tx, row.tipId)
            if (!found?.release) throw notFound()
            must('pay', situation(row, calendar, { member: reader.memberId, identityChecked: true }))
            amountFen = row.amountFen
            await updateReward(tx, row.id, {
              status: 'paid',
              paid_by: reader.memberId,
              paid_day: today(),
              voucher_no: voucherNo,
              anonymous: false,
            })
            await dropPayee(tx, row.tipId)
            await enter(tx, row, 'pay', { member: reader.memberId, role: 'finance' }, { voucherNo })
          },
        )
      } catch (error) {
        throw voucherTaken(error)
      }
      return { amountFen }
    },

    async desk(reader, typed) {
      allow(reader, ['finance'])
      const code = parseCollectionCode(typed)
      const row = code === null ? undefined : await findRewardByCode(db, collectionHash(secrets, code))
      if (!row) throw unknownCode()
      const { calendar } = await deps.plan.current()
      const { anonymous } = await rules.setting()
      // Whether an identity was seen is asked with the payment.
      const at = situation(row, calendar, {
        member: reader.memberId,
        anonymousAllowed: isAnonymous(row, anonymous),
        identityChecked: true,
      })
      return {
        amountFen: row.amountFen,
        department: row.department,
        lastDay: at.lastDay,
        identityNeeded: !at.anonymousAllowed,
        refusal: rewardRefusal('pay', at)?.message ?? null,
      }
    },

    async pay(reader, payment) {
      allow(reader, ['finance'])
      const code = parseCollectionCode(payment.code)
      if (code === null) throw unknownCode()
      const hash = collectionHash(secrets, code)
      const voucherNo = checkVoucher(payment.voucherNo, 'voucher')
      const { calendar } = await deps.plan.current()
      const { anonymous } = await rules.setting()
      const found = await findRewardByCode(db, hash)
      if (!found) throw unknownCode()
      try {
        return await db.transaction().execute(async (tx) => {
          const row = await lockReward(tx, found.id)
          // Replaced by a newer code while we waited.
          if (!row?.codeHash?.equals(hash)) throw unknownCode()
          const { amountFen } = row
          if (row.status === 'paid' && row.paidBy === reader.memberId && row.voucherNo === voucherNo)
            return { amountFen, repeated: true }
          must(
            'pay',
            situation(row, calendar, {
              member: reader.memberId,
              anonymousAllowed: isAnonymous(row, anonymous),
              identityChecked: payment.identityChecked,
            }),
          )
          await updateReward(tx, row.id, {
            status: 'paid',
            paid_by: reader.memberId,
            paid_day: today(),
            voucher_no: voucherNo,
            anonymous: !payment.identityChecked,
          })
          await dropPayee(tx, row.tipId)
          // The books are its record: the console's audit has minutes, and this one would be the reporter's.
          await enter(tx, row, 'pay', { member: reader.memberId, role: 'finance' }, { voucherNo })
          return { amountFen, repeated: false }
        })
      } catch (error) {
        throw voucherTaken(error)
      }
    },

    async correctVoucher(reader, wrong, right) {
      allow(reader, ['finance'])
      const from = checkVoucher(wrong, 'wrong')
      const to = checkVoucher(right, 'right')
      const found = await findRewardByVoucher(db, from)
      const refuse = (field: string, message: string) =>
        new DomainError('invalid-input', message, [{ field, message }])
      if (found?.status !== 'paid') throw refuse('wrong', '没有用这个凭证号发放的奖励。')
      if (from === to) throw refuse('right', '两个凭证号一样。')
      try {
        await step(
          found.id,
          (row) => row.voucherNo === from,
          async (tx, row, calendar) => {
            must('voucher', situation(row, calendar, { member: reader.memberId }))
            await updateReward(tx, row.id, { voucher_no: to })
            const by = { member: reader.memberId, role: 'finance' }
            await enter(tx, row, 'voucher', by, { voucherNo: to, reason: from })
          },
        )
      } catch (error) {
        throw voucherTaken(error, 'right')
      }
    },
  }
}
