/**
 * The receipt code: the reporter's only key to their tip. 24 Crockford base-32 symbols, shown in six groups of
 * four: 23 random ones (115 bits, enough that nobody can guess it and no slow hash is needed) and a Luhn
 * mod-32 check symbol, so that a slip of the pen is told apart from an unknown code before anything is looked up.
 */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const RANDOM_SYMBOLS = 23
const CODE_SYMBOLS = RANDOM_SYMBOLS + 1
const GROUP_SYMBOLS = 4
/** Longer than any honest way to write a code; keeps folding cheap for pasted junk. */
const MAX_INPUT_LENGTH = 200
const SEPARATORS = /[\s\p{Pd}\p{Cf}\u2212_.]/gu

/**
 * A new code in its canonical form: 24 symbols without dashes.
 * @param random answers `n` bytes from a cryptographic source.
 */
export function createReceiptCode(random: (n: number) => Uint8Array): string {
  // 256 is a multiple of 32, so the low five bits of a byte are uniform.
  const body = Array.from(random(RANDOM_SYMBOLS), (byte) => ALPHABET.charAt(byte & 31)).join('')
  return body + checkSymbol(body)
}

/**
 * What a person typed, read as a code: full-width forms, small letters, spaces, dashes, O for 0 and I or L for 1
 * are forgiven. Answers the canonical 24 symbols, or null when it cannot be a code (length, symbols, check).
 */
export function parseReceiptCode(input: string): string | null {
  const code = fold(input)
  if (code.length !== CODE_SYMBOLS) return null
  if (Array.from(code).some((symbol) => !ALPHABET.includes(symbol))) return null
  return checkSymbol(code.slice(0, RANDOM_SYMBOLS)) === code.charAt(RANDOM_SYMBOLS) ? code : null
}

/**
 * Whether somebody copied the end of a code right: its last group, or more of it up to the whole. Folded as
 * {@link parseReceiptCode} does.
 */
export function matchesEnd(code: string, typed: string): boolean {
  const end = fold(typed)
  return end.length >= GROUP_SYMBOLS && end.length % GROUP_SYMBOLS === 0 && code.endsWith(end)
}

/** A canonical code as it is shown and printed: `NZYZ-M4XW-GJYS-Q4EJ-0119-63R3`. */
export function formatReceiptCode(code: string): string {
  return Array.from({ length: CODE_SYMBOLS / GROUP_SYMBOLS }, (_, group) =>
    code.slice(group * GROUP_SYMBOLS, (group + 1) * GROUP_SYMBOLS),
  ).join('-')
}

/** '' for more than anybody types. */
function fold(input: string): string {
  if (input.length > MAX_INPUT_LENGTH) return ''
  return input
    .normalize('NFKC')
    .replace(SEPARATORS, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1')
}

/** Luhn's algorithm in base 32: finds every single wrong symbol and all neighbour swaps but 0 with Z. */
function checkSymbol(body: string): string {
  const size = ALPHABET.length
  let sum = 0
  for (let index = body.length - 1, doubled = true; index >= 0; index--, doubled = !doubled) {
    const value = ALPHABET.indexOf(body.charAt(index)) * (doubled ? 2 : 1)
    sum += Math.floor(value / size) + (value % size)
  }
  return ALPHABET.charAt((size - (sum % size)) % size)
}
