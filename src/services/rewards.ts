import type { CaseRow } from '../db/cases.ts'
import type { Tx } from '../db/connect.ts'
import { findCase, lockCase } from '../db/cases.ts'
import {
  allBalances,
  insertEntry,
  isBeyondBudget,
  ledgerPage,
  paidCells,
  type EntryRow,
} from '../db/reward-ledger.ts'
import { dropPayee, findPayee, insertRelease, payeeTips, replacePayee } from '../db/payees.ts'
import { isTaken } from '../db/reward-rules.ts'
import {
  assessableCases,
  decisionNoOf,
  findReward,
  findRewardByCode,
  findRewardByVoucher,
  insertReward,
  lastSentBack,
  lockReward,
  openRewards,
  rewardOfCase,
  rewardOfTip,
  rewardsIn,
  rewardsToInspect,
  storeDraw,
  storeInspection,
  tipArrivals,
  updateReward,
  type AssessableCase,
  type RewardRow,
} from '../db/rewards.ts'
import type { Outcome } from '../domain/case.ts'
import { formatCollectionCode, parseCollectionCode } from '../domain/collection-code.ts'
import { dayOf, type Day } from '../domain/day.ts'
import type { WorkCalendar } from '../domain/deadline.ts'
import { DomainError } from '../domain/errors.ts'
import { SUPERVISION_DEPARTMENT } from '../domain/plan.ts'
import {
  postingsOf,
  publishable,
  type Balances,
  type EntryKind,
  type PaidGroup,
} from '../domain/reward-ledger.ts'
import {
  assess,
  firstTip,
  isRewardedOutcome,
  lastCollectionDay,
  rewardRefusal,
  scheduleOn,
  type Assessment,
  type Findings,
  type InspectionResult,
  type InspectionState,
  type ReleaseReason,
  type RewardAction,
  type RewardLine,
  type RewardSchedule,
  type RewardSituation,
  type RewardStatus,
  type SendBackReason,
} from '../domain/reward.ts'
import type { TwoLayerPart } from '../sealing/two-layer.ts'
import { recordAudit } from './audit.ts'
import { isExcluded, rolesFor, type Reader } from './case-access.ts'
import { isAge } from './cases/wraps.ts'
import { collectionHash, newCollectionCode } from './collection-codes.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { Deps } from './ports.ts'
import type { RewardRules } from './reward-rules.ts'
import { lockLayers, unlockLayers } from './two-layer-locks.ts'
import type { WrapLocks } from './wrap-locks.ts'

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

/** What an officer sees before proposing. */
export interface AssessmentView extends Assessment {
  readonly caseNo: string
  readonly category: string
  readonly outcome: Outcome | null
  readonly decisionNo: string | null
  /** How many reported the same. */
  readonly tipCount: number
  readonly schedule: RewardSchedule | null
  /** The reward that this case already has, in any state but sent back and released. */
  readonly rewardId: string | null
  /** How the assessment before this one ended. */
  readonly sentBack: { readonly reason: SendBackReason; readonly day: Day } | null
}

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

export interface WaitingRewards {
  readonly toAssess: readonly AssessableCase[]
  readonly toInspect: readonly RewardSummary[]
  readonly toDecide: readonly RewardSummary[]
  /** Approved, but the case no longer stands as it did. */
  readonly unsettled: readonly RewardSummary[]
}

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

export interface Rewards {
  public(): Promise<PublicRewards>
  /** The reporter's view of the own tip's reward. */
  ofTip(tipId: string): Promise<ReporterReward>
  /**
   * Answers a collection code, once. `again` replaces one that was given before; the same `seed` repeats its own.
   * With a payee it can also be paid to an account; a new one replaces the one before.
   * @throws {DomainError} `not-found`, `reward-transition`
   */
  claim(tipId: string, seed: string, again: boolean, payee?: TwoLayerPart | null): Promise<Claimed>

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

  /** @throws {DomainError} `forbidden` */
  waiting(reader: Reader): Promise<WaitingRewards>
  /** What the engine says of a case's first tip; without findings, the lines that need none. @throws {DomainError} `not-found` */
  assessment(reader: Reader, caseNo: string, findings: Findings | null): Promise<AssessmentView>
  /**
   * Proposes what the engine says, for an approver to decide.
   * @returns the reward's id
   * @throws {DomainError} `not-found`, `reward-transition`, `stale-version` when somebody was first
   */
  propose(reader: Reader, caseNo: string, findings: Findings): Promise<string>
  /** @throws {DomainError} `not-found` also when it is not the reader's to see */
  detail(reader: Reader, id: string): Promise<RewardView>
  /** The second look at a case that was drawn. @throws {DomainError} `not-found`, `two-people`, `reward-transition` */
  inspect(reader: Reader, id: string, result: InspectionResult): Promise<void>
  /** @throws {DomainError} `not-found`, `forbidden`, `two-people`, `reward-transition`, `budget-exceeded` */
  approve(reader: Reader, id: string): Promise<void>
  sendBack(reader: Reader, id: string, reason: SendBackReason): Promise<void>
  /** Takes a decision back, with its money. `voucherNo` names the document when money came back. */
  release(reader: Reader, id: string, reason: ReleaseReason, voucherNo: string): Promise<void>

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

  /** The books. @throws {DomainError} `forbidden`, `bad-cursor` */
  ledger(
    reader: Reader,
    cursor: string | null,
  ): Promise<{ readonly items: readonly EntryRow[]; readonly next: string | null }>
  budgets(reader: Reader): Promise<readonly { readonly year: number; readonly balances: Balances }[]>
  /** What time alone does: lets uncollected rewards lapse, opens the year's budget. Answers how many lapsed. */
  tick(): Promise<number>
}

const WAITING_LIMIT = 200
const LEDGER_PAGE = 100
const MAX_WRAP_BYTES = 4096
const STANDING = ['published', 'closed']
const CONCLUDED = ['concluded', ...STANDING]
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/
const VOUCHER = /^[\p{L}\p{N}〔〕()（）/ -]{3,40}$/u

const notFound = (): DomainError => new DomainError('not-found', '没有这笔奖励，或者它不归您办理。')
const noCase = (): DomainError => new DomainError('not-found', '没有这件举报，或者它不归您办理。')
const unknownCode = (): DomainError =>
  new DomainError('not-found', '没有这个领取码。请核对有没有听错、抄错。', [
    { field: 'code', message: '没有这个领取码，请核对。' },
  ])

export function createRewards(deps: Deps, rules: RewardRules, locks: WrapLocks): Rewards {
  const { db, clock, random, secrets } = deps
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
    if (!UUID.test(id)) throw notFound()
    const { calendar } = await deps.plan.current()
    await db.transaction().execute(async (tx) => {
      const row = await lockReward(tx, id)
      if (!row || !sees(row)) throw notFound()
      await act(tx, row, calendar)
    })
  }

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

  /** The engine's answer for a case's first tip. */
  async function engine(
    source: typeof db | Tx,
    row: CaseRow,
    categoryName: string,
    findings: Findings | null,
    schedules: readonly RewardSchedule[],
  ): Promise<AssessmentView & { readonly tipId: string }> {
    const tips = await tipArrivals(source, row.id)
    const first = firstTip(tips)
    if (!first) throw new Error(`case ${row.case_no} has no tip`)
    const schedule = scheduleOn(schedules, first.day)
    const decisionNo = await decisionNoOf(source, row.id)
    const outcome = row.outcome as Outcome | null
    const facts = { category: row.category_id, categoryName, outcome, decisionNo, first: true, findings }
    return {
      ...assess(facts, schedule),
      caseNo: row.case_no,
      category: row.category_id,
      outcome,
      decisionNo,
      tipCount: tips.length,
      schedule,
      rewardId: (await rewardOfCase(source, row.id))?.id ?? null,
      sentBack: await lastSentBack(source, row.id),
      tipId: first.id,
    }
  }

  const isHolder = (row: CaseRow, reader: Reader): boolean =>
    rolesFor(row, reader).includes('officer') && CONCLUDED.includes(row.state)

  const categoryName = async (id: string): Promise<string> =>
    (await deps.plan.current()).categories.get(id)?.name ?? id

  function checkVoucher(text: string, field: string): string {
    const voucherNo = text.normalize('NFKC').trim()
    if (VOUCHER.test(voucherNo)) return voucherNo
    const message = '请填写凭证号：3 到 40 个字母、数字或汉字。'
    throw new DomainError('invalid-input', message, [{ field, message }])
  }

  function draws(perMille: number): boolean {
    const [high = 0, low = 0] = random.bytes(2)
    return (high * 256 + low) * 1000 < perMille * 65_536
  }

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
      const row = UUID.test(id) ? await findReward(db, id) : undefined
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
        if (!isTaken(error)) throw error
        const message = '这个凭证号已经用在另一笔发放上，请核对。'
        throw new DomainError('invalid-input', message, [{ field: 'voucher', message }])
      }
      return { amountFen }
    },

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

    async assessment(reader, caseNo, findings) {
      const row = await findCase(db, caseNo)
      if (!row || !isHolder(row, reader)) throw noCase()
      const schedules = await rules.schedules()
      const { tipId: _, ...view } = await engine(
        db,
        row,
        await categoryName(row.category_id),
        findings,
        schedules,
      )
      return view
    },

    async propose(reader, caseNo, findings) {
      const seen = await findCase(db, caseNo)
      if (!seen || !isHolder(seen, reader)) throw noCase()
      const name = await categoryName(seen.category_id)
      const schedules = await rules.schedules()
      const { inspectPerMille } = await rules.setting()
      const id = random.uuid()
      try {
        await db.transaction().execute(async (tx) => {
          const row = await lockCase(tx, caseNo)
          if (!row || !isHolder(row, reader)) throw noCase()
          if (!isRewardedOutcome(row.outcome as Outcome | null))
            throw new DomainError('reward-transition', '只有查实为“属实”或“部分属实”的举报件才核定奖励。')
          const found = await engine(tx, row, name, findings, schedules)
          if (!found.schedule || found.decisionNo === null) {
            throw new DomainError(
              'reward-transition',
              found.schedule
                ? '案件的佐证里没有处理决定文号，不能核定奖励。'
                : '收到举报的那一天没有生效的奖励标准，不能核定奖励。',
            )
          }
          await insertReward(tx, {
            id,
            caseId: row.id,
            tipId: found.tipId,
            department: row.holder_id,
            scheduleId: found.schedule.id,
            findings,
            lines: found.lines,
            eligible: found.eligible,
            amountFen: found.amountFen,
            proposedBy: reader.memberId,
            proposedDay: today(),
          })
          if (found.eligible)
            await storeDraw(tx, row.id, {
              perMille: inspectPerMille,
              selected: draws(inspectPerMille),
              day: today(),
            })
          await audit(tx, reader, 'officer', 'reward.propose', id)
        })
      } catch (error) {
        if (!isTaken(error)) throw error
        throw new DomainError('stale-version', '这件举报已经有人核定过奖励了，请刷新查看。')
      }
      return id
    },

    async detail(reader, id) {
      const row = UUID.test(id) ? await findReward(db, id) : undefined
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
        if (!isTaken(error)) throw error
        const message = '这个凭证号已经用在另一笔发放上，请核对。'
        throw new DomainError('invalid-input', message, [{ field: 'voucher', message }])
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
        if (!isTaken(error)) throw error
        throw refuse('right', '这个凭证号已经用在另一笔发放上，请核对。')
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
