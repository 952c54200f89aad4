import { createKeyPair } from './age-identity.ts'
import { grantDepartmentKey, type DepartmentKeyAddress } from './department-keys.ts'
import { unwrapTipKey, wrapTipKey } from './tip-keys.ts'
import { rewrapOuter, type TwoLayerPurpose } from './two-layer.ts'

/** The next generation of a department's key, wrapped for everybody who shall hold it. */
export interface NewEpoch {
  readonly recipient: string
  /** The secret: stays where it was made. */
  readonly identity: string
  /** In the order of the holders given. */
  readonly grants: readonly Uint8Array<ArrayBuffer>[]
  /** For the offline escrow. */
  readonly escrow: Uint8Array<ArrayBuffer>
}

/** Makes a new key; runs in the browser of somebody who holds the present one, so the server never sees the secret. */
export async function makeEpoch(
  address: DepartmentKeyAddress,
  holderRecipients: readonly string[],
  escrowRecipient: string,
): Promise<NewEpoch> {
  const { identity, recipient } = await createKeyPair()
  const grant = (holder: string) => grantDepartmentKey(address, identity, holder)
  const [escrow, ...grants] = await Promise.all([escrowRecipient, ...holderRecipients].map(grant))
  if (!escrow) throw new RangeError('A key without an escrow could be lost for good.')
  return { recipient, identity, grants, escrow }
}

/**
 * A tip's secret from an older key of the same department to a newer one.
 * @throws {EnvelopeError} when the wrap is not this tip's, or not under the older key.
 */
export async function rewrapTipKey(
  tip: string,
  department: string,
  from: { readonly epoch: number; readonly identity: string },
  to: { readonly epoch: number; readonly recipient: string },
  wrapped: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const secret = await unwrapTipKey({ tip, department, epoch: from.epoch }, wrapped, from.identity)
  return wrapTipKey({ tip, department, epoch: to.epoch }, secret, to.recipient)
}

/**
 * What lies under an older key of an owner, under a newer one: a tip's secret, or the outer of two layers.
 * @throws {EnvelopeError} as {@link rewrapTipKey} and {@link rewrapOuter}.
 */
export function rewrap(
  {
    purpose,
    tip,
    owner,
  }: { readonly purpose: 'tip.key' | TwoLayerPurpose; readonly tip: string; readonly owner: string },
  from: { readonly epoch: number; readonly identity: string },
  to: { readonly epoch: number; readonly recipient: string },
  wrapped: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  return purpose === 'tip.key'
    ? rewrapTipKey(tip, owner, from, to, wrapped)
    : rewrapOuter({ purpose, tip }, { ...from, owner }, { ...to, owner }, wrapped)
}
