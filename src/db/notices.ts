import { sql, type Selectable } from 'kysely'
import type { CaseState } from '../domain/case.ts'
import type { Day } from '../domain/day.ts'
import type { DeadlineUnit } from '../domain/deadline.ts'
import type { DueStep, NoticeItem, NoticeKind, NoticeStage } from '../domain/notice.ts'
import type { Db, Tx } from './connect.ts'
import type { MailTable } from './tables.ts'

export type MailRow = Selectable<MailTable>
export type MailState = MailRow['state']

const FINISHED = sql`('concluded', 'published', 'closed', 'attached')`

/** Puts the arrival of a case on a department's next digest, once. */
export async function noteArrival(tx: Tx, departmentId: string, caseNo: string, day: Day): Promise<void> {
  await tx
    .insertInto('notice')
    .values({ department_id: departmentId, case_no: caseNo, kind: 'arrival', day })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/**
 * Takes what the departments are still to be told of arrivals. A case that has gone on meanwhile, or is finished, is
 * dropped for every department. Of two who take at once, the second finds nothing.
 */
export async function takeArrivals(
  tx: Tx,
  departments: readonly string[],
): Promise<{ department: string; caseNo: string }[]> {
  await sql`
    delete from notice using case_file
    where case_file.case_no = notice.case_no
      and (case_file.holder_id <> notice.department_id or case_file.state in ${FINISHED})
  `.execute(tx)
  const rows = await tx
    .deleteFrom('notice')
    .where('department_id', '=', sql<string>`any(${[...departments]}::text[])`)
    .where('kind', '=', 'arrival')
    .returning(['department_id', 'case_no'])
    .execute()
  return rows.map((row) => ({ department: row.department_id, caseNo: row.case_no }))
}

/** How many arrivals each department is still to be told of. */
export async function countArrivals(db: Db): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .selectFrom('notice')
    .select((eb) => ['department_id', eb.fn.countAll<number>().as('count')])
    .groupBy('department_id')
    .execute()
  return new Map(rows.map((row) => [row.department_id, row.count]))
}

/** A case whose terms run, with the days on which they started. */
export interface OpenCase {
  readonly caseNo: string
  readonly category: string
  readonly state: CaseState
  readonly holder: string
  readonly accused: string | null
  readonly terms: Readonly<Record<DueStep, { readonly since: Day; readonly due: Day | null }>>
  /** Of the term to conclude. */
  readonly unit: DeadlineUnit
}

/** One page of the cases whose terms run, by number, after a given one. */
export async function openCases(db: Db, after: string, limit: number): Promise<OpenCase[]> {
  const { rows } = await sql<{
    case_no: string
    category_id: string
    state: CaseState
    holder_id: string
    accused_department_id: string | null
    accept_due: Day | null
    arbitrate_due: Day | null
    conclude_due: Day | null
    due_unit: DeadlineUnit
    accept_since: Day
    arbitrate_since: Day
    conclude_since: Day
  }>`
    select case_no, category_id, state, holder_id, accused_department_id, accept_due, arbitrate_due, conclude_due,
      due_unit, coalesce(began.accept, received_day) as accept_since,
      coalesce(began.arbitrate, received_day) as arbitrate_since,
      coalesce(began.conclude, received_day) as conclude_since
    from case_file cross join lateral (
      select max(day) filter (where to_state = 'routed') as accept,
        max(day) filter (where to_state = 'arbitration') as arbitrate,
        max(day) filter (where action in ('dispute', 'audit_reopen')) as conclude
      from case_event where case_event.case_id = case_file.id
    ) as began
    where state in ('routed', 'accepted', 'working', 'reopened', 'arbitration') and case_no > ${after}
    order by case_no limit ${limit}
  `.execute(db)
  return rows.map((row) => ({
    caseNo: row.case_no,
    category: row.category_id,
    state: row.state,
    holder: row.holder_id,
    accused: row.accused_department_id,
    terms: {
      accept: { since: row.accept_since, due: row.accept_due },
      arbitrate: { since: row.arbitrate_since, due: row.arbitrate_due },
      conclude: { since: row.conclude_since, due: row.conclude_due },
    },
    unit: row.due_unit,
  }))
}

/** That a department is to be told how far a term is. */
export interface DueNotice {
  readonly department: string
  readonly caseNo: string
  readonly step: DueStep
  readonly due: Day
  readonly stage: NoticeStage
}

/** Notes what is told; answers only what had not been told of this term before. */
export async function takeDue(tx: Tx, notices: readonly DueNotice[]): Promise<DueNotice[]> {
  const column = <V>(pick: (notice: DueNotice) => V): V[] => notices.map(pick)
  const { rows } = await sql<{
    department_id: string
    case_no: string
    step: DueStep
    due: Day
    stage: NoticeStage
  }>`
    insert into due_notice (department_id, case_no, step, due, stage)
    select * from unnest(${column((one) => one.department)}::text[], ${column((one) => one.caseNo)}::text[],
      ${column((one) => one.step)}::text[], ${column((one) => one.due)}::date[], ${column((one) => one.stage)}::int[])
    on conflict (department_id, case_no, step) do update set due = excluded.due, stage = excluded.stage
      where due_notice.due <> excluded.due or due_notice.stage < excluded.stage
    returning department_id, case_no, step, due, stage
  `.execute(tx)
  return rows.map((row) => ({
    department: row.department_id,
    caseNo: row.case_no,
    step: row.step,
    due: row.due,
    stage: row.stage,
  }))
}

/** Forgets what was told of cases in which nothing is owed any more; when one is reopened, its terms are new. */
export async function forgetDue(tx: Tx): Promise<void> {
  await sql`
    delete from due_notice using case_file
    where case_file.case_no = due_notice.case_no and case_file.state in ${FINISHED}
  `.execute(tx)
}

export async function insertMail(
  tx: Tx,
  mail: {
    readonly id: string
    readonly kind: NoticeKind
    readonly department: string
    readonly day: Day
    readonly items: readonly NoticeItem[]
  },
): Promise<void> {
  await tx
    .insertInto('mail')
    .values({
      id: mail.id,
      kind: mail.kind,
      department_id: mail.department,
      day: mail.day,
      items: JSON.stringify(mail.items),
      state: 'waiting',
      fault: null,
      message_key: null,
    })
    .execute()
}

/** Which mails the console's page shows; `retrying` are those that wait after a try that failed. */
export const MAIL_TABS = ['all', 'waiting', 'retrying', 'dead', 'sent'] as const
export type MailTab = (typeof MAIL_TABS)[number]

export async function countMails(db: Db): Promise<Readonly<Record<Exclude<MailTab, 'all'>, number>>> {
  return db
    .selectFrom('mail')
    .select([
      sql<number>`count(*) filter (where state = 'waiting' and attempts = 0)`.as('waiting'),
      sql<number>`count(*) filter (where state = 'waiting' and attempts > 0)`.as('retrying'),
      sql<number>`count(*) filter (where state = 'dead')`.as('dead'),
      sql<number>`count(*) filter (where state = 'sent')`.as('sent'),
    ])
    .executeTakeFirstOrThrow()
}

/** One page of mails, newest day first. */
export async function mailPage(
  db: Db,
  tab: MailTab,
  after: readonly [Day, string] | null,
  limit: number,
): Promise<MailRow[]> {
  let select = db.selectFrom('mail').selectAll()
  if (tab === 'dead' || tab === 'sent') select = select.where('state', '=', tab)
  if (tab === 'waiting') select = select.where('state', '=', 'waiting').where('attempts', '=', 0)
  if (tab === 'retrying') select = select.where('state', '=', 'waiting').where('attempts', '>', 0)
  if (after) select = select.where(sql<boolean>`(day, id) < (${after[0]}::date, ${after[1]}::uuid)`)
  return select.orderBy('day', 'desc').orderBy('id', 'desc').limit(limit).execute()
}
