import { sql } from 'kysely'
import type { Day } from '../domain/day.ts'
import type { Tx } from './connect.ts'

const tipsOf = (caseId: string) => sql`(
  select tip.id from tip join case_file on case_file.id = tip.case_id
  where case_file.id = ${caseId} or case_file.attached_to = ${caseId}
)`

/** Notes that there is something to say to whoever reported the case; with a tip, to its reporter alone. */
export async function markFollowers(tx: Tx, caseId: string, tipId: string | null = null): Promise<void> {
  await sql`
    update follow_mail set changed = true
    where tip_id in ${tipsOf(caseId)} and (${tipId}::uuid is null or tip_id = ${tipId}::uuid)
  `.execute(tx)
}

/** Forgets the addresses of whoever reported the case. */
export async function forgetFollowers(tx: Tx, caseId: string): Promise<void> {
  await sql`delete from follow_mail where tip_id in ${tipsOf(caseId)}`.execute(tx)
}

/** Takes everybody to whom something is to be said today; answers the ids of the mails. */
export async function takeFollowers(tx: Tx, today: Day): Promise<string[]> {
  const rows = await tx
    .updateTable('follow_mail')
    .set({ changed: false, told_day: today })
    .where('changed', '=', true)
    .returning('id')
    .execute()
  return rows.map((row) => row.id)
}
