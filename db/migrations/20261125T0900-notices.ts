import { sql, type Kysely } from 'kysely'

const UP = [
  // A mail to a department, kept until it has gone out. What a citizen caused has a day and no time (D§5.1).
  `create table mail (
    id uuid primary key,
    kind text not null check (kind in ('arrivals','due','overdue')),
    department_id text not null references department,
    day date not null,
    items jsonb not null,
    state text not null check (state in ('waiting','sent','dead')),
    attempts integer not null default 0,
    fault text check (fault in ('unreachable','timeout','busy','credentials','tls','refused','no-mailbox','interrupted')),
    message_key text
  )`,
  // The console's page: newest day first, of one state or of all.
  `create index mail_page on mail (day desc, id desc)`,
  `create index mail_state on mail (state, day desc, id desc)`,
  // How far of a term a department has been told, so that each stage is told once.
  `create table due_notice (
    department_id text not null references department,
    case_no text not null references case_file (case_no),
    step text not null check (step in ('accept','arbitrate','conclude')),
    due date not null,
    stage integer not null check (stage in (50,80,100,101)),
    primary key (department_id, case_no, step)
  )`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of UP) await sql.raw(statement).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql.raw('drop table due_notice, mail').execute(db)
}
