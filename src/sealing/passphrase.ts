import type { RandomBytes } from './bytes.ts'

/** @source OWASP ASVS 5.0, 6.2.9 and 6.2.1: at least 15 characters recommended, 64 and more allowed. */
export const MIN_PASSPHRASE_LENGTH = 15
export const MAX_PASSPHRASE_LENGTH = 200
const MIN_DIFFERENT_CHARACTERS = 6
const WORDS = 6

/**
 * 64 easy syllables, all consonant first and vowel last, so that two of them read one way only and no flat and
 * curled tongue or front and back nasal is mixed up. A word is two syllables: 4096 words, 12 bits each, six words
 * 72 bits, which with Argon2id in front is out of reach. Syllables that make crude words are left out.
 */
export const SYLLABLES = (
  'bai bei bao bu pa pai pao pu ma mai mei mao mu mo fei fu da dai dao dou di tao tou ti ga gai gao gou gu ' +
  'ka kai kou ku ha hai hei hao hu he jia jiu jie qi qiu xi xia xiu xie la lai lei lao lou li lu le ya you yu ' +
  'wa wei wu wo yao'
).split(' ')

/** Six random words with spaces between them, e.g. `haiku meila …`; 72 bits. */
export function generatePassphrase(random: RandomBytes): string {
  // 256 is a multiple of 64, so each syllable is uniform.
  const syllables = Array.from(random(WORDS * 2), (byte) => SYLLABLES[byte % SYLLABLES.length] ?? '')
  return Array.from({ length: WORDS }, (_, word) => syllables.slice(word * 2, word * 2 + 2).join('')).join(
    ' ',
  )
}

/** The passphrase as it is stretched: full-width forms folded, spaces at the ends dropped and in between single. */
export function foldPassphrase(passphrase: string): string {
  return passphrase.normalize('NFKC').trim().replace(/\s+/g, ' ')
}

/**
 * Whether a member may use this passphrase: at least 15 characters (six generated words always have more) and no
 * mere repetition. No rules about kinds of characters: they make passphrases worse.
 * @returns null when it may, else why not, for the member to read.
 */
export function checkPassphrase(passphrase: string): string | null {
  const characters = Array.from(foldPassphrase(passphrase))
  if (characters.length < MIN_PASSPHRASE_LENGTH) {
    return `口令太短：至少 ${String(MIN_PASSPHRASE_LENGTH)} 个字符，或使用系统生成的六个词。`
  }
  if (characters.length > MAX_PASSPHRASE_LENGTH) {
    return `口令太长：最多 ${String(MAX_PASSPHRASE_LENGTH)} 个字符。`
  }
  if (new Set(characters).size < MIN_DIFFERENT_CHARACTERS) {
    return '口令太容易猜到：请不要重复同样的几个字符，可以使用系统生成的六个词。'
  }
  return null
}
