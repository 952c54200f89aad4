import type { CaseRow } from '../../db/cases.ts'
import type { Tx } from '../../db/connect.ts'
import { liveTipIdsOf, tipIdsOf } from '../../db/tips.ts'
import { keepWraps, wrappedTipIds } from '../../db/wraps.ts'
import { DomainError } from '../../domain/errors.ts'
import { DISPATCHER_DEPARTMENT, SUPERVISION_DEPARTMENT } from '../../domain/plan.ts'
import type { Keys } from '../keys.ts'
import type { TipWraps } from '../tip-wraps.ts'
import type { NewWrap } from './request.ts'

const AGE_HEADER = 'age-encryption.org/v1'
const MAX_WRAP_BYTES = 4096

/** Whether bytes begin as an age file does: all that the server can tell about what a browser sealed. */
export function isAge(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, AGE_HEADER.length)).toString('latin1') === AGE_HEADER
}

/**
 * Replaces the wraps of a case's holder by those for `target`.
 * @throws {DomainError} `invalid-input` when a tip would be left that `target` cannot open
 */
export async function moveWraps(
  tx: Tx,
  { keys, tipWraps }: { readonly keys: Keys; readonly tipWraps: TipWraps },
  row: CaseRow,
  target: string,
  wraps: readonly NewWrap[],
): Promise<void> {
  const tipIds = await liveTipIdsOf(tx, row.id)
  if (tipIds.length === 0) return
  const epoch = (await keys.recipients(tx)).get(target)?.epoch
  const held = await wrappedTipIds(tx, tipIds, target)
  const missing = new Set(tipIds.filter((id) => !held.has(id)))
  for (const wrap of wraps) {
    if (!missing.delete(wrap.tipId)) continue
    if (!isAge(wrap.wrapped) || wrap.wrapped.length > MAX_WRAP_BYTES || wrap.epoch !== epoch) {
      throw new DomainError('invalid-input', '转交的钥匙无效，请刷新页面后重试。', [
        { field: 'wraps', message: '钥匙与接收单位不符。' },
      ])
    }
    await tipWraps.add(tx, { ...wrap, department: target })
  }
  if (missing.size > 0) {
    throw new DomainError('invalid-input', '请先解锁，再把密封内容的钥匙交给接收单位。', [
      { field: 'wraps', message: `还有 ${missing.size} 份没有转交。` },
    ])
  }
  await keepWraps(tx, tipIds, readersOf(row, target))
}

/** Takes the wraps of everybody but `target`, which holds the case, and who reads it besides. */
export async function dropWraps(tx: Tx, row: CaseRow, target: string): Promise<void> {
  const tipIds = await tipIdsOf(tx, row.id)
  if (tipIds.length > 0) await keepWraps(tx, tipIds, readersOf(row, target))
}

/** The dispatcher keeps its wrap; of an inaction case, which it must not read, 区政府督查室 does. */
function readersOf(row: CaseRow, holder: string): string[] {
  return [holder, row.accused_department_id === null ? DISPATCHER_DEPARTMENT : SUPERVISION_DEPARTMENT]
}
