import { EXAMPLE_SOURCES, EXAMPLE_TERMS } from '../../db/seed/rewards.ts'
import {
  confirmedSchedules,
  currentSetting,
  decideTwoPeople,
  insertSchedule,
  insertSetting,
  isTaken,
  lockSchedule,
  lockSetting,
  scheduleProposals,
  settingProposals,
  type ScheduleProposal,
  type SettingProposal,
} from '../db/reward-rules.ts'
import { balances, insertEntry, lockBudget } from '../db/reward-ledger.ts'
import type { Tx } from '../db/connect.ts'
import type { Role } from '../domain/case.ts'
import { dayOf, type Day } from '../domain/day.ts'
import { DomainError, type FieldError } from '../domain/errors.ts'
import { appropriationChange, postingsOf } from '../domain/reward-ledger.ts'
import { checkTerms, scheduleOn, type RewardSchedule, type RewardTerms } from '../domain/reward.ts'
import { cleanText } from '../domain/tip.ts'
import { recordAudit } from './audit.ts'
import type { Reader } from './case-access.ts'
import type { Deps } from './ports.ts'

export interface NewSchedule {
  readonly title: string
  readonly basis: string
  readonly validFrom: Day
  readonly validUntil: Day | null
  readonly terms: RewardTerms
}

export interface RewardSetting {
  /** Rewards can be collected with the code alone. */
  readonly anonymous: boolean
  /** How many of a thousand cases are drawn for a second inspection. */
  readonly inspectPerMille: number
}

/** A proposal with what the one who looks may do about it. */
export type Proposal<T> = T & { readonly own: boolean; readonly canDecide: boolean }

/** What is paid, from when on, and how it is collected: decided by two people, kept in versions. */
export interface RewardRules {
  /** The confirmed schedules, first begun first. */
  schedules(): Promise<readonly RewardSchedule[]>
  setting(): Promise<RewardSetting>
  /** Everything ever proposed, the latest first. @throws {DomainError} `forbidden` */
  proposals(reader: Reader): Promise<{
    readonly schedules: readonly Proposal<ScheduleProposal>[]
    readonly settings: readonly Proposal<SettingProposal>[]
    readonly canPropose: boolean
  }>
  /** @returns its id @throws {DomainError} `forbidden`, `invalid-input` */
  proposeSchedule(reader: Reader, schedule: NewSchedule): Promise<string>
  /** @returns its id @throws {DomainError} `forbidden`, `invalid-input` */
  proposeSetting(reader: Reader, setting: RewardSetting): Promise<string>
  /**
   * Confirms or rejects what somebody else proposed. A confirmed schedule holds from its first day on.
   * @throws {DomainError} `not-found`, `forbidden`, `two-people`, `stale-version` when decided before, `invalid-input`
   *   when its first day has passed
   */
  decide(reader: Reader, kind: 'schedule' | 'setting', id: string, confirm: boolean): Promise<void>
  /** What the form of a first schedule begins from, and where its figures come from. */
  example(): { readonly terms: RewardTerms; readonly sources: readonly string[] }
  /** Makes the year's appropriation what the schedule in force says. Inside a transaction; answers whether it wrote. */
  appropriate(tx: Tx, today: Day): Promise<boolean>
}

const PROPOSERS: readonly Role[] = ['admin', 'finance']
const DECIDERS: readonly Role[] = ['admin', 'approver']
const READERS: readonly Role[] = ['admin', 'approver', 'finance', 'auditor']
const MAX_TITLE = 60
const MAX_BASIS = 120
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/
const DAY = /^\d{4}-\d{2}-\d{2}$/

const has = (reader: Reader, roles: readonly Role[]): boolean =>
  roles.some((role) => reader.roles.includes(role))

/** A day that the calendar has: 2026-02-30 is none. */
function isDay(text: string): boolean {
  const instant = new Date(`${text}T00:00:00Z`)
  return DAY.test(text) && !Number.isNaN(instant.getTime()) && instant.toISOString().startsWith(text)
}

export function createRewardRules(deps: Deps): RewardRules {
  const { db, clock, random, versions } = deps

  function allow(reader: Reader, roles: readonly Role[], what: string): void {
    if (!has(reader, roles)) throw new DomainError('forbidden', `您的角色不能${what}。`)
  }

  function checkWords(text: string, field: string, name: string, max: number): FieldError[] {
    if (text === '') return [{ field, message: `请填写${name}。` }]
    return Array.from(text).length > max ? [{ field, message: `${name}最多 ${max} 个字。` }] : []
  }

  async function checkSchedule(schedule: NewSchedule, today: Day): Promise<FieldError[]> {
    const { categories } = await deps.plan.current()
    const problems = [
      ...checkWords(schedule.title, 'title', '名称', MAX_TITLE),
      ...checkWords(schedule.basis, 'basis', '依据的文件', MAX_BASIS),
      ...checkTerms(schedule.terms, new Set(categories.keys())),
    ]
    const { validFrom, validUntil } = schedule
    if (!isDay(validFrom)) problems.push({ field: 'validFrom', message: '请填写生效日期。' })
    // Backwards would let somebody be paid for a tip that was told under other rules.
    else if (validFrom < today) problems.push({ field: 'validFrom', message: '生效日期不能早于今天。' })
    if (validUntil !== null && !isDay(validUntil))
      problems.push({ field: 'validUntil', message: '请填写有效的日期，或者留空。' })
    else if (validUntil !== null && validUntil < validFrom)
      problems.push({ field: 'validUntil', message: '截止日期不能早于生效日期。' })
    return problems
  }

  async function appropriate(tx: Tx, today: Day): Promise<boolean> {
    const year = Number(today.slice(0, 4))
    await lockBudget(tx, year)
    const schedule = scheduleOn(await confirmedSchedules(tx), today)
    if (!schedule) return false
    const change = appropriationChange(schedule.terms.yearBudgetFen, await balances(tx, year))
    if (change === 0) return false
    await insertEntry(tx, {
      day: today,
      kind: 'appropriate',
      rewardId: null,
      actorId: null,
      role: 'system',
      reason: `schedule ${schedule.version}`,
      postings: postingsOf('appropriate', year, change),
    })
    return true
  }

  const audit = (
    tx: Tx,
    reader: Reader,
    roles: readonly Role[],
    action: string,
    object: string,
  ): Promise<void> =>
    recordAudit(tx, {
      at: clock.now(),
      memberId: reader.memberId,
      role: roles.find((role) => reader.roles.includes(role)) ?? null,
      action,
      object,
    })

  return {
    schedules: () => confirmedSchedules(db),
    setting: () => currentSetting(db),
    appropriate,
    example: () => ({ terms: EXAMPLE_TERMS, sources: EXAMPLE_SOURCES }),

    async proposals(reader) {
      allow(reader, READERS, '查看奖励标准的提议')
      const view = <T extends ScheduleProposal | SettingProposal>(proposal: T): Proposal<T> => {
        const own = proposal.proposedBy === reader.memberId
        return {
          ...proposal,
          own,
          canDecide: proposal.status === 'proposed' && !own && has(reader, DECIDERS),
        }
      }
      return {
        schedules: (await scheduleProposals(db)).map(view),
        settings: (await settingProposals(db)).map(view),
        canPropose: has(reader, PROPOSERS),
      }
    },

    async proposeSchedule(reader, given) {
      allow(reader, PROPOSERS, '提出奖励标准')
      const now = clock.now()
      const schedule = { ...given, title: cleanText(given.title), basis: cleanText(given.basis) }
      const problems = await checkSchedule(schedule, dayOf(now))
      const [first] = problems
      if (first) throw new DomainError('invalid-input', first.message, problems)
      const id = random.uuid()
      await db.transaction().execute(async (tx) => {
        await insertSchedule(tx, {
          ...schedule,
          id,
          example: deps.demo,
          proposedBy: reader.memberId,
          proposedAt: now,
        })
        await audit(tx, reader, PROPOSERS, 'reward.schedule.propose', id)
      })
      return id
    },

    async proposeSetting(reader, { anonymous, inspectPerMille }) {
      allow(reader, PROPOSERS, '提出领取方式')
      const field = 'inspect'
      const refuse = (message: string) => new DomainError('invalid-input', message, [{ field, message }])
      if (!Number.isInteger(inspectPerMille) || inspectPerMille < 0 || inspectPerMille > 1000)
        throw refuse('抽查比例请填写 0 到 1000 之间的整数（千分之几）。')
      if (anonymous && inspectPerMille === 0)
        throw refuse('开放匿名领取时，必须同时抽查一部分案件，比例要大于 0。')
      const id = random.uuid()
      await db.transaction().execute(async (tx) => {
        await insertSetting(tx, {
          id,
          anonymous,
          inspectPerMille,
          proposedBy: reader.memberId,
          proposedAt: clock.now(),
        })
        await audit(tx, reader, PROPOSERS, 'reward.setting.propose', id)
      })
      return id
    },

    async decide(reader, kind, id, confirm) {
      allow(reader, DECIDERS, '确认奖励标准')
      if (!UUID.test(id)) throw new DomainError('not-found', '没有这件提议。')
      const now = clock.now()
      const today = dayOf(now)
      try {
        await db.transaction().execute(async (tx) => {
          const schedule = kind === 'schedule' ? await lockSchedule(tx, id) : undefined
          const proposal = schedule ?? (kind === 'setting' ? await lockSetting(tx, id) : undefined)
          if (!proposal) throw new DomainError('not-found', '没有这件提议。')
          if (proposal.status !== 'proposed')
            throw new DomainError('stale-version', '这件提议已经有人处理过了，请刷新查看。')
          if (proposal.proposed_by === reader.memberId)
            throw new DomainError('two-people', '提出的人不能自己确认，请另一个人处理。')
          if (confirm && schedule && schedule.valid_from < today)
            throw new DomainError('invalid-input', '生效日期已经过去，请退回后重新提出。')
          const table = kind === 'schedule' ? 'reward_schedule' : 'reward_setting'
          await decideTwoPeople(tx, table, id, { confirmed: confirm, by: reader.memberId, at: now })
          if (confirm && schedule) await appropriate(tx, today)
          await versions.bump(tx, 'rewards')
          await audit(tx, reader, DECIDERS, `reward.${kind}.${confirm ? 'confirm' : 'reject'}`, id)
        })
      } catch (error) {
        if (!isTaken(error)) throw error
        throw new DomainError(
          'stale-version',
          '同一天生效的标准已经有一版，或者别人刚刚确认了另一版，请刷新后再处理。',
        )
      }
      versions.expire()
    },
  }
}
