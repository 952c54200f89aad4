import { createHmac } from 'node:crypto'

/**
 * How a receipt is found: HMAC-SHA-256 of its `auth` value under the pepper that lives outside the database, so
 * that a stolen database cannot even test a guess. Any text has a lookup: malformed and unknown cost the same.
 * @param pepper the server secret `lookup`.
 * @param auth as derived from the receipt code, base64url.
 */
export function lookupOf(pepper: Uint8Array, auth: string): Buffer {
  return createHmac('sha256', pepper).update(auth).digest()
}

/**
 * The look-up of a receipt whose tip's recipient is vouched for (sealing/receipt-keys.ts). It is another one, so that
 * whoever writes the database can take the voucher away but not make such a receipt pass for one from before there were any.
 */
export function boundLookupOf(pepper: Uint8Array, auth: string): Buffer {
  return lookupOf(pepper, `bound/${auth}`)
}

/**
 * The salt told to somebody who signs in under a name that does not exist: 16 bytes that stay the same for the
 * name, so that asking does not reveal who is a member.
 * @param key the server secret `salt`.
 */
export function fakeSaltOf(key: Uint8Array, username: string): Buffer {
  return createHmac('sha256', key).update(username).digest().subarray(0, 16)
}
