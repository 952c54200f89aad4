import { sql, type Kysely } from 'kysely'

/** Wraps under keys of their own that can be destroyed, how long what is kept, and what an auditor holds. */
const UP = [
  // One number is a run of slots for one process; the keys lie outside the database.
  `create sequence wrap_slot_run as bigint minvalue 0 start 0`,
  // Of a tip from before the wraps were locked once more: null, until upkeep has locked them.
  `alter table tip add column slot bigint unique, add column destroyed_day date, add column forgotten_day date`,
  `alter table case_file add column closed_day date`,
  `update case_file set closed_day = (
    select max(day) from case_event where case_event.case_id = case_file.id and to_state = 'closed'
  ) where state = 'closed'`,
  // What may be due: closed cases, and what nobody took from the lane of the unproven.
  `create index case_file_closed on case_file (closed_day, id) where closed_day is not null`,
  `create index case_file_unproven on case_file (received_day, id) where lane = 'unverified' and state = 'routed'`,
  // Receipts to be forgotten.
  `create index tip_destroyed on tip (destroyed_day) where destroyed_day is not null and forgotten_day is null`,
  `create table retention_rule (
    id bigint generated always as identity primary key,
    class text not null check (class in ('draft','filing','unverified','case','receipt','identity','payee','audit')),
    days integer not null check (days between 1 and 36500),
    valid_from date not null,
    set_by uuid not null references member,
    set_at timestamptz not null
  )`,
  `create table retention_hold (
    id uuid primary key,
    case_id uuid not null references case_file,
    reason text not null check (reason in ('litigation','review','investigation','audit')),
    placed_by uuid not null references member,
    placed_day date not null,
    lifted_by uuid references member,
    lifted_day date,
    check ((lifted_by is null) = (lifted_day is null))
  )`,
  `create unique index retention_hold_standing on retention_hold (case_id) where lifted_day is null`,
  `create index retention_hold_case on retention_hold (case_id)`,
]

const DOWN = [
  `drop table retention_hold, retention_rule`,
  `drop index tip_destroyed`,
  `drop index case_file_unproven`,
  `drop index case_file_closed`,
  `alter table case_file drop column closed_day`,
  `alter table tip drop column slot, drop column destroyed_day, drop column forgotten_day`,
  `drop sequence wrap_slot_run`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of UP) await sql.raw(statement).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const statement of DOWN) await sql.raw(statement).execute(db)
}
