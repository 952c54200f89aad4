import type { Day } from './day.ts'

/** Crockford base 32: no I, L, O, U. */
const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const RANDOM_SYMBOLS = 5

/**
 * A public case number, `ZY-2611-7QK3F`: year and month of the day, then 25 random bits, so that numbers neither
 * count cases nor follow one another. `randomBytes` must hold at least 5 bytes; 256 is a multiple of 32, so no
 * symbol is favoured. The caller retries on a collision.
 */
export function caseNumber(day: Day, randomBytes: Uint8Array): string {
  if (randomBytes.length < RANDOM_SYMBOLS) throw new RangeError('a case number needs 5 random bytes')
  const body = [...randomBytes.subarray(0, RANDOM_SYMBOLS)].map((byte) => SYMBOLS.charAt(byte & 31)).join('')
  return `ZY-${day.slice(2, 4)}${day.slice(5, 7)}-${body}`
}

/**
 * What somebody typed or dictated as a case number, in its one written form; null when it cannot be one. Folds case,
 * full width, spaces and dashes, O to 0, I and L to 1; `ZY` may be missing.
 */
export function normalizeCaseNumber(input: string): string | null {
  const folded = input
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[\s\p{Pd}_·.]/gu, '')
    .replace(/^ZY/, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1')
  const match = /^(\d\d(?:0[1-9]|1[0-2]))([0-9A-HJKMNP-TV-Z]{5})$/.exec(folded)
  return match ? `ZY-${match[1] ?? ''}-${match[2] ?? ''}` : null
}
