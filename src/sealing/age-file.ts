/**
 * What can be told about a sealed file without a key: that it is an age file for exactly one X25519 recipient, and
 * that it has the size that padding leaves. The server, which holds no key, checks this and nothing more.
 * @source C2SP age specification, "The age file format", v1
 */

const HEAD =
  /^age-encryption\.org\/v1\n-> X25519 [A-Za-z0-9+/]{43}\n[A-Za-z0-9+/]{43}\n--- [A-Za-z0-9+/]{43}\n/

/** Bytes of the header with one X25519 stanza; every such header is as long. */
export const AGE_HEAD_BYTES = 168
const NONCE_BYTES = 16
const CHUNK_BYTES = 64 * 1024
const TAG_BYTES = 16
const KIB = 1024

/** Sizes, padded, of what is sealed: texts, photos (a multiple), keys (a multiple). */
const TEXT_BUCKETS = [KIB, 4 * KIB, 16 * KIB]
const IMAGE_STEP = 64 * KIB
const KEY_STEP = 256
const MAX_KEY_STEPS = 4

/** Whether the first bytes are those of an age file with exactly one X25519 stanza. */
export function isSealedToOne(head: Uint8Array): boolean {
  return HEAD.test(String.fromCharCode(...head.subarray(0, AGE_HEAD_BYTES)))
}

/** The size of a file that holds so many padded bytes. */
export function sealedBytes(padded: number): number {
  const chunks = Math.max(1, Math.ceil(padded / CHUNK_BYTES))
  return AGE_HEAD_BYTES + NONCE_BYTES + padded + chunks * TAG_BYTES
}

/** Whether a sealed narrative has one of the sizes that padding leaves. */
export function isTextSize(bytes: number): boolean {
  return TEXT_BUCKETS.some((bucket) => sealedBytes(bucket) === bytes)
}

/** Whether a sealed photo has. @param maxBytes of the photo before padding */
export function isImageSize(bytes: number, maxBytes: number): boolean {
  const padded = Math.floor((bytes - AGE_HEAD_BYTES - NONCE_BYTES) / (IMAGE_STEP + TAG_BYTES)) * IMAGE_STEP
  return padded > 0 && padded <= maxBytes + IMAGE_STEP && sealedBytes(padded) === bytes
}

/** Whether a wrapped key has. */
export function isKeySize(bytes: number): boolean {
  return Array.from({ length: MAX_KEY_STEPS }, (_, index) => sealedBytes((index + 1) * KEY_STEP)).includes(
    bytes,
  )
}
