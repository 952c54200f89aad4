import { ROLES, type Role } from './case.ts'

/** The console's pages and who may open them. A test walks the folder: a page without a row fails. */
export const CONSOLE_ROUTES: Readonly<Record<string, readonly Role[] | 'anybody'>> = {
  '/staff/': 'anybody',
  '/staff/sign-in/': 'anybody',
  '/staff/enrol/': 'anybody',
  '/staff/factor/': 'anybody',
  '/staff/forbidden/': 'anybody',
  '/staff/account/': ROLES,
  '/staff/queue/': ['officer', 'dispatcher', 'publisher', 'auditor'],
  '/staff/cases/[caseNo]/': ['officer', 'dispatcher', 'publisher', 'auditor'],
  '/staff/departments/': ['officer', 'dispatcher', 'admin'],
  '/staff/members/': ['officer', 'dispatcher', 'admin'],
  '/staff/audit/': ['auditor', 'admin'],
  '/staff/retention/': ['auditor', 'admin'],
  '/staff/notices/': ['auditor', 'admin'],
  '/staff/notices/[id].eml': ['auditor', 'admin'],
  '/staff/lists/': ['officer', 'publisher', 'auditor'],
  '/staff/lists/[list]/': ['officer', 'publisher', 'auditor'],
  '/staff/lists/[list]/template.csv': ['officer', 'publisher', 'auditor'],
  '/staff/lists/[list]/[entry]/': ['officer', 'publisher', 'auditor'],
  '/staff/lists/proposals/[id]/': ['officer', 'publisher', 'auditor'],
  '/staff/rewards/': ['officer', 'approver', 'finance', 'auditor', 'admin'],
  '/staff/rewards/cases/[caseNo]/': ['officer'],
  '/staff/rewards/[id]/': ['officer', 'approver', 'auditor'],
  '/staff/rewards/desk/': ['finance'],
  '/staff/rewards/schedules/': ['admin', 'approver', 'finance', 'auditor'],
  '/staff/rewards/ledger/': ['admin', 'approver', 'finance', 'auditor'],
}

/** Where work waits for somebody with these roles: the first of the console's main pages that is open to them. */
export function firstPage(roles: readonly Role[]): string {
  const pages = ['/staff/queue/', '/staff/departments/', '/staff/rewards/'] as const
  return pages.find((page) => mayVisit(page, roles)) ?? '/staff/departments/'
}

/** Whether somebody with these roles may open a page of the console. */
export function mayVisit(route: string, roles: readonly Role[]): boolean {
  const allowed = CONSOLE_ROUTES[route]
  return allowed === 'anybody' || (allowed?.some((role) => roles.includes(role)) ?? false)
}
