import type { Db, Tx } from './connect.ts'

/** A department's current key, as far as the server knows it. */
export interface DepartmentRecipient {
  readonly epoch: number
  readonly recipient: string
}

/** The newest recipient of each department. */
export async function currentRecipients(db: Db | Tx): Promise<ReadonlyMap<string, DepartmentRecipient>> {
  const rows = await db.selectFrom('department_key').selectAll().orderBy('epoch').execute()
  return new Map(rows.map((row) => [row.department_id, { epoch: row.epoch, recipient: row.recipient }]))
}
