import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { utf8 } from './bytes.ts'

/** 32 bytes by HKDF-SHA-256; every use has an `info` of its own, so no two of them ever share a key. */
export function deriveKey(secret: Uint8Array, info: string): Uint8Array {
  return hkdf(sha256, secret, undefined, utf8(`lantian/v1/${info}`), 32)
}
