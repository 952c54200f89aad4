import { dropPayee } from '../../db/payees.ts'
import { isBeyondBudget } from '../../db/reward-ledger.ts'
import {
  assessableCases,
  findReward,
  openRewards,
  rewardsIn,
  rewardsToInspect,
  storeInspection,
  type AssessableCase,
  type RewardRow,
  updateReward,
} from '../../db/rewards.ts'
import type { Outcome } from '../../domain/case.ts'
import type { Day } from '../../domain/day.ts'
import { DomainError } from '../../domain/errors.ts'
import { SUPERVISION_DEPARTMENT } from '../../domain/plan.ts'
import {
  rewardRefusal,
  type Findings,
  type InspectionResult,
  type InspectionState,
  type ReleaseReason,
  type RewardLine,
  type RewardStatus,
  type SendBackReason,
} from '../../domain/reward.ts'
import type { Reader } from '../case-access.ts'
import type { Deps } from '../ports.ts'
import type { RewardRules } from '../reward-rules.ts'
import { WAITING_LIMIT, isRewardId, notFound, type RewardMeans } from './means.ts'

export interface RewardSummary {
  readonly id: string
  readonly caseNo: string
  readonly category: string
  readonly department: string
  readonly status: RewardStatus
  readonly eligible: boolean
  readonly amountFen: number
  readonly proposedDay: Day
  readonly proposedBy: string
  readonly inspection: InspectionState
  readonly caseStands: boolean
  /** The member's own proposal: somebody else has to decide. */
  readonly own: boolean
}

export interface RewardView extends RewardSummary {
  readonly outcome: Outcome | null
  readonly findings: Findings
  readonly lines: readonly RewardLine[]
  readonly decidedBy: string | null
  readonly decidedDay: Day | null
  readonly sendBackReason: SendBackReason | null
  readonly lastDay: Day | null
  /** Null for officers, as the two below. */
  readonly paidBy: string | null
  readonly paidDay: Day | null
  readonly voucherNo: string | null
  readonly releaseReason: ReleaseReason | null
  /** What this member may do, each with the reason why not yet (null: at once). */
  readonly may: Readonly<Partial<Record<'approve' | 'send-back' | 'release' | 'inspect', string | null>>>
}

export interface WaitingRewards {
  readonly toAssess: readonly AssessableCase[]
  readonly toInspect: readonly RewardSummary[]
  readonly toDecide: readonly RewardSummary[]
  /** Approved, but the case no longer stands as it did. */
  readonly unsettled: readonly RewardSummary[]
}

/** What approvers and inspectors do. */
export interface RewardDeciding {
  /** @throws {DomainError} `forbidden` */
  waiting(reader: Reader): Promise<WaitingRewards>
  /** @throws {DomainError} `not-found` also when it is not the reader's to see */
  detail(reader: Reader, id: string): Promise<RewardView>
  /** The second look at a case that was drawn. @throws {DomainError} `not-found`, `two-people`, `reward-transition` */
  inspect(reader: Reader, id: string, result: InspectionResult): Promise<void>
  /** @throws {DomainError} `not-found`, `forbidden`, `two-people`, `reward-transition`, `budget-exceeded` */
  approve(reader: Reader, id: string): Promise<void>
  sendBack(reader: Reader, id: string, reason: SendBackReason): Promise<void>
  /** Takes a decision back, with its money. `voucherNo` names the document when money came back. */
  release(reader: Reader, id: string, reason: ReleaseReason, voucherNo: string): Promise<void>
}

export function createRewardDeciding(deps: Deps, means: RewardMeans, rules: RewardRules): RewardDeciding {
  const { db } = deps
  const {
    today,
    caseStands,
    inspectionOf,
    situation,
    must,
    mayRead,
    mayDecide,
    isInspector,
    allow,
    audit,
    enter,
    step,
    checkVoucher,
  } = means

  function summary(row: RewardRow, reader: Reader): RewardSummary {
    return {
      id: row.id,
      caseNo: row.caseNo,
      category: row.category,
      department: row.department,
      status: row.status,
      eligible: row.eligible,
      amountFen: row.amountFen,
      proposedDay: row.proposedDay,
      proposedBy: row.proposerName,
      inspection: inspectionOf(row),
      caseStands: caseStands(row),
      own: row.proposedBy === reader.memberId,
    }
  }

  return {
    async waiting(reader) {
      allow(reader, ['officer', 'approver', 'finance', 'auditor', 'admin'])
      const officer = reader.roles.includes('officer')
      const approver = reader.roles.includes('approver')
      const [begun] = await rules.schedules()
      const toAssess =
        officer && begun ? await assessableCases(db, reader.departmentId, begun.validFrom, WAITING_LIMIT) : []
      const proposed = approver ? await rewardsIn(db, ['proposed'], WAITING_LIMIT) : []
      const supervises = reader.departmentId === SUPERVISION_DEPARTMENT
      const drawn = officer
        ? await rewardsToInspect(db, supervises ? null : reader.departmentId, WAITING_LIMIT)
        : []
      const unsettled = approver ? (await openRewards(db)).filter((row) => !caseStands(row)) : []
      const view = (row: RewardRow) => summary(row, reader)
      return {
        toAssess,
        toInspect: drawn.filter((row) => isInspector(row, reader)).map(view),
        toDecide: proposed.filter((row) => mayDecide(row, reader)).map(view),
        unsettled: unsettled.filter((row) => mayDecide(row, reader)).map(view),
      }
    },

    async detail(reader, id) {
      const row = isRewardId(id) ? await findReward(db, id) : undefined
      if (!row || !mayRead(row, reader)) throw notFound()
      const { calendar } = await deps.plan.current()
      const at = situation(row, calendar, { member: reader.memberId })
      const may: Partial<Record<'approve' | 'send-back' | 'release' | 'inspect', string | null>> = {}
      if (mayDecide(row, reader)) {
        for (const action of ['approve', 'send-back', 'release'] as const) {
          const refusal = rewardRefusal(action, at)
          // What its state rules out is not offered; what only waits for something says for what.
          if (!refusal) may[action] = null
          else if (action !== 'release' && row.status === 'proposed') may[action] = refusal.message
        }
      }
      if (isInspector(row, reader) && row.status === 'proposed' && inspectionOf(row) === 'waiting')
        may.inspect = null
      // When the reporter came to collect is nothing for whoever knows the street.
      const collection = reader.roles.some((role) => role === 'approver' || role === 'auditor')
      return {
        ...summary(row, reader),
        outcome: row.outcome,
        findings: row.findings,
        lines: row.lines,
        decidedBy: row.deciderName,
        decidedDay: row.decidedDay,
        sendBackReason: row.sendBackReason,
        lastDay: ['approved', 'claimed'].includes(row.status) ? at.lastDay : null,
        paidBy: collection ? row.payerName : null,
        paidDay: collection ? row.paidDay : null,
        voucherNo: collection ? row.voucherNo : null,
        releaseReason: row.releaseReason,
        may,
      }
    },

    async inspect(reader, id, result) {
      await step(
        id,
        (row) => mayRead(row, reader),
        async (tx, row) => {
          if (!isInspector(row, reader))
            throw new DomainError('two-people', '复查要由没有办过这件案子的另一位承办员来做。')
          if (row.status !== 'proposed' || inspectionOf(row) !== 'waiting')
            throw new DomainError('reward-transition', '这件案子现在不需要复查，请刷新页面。')
          await storeInspection(tx, row.caseId, { result, by: reader.memberId, day: today() })
          await audit(tx, reader, 'officer', `reward.inspect.${result}`, id)
        },
      )
    },

    async approve(reader, id) {
      allow(reader, ['approver'])
      try {
        await step(
          id,
          (row) => mayDecide(row, reader),
          async (tx, row, calendar) => {
            must('approve', situation(row, calendar, { member: reader.memberId }))
            const day = today()
            const year = Number(day.slice(0, 4))
            const decided = { decided_by: reader.memberId, decided_day: day }
            if (row.eligible) {
              await rules.appropriate(tx, day)
              await updateReward(tx, id, { ...decided, status: 'approved', budget_year: year })
              await enter(tx, row, 'approve', { member: reader.memberId, role: 'approver' }, { year })
            } else await updateReward(tx, id, { ...decided, status: 'denied' })
            await audit(tx, reader, 'approver', row.eligible ? 'reward.approve' : 'reward.deny', id)
          },
        )
      } catch (error) {
        if (!isBeyondBudget(error)) throw error
        throw new DomainError('budget-exceeded', '全年预算不够批准这一笔。预算见“账目”，追加要走新版标准。')
      }
    },

    async sendBack(reader, id, reason) {
      allow(reader, ['approver'])
      await step(
        id,
        (row) => mayDecide(row, reader),
        async (tx, row, calendar) => {
          must('send-back', situation(row, calendar, { member: reader.memberId }))
          await updateReward(tx, id, {
            status: 'sent-back',
            decided_by: reader.memberId,
            decided_day: today(),
            send_back_reason: reason,
          })
          await audit(tx, reader, 'approver', 'reward.send-back', id)
        },
      )
    },

    async release(reader, id, reason, voucher) {
      allow(reader, ['approver'])
      await step(
        id,
        (row) => mayDecide(row, reader),
        async (tx, row, calendar) => {
          must('release', situation(row, calendar, { member: reader.memberId }))
          const by = { member: reader.memberId, role: 'approver' }
          if (row.status === 'paid') {
            if (reason !== 'returned') {
              const message = '已经发放的，要等款项退回后才能撤销。'
              throw new DomainError('invalid-input', message, [{ field: 'reason', message }])
            }
            const voucherNo = checkVoucher(voucher, 'voucher')
            await enter(tx, row, 'recover', by, { voucherNo, reason })
          } else if (row.status === 'approved' || row.status === 'claimed') {
            await enter(tx, row, 'release', by, { reason })
          }
          await updateReward(tx, id, {
            status: 'released',
            released_by: reader.memberId,
            released_day: today(),
            release_reason: reason,
          })
          await dropPayee(tx, row.tipId)
          await audit(tx, reader, 'approver', 'reward.release', id)
        },
      )
    },
  }
}
