import { generateX25519Identity, identityToRecipient } from 'age-encryption'

/** An age key pair: the secret `AGE-SECRET-KEY-1…` and the public `age1…`. */
export interface KeyPair {
  readonly identity: string
  readonly recipient: string
}

/** A new X25519 pair from the platform's own random source. */
export async function createKeyPair(): Promise<KeyPair> {
  return pairOf(await generateX25519Identity())
}

/** The pair that belongs to a secret. */
export async function pairOf(identity: string): Promise<KeyPair> {
  return { identity, recipient: await identityToRecipient(identity) }
}

/** Whether text looks like an X25519 recipient; only age itself can tell whether it is one. */
export function isRecipient(text: string): boolean {
  return /^age1[02-9ac-hj-np-z]{58}$/.test(text)
}

/** The age secret made from 32 bytes: Bech32 under the prefix `AGE-SECRET-KEY-`. */
export function identityFromSeed(seed: Uint8Array): string {
  if (seed.length !== 32) throw new RangeError('An age identity is made from 32 bytes.')
  return bech32('age-secret-key-', seed).toUpperCase()
}

const BECH32 = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'

/** @source BIP 173, "Bech32": encoding and checksum. */
function bech32(prefix: string, bytes: Uint8Array): string {
  const words = toWords(bytes)
  const codes = Array.from(prefix, (symbol) => symbol.charCodeAt(0))
  const expanded = [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)]
  const sum = polymod([...expanded, ...words, 0, 0, 0, 0, 0, 0]) ^ 1
  const checksum = [25, 20, 15, 10, 5, 0].map((shift) => (sum >> shift) & 31)
  return `${prefix}1${[...words, ...checksum].map((word) => BECH32.charAt(word)).join('')}`
}

/** Eight-bit bytes as five-bit words, the last one filled with zeros. */
function toWords(bytes: Uint8Array): number[] {
  const words: number[] = []
  let buffer = 0
  let bits = 0
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte
    for (bits += 8; bits >= 5; bits -= 5) words.push((buffer >> (bits - 5)) & 31)
    buffer &= (1 << bits) - 1
  }
  if (bits > 0) words.push((buffer << (5 - bits)) & 31)
  return words
}

function polymod(words: readonly number[]): number {
  const generators = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
  return words.reduce((sum, word) => {
    const top = sum >>> 25
    return generators.reduce(
      (next, generator, bit) => ((top >> bit) & 1 ? next ^ generator : next),
      ((sum & 0x1ffffff) << 5) ^ word,
    )
  }, 1)
}
