import { lockCase, setWorkers, type CaseRow } from '../../db/cases.ts'
import type { Tx } from '../../db/connect.ts'
import { deleteProof, findProof, insertProof } from '../../db/proofs.ts'
import type { ProofKind } from '../../domain/case.ts'
import { DomainError } from '../../domain/errors.ts'
import type { PhotoReview } from '../../domain/redaction.ts'
import { recordAudit } from '../audit.ts'
import { noSuchCase, rolesFor, type Reader } from '../case-access.ts'
import type { Deps } from '../ports.ts'
import { isUuid } from '../uuid.ts'

export interface NewProof {
  readonly kind: ProofKind
  readonly caption: string
  /** Where the picture is; null for a proof of words. */
  readonly blobKey: string | null
  /** What the officer decided about the picture; a picture without it is refused. */
  readonly review?: PhotoReview
}

export interface CaseProofs {
  /**
   * The decision about a picture goes into the audit with role and time; what was covered is told nowhere.
   * @throws {DomainError} `not-found`, `case-transition`, `invalid-input` for a picture nobody decided about
   */
  addProof(reader: Reader, caseNo: string, proof: NewProof): Promise<string>
  /** @throws {DomainError} `not-found`, `case-transition` */
  removeProof(reader: Reader, caseNo: string, proofId: string): Promise<void>
  /** The picture of a proof: of a published case for everybody, else for those who may see the case. */
  proofPhoto(reader: Reader | null, proofId: string): Promise<Uint8Array | null>
}

/** Refuses a picture about which nobody decided whether something has to be covered. */
export const notReviewed = (): DomainError =>
  new DomainError('invalid-input', '照片要先检查、遮挡，才能作为佐证。', [
    { field: 'review', message: '请遮挡不该公开的部分，或确认“已检查，无需遮挡”。' },
  ])

export function createCaseProofs(deps: Pick<Deps, 'db' | 'clock' | 'random' | 'files'>): CaseProofs {
  const { db, clock, random, files } = deps

  /** The case, locked, for an officer who holds it and is not done with it. */
  async function lockForProof(tx: Tx, reader: Reader, caseNo: string): Promise<CaseRow> {
    const row = await lockCase(tx, caseNo)
    if (!row || !rolesFor(row, reader).includes('officer')) throw noSuchCase()
    if (!['accepted', 'working'].includes(row.state)) {
      throw new DomainError('case-transition', '只有受理后、办结前可以增减佐证。')
    }
    return row
  }

  const audit = (tx: Tx, reader: Reader, action: string, caseNo: string): Promise<void> =>
    recordAudit(tx, { at: clock.now(), memberId: reader.memberId, role: 'officer', action, object: caseNo })

  return {
    async addProof(reader, caseNo, proof) {
      if (proof.blobKey !== null && !proof.review) throw notReviewed()
      const id = random.uuid()
      await db.transaction().execute(async (tx) => {
        const row = await lockForProof(tx, reader, caseNo)
        await insertProof(tx, {
          id,
          case_id: row.id,
          kind: proof.kind,
          caption: proof.caption,
          blob_key: proof.blobKey,
          added_by: reader.memberId,
          added_at: clock.now(),
        })
        // Whoever proves has investigated.
        await setWorkers(tx, row.id, [...new Set([...row.worked_by, reader.memberId])])
        await audit(tx, reader, proof.review ? `proof.add.${proof.review}` : 'proof.add', caseNo)
      })
      return id
    },

    async removeProof(reader, caseNo, proofId) {
      if (!isUuid(proofId)) throw noSuchCase()
      const blobKey = await db.transaction().execute(async (tx) => {
        const row = await lockForProof(tx, reader, caseNo)
        const gone = await deleteProof(tx, row.id, proofId)
        if (!gone) throw noSuchCase()
        await audit(tx, reader, 'proof.remove', caseNo)
        return gone.blob_key
      })
      if (blobKey) await files.delete(blobKey)
    },

    async proofPhoto(reader, proofId) {
      if (!isUuid(proofId)) return null
      const found = await findProof(db, proofId)
      if (!found?.blob_key) return null
      const isPublic = found.state === 'published' || found.state === 'closed'
      if (!isPublic && !(reader && rolesFor(found, reader).length > 0)) return null
      return files.get(found.blob_key)
    },
  }
}
