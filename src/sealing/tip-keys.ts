import type { KeyPair } from './age-identity.ts'
import { createKeyPair } from './age-identity.ts'
import { unwrapIdentity, wrapIdentity } from './wrapped-identity.ts'

/** Which tip's secret is wrapped for which department key. */
export interface TipKeyAddress {
  /** The tip's id, a UUID. */
  readonly tip: string
  /** The department (queue) that may open it; a slug. */
  readonly department: string
  /** Which generation of the department's key, counted from 1. */
  readonly epoch: number
}

/**
 * The tip's own age pair. All its parts are sealed to the recipient; the secret lives on only in wraps, one for
 * each department that may read it, so dropping a wrap ends that department's access and dropping all of them
 * destroys the tip.
 */
export function createTipKeys(): Promise<KeyPair> {
  return createKeyPair()
}

/** Wraps a tip's secret to a department's (queue's) recipient. A hand-over does this anew and drops the old wrap. */
export function wrapTipKey(
  address: TipKeyAddress,
  tipIdentity: string,
  departmentRecipient: string,
): Promise<Uint8Array<ArrayBuffer>> {
  return wrapIdentity(headerOf(address), tipIdentity, departmentRecipient)
}

/**
 * The tip's secret out of a wrap.
 * @throws {EnvelopeError} `wrong-key`, `damaged`, or `mismatch` for a wrap of another tip, department or epoch.
 */
export function unwrapTipKey(
  address: TipKeyAddress,
  wrapped: Uint8Array,
  departmentIdentity: string,
): Promise<string> {
  return unwrapIdentity(headerOf(address), wrapped, departmentIdentity)
}

function headerOf({ tip, department, epoch }: TipKeyAddress) {
  return { v: 1, purpose: 'tip.key', tip, department, epoch }
}
