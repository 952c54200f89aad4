import { sql, type Kysely } from 'kysely'

/** By which whoever holds an owner's key says that the recipient it was granted to is the member's own. */
const UP = [`alter table key_grant add column voucher text`]

const DOWN = [`alter table key_grant drop column voucher`]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of UP) await sql.raw(statement).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const statement of DOWN) await sql.raw(statement).execute(db)
}
