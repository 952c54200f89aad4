import type { Db, Tx } from '../../db/connect.ts'
import { findListed } from '../../db/lists.ts'
import { DomainError } from '../../domain/errors.ts'
import { duplicateKey, searchableNames, type EntryData, type ListKind } from '../../domain/list.ts'
import { searchNameOf } from '../../domain/search-text.ts'
import type { ReadRow, RowProblem } from '../../schemas/list.ts'

/** {@link duplicateKey} of an entry that is not stored yet. */
export function keyOf(kind: ListKind, data: EntryData): string | null {
  return duplicateKey({
    uscc: data.uscc,
    decisionNo: data.decisionNo,
    searchName: searchNameOf(searchableNames(kind, data)),
  })
}

/** Numbers of the listed entries by key, as far as some rows could be the same listing. */
export async function listedKeys(
  db: Db | Tx,
  kind: ListKind,
  rows: readonly EntryData[],
): Promise<ReadonlyMap<string | null, string>> {
  const decisionNos = new Set(rows.flatMap(({ decisionNo }) => (decisionNo === null ? [] : [decisionNo])))
  const found = await findListed(db, kind.id, [...decisionNos])
  return new Map(found.map((entry) => [duplicateKey(entry), entry.entryNo]))
}

/** Whether an entry with this data would be the same listing as another one. */
export async function hasTwin(
  db: Db | Tx,
  kind: ListKind,
  entryNo: string,
  data: EntryData,
): Promise<boolean> {
  const key = keyOf(kind, data)
  const found = data.decisionNo === null ? [] : await findListed(db, kind.id, [data.decisionNo])
  return found.some((other) => other.entryNo !== entryNo && duplicateKey(other) === key)
}

/** Rows that another row of the same file, or the list itself, already has. */
export async function duplicatesIn(db: Db, kind: ListKind, rows: readonly ReadRow[]): Promise<RowProblem[]> {
  const listed = await listedKeys(
    db,
    kind,
    rows.map(({ data }) => data),
  )
  const first = new Map<string, number>()
  const problems: RowProblem[] = []
  for (const { row, data } of rows) {
    const key = keyOf(kind, data)
    if (key === null) continue
    const earlier = first.get(key)
    const entryNo = listed.get(key)
    const message =
      entryNo !== undefined
        ? `同一主体、同一文号已在名单中（${entryNo}），需要修改请用“更正”。`
        : earlier !== undefined
          ? `与第 ${earlier} 行重复：同一主体、同一文号。`
          : null
    first.set(key, earlier ?? row)
    if (message !== null) problems.push({ row, key: 'decisionNo', column: '决定文号', message })
  }
  return problems
}

export const duplicateEntry = (subjectName?: string): DomainError =>
  new DomainError(
    'invalid-input',
    `${subjectName === undefined ? '' : `“${subjectName}”：`}同一主体、同一文号已在名单中，不能重复列入。`,
  )
