import { utf8 } from './bytes.ts'
import type { DepartmentKeyAddress } from './department-keys.ts'
import { isSignedLine, signLine, type RecipientEntry } from './recipient-list.ts'

/**
 * That a recipient is a member's own, said by whoever holds the key that the member is granted: signed with the signing
 * key of that generation, of which the signed list has the public half. Somebody who can write the database, and
 * nothing else, can put another recipient in the place of a member's, but cannot vouch for it.
 *
 * Only vouchers of the newest generation count: one that was replaced may be in the hands of somebody who left.
 */
export interface Vouched {
  readonly memberId: string
  /** The age recipient. */
  readonly recipient: string
  /** Ed25519, base64url; null when nobody vouched. */
  readonly voucher: string | null
}

/** A member and the recipient that a key is wrapped to. */
export type KeyHolder = Omit<Vouched, 'voucher'>

/** The newest entry of an owner in the signed list. */
export type PresentKey = Pick<RecipientEntry, 'owner' | 'epoch' | 'verifier'>

/**
 * Vouches for a member's recipient.
 * @param identity the secret of that generation of the key
 */
export function vouchForMember(
  { department, epoch }: DepartmentKeyAddress,
  member: KeyHolder,
  identity: string,
): string {
  return signLine(canonical(department, epoch, member), identity)
}

/** Whether somebody who holds the present key vouched for what is said to be the member's recipient. */
export function isVouched({ owner, epoch, verifier }: PresentKey, member: Vouched): boolean {
  return member.voucher !== null && isSignedLine(canonical(owner, epoch, member), member.voucher, verifier)
}

/**
 * Who of those who are said to hold the present key is to be given the next one: whoever was vouched for, and whoever
 * makes it.
 * @param own the recipient of whoever makes the key
 */
export function divideHolders<T extends Vouched>(
  present: PresentKey,
  holders: readonly T[],
  own: string,
): { readonly given: readonly T[]; readonly leftOut: readonly T[] } {
  const isGiven = (holder: T): boolean => holder.recipient === own || isVouched(present, holder)
  return { given: holders.filter(isGiven), leftOut: holders.filter((holder) => !isGiven(holder)) }
}

/** The order of the fields is part of the format. */
function canonical(owner: string, epoch: number, { memberId: member, recipient }: KeyHolder): Uint8Array {
  return utf8(
    `lantian/v1/member\n${JSON.stringify({ v: 1, purpose: 'member', owner, epoch, member, recipient })}\n`,
  )
}
