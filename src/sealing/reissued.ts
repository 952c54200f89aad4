import { utf8 } from './bytes.ts'
import { isSignedLine, signLine, type RecipientEntry } from './recipient-list.ts'

/** The recipient of a reporter who was given a new receipt code. */
export interface ReissuedRecipient {
  /** The tip's id. */
  readonly tip: string
  /** Follows from the new code. */
  readonly recipient: string
}

/**
 * Vouches for the recipient of a new receipt code, as the custodian whose browser made it. Base64url.
 * @param custodianIdentity the age secret of the custodians' key
 */
export function signReissued(reissued: ReissuedRecipient, custodianIdentity: string): string {
  return signLine(canonical(reissued), custodianIdentity)
}

/**
 * Whether a custodian vouched for that recipient.
 * @param custodians entries of the custodians' key, of any generation, out of a list that was verified
 */
export function isReissued(
  reissued: ReissuedRecipient,
  signature: string,
  custodians: readonly Pick<RecipientEntry, 'verifier'>[],
): boolean {
  return custodians.some(({ verifier }) => isSignedLine(canonical(reissued), signature, verifier))
}

/**
 * Whether a recipient that the server names is the reporter's: the one sealed into the tip, or a custodian's word for it.
 * @param told the one sealed into the tip; undefined in a tip from before, for which the server's word has to do
 * @param custodians as in {@link isReissued}
 */
export function isReporters(
  { signature, ...named }: ReissuedRecipient & { readonly signature: string | null },
  told: string | undefined,
  custodians: readonly Pick<RecipientEntry, 'verifier'>[],
): boolean {
  if (told === undefined || told === named.recipient) return true
  return signature !== null && isReissued(named, signature, custodians)
}

/** The order of the fields is part of the format. */
function canonical({ tip, recipient }: ReissuedRecipient): Uint8Array {
  const said = JSON.stringify({ v: 1, purpose: 'reporter.recipient', tip, recipient })
  return utf8(`lantian/v1/reissued\n${said}\n`)
}
