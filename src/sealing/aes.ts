import type { RandomBytes } from './bytes.ts'
import { concat, utf8 } from './bytes.ts'
import { EnvelopeError } from './envelope-error.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * AES-256-GCM with a fresh random nonce in front of the result.
 * @param key 32 bytes.
 * @param purpose what it is for; bound as additional data, the same words are needed to open it.
 */
export async function sealBytes(
  key: Uint8Array,
  purpose: string,
  bytes: Uint8Array,
  random: RandomBytes,
): Promise<Uint8Array<ArrayBuffer>> {
  const nonce = new Uint8Array(random(NONCE_BYTES))
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv: nonce, additionalData: utf8(purpose) },
    await importKey(key, 'encrypt'),
    viewOf(bytes),
  )
  return concat(nonce, new Uint8Array(sealed))
}

/**
 * Opens what {@link sealBytes} sealed.
 * @throws {EnvelopeError} `wrong-key` for another key, another purpose or changed bytes (GCM cannot tell which);
 * `damaged` when too short to be one.
 */
export async function openBytes(
  key: Uint8Array,
  purpose: string,
  sealed: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new EnvelopeError('damaged', 'Too short to be sealed.')
  const whole = viewOf(sealed)
  const params = {
    name: 'AES-GCM',
    iv: whole.subarray(0, NONCE_BYTES),
    additionalData: utf8(purpose),
  }
  const imported = await importKey(key, 'decrypt')
  const plain = await crypto.subtle
    .decrypt(params, imported, whole.subarray(NONCE_BYTES))
    .catch((cause: unknown) => {
      throw new EnvelopeError('wrong-key', 'It does not open with this key.', { cause })
    })
  return new Uint8Array(plain)
}

function importKey(key: Uint8Array, usage: 'encrypt' | 'decrypt'): Promise<CryptoKey> {
  if (key.length !== 32) throw new RangeError('The key must have 32 bytes.')
  return crypto.subtle.importKey('raw', viewOf(key), 'AES-GCM', false, [usage])
}

/** The same bytes in a type that WebCrypto takes; copied only when they rest in shared memory. */
function viewOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes)
}
