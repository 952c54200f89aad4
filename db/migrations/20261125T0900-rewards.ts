import { sql, type Kysely } from 'kysely'

/**
 * Rewards: schedules and settings that two people confirm, one reward a case, and the books. What must hold whatever the
 * program does stands here: three people, one live reward for a case and for a tip, entries that balance and are never
 * changed, and a year's budget that cannot be exceeded.
 */
const UP = [
  `insert into data_version (scope) values ('rewards')`,
  // Which tip of a case came first: an ordinal, no time of day (D§5.1).
  `alter table tip add column arrival bigint not null generated always as identity`,

  `create table reward_schedule (
    id uuid primary key,
    version integer unique,
    title text not null,
    basis text not null,
    valid_from date not null,
    valid_until date,
    example boolean not null,
    terms jsonb not null,
    status text not null check (status in ('proposed','confirmed','rejected')),
    proposed_by uuid not null references member,
    proposed_at timestamptz not null,
    decided_by uuid references member,
    decided_at timestamptz,
    check (valid_until is null or valid_until >= valid_from),
    check ((status = 'proposed') = (decided_by is null)),
    check ((decided_by is null) = (decided_at is null)),
    check ((status = 'confirmed') = (version is not null)),
    constraint reward_schedule_two_people check (decided_by is null or decided_by <> proposed_by)
  )`,
  `create unique index reward_schedule_from on reward_schedule (valid_from) where status = 'confirmed'`,
  // Collecting without a name needs the guard beside it: a share of the cases is inspected a second time.
  `create table reward_setting (
    id uuid primary key,
    version integer unique,
    anonymous boolean not null,
    inspect_per_mille integer not null check (inspect_per_mille between 0 and 1000),
    status text not null check (status in ('proposed','confirmed','rejected')),
    proposed_by uuid not null references member,
    proposed_at timestamptz not null,
    decided_by uuid references member,
    decided_at timestamptz,
    check (not anonymous or inspect_per_mille > 0),
    check ((status = 'proposed') = (decided_by is null)),
    check ((decided_by is null) = (decided_at is null)),
    check ((status = 'confirmed') = (version is not null)),
    constraint reward_setting_two_people check (decided_by is null or decided_by <> proposed_by)
  )`,
  // Drawn once for a case, with the share that held then: sending an assessment back does not draw again.
  `create table reward_inspection (
    case_id uuid primary key references case_file,
    per_mille integer not null check (per_mille between 0 and 1000),
    selected boolean not null,
    drawn_day date not null,
    result text check (result in ('confirmed','refuted')),
    inspected_by uuid references member,
    inspected_day date,
    check (result is null or selected),
    check ((result is null) = (inspected_by is null)),
    check ((result is null) = (inspected_day is null))
  )`,
  `create table reward (
    id uuid primary key,
    case_id uuid not null references case_file,
    tip_id uuid not null references tip,
    department_id text not null references department,
    schedule_id uuid not null references reward_schedule,
    findings jsonb not null,
    lines jsonb not null,
    eligible boolean not null,
    amount_fen bigint not null check (amount_fen >= 0),
    status text not null check (status in ('proposed','sent-back','denied','approved','claimed','paid','lapsed','released')),
    proposed_by uuid not null references member,
    proposed_day date not null,
    decided_by uuid references member,
    decided_day date,
    send_back_reason text,
    budget_year integer,
    claimed_day date,
    code_hash bytea unique check (octet_length(code_hash) = 32),
    paid_by uuid references member,
    paid_day date,
    voucher_no text,
    anonymous boolean,
    released_by uuid references member,
    released_day date,
    release_reason text,
    check (eligible = (amount_fen > 0)),
    check ((decided_by is null) = (decided_day is null)),
    check ((status = 'proposed') = (decided_by is null)),
    check ((status = 'sent-back') = (send_back_reason is not null)),
    check (status <> 'denied' or not eligible),
    check (status not in ('approved','claimed','paid','lapsed') or (eligible and budget_year is not null)),
    check ((claimed_day is null) = (code_hash is null)),
    check (status not in ('claimed','paid') or claimed_day is not null),
    check (status <> 'paid' or paid_by is not null),
    check ((paid_by is null) = (paid_day is null)),
    check ((paid_by is null) = (voucher_no is null)),
    check ((paid_by is null) = (anonymous is null)),
    check ((status = 'released') = (released_by is not null)),
    check ((released_by is null) = (released_day is null)),
    check ((released_by is null) = (release_reason is null)),
    constraint reward_three_people check (
      (decided_by is null or decided_by <> proposed_by)
      and (paid_by is null or (decided_by is not null and paid_by <> proposed_by and paid_by <> decided_by))
      and (released_by is null or paid_by is null or released_by <> paid_by)
    )
  )`,
  `create unique index reward_once_a_case on reward (case_id) where status not in ('sent-back','released')`,
  `create unique index reward_once_a_tip on reward (tip_id) where status not in ('sent-back','released')`,
  `create unique index reward_voucher on reward (voucher_no) where voucher_no is not null`,
  // What waits for a role; what can lapse.
  `create index reward_status on reward (status, proposed_day)`,

  // The books. An entry has a day and an ordinal: at the pay desk the minute would be the reporter's.
  `create table reward_account (
    year integer not null,
    account text not null check (account in ('appropriation','available','committed','paid')),
    balance_fen bigint not null default 0,
    primary key (year, account),
    constraint reward_within_budget
      check (case when account = 'appropriation' then balance_fen <= 0 else balance_fen >= 0 end)
  )`,
  `create table reward_entry (
    id bigint generated always as identity primary key,
    day date not null,
    kind text not null check (kind in ('appropriate','approve','pay','lapse','release','recover','voucher')),
    reward_id uuid references reward,
    actor_id uuid references member,
    role text not null,
    voucher_no text,
    reason text,
    check ((kind = 'appropriate') = (reward_id is null)),
    check ((kind in ('pay','recover','voucher')) = (voucher_no is not null))
  )`,
  `create unique index reward_entry_once on reward_entry (reward_id, kind) where kind in ('approve','pay')`,
  `create table reward_posting (
    entry_id bigint not null references reward_entry,
    line integer not null,
    year integer not null,
    account text not null check (account in ('appropriation','available','committed','paid')),
    amount_fen bigint not null check (amount_fen <> 0),
    primary key (entry_id, line)
  )`,
  `create function reward_post() returns trigger language plpgsql as $$
  begin
    insert into reward_account (year, account) values (new.year, new.account) on conflict do nothing;
    update reward_account set balance_fen = balance_fen + new.amount_fen
      where year = new.year and account = new.account;
    return null;
  end $$`,
  `create trigger reward_post after insert on reward_posting for each row execute function reward_post()`,
  `create function reward_balanced() returns trigger language plpgsql as $$
  declare
    entry bigint;
    total bigint;
    lines bigint;
  begin
    if tg_table_name = 'reward_entry' then entry := new.id; else entry := new.entry_id; end if;
    select coalesce(sum(amount_fen), 0), count(*) into total, lines from reward_posting where entry_id = entry;
    if total <> 0 or lines < 2 then
      raise exception 'reward entry % does not balance', entry;
    end if;
    return null;
  end $$`,
  ...['reward_entry', 'reward_posting'].map(
    (table) => `create constraint trigger ${table}_balanced after insert on ${table}
      deferrable initially deferred for each row execute function reward_balanced()`,
  ),
  `create function reward_unchanging() returns trigger language plpgsql as $$
  begin
    raise exception 'the reward ledger is only ever added to';
  end $$`,
  ...['reward_entry', 'reward_posting'].map(
    (table) => `create trigger ${table}_unchanging before update or delete or truncate on ${table}
      for each statement execute function reward_unchanging()`,
  ),
  // Balances move by postings alone: those come from within a trigger.
  `create function reward_posted() returns trigger language plpgsql as $$
  begin
    if pg_trigger_depth() < 2 then
      raise exception 'balances of the reward ledger follow from its postings';
    end if;
    return null;
  end $$`,
  `create trigger reward_account_posted before insert or update or delete or truncate on reward_account
    for each statement execute function reward_posted()`,
]

const DOWN = [
  'drop table reward_posting, reward_entry, reward_account, reward, reward_inspection, reward_setting, reward_schedule',
  'drop function reward_post, reward_balanced, reward_unchanging, reward_posted',
  'alter table tip drop column arrival',
  `delete from data_version where scope = 'rewards'`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of UP) await sql.raw(statement).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const statement of DOWN) await sql.raw(statement).execute(db)
}
