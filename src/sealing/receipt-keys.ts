import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { parseReceiptCode } from '../domain/receipt.ts'
import type { KeyPair } from './age-identity.ts'
import { identityFromSeed, pairOf } from './age-identity.ts'
import { fromBase64Url, toBase64Url, utf8 } from './bytes.ts'
import { deriveKey } from './derive.ts'

/** What a receipt code yields: the value that opens `/track/`, and the reporter's own age pair. */
export interface ReceiptKeys extends KeyPair {
  /** 32 bytes, base64url. The server keeps only an HMAC of it. */
  readonly auth: string
  /** 32 bytes, base64url: the key of {@link tipRecipientMac}. It never leaves whoever has the code. */
  readonly macKey: string
}

/**
 * Derives the reporter's keys from the 23 random symbols. The same code yields the same keys in the browser and
 * on the server, so a tip filed either way is followed either way; neither value reveals the other or the code.
 * @param code in any form that {@link parseReceiptCode} accepts.
 * @throws {RangeError} when it is not a code.
 */
export async function deriveReceipt(code: string): Promise<ReceiptKeys> {
  const parsed = parseReceiptCode(code)
  if (parsed === null) throw new RangeError('Not a receipt code.')
  const secret = utf8(parsed.slice(0, -1))
  return {
    auth: toBase64Url(deriveKey(secret, 'receipt/auth')),
    macKey: toBase64Url(deriveKey(secret, 'receipt/tip-recipient')),
    ...(await pairOf(identityFromSeed(deriveKey(secret, 'receipt/identity')))),
  }
}

/**
 * A tip's recipient as whoever has the receipt code vouches for it: kept beside it, so that nobody can put another one
 * in its place before the reporter writes. HMAC-SHA-256, base64url.
 * @param tip its id
 */
export function tipRecipientMac(macKey: string, tip: string, recipient: string): string {
  const said = JSON.stringify({ v: 1, purpose: 'tip.recipient', tip, recipient })
  return toBase64Url(hmac(sha256, fromBase64Url(macKey) ?? new Uint8Array(), utf8(said)))
}

/** What the server says of a thread: to whom to seal, and the reporter's own word for it. */
export interface NamedRecipients {
  /** The tip's id. */
  readonly tip: string
  /** The tip's and the reporter's. */
  readonly recipients: readonly string[]
  /** {@link tipRecipientMac}; null for a tip from before there was one, whose recipient is taken as it is named. */
  readonly recipientMac: string | null
}

/** Whether those are the reporter's own recipient and the tip's that the reporter vouched for, and nobody else's. */
export function areOwnRecipients(
  { recipient: own, macKey }: Pick<ReceiptKeys, 'recipient' | 'macKey'>,
  { tip, recipients, recipientMac }: NamedRecipients,
): boolean {
  const [other, ...more] = recipients.filter((recipient) => recipient !== own)
  if (other === undefined || more.length > 0 || recipients.length !== 2) return false
  return recipientMac === null || recipientMac === tipRecipientMac(macKey, tip, other)
}
