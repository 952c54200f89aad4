import { sql, type Kysely } from 'kysely'

/**
 * Proofs of the bot gate that were used. The day is the last on which the same proof could be shown again; a time of
 * day would say when somebody filed (D§5.1).
 */
const UP = `
  create table spent_proof (
    hash bytea primary key check (octet_length(hash) = 32),
    day date not null
  )
`

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(UP).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop table spent_proof`.execute(db)
}
