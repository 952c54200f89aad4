import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * Codes of authenticator apps.
 * @source RFC 6238 with the values that every app supports: HMAC-SHA-1, six digits, steps of 30 seconds.
 */
export const TOTP_SECRET_BYTES = 20
const STEP_SECONDS = 30
const DIGITS = 6
/** Steps before and after the present one that are taken, for clocks that differ. */
const DRIFT_STEPS = 1
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Number of the time step in which an instant lies. */
export function totpStep(at: Date): number {
  return Math.floor(at.getTime() / 1000 / STEP_SECONDS)
}

/** The code of a step. @source RFC 4226, 5.3: dynamic truncation. */
export function totpCode(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = createHmac('sha1', secret).update(counter).digest()
  const offset = mac.readUInt8(mac.length - 1) & 0xf
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** DIGITS).padStart(DIGITS, '0')
}

/**
 * The step whose code this is, within one step of now and later than `lastStep`; null for none. Spaces are passed
 * over, full-width digits are read.
 */
export function matchTotp(secret: Uint8Array, code: string, at: Date, lastStep: number): number | null {
  const given = Buffer.from(code.normalize('NFKC').replace(/\s/g, ''))
  const now = totpStep(at)
  let found: number | null = null
  for (let step = now - DRIFT_STEPS; step <= now + DRIFT_STEPS; step += 1) {
    const expected = Buffer.from(totpCode(secret, step))
    if (given.length === expected.length && timingSafeEqual(given, expected) && step > lastStep) found = step
  }
  return found
}

/** The secret as apps take it by hand. @source RFC 4648, 6; 20 bytes need no padding. */
export function toBase32(bytes: Uint8Array): string {
  let text = ''
  let buffer = 0
  let bits = 0
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32.charAt((buffer >> (bits - 5)) & 31)
  }
  if (bits > 0) text += BASE32.charAt((buffer << (5 - bits)) & 31)
  return text
}

/** What the QR code says. @source Google Authenticator wiki, "Key URI format" */
export function totpUri(secret: Uint8Array, issuer: string, account: string): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`
  const query = `secret=${toBase32(secret)}&issuer=${encodeURIComponent(issuer)}&algorithm=SHA1&digits=${DIGITS}&period=${STEP_SECONDS}`
  return `otpauth://totp/${label}?${query}`
}
