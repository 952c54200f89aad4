import { createHash } from 'node:crypto'
import type { Random } from './ports.ts'

/** A new secret for a cookie or a link: 256 random bits. */
export function newToken(random: Pick<Random, 'bytes'>): string {
  return Buffer.from(random.bytes(32)).toString('base64url')
}

/** What the database keeps of a token, and of the value that signs in. */
export function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
