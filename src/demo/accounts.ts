import type { Role } from '../domain/case.ts'

/** Fictional members of the demonstration. */
export interface DemoAccount {
  readonly username: string
  readonly displayName: string
  readonly department: string
  readonly roles: readonly Role[]
}

export const DEMO_ACCOUNTS: readonly DemoAccount[] = [
  { username: 'huanbao-1', displayName: '演示员甲', department: 'qu-huanbao', roles: ['officer'] },
  { username: 'huanbao-2', displayName: '演示员乙', department: 'qu-huanbao', roles: ['officer'] },
  { username: 'jianshe-1', displayName: '演示员丙', department: 'qu-jianshe', roles: ['officer'] },
  { username: 'jianshe-2', displayName: '演示员丁', department: 'qu-jianshe', roles: ['officer'] },
  { username: 'zhifa-1', displayName: '演示员戊', department: 'qu-zhifa', roles: ['officer'] },
  { username: 'ducha-1', displayName: '演示员己', department: 'qu-duchashi', roles: ['officer'] },
  { username: 'diaodu-1', displayName: '演示员庚', department: 'qu-daqiban', roles: ['dispatcher'] },
  { username: 'fabu-1', displayName: '演示员辛', department: 'qu-daqiban', roles: ['publisher'] },
  { username: 'shenji-1', displayName: '演示员壬', department: 'qu-duchashi', roles: ['auditor'] },
  { username: 'shenpi-1', displayName: '演示员子', department: 'qu-daqiban', roles: ['approver'] },
  { username: 'baoguan-1', displayName: '演示员寅', department: 'qu-duchashi', roles: ['custodian'] },
  { username: 'caiwu-1', displayName: '演示员丑', department: 'qu-caizheng', roles: ['finance'] },
  { username: 'guanli-1', displayName: '演示员癸', department: 'qu-daqiban', roles: ['admin'] },
]
