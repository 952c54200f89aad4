import type { Insertable, Selectable } from 'kysely'
import type { CaseRow } from './cases.ts'
import type { Db, Tx } from './connect.ts'
import type { ProofTable } from './tables.ts'

export type ProofRow = Selectable<ProofTable>

/** What proves a case's conclusion, in the order it was added. */
export async function proofsOf(db: Db | Tx, caseId: string): Promise<ProofRow[]> {
  return db
    .selectFrom('proof')
    .selectAll()
    .where('case_id', '=', caseId)
    .orderBy('added_at')
    .orderBy('id')
    .execute()
}

/** A proof's picture, if it has one, and the case it belongs to. */
export async function findProof(
  db: Db,
  id: string,
): Promise<(CaseRow & { blob_key: string | null }) | undefined> {
  return db
    .selectFrom('proof')
    .innerJoin('case_file', 'case_file.id', 'proof.case_id')
    .selectAll('case_file')
    .select('proof.blob_key')
    .where('proof.id', '=', id)
    .executeTakeFirst()
}

export async function insertProof(tx: Tx, proof: Insertable<ProofTable>): Promise<void> {
  await tx.insertInto('proof').values(proof).execute()
}

/** @returns where its picture was; undefined when the case has no such proof */
export async function deleteProof(
  tx: Tx,
  caseId: string,
  id: string,
): Promise<{ blob_key: string | null } | undefined> {
  return tx
    .deleteFrom('proof')
    .where('id', '=', id)
    .where('case_id', '=', caseId)
    .returning('blob_key')
    .executeTakeFirst()
}
