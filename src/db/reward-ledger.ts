import { sql } from 'kysely'
import type { Day } from '../domain/day.ts'
import {
  NO_BALANCES,
  type Balances,
  type EntryKind,
  type PaidCell,
  type Posting,
  type RewardAccount,
} from '../domain/reward-ledger.ts'
import type { Db, Tx } from './connect.ts'

/** An entry about to be written; the database refuses one that does not balance or exceeds the budget. */
export interface NewEntry {
  readonly day: Day
  readonly kind: EntryKind
  readonly rewardId: string | null
  readonly actorId: string | null
  readonly role: string
  readonly voucherNo?: string | null
  readonly reason?: string | null
  readonly postings: readonly Posting[]
}

export interface EntryRow {
  readonly id: number
  readonly day: Day
  readonly kind: EntryKind
  readonly rewardId: string | null
  readonly actor: string | null
  readonly role: string
  readonly voucherNo: string | null
  readonly reason: string | null
  readonly postings: readonly Posting[]
}

/** Any number that nothing else locks on: budgets are changed one after another. */
const BUDGET_LOCK = 0x6c74_7277

/** Waits until nobody else is changing this year's budget, until the transaction ends. */
export async function lockBudget(tx: Tx, year: number): Promise<void> {
  await sql`select pg_advisory_xact_lock(${BUDGET_LOCK}::int, ${year}::int)`.execute(tx)
}

export async function balances(db: Db | Tx, year: number): Promise<Balances> {
  const rows = await db
    .selectFrom('reward_account')
    .select(['account', 'balance_fen'])
    .where('year', '=', year)
    .execute()
  return { ...NO_BALANCES, ...Object.fromEntries(rows.map((row) => [row.account, row.balance_fen])) }
}

/** Balances of every year that has any, the latest first. */
export async function allBalances(db: Db): Promise<readonly { year: number; balances: Balances }[]> {
  const rows = await db.selectFrom('reward_account').selectAll().orderBy('year', 'desc').execute()
  const years = new Map<number, Record<RewardAccount, number>>()
  for (const row of rows) {
    const year = years.get(row.year) ?? { ...NO_BALANCES }
    year[row.account] = row.balance_fen
    years.set(row.year, year)
  }
  return [...years].map(([year, found]) => ({ year, balances: found }))
}

export async function insertEntry(tx: Tx, entry: NewEntry): Promise<void> {
  const { id } = await tx
    .insertInto('reward_entry')
    .values({
      day: entry.day,
      kind: entry.kind,
      reward_id: entry.rewardId,
      actor_id: entry.actorId,
      role: entry.role,
      voucher_no: entry.voucherNo ?? null,
      reason: entry.reason ?? null,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  await tx
    .insertInto('reward_posting')
    .values(
      entry.postings.map((posting, index) => ({
        entry_id: id,
        line: index + 1,
        year: posting.year,
        account: posting.account,
        amount_fen: posting.amountFen,
      })),
    )
    .execute()
}

/** The check on the budget refused it. */
export function isBeyondBudget(error: unknown): boolean {
  return (error as { constraint?: string }).constraint === 'reward_within_budget'
}

/** One page of the books, the latest entry first; `before` is an entry's id. */
export async function ledgerPage(db: Db, before: number | null, limit: number): Promise<EntryRow[]> {
  const rows = await db
    .selectFrom('reward_entry')
    .leftJoin('member', 'member.id', 'reward_entry.actor_id')
    .selectAll('reward_entry')
    .select('member.display_name as actor_name')
    .$if(before !== null, (query) => query.where('reward_entry.id', '<', before ?? 0))
    .orderBy('reward_entry.id', 'desc')
    .limit(limit)
    .execute()
  const postings = await postingsOfEntries(
    db,
    rows.map(({ id }) => id),
  )
  return rows.map((row) => ({
    id: row.id,
    day: row.day,
    kind: row.kind,
    rewardId: row.reward_id,
    actor: row.actor_name,
    role: row.role,
    voucherNo: row.voucher_no,
    reason: row.reason,
    postings: postings.get(row.id) ?? [],
  }))
}

async function postingsOfEntries(db: Db, ids: readonly number[]): Promise<Map<number, Posting[]>> {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('reward_posting')
    .selectAll()
    .where('entry_id', 'in', ids)
    .orderBy('entry_id')
    .orderBy('line')
    .execute()
  const found = new Map<number, Posting[]>()
  for (const row of rows) {
    const posting = { year: row.year, account: row.account, amountFen: row.amount_fen }
    found.set(row.entry_id, [...(found.get(row.entry_id) ?? []), posting])
  }
  return found
}

/** What each department paid in each month, net of what was recovered in it. */
export async function paidCells(db: Db): Promise<PaidCell[]> {
  const rows = await db
    .selectFrom('reward_entry')
    .innerJoin('reward_posting', 'reward_posting.entry_id', 'reward_entry.id')
    .innerJoin('reward', 'reward.id', 'reward_entry.reward_id')
    .select([
      sql<string>`to_char(reward_entry.day, 'YYYY-MM')`.as('month'),
      'reward.department_id as department',
      sql<number>`count(distinct reward_entry.id) filter (where reward_entry.kind = 'pay')`.as('payments'),
      sql<number>`sum(reward_posting.amount_fen)::bigint`.as('amount_fen'),
    ])
    .where('reward_posting.account', '=', 'paid')
    .where('reward_entry.kind', 'in', ['pay', 'recover'])
    .groupBy(['month', 'reward.department_id'])
    .orderBy('month')
    .orderBy('department')
    .execute()
  return rows.map(({ month, department, payments, amount_fen: amountFen }) => ({
    month,
    department,
    payments,
    amountFen,
  }))
}
