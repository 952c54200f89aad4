import type { PlanSnapshot } from '../services/plan-store.ts'
import { departmentName } from './department-name.ts'

const OTHERS: Readonly<Record<string, string>> = {
  escrow: '应急钥匙（离线保管）',
  'escrow-approver': '审批人的应急钥匙（离线保管）',
  'role-custodian': '身份保管人',
  'role-approver': '审批人',
  'role-finance': '财务',
}

/** Whose key it is, in the words of the site. */
export const keyOwnerName = (snapshot: PlanSnapshot, owner: string): string =>
  OTHERS[owner] ?? departmentName(snapshot, owner)
