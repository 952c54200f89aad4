import { sql, type Kysely } from 'kysely'

/** Second factors, sign-ins that slow down by account and browser, sessions that can be listed, keys to replace. */
const UP = [
  `create table totp (
    member_id uuid primary key references member on delete cascade,
    sealed bytea not null,
    last_step bigint not null,
    added_at timestamptz not null
  )`,
  `create table passkey (
    id uuid primary key,
    member_id uuid not null references member on delete cascade,
    credential_id text not null unique,
    public_key bytea not null,
    counter bigint not null,
    transports text[] not null,
    name text not null,
    wrapped_identity bytea,
    added_at timestamptz not null,
    used_at timestamptz
  )`,
  `create index passkey_member on passkey (member_id)`,
  `create table passkey_challenge (
    hash bytea primary key,
    member_id uuid not null references member on delete cascade,
    purpose text not null check (purpose in ('prove','add')),
    expires_at timestamptz not null
  )`,
  // One link a member: a newer one makes the older worthless.
  `create table factor_link (
    token_hash bytea primary key,
    member_id uuid not null unique references member on delete cascade,
    created_by uuid references member,
    expires_at timestamptz not null
  )`,
  `create table pending_sign_in (
    token_hash bytea primary key,
    member_id uuid not null references member on delete cascade,
    tries integer not null default 0,
    expires_at timestamptz not null
  )`,
  `create table known_browser (
    member_id uuid not null references member on delete cascade,
    browser bytea not null check (octet_length(browser) = 32),
    seen_at timestamptz not null,
    primary key (member_id, browser)
  )`,
  // By a keyed hash of the name typed, so that a name nobody has slows down like one that somebody has.
  `create table sign_in_failure (
    account bytea not null check (octet_length(account) = 32),
    browser bytea not null check (octet_length(browser) in (0, 32)),
    kind text not null check (kind in ('passphrase','factor')),
    failures integer not null,
    last_at timestamptz not null,
    retry_after timestamptz,
    primary key (account, browser, kind)
  )`,
  `create index sign_in_failure_old on sign_in_failure (last_at)`,
  `alter table member drop column failed_sign_ins, drop column retry_after`,
  // Whoever was signed in with one factor signs in again with two.
  `delete from session`,
  `alter table session add column id uuid not null unique, add column factor_at timestamptz`,
  `create index session_member on session (member_id)`,
  // What a member did lately, shown to the member.
  `create index staff_audit_member on staff_audit (member_id, id desc)`,
  `alter table department_key add column made_at timestamptz, add column made_by uuid references member,
    add column replace_since timestamptz`,
  // Which tips are still wrapped to an older key of a department.
  `create index tip_wrap_epoch on tip_wrap (department_id, epoch)`,
]

const DOWN = [
  `drop index tip_wrap_epoch`,
  `alter table department_key drop column made_at, drop column made_by, drop column replace_since`,
  `drop index staff_audit_member`,
  `drop index session_member`,
  `alter table session drop column id, drop column factor_at`,
  `alter table member add column failed_sign_ins integer not null default 0, add column retry_after timestamptz`,
  `drop table sign_in_failure, known_browser, pending_sign_in, factor_link, passkey_challenge, passkey, totp`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of UP) await sql.raw(statement).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const statement of DOWN) await sql.raw(statement).execute(db)
}
