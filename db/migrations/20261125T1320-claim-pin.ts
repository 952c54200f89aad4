import { sql, type Kysely } from 'kysely'

/** The six digits that a reporter may choose, without which nobody collects the reward with the paper alone. */
const UP = [
  // 16 bytes of salt, then Argon2id of an HMAC under a key outside the database. Wrong tries are counted, not dated.
  `alter table tip add column claim_pin bytea check (octet_length(claim_pin) = 48),
    add column pin_tries smallint not null default 0 check (pin_tries between 0 and 5)`,
]

const DOWN = [`alter table tip drop column claim_pin, drop column pin_tries`]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of UP) await sql.raw(statement).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const statement of DOWN) await sql.raw(statement).execute(db)
}
