import { createHash } from 'node:crypto'
import type { Db, Tx } from '../db/connect.ts'

/** What a member did: action and object by id, never what somebody wrote. */
export interface AuditEntry {
  readonly at: Date
  readonly memberId: string | null
  readonly role: string | null
  readonly action: string
  readonly object: string
  readonly data?: Record<string, unknown>
}

/** What the first row follows. */
export const NO_ROW: Buffer = Buffer.alloc(32)

/** The same value whatever order its keys were stored in. */
export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}

/**
 * The hash of a row: SHA-256 over one line of JSON. Rows that were written stay verifiable only while this stays what
 * it is; another form needs another first word, and a row that says which.
 * @param no its place in the chain, from 1
 * @param previous hash of the row before it, {@link NO_ROW} for the first
 */
export function auditHash(no: number, previous: Buffer, entry: AuditEntry): Buffer {
  const { at, memberId, role, action, object, data = {} } = entry
  const line = [
    'audit-1',
    no,
    previous.toString('hex'),
    at.toISOString(),
    memberId,
    role,
    action,
    object,
    sorted(data),
  ]
  return createHash('sha256').update(JSON.stringify(line)).digest()
}

async function append(tx: Tx, entry: AuditEntry): Promise<void> {
  // The row's reference locks the member: before the head, since whoever removes a member holds that and waits for it.
  if (entry.memberId !== null) {
    await tx.selectFrom('member').select('id').where('id', '=', entry.memberId).forKeyShare().execute()
  }
  const head = await tx
    .insertInto('audit_head')
    .values({ one: true, count: 0, hash: NO_ROW })
    .onConflict((conflict) => conflict.column('one').doUpdateSet({ one: true }))
    .returning(['count', 'hash'])
    .executeTakeFirstOrThrow()
  const no = head.count + 1
  const data = JSON.stringify(entry.data ?? {})
  const hash = auditHash(no, head.hash, { ...entry, data: JSON.parse(data) as Record<string, unknown> })
  await tx
    .insertInto('staff_audit')
    .values({
      no,
      previous: head.hash,
      hash,
      at: entry.at,
      member_id: entry.memberId,
      role: entry.role,
      action: entry.action,
      object: entry.object,
      data,
    })
    .execute()
  await tx.updateTable('audit_head').set({ count: no, hash }).execute()
}

/**
 * Notes what a member did, as the next row of the chain. Inside a transaction it comes last: it locks the end of the
 * chain until the commit, and whoever took another lock after it could wait for somebody who waits for it.
 */
export async function recordAudit(db: Db | Tx, entry: AuditEntry): Promise<void> {
  await (db.isTransaction ? append(db as Tx, entry) : db.transaction().execute((tx) => append(tx, entry)))
}
