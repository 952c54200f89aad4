import { sql, type Kysely } from 'kysely'

/** What officer and reporter write to each other about a tip, sealed to both, and where to say that something changed. */
const UP = [
  // Of a reporter's message only the day: the number gives the order.
  `create table message (
    tip_id uuid not null references tip on delete cascade,
    number integer not null check (number >= 1),
    side text not null check (side in ('officer','reporter')),
    asks boolean not null default false check (not asks or side = 'officer'),
    day date not null,
    sealed bytea not null,
    send_key bytea not null check (octet_length(send_key) = 32),
    author_id uuid references member,
    at timestamptz,
    primary key (tip_id, number),
    -- A button pressed twice sends once.
    unique (tip_id, send_key),
    check ((side = 'officer') = (author_id is not null) and (side = 'officer') = (at is not null))
  )`,
  // Named by a random id that stands in the sealed message, so that one photo cannot be put in another's place.
  `create table message_photo (
    tip_id uuid not null,
    number integer not null,
    photo text not null,
    blob_key text not null unique,
    primary key (tip_id, photo),
    foreign key (tip_id, number) references message on delete cascade
  )`,
  // An address, sealed under a key that is not in the database. The id alone goes to the queue of jobs.
  `create table follow_mail (
    tip_id uuid primary key references tip on delete cascade,
    id uuid not null unique,
    sealed bytea not null,
    changed boolean not null default false,
    told_day date
  )`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of UP) await sql.raw(statement).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql.raw('drop table follow_mail, message_photo, message').execute(db)
}
