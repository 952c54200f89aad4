import { findCase, lockCase, type CaseRow } from '../../db/cases.ts'
import type { Tx } from '../../db/connect.ts'
import { isTaken } from '../../db/reward-rules.ts'
import {
  decisionNoOf,
  insertReward,
  lastSentBack,
  rewardOfCase,
  storeDraw,
  tipArrivals,
} from '../../db/rewards.ts'
import type { Outcome } from '../../domain/case.ts'
import type { Day } from '../../domain/day.ts'
import { DomainError } from '../../domain/errors.ts'
import {
  assess,
  firstTip,
  isRewardedOutcome,
  scheduleOn,
  type Assessment,
  type Findings,
  type RewardSchedule,
  type SendBackReason,
} from '../../domain/reward.ts'
import { rolesFor, type Reader } from '../case-access.ts'
import type { Deps } from '../ports.ts'
import type { RewardRules } from '../reward-rules.ts'
import { STANDING, noCase, type RewardMeans } from './means.ts'

const CONCLUDED: readonly string[] = ['concluded', ...STANDING]

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

/** What an officer proposes. */
export interface RewardAssessing {
  /** What the engine says of a case's first tip; without findings, the lines that need none. @throws {DomainError} `not-found` */
  assessment(reader: Reader, caseNo: string, findings: Findings | null): Promise<AssessmentView>
  /**
   * Proposes what the engine says, for an approver to decide.
   * @returns the reward's id
   * @throws {DomainError} `not-found`, `reward-transition`, `stale-version` when somebody was first
   */
  propose(reader: Reader, caseNo: string, findings: Findings): Promise<string>
}

export function createRewardAssessing(deps: Deps, means: RewardMeans, rules: RewardRules): RewardAssessing {
  const { db, random } = deps
  const { today, audit } = means

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

  function draws(perMille: number): boolean {
    const [high = 0, low = 0] = random.bytes(2)
    return (high * 256 + low) * 1000 < perMille * 65_536
  }

  return {
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
  }
}
