import { openBytes, sealBytes } from './aes.ts'
import type { RandomBytes } from './bytes.ts'
import { fromUtf8, utf8 } from './bytes.ts'

/**
 * What a reporter without JavaScript has entered so far rests encrypted under a key that only their draft cookie
 * holds. Photos go through {@link sealBytes}, answers through {@link sealJson}.
 */
export { openBytes, sealBytes }

/**
 * Encrypts a small JSON value.
 * @param key 32 bytes.
 * @param purpose names the one place where it is valid, e.g. `draft.answers:<draft id>`.
 */
export function sealJson(
  key: Uint8Array,
  purpose: string,
  value: unknown,
  random: RandomBytes,
): Promise<Uint8Array<ArrayBuffer>> {
  return sealBytes(key, purpose, utf8(JSON.stringify(value)), random)
}

/**
 * Opens what {@link sealJson} sealed. The caller checks the shape of the value.
 * @throws {EnvelopeError} `wrong-key` or `damaged`.
 */
export async function openJson(key: Uint8Array, purpose: string, sealed: Uint8Array): Promise<unknown> {
  return JSON.parse(fromUtf8(await openBytes(key, purpose, sealed))) as unknown
}
