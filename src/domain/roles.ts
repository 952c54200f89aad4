import { ROLES, type Role } from './case.ts'

/** Roles that open tips, and so hold their department's key. */
export const READING_ROLES: readonly Role[] = ['officer', 'dispatcher']

/** Roles that hold a key of their own, whatever department they sit in. */
export const KEY_ROLES = ['custodian', 'approver', 'finance'] as const
export type KeyRole = (typeof KEY_ROLES)[number]

/** Under which name a role's key stands among those of the departments. */
export const ownerOf = (role: KeyRole): string => `role-${role}`
export const ROLE_OWNERS: readonly string[] = KEY_ROLES.map(ownerOf)

/** The role that owns a key; null when a department does. */
export function roleOfOwner(owner: string): KeyRole | null {
  return KEY_ROLES.find((role) => ownerOf(role) === owner) ?? null
}

/** The keys that a member is meant to hold: the department's, and those of the member's roles. */
export function ownersOf(member: {
  readonly departmentId: string
  readonly roles: readonly Role[]
}): string[] {
  return [
    ...(member.roles.some((role) => READING_ROLES.includes(role)) ? [member.departmentId] : []),
    ...KEY_ROLES.filter((role) => member.roles.includes(role)).map(ownerOf),
  ]
}

/** Roles that one person may not have together: who proposes, keeps or pays must not approve. */
export const EXCLUSIVE_ROLES: readonly (readonly [Role, Role])[] = [
  ['officer', 'approver'],
  ['custodian', 'approver'],
  ['finance', 'approver'],
]

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
  '/staff/members/': ['officer', 'dispatcher', 'custodian', 'approver', 'finance', 'admin'],
  '/staff/identity/': ['officer', 'dispatcher', 'custodian', 'approver'],
  '/staff/identity/[id]/': ['officer', 'dispatcher', 'custodian', 'approver'],
  '/staff/audit/': ['auditor', 'admin'],
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
  '/staff/rewards/transfers/': ['approver', 'finance'],
  '/staff/rewards/schedules/': ['admin', 'approver', 'finance', 'auditor'],
  '/staff/rewards/ledger/': ['admin', 'approver', 'finance', 'auditor'],
}

/** Where work waits for somebody with these roles: the first of the console's main pages that is open to them. */
export function firstPage(roles: readonly Role[]): string {
  const pages = ['/staff/queue/', '/staff/departments/', '/staff/rewards/', '/staff/identity/'] as const
  return pages.find((page) => mayVisit(page, roles)) ?? '/staff/departments/'
}

/** Whether somebody with these roles may open a page of the console. */
export function mayVisit(route: string, roles: readonly Role[]): boolean {
  const allowed = CONSOLE_ROUTES[route]
  return allowed === 'anybody' || (allowed?.some((role) => roles.includes(role)) ?? false)
}
