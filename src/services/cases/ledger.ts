import { attachedCases, countSimilar, loadCase, storeLedgerRow, type CaseRow } from '../../db/cases.ts'
import type { Db, Tx } from '../../db/connect.ts'
import { proofsOf } from '../../db/proofs.ts'
import type { CaseState } from '../../domain/case.ts'
import { addDays, dayOf, type Day } from '../../domain/day.ts'
import { coarsen } from '../../domain/privacy.ts'
import { findVisible, type Reader } from '../case-access.ts'
import { ledgerRow, namesOf, publicFacts, type CompleteRow } from '../ledger-row.ts'
import type { PlanSnapshot } from '../plan-store.ts'
import type { Deps } from '../ports.ts'

export interface CasePreview {
  /** The ledger's row as publishing now would make it; `reading.asPublic` shows it. */
  preview(
    reader: Reader,
    caseNo: string,
    hide: { hideCategory: boolean; hideArea: boolean },
  ): Promise<CompleteRow>
}

const SIMILAR_DAYS = 90

/** What the ledger must not say of a case published today, because too few are like it. */
export async function coarseningOf(
  db: Db | Tx,
  row: CaseRow,
  today: Day,
): Promise<{ readonly hideArea: boolean; readonly hideCategory: boolean }> {
  return coarsen(await countSimilar(db, row.category_id, row.area_id, addDays(today, -SIMILAR_DAYS)))
}

/** Writes the ledger's rows of a changed case and of those folded into it. @returns the case as it stands */
export async function project(tx: Tx, snapshot: PlanSnapshot, caseId: string): Promise<CaseRow> {
  const row = await loadCase(tx, caseId)
  const parent = row.attached_to === null ? null : await loadCase(tx, row.attached_to)
  await projectOne(tx, snapshot, row, parent)
  for (const child of await attachedCases(tx, caseId)) await projectOne(tx, snapshot, child, row)
  return row
}

async function projectOne(
  tx: Tx,
  snapshot: PlanSnapshot,
  row: CaseRow,
  parent: CaseRow | null,
): Promise<void> {
  const facts = publicFacts(row, await proofsOf(tx, row.id), parent && (parent.state as CaseState))
  const { category, group } = namesOf(snapshot, row.category_id)
  await storeLedgerRow(tx, ledgerRow(facts, category, group, row.measure_refs))
}

export function createCasePreview({ db, clock, plan }: Pick<Deps, 'db' | 'clock' | 'plan'>): CasePreview {
  return {
    async preview(reader, caseNo, hide) {
      const { row } = await findVisible(db, reader, caseNo)
      const { category, group } = namesOf(await plan.current(), row.category_id)
      const proofs = await proofsOf(db, row.id)
      const today = dayOf(clock.now())
      const coarse = await coarseningOf(db, row, today)
      return ledgerRow(
        {
          ...publicFacts(row, proofs, null),
          state: 'published',
          publishedDay: row.published_day ?? today,
          hideArea: coarse.hideArea || hide.hideArea,
          hideCategory: coarse.hideCategory || hide.hideCategory,
        },
        category,
        group,
        row.measure_refs,
      )
    },
  }
}
