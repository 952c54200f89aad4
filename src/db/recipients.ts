import type { RecipientEntry } from '../sealing/recipient-list.ts'
import type { Db, Tx } from './connect.ts'

/** The list as it lies in the database; nothing about it is certain until it was verified. */
export async function loadRecipientList(db: Db | Tx): Promise<RecipientEntry[]> {
  const rows = await db.selectFrom('recipient_entry').selectAll().orderBy('no').execute()
  return rows.map(({ no: _no, signed_by: signedBy, ...row }) => ({ ...row, signedBy }))
}

/** Appends entries behind the first `count`. Two writers at once: the second one's statement fails. */
export async function insertRecipients(
  tx: Tx,
  count: number,
  entries: readonly RecipientEntry[],
): Promise<void> {
  if (entries.length === 0) return
  await tx
    .insertInto('recipient_entry')
    .values(
      entries.map(({ signedBy, ...entry }, index) => ({ ...entry, no: count + index, signed_by: signedBy })),
    )
    .execute()
}

/** Forgets the list: only where the root signs it anew. */
export async function deleteRecipients(tx: Tx): Promise<void> {
  await tx.deleteFrom('recipient_entry').execute()
}
