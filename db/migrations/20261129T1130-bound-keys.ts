import { sql, type Kysely } from 'kysely'

/**
 * The keys that messages are sealed to are vouched for: the tip's by its reporter, the reporter's, after a new receipt
 * code, by a custodian.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`alter table tip add column recipient_mac text, add column reporter_signature text`)
    .execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql.raw(`alter table tip drop column recipient_mac, drop column reporter_signature`).execute(db)
}
