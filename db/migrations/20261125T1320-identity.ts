import { sql, type Kysely } from 'kysely'

/** Keys of roles, named reporters, what two people open together, and requests to open it. */
const UP = [
  // Beside departments, three roles own a key.
  `alter table department_key drop constraint department_key_department_id_fkey,
    add constraint department_key_owner check (
      department_id not like 'role-%' or department_id in ('role-custodian','role-approver','role-finance'))`,
  // The approver takes the outer layer off, so no approver may hold the key of an inner one.
  `delete from member_role as approving where role = 'approver' and exists (
    select from member_role as keeping
    where keeping.member_id = approving.member_id and keeping.role in ('custodian','finance'))`,
  `create unique index member_role_identity on member_role (member_id) where role in ('custodian','approver')`,
  `create unique index member_role_payee on member_role (member_id) where role in ('finance','approver')`,
  `alter table tip add column named boolean not null default false`,
  `create table two_layer_part (
    tip_id uuid not null references tip,
    purpose text not null check (purpose in ('tip.identity','tip.payee')),
    recipient text not null,
    -- Locked once more, under a slot of its own.
    sealed bytea not null,
    slot bigint not null,
    keeper text not null check (keeper = case purpose when 'tip.identity' then 'role-custodian' else 'role-finance' end),
    keeper_epoch integer not null,
    approver_epoch integer not null,
    wrapped bytea not null,
    primary key (tip_id, purpose)
  )`,
  // Which are still wrapped to an older key of the approvers.
  `create index two_layer_part_epoch on two_layer_part (approver_epoch)`,
  `create table identity_request (
    id uuid primary key,
    tip_id uuid not null references tip,
    case_id uuid not null references case_file,
    kind text not null check (kind in ('read','reissue')),
    reason text not null,
    sealed_reason bytea not null,
    department_id text not null references department,
    state text not null check (state in ('asked','stripped','passed','reissued','refused','expired')),
    asked_by uuid not null references member,
    asked_at timestamptz not null,
    approver_id uuid references member,
    approved_at timestamptz,
    inner_layer bytea,
    custodian_id uuid references member,
    passed_at timestamptz,
    passed bytea,
    sealed_note bytea,
    readable_until date,
    refused_by uuid references member,
    refused_at timestamptz,
    check ((approver_id is null) = (approved_at is null)),
    check ((custodian_id is null) = (passed_at is null)),
    check ((refused_by is null) = (refused_at is null)),
    check ((state = 'refused') = (refused_by is not null)),
    check ((state = 'stripped') = (inner_layer is not null)),
    check ((state = 'passed') = (passed is not null)),
    check (state <> 'passed' or (kind = 'read' and readable_until is not null)),
    check (state <> 'reissued' or (kind = 'reissue' and sealed_note is not null)),
    check (state not in ('passed','reissued') or custodian_id is not null),
    constraint identity_request_three_people check (
      (approver_id is null or approver_id <> asked_by)
      and (custodian_id is null or (approver_id is not null and custodian_id <> asked_by
        and custodian_id <> approver_id))
      and (refused_by is null or refused_by <> asked_by)
    )
  )`,
  // One open request for each kind of each tip.
  `create unique index identity_request_open on identity_request (tip_id, kind) where state in ('asked','stripped')`,
  // What waits for a role, and what runs out.
  `create index identity_request_state on identity_request (state, asked_at)`,
  // The requests about a case, and about a tip.
  `create index identity_request_case on identity_request (case_id)`,
  `create index identity_request_tip on identity_request (tip_id)`,
  // Slots of what is gone already, until their keys are destroyed too.
  `create table dropped_slot (slot bigint primary key)`,
  `create table payee_release (
    tip_id uuid primary key references tip,
    inner_layer bytea not null,
    released_by uuid not null references member,
    released_at timestamptz not null
  )`,
]

const DOWN = [
  `drop table payee_release, dropped_slot, identity_request, two_layer_part`,
  `alter table tip drop column named`,
  `drop index member_role_payee`,
  `drop index member_role_identity`,
  `delete from key_grant where department_id like 'role-%'`,
  `delete from department_key where department_id like 'role-%'`,
  `alter table department_key drop constraint department_key_owner,
    add constraint department_key_department_id_fkey foreign key (department_id) references department`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of UP) await sql.raw(statement).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const statement of DOWN) await sql.raw(statement).execute(db)
}
