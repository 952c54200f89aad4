import type { Bound } from './bound.ts'
import { openBound, sealBound } from './bound.ts'

/**
 * What a sealed part of a tip holds: JSON for narrative, identity and payee; text for note, reason and request; an
 * image for photo and original.
 */
export const PART_PURPOSES = [
  'tip.narrative',
  'tip.photo',
  'tip.original',
  'tip.note',
  'tip.reason',
  'tip.identity',
  'tip.payee',
  'tip.request',
] as const
export type PartPurpose = (typeof PART_PURPOSES)[number]

/** Which part of which tip an envelope is; written into it and checked on opening. */
export interface PartAddress {
  readonly purpose: PartPurpose
  /** The tip's id, a UUID. */
  readonly tip: string
  /** Counted from 0 within a purpose. */
  readonly part: number
}

const KIB = 1024
const IMAGE_STEP = 64 * KIB
const TEXT_BUCKETS = [KIB, 4 * KIB, 16 * KIB]

/**
 * Seals one part of a tip as an age file.
 * @param recipients as a rule the tip's own recipient alone (see tip-keys.ts).
 * @throws {RangeError} without a recipient.
 */
export function sealPart({
  recipients,
  bytes,
  ...address
}: PartAddress & { readonly recipients: readonly string[]; readonly bytes: Uint8Array }): Promise<
  Uint8Array<ArrayBuffer>
> {
  return sealBound(partOf(address), recipients, bytes)
}

/**
 * Opens one part of a tip and makes sure that it is the part asked for.
 * @throws {EnvelopeError} `wrong-key`, `damaged`, or `mismatch` when it is another tip's, part's or purpose's.
 */
export function openPart({
  identity,
  sealed,
  ...address
}: PartAddress & { readonly identity: string; readonly sealed: Uint8Array }): Promise<
  Uint8Array<ArrayBuffer>
> {
  return openBound(partOf(address), identity, sealed)
}

function partOf({ purpose, tip, part }: PartAddress): Bound {
  const image = purpose === 'tip.photo' || purpose === 'tip.original'
  return { header: { v: 1, purpose, tip, part }, bucketOf: image ? imageBucket : textBucket }
}

function textBucket(length: number): number {
  return TEXT_BUCKETS.find((bucket) => length <= bucket) ?? imageBucket(length)
}

function imageBucket(length: number): number {
  return Math.ceil(length / IMAGE_STEP) * IMAGE_STEP
}
