import { createKeyPair } from './age-identity.ts'
import { grantDepartmentKey, type DepartmentKeyAddress } from './department-keys.ts'
import { vouchForMember, type KeyHolder } from './member-voucher.ts'
import { signEntry, verifierOf } from './recipient-list.ts'
import { unwrapTipKey, wrapTipKey } from './tip-keys.ts'
import { rewrapOuter, type TwoLayerPurpose } from './two-layer.ts'

/** A generation of a key, wrapped to one member, and that the recipient is the member's own. */
export interface MemberGrant {
  readonly memberId: string
  readonly wrapped: Uint8Array<ArrayBuffer>
  /** See {@link vouchForMember}. */
  readonly voucher: string
}

/** The next generation of a department's key, wrapped for everybody who shall hold it. */
export interface NewEpoch {
  readonly recipient: string
  /** The secret: stays where it was made. */
  readonly identity: string
  /** In the order of the holders given. */
  readonly grants: readonly MemberGrant[]
  /** For the offline escrow. */
  readonly escrow: Uint8Array<ArrayBuffer>
}

/**
 * Makes a new key and vouches for its holders; runs in the browser of somebody who holds the present one, so the server
 * never sees the secret.
 */
export async function makeEpoch(
  address: DepartmentKeyAddress,
  holders: readonly KeyHolder[],
  escrowRecipient: string,
): Promise<NewEpoch> {
  const { identity, recipient } = await createKeyPair()
  const [escrow, grants] = await Promise.all([
    grantDepartmentKey(address, identity, escrowRecipient),
    Promise.all(
      holders.map(async (holder) => ({
        memberId: holder.memberId,
        wrapped: await grantDepartmentKey(address, identity, holder.recipient),
        voucher: vouchForMember(address, holder, identity),
      })),
    ),
  ])
  return { recipient, identity, grants, escrow }
}

/** What follows what in the list of recipients, and which day it is, as the server has it. */
export interface ListPlace {
  readonly previous: string
  readonly day: string
}

/** By which the holder of the present key vouches for the next one. */
export interface Voucher extends ListPlace {
  readonly verifier: string
  readonly signature: string
}

/** Signs the next key of a department with its present one, for the list of recipients. */
export function vouch(
  { department, epoch }: DepartmentKeyAddress,
  made: Pick<NewEpoch, 'identity' | 'recipient'>,
  presentIdentity: string,
  { previous, day }: ListPlace,
): Voucher {
  const verifier = verifierOf(made.identity)
  const { signature } = signEntry(
    {
      owner: department,
      epoch,
      recipient: made.recipient,
      verifier,
      day,
      signedBy: 'predecessor',
      previous,
    },
    presentIdentity,
  )
  return { previous, day, verifier, signature }
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
