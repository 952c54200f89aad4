import type { Role } from './case.ts'

/** The console's pages and who may open them. A test walks the folder: a page without a row fails. */
export const CONSOLE_ROUTES: Readonly<Record<string, readonly Role[] | 'anybody'>> = {
  '/staff/': 'anybody',
  '/staff/sign-in/': 'anybody',
  '/staff/enrol/': 'anybody',
  '/staff/forbidden/': 'anybody',
  '/staff/queue/': ['officer', 'dispatcher', 'publisher', 'auditor'],
  '/staff/cases/[caseNo]/': ['officer', 'dispatcher', 'publisher', 'auditor'],
  '/staff/departments/': ['officer', 'dispatcher', 'admin'],
  '/staff/members/': ['officer', 'dispatcher', 'admin'],
  '/staff/audit/': ['auditor', 'admin'],
  '/staff/lists/': ['officer', 'publisher', 'auditor'],
  '/staff/lists/[list]/': ['officer', 'publisher', 'auditor'],
  '/staff/lists/[list]/template.csv': ['officer', 'publisher', 'auditor'],
  '/staff/lists/[list]/[entry]/': ['officer', 'publisher', 'auditor'],
  '/staff/lists/proposals/[id]/': ['officer', 'publisher', 'auditor'],
}

/** Whether somebody with these roles may open a page of the console. */
export function mayVisit(route: string, roles: readonly Role[]): boolean {
  const allowed = CONSOLE_ROUTES[route]
  return allowed === 'anybody' || (allowed?.some((role) => roles.includes(role)) ?? false)
}
