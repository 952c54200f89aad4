import { sql, type Kysely } from 'kysely'

/** What reading costs at 1,000,000 entries and 100,000 cases. */
const INDEXES: Readonly<Record<string, string>> = {
  // How many entries of each list are in force: read from the index alone.
  entry_count: `entry (list, state, listed_until)`,
  // Entries no longer in force, however many are: ended, or with a last day.
  entry_past: `entry (list, listed_on desc, entry_no desc) where state = 'ended' or listed_until is not null`,
  // How many cases like this one there were lately.
  case_file_similar: `case_file (category_id, received_day)`,
}

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const [name, on] of Object.entries(INDEXES)) {
    await sql.raw(`create index ${name} on ${on}`).execute(db)
  }
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const name of Object.keys(INDEXES)) await sql.raw(`drop index ${name}`).execute(db)
}
