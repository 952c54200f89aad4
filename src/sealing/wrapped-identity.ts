import type { Bound } from './bound.ts'
import { openBound, sealBound } from './bound.ts'
import { fromUtf8, utf8 } from './bytes.ts'
import { EnvelopeError } from './envelope-error.ts'

const STEP_BYTES = 256
const IDENTITY = /^AGE-SECRET-KEY-1[0-9A-Z]+$/

/** Seals one age secret to one recipient, bound to the header. */
export function wrapIdentity(
  header: Bound['header'],
  identity: string,
  recipient: string,
): Promise<Uint8Array<ArrayBuffer>> {
  return sealBound({ header, bucketOf }, [recipient], utf8(identity))
}

/**
 * Opens what {@link wrapIdentity} sealed under the same header.
 * @throws {EnvelopeError} as openBound; `damaged` also when what is inside is no age secret.
 */
export async function unwrapIdentity(
  header: Bound['header'],
  wrapped: Uint8Array,
  identity: string,
): Promise<string> {
  const inner = fromUtf8(await openBound({ header, bucketOf }, identity, wrapped))
  if (!IDENTITY.test(inner)) throw new EnvelopeError('damaged', 'The envelope holds no key.')
  return inner
}

function bucketOf(length: number): number {
  return Math.ceil(length / STEP_BYTES) * STEP_BYTES
}
