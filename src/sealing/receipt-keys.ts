import { parseReceiptCode } from '../domain/receipt.ts'
import type { KeyPair } from './age-identity.ts'
import { identityFromSeed, pairOf } from './age-identity.ts'
import { toBase64Url, utf8 } from './bytes.ts'
import { deriveKey } from './derive.ts'

/** What a receipt code yields: the value that opens `/track/`, and the reporter's own age pair. */
export interface ReceiptKeys extends KeyPair {
  /** 32 bytes, base64url. The server keeps only an HMAC of it. */
  readonly auth: string
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
    ...(await pairOf(identityFromSeed(deriveKey(secret, 'receipt/identity')))),
  }
}
