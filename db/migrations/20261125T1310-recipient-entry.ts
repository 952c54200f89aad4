import { sql, type Kysely } from 'kysely'

/** The signed list of keys that tips are sealed to: only ever added to. */
const UP = [
  // An owner is a department or a role; what may stand here is decided by signatures, not by references.
  `create table recipient_entry (
    no integer primary key check (no >= 0),
    owner text not null,
    epoch integer not null check (epoch >= 1),
    recipient text not null,
    verifier text not null,
    day date not null,
    signed_by text not null check (signed_by in ('root','predecessor')),
    previous text not null,
    signature text not null,
    unique (owner, epoch)
  )`,
  `insert into data_version (scope) values ('keys')`,
]

const DOWN = [`delete from data_version where scope = 'keys'`, `drop table recipient_entry`]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of UP) await sql.raw(statement).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const statement of DOWN) await sql.raw(statement).execute(db)
}
