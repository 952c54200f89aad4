import type { Db, Tx } from '../db/connect.ts'

/** Notes what a member did: action and object by id, never what somebody wrote. */
export async function recordAudit(
  db: Db | Tx,
  entry: {
    at: Date
    memberId: string | null
    role: string | null
    action: string
    object: string
    data?: Record<string, unknown>
  },
): Promise<void> {
  await db
    .insertInto('staff_audit')
    .values({
      at: entry.at,
      member_id: entry.memberId,
      role: entry.role,
      action: entry.action,
      object: entry.object,
      data: JSON.stringify(entry.data ?? {}),
    })
    .execute()
}
