import { sql, type Kysely } from 'kysely'

/** The trail of staff actions becomes a chain: each row names the hash of the one before it. */
const UP = [
  `alter table staff_audit add column no integer, add column previous bytea, add column hash bytea`,
  // The end of the chain. Whoever adds a row locks it, so that no two rows follow the same one.
  `create table audit_head (
    one boolean primary key check (one),
    count integer not null,
    hash bytea not null,
    -- The last row that is kept no longer.
    gone integer not null default 0,
    gone_hash bytea not null default decode(repeat('00', 32), 'hex')
  )`,
]

const DONE = [
  `alter table staff_audit alter column no set not null, alter column previous set not null,
    alter column hash set not null, add constraint staff_audit_no unique (no)`,
]

const DOWN = [
  `drop table audit_head`,
  `alter table staff_audit drop column no, drop column previous, drop column hash`,
]

const BATCH = 1000

interface Row {
  readonly id: string | number
  readonly at: Date
  readonly member_id: string | null
  readonly role: string | null
  readonly action: string
  readonly object: string
  readonly data: unknown
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}

async function hashOf(no: number, previous: Buffer, row: Row): Promise<Buffer> {
  const { at, member_id: member, role, action, object, data } = row
  const line = [
    'audit-1',
    no,
    previous.toString('hex'),
    at.toISOString(),
    member,
    role,
    action,
    object,
    sorted(data),
  ]
  return Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(line))))
}

/** Chains the rows there are, in the order in which they were written. */
async function chainRows(db: Kysely<unknown>): Promise<void> {
  let no = 0
  let previous: Buffer = Buffer.alloc(32)
  let last: string | number = 0
  for (;;) {
    const { rows } = await sql<Row>`
      select id, at, member_id, role, action, object, data from staff_audit where id > ${last}
      order by id limit ${BATCH}`.execute(db)
    for (const row of rows) {
      no += 1
      const hash = await hashOf(no, previous, row)
      await sql`update staff_audit set no = ${no}, previous = ${previous}, hash = ${hash} where id = ${row.id}`.execute(
        db,
      )
      previous = hash
      last = row.id
    }
    if (rows.length < BATCH) break
  }
  await sql`insert into audit_head (one, count, hash) values (true, ${no}, ${previous})`.execute(db)
}

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of UP) await sql.raw(statement).execute(db)
  await chainRows(db)
  for (const statement of DONE) await sql.raw(statement).execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const statement of DOWN) await sql.raw(statement).execute(db)
}
