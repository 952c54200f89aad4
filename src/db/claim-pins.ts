import { sql } from 'kysely'
import type { Db } from './connect.ts'

/** What is kept of a tip's claim PIN, and how often it was typed wrong. */
export async function findPin(
  db: Db,
  tipId: string,
): Promise<{ readonly pin: Buffer | null; readonly tries: number } | undefined> {
  return db
    .selectFrom('tip')
    .select(['claim_pin as pin', 'pin_tries as tries'])
    .where('id', '=', tipId)
    .executeTakeFirst()
}

/** Takes one of `most` tries; answers how many are left, null when there was none. */
export async function countPinTry(db: Db, tipId: string, most: number): Promise<number | null> {
  const row = await db
    .updateTable('tip')
    .set({ pin_tries: sql<number>`pin_tries + 1` })
    .where('id', '=', tipId)
    .where('pin_tries', '<', most)
    .returning('pin_tries')
    .executeTakeFirst()
  return row ? most - row.pin_tries : null
}

export async function forgivePinTries(db: Db, tipId: string): Promise<void> {
  await db.updateTable('tip').set({ pin_tries: 0 }).where('id', '=', tipId).execute()
}

/** Gives one try back wherever `most` were used up. */
export async function giveBackPinTry(db: Db, most: number): Promise<void> {
  await db
    .updateTable('tip')
    .set({ pin_tries: most - 1 })
    .where('pin_tries', '>=', most)
    .execute()
}
