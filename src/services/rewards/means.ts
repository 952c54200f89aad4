import type { Tx } from '../../db/connect.ts'
import { insertEntry } from '../../db/reward-ledger.ts'
import { lockReward, type RewardRow } from '../../db/rewards.ts'
import { dayOf, type Day } from '../../domain/day.ts'
import type { WorkCalendar } from '../../domain/deadline.ts'
import { DomainError } from '../../domain/errors.ts'
import { SUPERVISION_DEPARTMENT } from '../../domain/plan.ts'
import { postingsOf, type EntryKind } from '../../domain/reward-ledger.ts'
import {
  isRewardedOutcome,
  lastCollectionDay,
  rewardRefusal,
  type InspectionState,
  type RewardAction,
  type RewardSituation,
} from '../../domain/reward.ts'
import { recordAudit } from '../audit.ts'
import { isExcluded, rolesFor, type Reader } from '../case-access.ts'
import type { Deps } from '../ports.ts'

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/
const VOUCHER = /^[\p{L}\p{N}〔〕()（）/ -]{3,40}$/u

/** Rewards that the console lists at most. */
export const WAITING_LIMIT = 200
/** States of a case whose outcome holds. */
export const STANDING: readonly string[] = ['published', 'closed']

export const notFound = (): DomainError => new DomainError('not-found', '没有这笔奖励，或者它不归您办理。')
export const noCase = (): DomainError => new DomainError('not-found', '没有这件举报，或者它不归您办理。')

export const isRewardId = (id: string): boolean => UUID.test(id)

/** What the steps of a reward have in common: how it stands, who may see it, its place in the books. */
export type RewardMeans = ReturnType<typeof createRewardMeans>

export function createRewardMeans(deps: Deps) {
  const { db, clock } = deps
  const today = (): Day => dayOf(clock.now())

  const caseStands = (row: Pick<RewardRow, 'caseState' | 'outcome'>): boolean =>
    STANDING.includes(row.caseState) && isRewardedOutcome(row.outcome)

  const inspectionOf = (row: RewardRow): InspectionState =>
    row.selected ? (row.inspection ?? 'waiting') : 'none'

  function lastDayOf(row: RewardRow, calendar: WorkCalendar): Day | null {
    if (row.decidedDay === null || row.publishedDay === null) return null
    return lastCollectionDay(row.terms, calendar, row.decidedDay, row.publishedDay)
  }

  function situation(
    row: RewardRow,
    calendar: WorkCalendar,
    part: Partial<Pick<RewardSituation, 'member' | 'anonymousAllowed' | 'identityChecked'>> = {},
  ): RewardSituation {
    return {
      status: row.status,
      eligible: row.eligible,
      proposedBy: row.proposedBy,
      decidedBy: row.decidedBy,
      paidBy: row.paidBy,
      member: null,
      caseStands: caseStands(row),
      inspection: inspectionOf(row),
      today: today(),
      lastDay: lastDayOf(row, calendar),
      anonymousAllowed: false,
      identityChecked: false,
      ...part,
    }
  }

  function must(action: RewardAction, at: RewardSituation): void {
    const refusal = rewardRefusal(action, at)
    if (!refusal) return
    const { code, message, field } = refusal
    throw new DomainError(code, message, field === undefined ? [] : [{ field, message }])
  }

  /** Whether this reward can be collected without a name: now allowed, and its case could have been drawn. */
  const isAnonymous = (row: RewardRow, allowed: boolean): boolean => allowed && row.drawnPerMille > 0

  /** Somebody of this role may see what was proposed for the case; finance pays codes, not cases. */
  function mayRead(row: RewardRow, reader: Reader): boolean {
    const found = { holder_id: row.holder, state: row.caseState, accused_department_id: row.accused }
    const seen = rolesFor(found, reader)
    return (
      seen.includes('officer') ||
      seen.includes('auditor') ||
      mayDecide(row, reader) ||
      isInspector(row, reader)
    )
  }

  const mayDecide = (row: RewardRow, reader: Reader): boolean =>
    reader.roles.includes('approver') &&
    !isExcluded({ accused_department_id: row.accused }, reader.departmentId)

  /** Who pays to an account sees whose it is: nobody of the department that was complained of. */
  const mayPayTo = (row: RewardRow, reader: Reader): boolean =>
    reader.roles.includes('finance') &&
    !isExcluded({ accused_department_id: row.accused }, reader.departmentId)

  /** A drawn case is looked at again by an officer who had no part in it: of the holder, or of 区政府督查室. */
  function isInspector(row: RewardRow, reader: Reader): boolean {
    return (
      row.selected &&
      reader.roles.includes('officer') &&
      [row.holder, SUPERVISION_DEPARTMENT].includes(reader.departmentId) &&
      ![...row.workedBy, row.concludedBy, row.proposedBy].includes(reader.memberId)
    )
  }

  function allow(reader: Reader, roles: readonly Reader['roles'][number][]): void {
    if (!roles.some((role) => reader.roles.includes(role)))
      throw new DomainError('forbidden', '您的角色没有这个权限。')
  }

  const audit = (tx: Tx, reader: Reader, role: string, action: string, object: string): Promise<void> =>
    recordAudit(tx, { at: clock.now(), memberId: reader.memberId, role, action, object })

  async function enter(
    tx: Tx,
    row: RewardRow,
    kind: EntryKind,
    by: { readonly member: string | null; readonly role: string },
    extra: { readonly voucherNo?: string; readonly reason?: string; readonly year?: number } = {},
  ): Promise<void> {
    const year = extra.year ?? row.budgetYear
    if (year === null) throw new Error(`reward ${row.id} has no budget year`)
    await insertEntry(tx, {
      day: today(),
      kind,
      rewardId: row.id,
      actorId: by.member,
      role: by.role,
      voucherNo: extra.voucherNo ?? null,
      reason: extra.reason ?? null,
      postings: postingsOf(kind, year, row.amountFen),
    })
  }

  /** A step of one reward: locked, seen by the reader, done in one transaction. */
  async function step(
    id: string,
    sees: (row: RewardRow) => boolean,
    act: (tx: Tx, row: RewardRow, calendar: WorkCalendar) => Promise<void>,
  ): Promise<void> {
    if (!isRewardId(id)) throw notFound()
    const { calendar } = await deps.plan.current()
    await db.transaction().execute(async (tx) => {
      const row = await lockReward(tx, id)
      if (!row || !sees(row)) throw notFound()
      await act(tx, row, calendar)
    })
  }

  function checkVoucher(text: string, field: string): string {
    const voucherNo = text.normalize('NFKC').trim()
    if (VOUCHER.test(voucherNo)) return voucherNo
    const message = '请填写凭证号：3 到 40 个字母、数字或汉字。'
    throw new DomainError('invalid-input', message, [{ field, message }])
  }

  return {
    today,
    caseStands,
    inspectionOf,
    lastDayOf,
    situation,
    must,
    isAnonymous,
    mayRead,
    mayDecide,
    mayPayTo,
    isInspector,
    allow,
    audit,
    enter,
    step,
    checkVoucher,
  }
}
