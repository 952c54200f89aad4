/**
 * Search in Chinese names without an extension: a name is kept as its single characters and neighbouring pairs in
 * an array with an inverted index, so that one or two characters find it (PostgreSQL's own parser makes a whole
 * Chinese name one word, and trigrams need three characters).
 */

/** Longest query worth indexing, in characters after normalising. */
const MAX_QUERY_CHARACTERS = 60

/**
 * A name as it is compared: NFKC, lower case, letters and digits only. Spaces, brackets, dots and other
 * punctuation differ between documents and mean nothing.
 */
export function normaliseName(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '')
}

/**
 * What is kept of an entry's names, joined by a space so that no query matches across two of them.
 */
export function searchNameOf(names: readonly (string | null)[]): string {
  return names
    .map((name) => normaliseName(name ?? ''))
    .filter((name) => name !== '')
    .join(' ')
}

/** The characters and neighbouring pairs of a search name, each once. */
export function gramsOf(searchName: string): string[] {
  const grams = new Set<string>()
  for (const name of searchName.split(' ')) {
    const characters = Array.from(name)
    for (const [index, character] of characters.entries()) {
      grams.add(character)
      const next = characters[index + 1]
      if (next !== undefined) grams.add(character + next)
    }
  }
  return [...grams]
}

/** What to look for: a row matches when any part that is given matches. */
export interface SearchQuery {
  /** Beginning of a credit code, upper case. */
  readonly uscc: string | null
  /** Beginning of a decision number in canonical form. */
  readonly decisionNo: string | null
  /** Beginning of an entry number. */
  readonly entryNo: string | null
  /** Part of a name, normalised, with the grams it must contain. */
  readonly name: { readonly text: string; readonly grams: readonly string[] } | null
}

/**
 * Reads what a person typed into the search box.
 * @returns null when nothing searchable is left (blank, or punctuation only).
 */
export function readSearch(input: string): SearchQuery | null {
  const code = input
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[\s\p{Cf}]+/gu, '')
  const text = Array.from(normaliseName(input)).slice(0, MAX_QUERY_CHARACTERS).join('')
  if (text === '') return null
  const characters = Array.from(text)
  const pairs = characters.slice(1).map((character, index) => (characters[index] ?? '') + character)
  return {
    uscc: /^(?=.*\d)[0-9A-HJ-NPQRTUWXY]{4,18}$/.test(code) ? code : null,
    decisionNo: /[\p{Ps}]\d{4}|\d号$/u.test(code) ? canonicalDecisionNo(input) : null,
    entryNo: /^[A-Z]{2}-?\d{1,4}(?:-?[0-9A-Z]{0,5})$/.test(code) ? dashed(code) : null,
    name: { text, grams: [...new Set(pairs.length > 0 ? pairs : characters)] },
  }
}

/** `WD26117QK3F` and `wd-2611-7QK3F` are the same number. */
function dashed(code: string): string {
  const plain = code.replaceAll('-', '')
  const parts = [plain.slice(0, 2), plain.slice(2, 6), plain.slice(6)]
  return parts.filter((part) => part !== '').join('-')
}

/**
 * A document number (文号) in its one printed form: `[2017]`, `(2017)`, `【2017】`, `﹝2017﹞` become `〔2017〕`,
 * `第2号` becomes `2号`, spaces go.
 */
export function canonicalDecisionNo(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/[\s\p{Cf}]+/gu, '')
    .replace(/\p{Ps}(\d{4})\p{Pe}?/gu, '〔$1〕')
    .replace(/〕第(?=\d+号)/u, '〕')
}
