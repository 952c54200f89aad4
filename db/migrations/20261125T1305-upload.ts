import { sql, type Kysely } from 'kysely'

/**
 * Sealed files on their way from a browser. The id is the sender's secret and kept as a hash; `received` is how much
 * certainly rests on disk; `holder` is a hash of the draft or the proof they came with, so that one sender's are
 * counted together.
 */
const UP = `
  create table upload (
    id_hash bytea primary key check (octet_length(id_hash) = 32),
    holder bytea not null check (octet_length(holder) = 32),
    size int not null check (size > 0),
    received int not null default 0 check (received between 0 and size),
    blob_key text not null unique,
    day date not null
  );
  -- what one sender holds already
  create index upload_holder on upload (holder);
  -- upkeep forgets what no tip took
  create index upload_day on upload (day)
`

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(UP).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop table upload`.execute(db)
}
