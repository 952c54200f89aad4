import { sql, type Kysely } from 'kysely'

/**
 * The whole first schema. `case` is a reserved word in SQL, so its table is `case_file`.
 * Rows caused by a citizen carry the day and an ordinal, never a time of day (D§5.1).
 */
const UP = [
  // Reference data: the plan, read from db/seed at migration time by the loader, so foreign keys can hold.
  `create table department (
    id text primary key,
    name text not null,
    kind text not null check (kind in ('bureau','office','police','subdistrict','authority')),
    full_name text not null,
    hotline text,
    mailbox text,
    in_source boolean not null,
    notes text not null,
    version integer not null default 1
  )`,
  `create table area (
    id text primary key,
    name text not null,
    department_id text references department,
    police_department_id text references department,
    valid_from date
  )`,
  `create table category (
    id text primary key,
    group_id text not null,
    name text not null,
    visibility text not null check (visibility in ('open','guarded')),
    position integer not null
  )`,
  `create table measure (
    id text primary key,
    no integer not null check (no between 1 and 47),
    item integer,
    section integer not null check (section between 1 and 8),
    title text not null
  )`,
  `create table routing_rule (
    id text primary key,
    category_id text not null references category,
    answer text,
    area_id text references area,
    department_id text not null references department,
    co_departments text[] not null,
    measure_refs text[] not null,
    derived boolean not null,
    basis text not null
  )`,
  // One owner for each (category, answer, area): nulls count as values here.
  `create unique index routing_rule_one_owner on routing_rule (category_id, coalesce(answer, ''), coalesce(area_id, ''))`,
  `create table deadline_rule (
    id integer generated always as identity primary key,
    category_id text references category,
    step text not null,
    count integer not null check (count > 0),
    unit text not null check (unit in ('working','calendar')),
    valid_from date not null,
    valid_until date
  )`,
  `create table setting (key text primary key, value jsonb not null)`,
  `create table data_version (scope text primary key, version bigint not null default 0)`,
  `insert into data_version (scope) values ('plan'), ('cases'), ('lists')`,

  // Staff, their keys and sessions.
  `create table member (
    id uuid primary key,
    username text not null unique,
    display_name text not null,
    department_id text not null references department,
    salt bytea not null,
    kdf jsonb not null,
    auth_hash bytea not null check (octet_length(auth_hash) = 32),
    recipient text not null,
    wrapped_identity bytea not null,
    status text not null check (status in ('active','removed')),
    failed_sign_ins integer not null default 0,
    retry_after timestamptz,
    created_at timestamptz not null
  )`,
  `create table member_role (
    member_id uuid not null references member on delete cascade,
    role text not null check (role in ('officer','dispatcher','publisher','custodian','approver','finance','auditor','admin')),
    primary key (member_id, role)
  )`,
  `create table enrolment (
    token_hash bytea primary key,
    username text not null,
    display_name text not null,
    department_id text not null references department,
    roles text[] not null,
    created_by uuid references member,
    expires_at timestamptz not null
  )`,
  `create table session (
    token_hash bytea primary key,
    member_id uuid not null references member on delete cascade,
    half bytea not null,
    created_at timestamptz not null,
    seen_at timestamptz not null,
    expires_at timestamptz not null
  )`,
  `create table department_key (
    department_id text not null references department,
    epoch integer not null,
    recipient text not null unique,
    primary key (department_id, epoch)
  )`,
  // member_id null: the escrow recipient's grant.
  `create table key_grant (
    id uuid primary key,
    department_id text not null,
    epoch integer not null,
    member_id uuid references member on delete cascade,
    wrapped bytea not null,
    granted_by uuid references member,
    foreign key (department_id, epoch) references department_key
  )`,
  `create unique index key_grant_once on key_grant (department_id, epoch, coalesce(member_id, '00000000-0000-0000-0000-000000000000'))`,
  `create table staff_audit (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    member_id uuid references member,
    role text,
    action text not null,
    object text not null,
    data jsonb not null
  )`,

  // Tips and cases.
  `create table case_file (
    id uuid primary key,
    case_no text not null unique,
    category_id text not null references category,
    answer text,
    area_id text not null references area,
    when_bucket text not null,
    urgency text not null,
    accused_department_id text references department,
    holder_id text not null references department,
    co_departments text[] not null,
    rule_id text not null,
    measure_refs text[] not null,
    derived boolean not null,
    state text not null check (state in ('received','routed','accepted','working','concluded','published','closed',
      'returned','arbitration','awaiting_reporter','reopened','attached')),
    version integer not null default 1,
    lane text not null check (lane in ('normal','unverified')),
    received_day date not null,
    accept_due date,
    conclude_due date,
    due_count integer not null,
    due_unit text not null check (due_unit in ('working','calendar')),
    complex boolean not null default false,
    extended boolean not null default false,
    pause_used boolean not null default false,
    paused_until date,
    returned_by text[] not null default '{}',
    proposed_holder_id text references department,
    arbitrated boolean not null default false,
    arbitrate_due date,
    hand_overs integer not null default 0,
    worked_by uuid[] not null default '{}',
    barred uuid[] not null default '{}',
    accepted_day date,
    outcome text check (outcome in ('substantiated','partly','unsubstantiated','unverifiable','outside')),
    statement text,
    competent_body text,
    concluded_by uuid references member,
    concluded_day date,
    published_by uuid references member,
    published_day date,
    dispute_until date,
    disputed boolean not null default false,
    attached_to uuid references case_file,
    hide_category boolean not null default false,
    hide_area boolean not null default false,
    check (published_by is null or published_by <> concluded_by)
  )`,
  // The queue page: one holder, unfinished or finished, by due day.
  `create index case_file_queue on case_file (holder_id, state, conclude_due, case_no)`,
  `create index case_file_attached on case_file (attached_to) where attached_to is not null`,
  `create table tip (
    id uuid primary key,
    case_id uuid not null references case_file,
    ordinal integer not null,
    day date not null,
    lookup bytea not null unique check (octet_length(lookup) = 32),
    reporter_recipient text not null,
    recipient text not null,
    callback boolean not null,
    photo_count integer not null check (photo_count between 0 and 9),
    sealed_by text not null check (sealed_by in ('server','browser')),
    unique (case_id, ordinal)
  )`,
  `create table tip_part (
    tip_id uuid not null references tip,
    part integer not null,
    purpose text not null check (purpose in ('tip.narrative','tip.photo','tip.original')),
    sealed bytea,
    blob_key text,
    primary key (tip_id, purpose, part),
    check ((sealed is null) <> (blob_key is null))
  )`,
  `create table tip_wrap (
    tip_id uuid not null references tip,
    department_id text not null references department,
    epoch integer not null,
    wrapped bytea not null,
    primary key (tip_id, department_id)
  )`,
  `create table case_note (
    id uuid primary key,
    case_id uuid not null references case_file,
    tip_id uuid not null references tip,
    purpose text not null check (purpose in ('tip.note','tip.reason')),
    sealed bytea not null,
    author_id uuid not null references member,
    at timestamptz not null
  )`,
  `create index case_note_case on case_note (case_id, at)`,
  `create table proof (
    id uuid primary key,
    case_id uuid not null references case_file,
    kind text not null,
    caption text not null,
    blob_key text,
    added_by uuid not null references member,
    added_at timestamptz not null
  )`,
  `create index proof_case on proof (case_id, added_at)`,
  `create table case_event (
    case_id uuid not null references case_file,
    ordinal integer not null,
    day date not null,
    at timestamptz,
    actor_id uuid references member,
    role text not null,
    action text not null,
    from_state text,
    to_state text not null,
    data jsonb not null,
    primary key (case_id, ordinal)
  )`,
  // Everything the public may query, and nothing else: the ledger, its filters, counts and feeds read only this table.
  `create table public_case (
    case_no text primary key references case_file (case_no),
    visible_from date not null,
    holder_id text not null references department,
    received_week date not null,
    due_week date,
    due_text text not null,
    overdue_from date,
    hand_overs integer not null,
    state text not null check (state in ('routed','accepted','working','reviewing','published','closed')),
    category_id text references category,
    group_id text,
    area_id text references area,
    measure_refs text[] not null,
    outcome text,
    statement text,
    competent_body text,
    proof jsonb not null,
    published_day date,
    concluded_week date,
    on_time boolean
  )`,
  `create index public_case_ledger on public_case (received_week desc, case_no desc)`,
  `create index public_case_published on public_case (published_day desc, case_no desc) where published_day is not null`,
  // A filing that was acknowledged answers every repeat alike. The reply is sealed under the caller's own key.
  `create table filing (
    key_hash bytea primary key,
    request_hash bytea not null,
    reply bytea not null,
    case_no text not null,
    day date not null
  )`,
  `create table draft (id uuid primary key, sealed bytea not null, day date not null)`,
  `create table draft_blob (
    draft_id uuid not null references draft on delete cascade,
    blob_key text not null,
    primary key (draft_id, blob_key)
  )`,
  // What a department's mailbox is still to be told: number and day, no time.
  `create table notice (
    department_id text not null references department,
    case_no text not null,
    kind text not null,
    day date not null,
    primary key (department_id, case_no, kind)
  )`,

  // Lists.
  `create table entry (
    id uuid primary key,
    entry_no text not null unique,
    list text not null,
    state text not null check (state in ('listed','ended')),
    revision integer not null,
    subject_name text not null,
    uscc text,
    decision_no text,
    authority text not null,
    grams text[] not null,
    listed_on date not null,
    listed_until date,
    ended_on date,
    data jsonb not null,
    search_name text not null
  )`,
  `create index entry_page on entry (list, listed_on desc, entry_no desc)`,
  `create index entry_grams on entry using gin (grams)`,
  // Look-ups by the beginning of a code, in any locale.
  `create index entry_uscc on entry (uscc text_pattern_ops) where uscc is not null`,
  `create index entry_decision on entry (decision_no text_pattern_ops) where decision_no is not null`,
  `create index entry_no_prefix on entry (entry_no text_pattern_ops)`,
  // The list of one authority, and which authorities a list has.
  `create index entry_authority on entry (list, authority, listed_on desc, entry_no desc)`,
  // One decision lists one subject once.
  `create unique index entry_once on entry (list, decision_no, coalesce(uscc, search_name))
    where decision_no is not null and state = 'listed'`,
  `create table list_proposal (
    id uuid primary key,
    list text not null,
    action text not null check (action in ('enter','amend','remove')),
    payload jsonb not null,
    reason text not null,
    status text not null check (status in ('proposed','approved','rejected')),
    proposed_by uuid not null references member,
    proposed_at timestamptz not null,
    decided_by uuid references member,
    decided_at timestamptz,
    decision_reason text,
    check (decided_by is null or decided_by <> proposed_by)
  )`,
  `create index list_proposal_waiting on list_proposal (status, proposed_at)`,
  `create table entry_revision (
    entry_id uuid not null references entry,
    revision integer not null,
    action text not null check (action in ('enter','amend','remove')),
    data jsonb not null,
    reason text not null,
    proposal_id uuid not null references list_proposal,
    proposed_by uuid not null references member,
    approved_by uuid not null references member,
    at timestamptz not null,
    primary key (entry_id, revision),
    check (approved_by <> proposed_by)
  )`,
]

const DOWN = `
  drop table entry_revision, list_proposal, entry, notice, draft_blob, draft, filing, public_case,
    case_event, proof, case_note, tip_wrap, tip_part, tip, case_file, staff_audit, key_grant, department_key, session,
    enrolment, member_role, member, data_version, setting, deadline_rule, routing_rule, measure, category, area, department
`

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of UP) await sql.raw(statement).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql.raw(DOWN).execute(db)
}
