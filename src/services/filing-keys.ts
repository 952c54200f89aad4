import { createHash, createHmac, hkdfSync } from 'node:crypto'
import { openJson, sealJson } from '../sealing/draft-cipher.ts'
import type { Random } from './ports.ts'

/**
 * What an idempotency key yields. The key itself is the caller's secret and is never stored: the database finds a
 * filing by its hash and keeps the reply, receipt code included, sealed under a value that only the key gives.
 */
export interface FilingKeys {
  /** Finds the filing. */
  readonly hash: Buffer
  /** Tells whether a repeat says the same; keyed, since a plain hash of a guessable text would be a leak. */
  digest(content: string): Buffer
  seal(value: unknown): Promise<Buffer>
  open(sealed: Uint8Array): Promise<unknown>
}

const PURPOSE = 'filing.reply'

const derive = (key: string, info: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', key, 'lantian', `filing/${info}`, 32))

/** @param key at least 16 characters that nobody else can guess (a UUID, or a draft's key) */
export function filingKeys(key: string, random: Random): FilingKeys {
  const replyKey = derive(key, 'reply')
  const digestKey = derive(key, 'digest')
  return {
    hash: createHash('sha256').update(derive(key, 'hash')).digest(),
    digest: (content) => createHmac('sha256', digestKey).update(content).digest(),
    seal: async (value) => Buffer.from(await sealJson(replyKey, PURPOSE, value, (n) => random.bytes(n))),
    open: (sealed) => openJson(replyKey, PURPOSE, sealed),
  }
}
