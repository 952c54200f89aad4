import type { KeyPair } from './age-identity.ts'
import { createKeyPair } from './age-identity.ts'
import { unwrapIdentity, wrapIdentity } from './wrapped-identity.ts'

/** Which generation of which department's key. */
export interface DepartmentKeyAddress {
  /** A department's slug. */
  readonly department: string
  /** Counted from 1. */
  readonly epoch: number
}

/** A department's (queue's) age pair for one epoch. The secret is kept only as grants. */
export function createDepartmentKey(): Promise<KeyPair> {
  return createKeyPair()
}

/** Wraps a department's secret to one holder: a member's recipient, or the offline escrow's. */
export function grantDepartmentKey(
  address: DepartmentKeyAddress,
  departmentIdentity: string,
  holderRecipient: string,
): Promise<Uint8Array<ArrayBuffer>> {
  return wrapIdentity(headerOf(address), departmentIdentity, holderRecipient)
}

/**
 * The department's secret out of a grant.
 * @throws {EnvelopeError} `wrong-key`, `damaged`, or `mismatch` for a grant of another department or epoch.
 */
export function openGrant(
  address: DepartmentKeyAddress,
  grant: Uint8Array,
  holderIdentity: string,
): Promise<string> {
  return unwrapIdentity(headerOf(address), grant, holderIdentity)
}

function headerOf({ department, epoch }: DepartmentKeyAddress) {
  return { v: 1, purpose: 'department.key', department, epoch }
}
