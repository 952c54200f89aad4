import { createHmac } from 'node:crypto'
import { collectionCode } from '../domain/collection-code.ts'
import { lookupOf } from './lookup.ts'
import type { ServerSecrets } from './ports.ts'

/**
 * The collection code of a reward for one page that asks for it: sending the same form twice shows the same code twice,
 * and nothing has to be kept for that.
 * @param seed something nobody else has: the form's token, or random bytes
 */
export function newCollectionCode(secrets: ServerSecrets, rewardId: string, seed: string): string {
  const bytes = createHmac('sha256', secrets.lookup)
    .update(JSON.stringify(['reward/code', rewardId, seed]))
    .digest()
  return collectionCode(bytes)
}

/** How a code is found again, like a receipt: under the pepper that lies outside the database. */
export function collectionHash(secrets: ServerSecrets, code: string): Buffer {
  // No `auth` of a receipt has a slash in it.
  return lookupOf(secrets.lookup, `reward/collection/${code}`)
}
