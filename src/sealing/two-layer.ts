import type { KeyPair } from './age-identity.ts'
import { createKeyPair, pairOf } from './age-identity.ts'
import { openBound, sealBound, type Bound } from './bound.ts'
import { EnvelopeError } from './envelope-error.ts'
import { sealPart } from './envelope.ts'
import { unwrapIdentity, wrapIdentity } from './wrapped-identity.ts'

/**
 * What it takes two people to open: who a named reporter is, and where a reward goes. Each has an age pair of its
 * own, apart from the tip's. Its secret is wrapped twice: inside to who keeps it (the custodian, or finance), outside
 * to the approver. The approver takes the outer layer off and sees nothing but the inner one; the keeper opens that,
 * and cannot reach it alone. Every layer says what it is for, so that none can be put in the place of another.
 */
export const TWO_LAYER_PURPOSES = ['tip.identity', 'tip.payee'] as const
export type TwoLayerPurpose = (typeof TWO_LAYER_PURPOSES)[number]

/** Which of a tip's two secrets. */
export interface TwoLayerAddress {
  readonly purpose: TwoLayerPurpose
  /** The tip's id, a UUID. */
  readonly tip: string
}

/** One generation of a role's key, as far as everybody may know it. */
export interface RoleRecipient {
  /** e.g. `role-custodian` */
  readonly owner: string
  /** Counted from 1. */
  readonly epoch: number
  readonly recipient: string
}

/** The same generation in the hands of somebody who holds it. */
export interface RoleIdentity {
  readonly owner: string
  readonly epoch: number
  readonly identity: string
}

/** The two roles that must act together. */
export interface TwoRoles {
  /** `role-custodian` for an identity, `role-finance` for a payee. */
  readonly keeper: RoleRecipient
  readonly approver: RoleRecipient
}

/** What is stored of one sealed by {@link sealTwoLayer}. */
export interface TwoLayerPart extends TwoLayerAddress {
  /** Of the pair that the part is sealed to. */
  readonly recipient: string
  readonly sealed: Uint8Array<ArrayBuffer>
  readonly keeper: string
  readonly keeperEpoch: number
  readonly approverEpoch: number
  readonly wrapped: Uint8Array<ArrayBuffer>
}

// An inner layer always fits into one, so the size of the outer says nothing.
const LAYER_BYTES = 1024

/**
 * Seals bytes to a pair made for them, whose secret leaves only in two layers. Runs in a browser as on the server.
 * @param bytes as a rule JSON: a {@link NamedReporter} or a {@link Payee} of the domain.
 */
export async function sealTwoLayer(
  address: TwoLayerAddress,
  bytes: Uint8Array,
  roles: TwoRoles,
): Promise<TwoLayerPart> {
  const { identity, recipient } = await createKeyPair()
  const [sealed, wrapped] = await Promise.all([
    sealPart({ recipients: [recipient], ...address, part: 0, bytes }),
    wrapTwoLayer(address, identity, roles),
  ])
  return {
    purpose: address.purpose,
    tip: address.tip,
    recipient,
    sealed,
    keeper: roles.keeper.owner,
    keeperEpoch: roles.keeper.epoch,
    approverEpoch: roles.approver.epoch,
    wrapped,
  }
}

/** Wraps a secret for the keeper, and that for the approver. */
export async function wrapTwoLayer(
  address: TwoLayerAddress,
  identity: string,
  { keeper, approver }: TwoRoles,
): Promise<Uint8Array<ArrayBuffer>> {
  const inner = await wrapIdentity(layerHeader(address, 'inner', keeper), identity, keeper.recipient)
  return sealBound(outerLayer(address, approver), [approver.recipient], inner)
}

/**
 * Takes the outer layer off; what remains is still sealed to the keeper.
 * @throws {EnvelopeError} `wrong-key`, `damaged`, or `mismatch` for a layer of another tip, purpose, role or epoch.
 */
export function stripOuter(
  address: TwoLayerAddress,
  approver: RoleIdentity,
  wrapped: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  return openBound(outerLayer(address, approver), approver.identity, wrapped)
}

/**
 * The secret out of an inner layer.
 * @param recipient of the pair it must belong to; an approver could have handed on another.
 * @throws {EnvelopeError} as {@link stripOuter}; `mismatch` also for the secret of another pair.
 */
export async function openInner(
  address: TwoLayerAddress,
  keeper: RoleIdentity,
  inner: Uint8Array,
  recipient: string,
): Promise<KeyPair> {
  const identity = await unwrapIdentity(layerHeader(address, 'inner', keeper), inner, keeper.identity)
  return belonging(identity, recipient)
}

/**
 * From an older key of the approvers to a newer one; the inner layer stays as it is.
 * @throws {EnvelopeError} as {@link stripOuter}.
 */
export async function rewrapOuter(
  address: TwoLayerAddress,
  from: RoleIdentity,
  to: RoleRecipient,
  wrapped: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  return sealBound(outerLayer(address, to), [to.recipient], await stripOuter(address, from, wrapped))
}

/** To whom a secret was passed on, and by which request. */
export interface PassedAddress extends TwoLayerAddress {
  /** The request's id, a UUID. */
  readonly request: string
  /** The member's id, a UUID. */
  readonly member: string
}

/** Wraps a secret for the one member who asked. */
export function passOn(
  address: PassedAddress,
  identity: string,
  memberRecipient: string,
): Promise<Uint8Array<ArrayBuffer>> {
  return wrapIdentity(passedHeader(address), identity, memberRecipient)
}

/**
 * The secret that was passed on.
 * @throws {EnvelopeError} `wrong-key`, `damaged`, or `mismatch` for another request, member, tip or pair.
 */
export async function openPassed(
  address: PassedAddress,
  wrapped: Uint8Array,
  memberIdentity: string,
  recipient: string,
): Promise<KeyPair> {
  return belonging(await unwrapIdentity(passedHeader(address), wrapped, memberIdentity), recipient)
}

async function belonging(identity: string, recipient: string): Promise<KeyPair> {
  const pair = await pairOf(identity)
  if (pair.recipient !== recipient) {
    throw new EnvelopeError('mismatch', 'The secret belongs to something else.')
  }
  return pair
}

function outerLayer(address: TwoLayerAddress, approver: Omit<RoleRecipient, 'recipient'>): Bound {
  return {
    header: layerHeader(address, 'outer', approver),
    bucketOf: (length) => Math.ceil(length / LAYER_BYTES) * LAYER_BYTES,
  }
}

function layerHeader(
  { purpose, tip }: TwoLayerAddress,
  layer: 'inner' | 'outer',
  { owner, epoch }: Omit<RoleRecipient, 'recipient'>,
): Bound['header'] {
  return { v: 1, purpose: `${purpose}.${layer}`, tip, owner, epoch }
}

function passedHeader({ purpose, tip, request, member }: PassedAddress): Bound['header'] {
  return { v: 1, purpose: `${purpose}.passed`, tip, request, member }
}
