import { sql, type Selectable } from 'kysely'
import type { Day } from '../domain/day.ts'
import type { RewardSchedule, RewardTerms } from '../domain/reward.ts'
import type { Db, Tx } from './connect.ts'
import type { RewardScheduleTable } from './tables.ts'

/** Who proposed and who decided, in names; shared by schedules and settings. */
export interface TwoPeople {
  readonly id: string
  readonly version: number | null
  readonly status: 'proposed' | 'confirmed' | 'rejected'
  readonly proposedBy: string
  readonly proposerName: string
  readonly proposedAt: Date
  readonly deciderName: string | null
  readonly decidedAt: Date | null
}

export interface ScheduleProposal extends TwoPeople {
  readonly title: string
  readonly basis: string
  readonly validFrom: Day
  readonly validUntil: Day | null
  readonly example: boolean
  readonly terms: RewardTerms
}

export interface SettingProposal extends TwoPeople {
  readonly anonymous: boolean
  readonly inspectPerMille: number
}

const UNIQUE_VIOLATION = '23505'

/** A unique index refused it: somebody else was first. */
export function isTaken(error: unknown): boolean {
  return (error as { code?: string }).code === UNIQUE_VIOLATION
}

function toSchedule(row: Selectable<RewardScheduleTable>): RewardSchedule {
  return {
    id: row.id,
    version: row.version ?? 0,
    title: row.title,
    basis: row.basis,
    validFrom: row.valid_from,
    validUntil: row.valid_until,
    example: row.example,
    terms: row.terms,
  }
}

/** The confirmed schedules, first begun first. */
export async function confirmedSchedules(db: Db | Tx): Promise<RewardSchedule[]> {
  const rows = await db
    .selectFrom('reward_schedule')
    .selectAll()
    .where('status', '=', 'confirmed')
    .orderBy('valid_from')
    .execute()
  return rows.map(toSchedule)
}

/** Every schedule ever proposed, the latest first. */
export async function scheduleProposals(db: Db): Promise<ScheduleProposal[]> {
  const rows = await db
    .selectFrom('reward_schedule as schedule')
    .innerJoin('member as proposer', 'proposer.id', 'schedule.proposed_by')
    .leftJoin('member as decider', 'decider.id', 'schedule.decided_by')
    .selectAll('schedule')
    .select(['proposer.display_name as proposer_name', 'decider.display_name as decider_name'])
    .orderBy('schedule.proposed_at', 'desc')
    .orderBy('schedule.id')
    .execute()
  return rows.map((row) => ({
    id: row.id,
    version: row.version,
    status: row.status,
    title: row.title,
    basis: row.basis,
    validFrom: row.valid_from,
    validUntil: row.valid_until,
    example: row.example,
    terms: row.terms,
    proposedBy: row.proposed_by,
    proposerName: row.proposer_name,
    proposedAt: row.proposed_at,
    deciderName: row.decider_name,
    decidedAt: row.decided_at,
  }))
}

export async function insertSchedule(
  tx: Tx,
  schedule: Omit<RewardSchedule, 'version'> & { readonly proposedBy: string; readonly proposedAt: Date },
): Promise<void> {
  await tx
    .insertInto('reward_schedule')
    .values({
      id: schedule.id,
      version: null,
      title: schedule.title,
      basis: schedule.basis,
      valid_from: schedule.validFrom,
      valid_until: schedule.validUntil,
      example: schedule.example,
      terms: JSON.stringify(schedule.terms),
      status: 'proposed',
      proposed_by: schedule.proposedBy,
      proposed_at: schedule.proposedAt,
    })
    .execute()
}

/** A waiting or decided proposal, locked until the transaction ends. */
export async function lockSchedule(tx: Tx, id: string) {
  return tx.selectFrom('reward_schedule').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
}

/** The setting in force; the first state of an installation when none was confirmed. */
export async function currentSetting(
  db: Db | Tx,
): Promise<{ readonly anonymous: boolean; readonly inspectPerMille: number }> {
  const row = await db
    .selectFrom('reward_setting')
    .select(['anonymous', 'inspect_per_mille'])
    .where('status', '=', 'confirmed')
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
  return { anonymous: row?.anonymous ?? false, inspectPerMille: row?.inspect_per_mille ?? 0 }
}

/** Every setting ever proposed, the latest first. */
export async function settingProposals(db: Db): Promise<SettingProposal[]> {
  const rows = await db
    .selectFrom('reward_setting as setting')
    .innerJoin('member as proposer', 'proposer.id', 'setting.proposed_by')
    .leftJoin('member as decider', 'decider.id', 'setting.decided_by')
    .selectAll('setting')
    .select(['proposer.display_name as proposer_name', 'decider.display_name as decider_name'])
    .orderBy('setting.proposed_at', 'desc')
    .orderBy('setting.id')
    .execute()
  return rows.map((row) => ({
    id: row.id,
    version: row.version,
    status: row.status,
    anonymous: row.anonymous,
    inspectPerMille: row.inspect_per_mille,
    proposedBy: row.proposed_by,
    proposerName: row.proposer_name,
    proposedAt: row.proposed_at,
    deciderName: row.decider_name,
    decidedAt: row.decided_at,
  }))
}

export async function insertSetting(
  tx: Tx,
  setting: {
    readonly id: string
    readonly anonymous: boolean
    readonly inspectPerMille: number
    readonly proposedBy: string
    readonly proposedAt: Date
  },
): Promise<void> {
  await tx
    .insertInto('reward_setting')
    .values({
      id: setting.id,
      version: null,
      anonymous: setting.anonymous,
      inspect_per_mille: setting.inspectPerMille,
      status: 'proposed',
      proposed_by: setting.proposedBy,
      proposed_at: setting.proposedAt,
    })
    .execute()
}

export async function lockSetting(tx: Tx, id: string) {
  return tx.selectFrom('reward_setting').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
}

/** Writes the decision; a confirmed proposal gets the next version. @throws what {@link isTaken} knows */
export async function decideTwoPeople(
  tx: Tx,
  table: 'reward_schedule' | 'reward_setting',
  id: string,
  decision: { readonly confirmed: boolean; readonly by: string; readonly at: Date },
): Promise<void> {
  await tx
    .updateTable(table)
    .set({
      status: decision.confirmed ? 'confirmed' : 'rejected',
      decided_by: decision.by,
      decided_at: decision.at,
      version: decision.confirmed
        ? sql<number>`(select coalesce(max(version), 0) + 1 from ${sql.table(table)})`
        : null,
    })
    .where('id', '=', id)
    .execute()
}
