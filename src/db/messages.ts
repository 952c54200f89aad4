import { sql, type Selectable } from 'kysely'
import type { Day } from '../domain/day.ts'
import type { Side } from '../domain/message.ts'
import type { Db, Tx } from './connect.ts'
import type { MessagePhotoTable, MessageTable } from './tables.ts'

/** A message with the name of the member who wrote it. */
export type MessageRow = Selectable<MessageTable> & { display_name: string | null }

/** The messages about some tips, in the order of their numbers. */
export async function messagesOf(db: Db | Tx, tipIds: readonly string[]): Promise<MessageRow[]> {
  if (tipIds.length === 0) return []
  return db
    .selectFrom('message')
    .leftJoin('member', 'member.id', 'message.author_id')
    .selectAll('message')
    .select('member.display_name')
    .where('message.tip_id', 'in', tipIds)
    .orderBy('message.number')
    .execute()
}

/** The number of the message that a form has sent before. */
export async function sentNumber(tx: Tx, tipId: string, sendKey: Buffer): Promise<number | undefined> {
  const row = await tx
    .selectFrom('message')
    .select('number')
    .where('tip_id', '=', tipId)
    .where('send_key', '=', sendKey)
    .executeTakeFirst()
  return row?.number
}

/** How much there is about a tip. */
export async function threadSize(db: Db | Tx, tipId: string): Promise<{ messages: number; photos: number }> {
  const count = (table: 'message' | 'message_photo') =>
    sql<number>`(select count(*) from ${sql.table(table)} where tip_id = ${tipId})::int`
  const { rows } = await sql<{ messages: number; photos: number }>`
    select ${count('message')} as messages, ${count('message_photo')} as photos
  `.execute(db)
  return rows[0] ?? { messages: 0, photos: 0 }
}

export interface NewMessageRow {
  readonly tipId: string
  readonly number: number
  readonly side: Side
  readonly asks: boolean
  readonly day: Day
  readonly sealed: Uint8Array
  readonly sendKey: Buffer
  readonly author: { readonly id: string; readonly at: Date } | null
  readonly photos: readonly { readonly id: string; readonly blobKey: string }[]
}

/** Appends a message; nothing edits or removes one. */
export async function insertMessage(tx: Tx, message: NewMessageRow): Promise<void> {
  await tx
    .insertInto('message')
    .values({
      tip_id: message.tipId,
      number: message.number,
      side: message.side,
      asks: message.asks,
      day: message.day,
      sealed: Buffer.from(message.sealed),
      send_key: message.sendKey,
      author_id: message.author?.id ?? null,
      at: message.author?.at ?? null,
    })
    .execute()
  if (message.photos.length === 0) return
  await tx
    .insertInto('message_photo')
    .values(
      message.photos.map(({ id, blobKey }) => ({
        tip_id: message.tipId,
        number: message.number,
        photo: id,
        blob_key: blobKey,
      })),
    )
    .execute()
}

/** The tip whose reporter was asked last, of those given. */
export async function askedTip(tx: Db | Tx, tipIds: readonly string[]): Promise<string | undefined> {
  const row = await tx
    .selectFrom('message')
    .select('tip_id')
    .where('tip_id', 'in', tipIds)
    .where('asks', '=', true)
    .orderBy('at', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.tip_id
}

/** Where the sealed bytes of a photo are kept. */
export async function messagePhoto(
  db: Db,
  tipId: string,
  photo: string,
): Promise<Selectable<MessagePhotoTable> | undefined> {
  return db
    .selectFrom('message_photo')
    .selectAll()
    .where('tip_id', '=', tipId)
    .where('photo', '=', photo)
    .executeTakeFirst()
}

/**
 * Ids of the cases with a tip about which the reporter wrote last. Walks the primary key backwards, once.
 */
export const UNANSWERED = sql<string>`(
  select coalesce(owner.attached_to, owner.id)
  from (select distinct on (tip_id) tip_id, side from message order by tip_id, number desc) last
  join tip on tip.id = last.tip_id
  join case_file owner on owner.id = tip.case_id
  where last.side = 'reporter'
)`

/** Those of some cases with a tip about which the reporter wrote last. */
export async function unansweredAmong(db: Db, caseIds: readonly string[]): Promise<Set<string>> {
  if (caseIds.length === 0) return new Set()
  const { rows } = await sql<{ id: string }>`
    select distinct coalesce(owner.attached_to, owner.id) as id
    from tip
    join case_file owner on owner.id = tip.case_id
    join lateral (select side from message where tip_id = tip.id order by number desc limit 1) last on true
    where last.side = 'reporter'
      and (owner.id = any (${[...caseIds]}::uuid[]) or owner.attached_to = any (${[...caseIds]}::uuid[]))
  `.execute(db)
  return new Set(rows.map((row) => row.id))
}
