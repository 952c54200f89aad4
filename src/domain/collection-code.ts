/**
 * What the reporter says at the pay desk instead of a name: ten Crockford base-32 symbols (50 random bits), shown once,
 * good once. It opens nothing else, so it may be spoken aloud where the receipt code must not be.
 */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
export const COLLECTION_SYMBOLS = 10
const MAX_INPUT_LENGTH = 60

/** A code in its canonical form, from at least ten bytes. 256 is a multiple of 32, so no symbol is favoured. */
export function collectionCode(bytes: Uint8Array): string {
  if (bytes.length < COLLECTION_SYMBOLS) throw new RangeError('a collection code needs 10 bytes')
  return Array.from(bytes.subarray(0, COLLECTION_SYMBOLS), (byte) => ALPHABET.charAt(byte & 31)).join('')
}

/** What somebody dictated or typed, in canonical form; null when it cannot be a code. */
export function parseCollectionCode(input: string): string | null {
  if (input.length > MAX_INPUT_LENGTH) return null
  const code = input
    .normalize('NFKC')
    .replace(/[\s\p{Pd}\p{Cf}_·.]/gu, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1')
  return /^[0-9A-HJKMNP-TV-Z]{10}$/.test(code) ? code : null
}

/** As it is shown and read out: `7QK3F-M4XWG`. */
export function formatCollectionCode(code: string): string {
  return `${code.slice(0, 5)}-${code.slice(5)}`
}
