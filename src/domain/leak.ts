/** What a statement may give away about the reporter; the officer's browser warns before it is published. */
export interface Leak {
  readonly kind: 'phone' | 'id-number' | 'repeats-words'
  /** As it stands in the statement. */
  readonly excerpt: string
}

/** Shared characters from which on a passage counts as the reporter's own words. */
const SHARED_RUN = 8

const CHINESE_DIGITS = '〇一二三四五六七八九'
const OTHER_DIGITS: Readonly<Record<string, string>> = { 零: '0', 幺: '1', 两: '2' }

interface Glyph {
  /** Folded: half width, lower case. */
  readonly char: string
  readonly start: number
  readonly end: number
}

function fold(char: string): string {
  const plain = char.normalize('NFKC').toLowerCase()
  return [...plain].length === 1 ? plain : char
}

function symbolsOf(text: string): Glyph[] {
  const symbols: Glyph[] = []
  let start = 0
  for (const char of text) {
    symbols.push({ char: fold(char), start, end: start + char.length })
    start += char.length
  }
  return symbols
}

function asDigit(char: string): string {
  const spoken = CHINESE_DIGITS.indexOf(char)
  return spoken >= 0 ? String(spoken) : (OTHER_DIGITS[char] ?? char)
}

/** @source GB 11643-1999 公民身份号码: weights and check symbol after ISO 7064 MOD 11-2 */
const ID_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2] as const

function isBirthday(yyyymmdd: string): boolean {
  const iso = `${yyyymmdd.slice(0, 4)}-${yyyymmdd.slice(4, 6)}-${yyyymmdd.slice(6)}`
  const instant = new Date(`${iso}T00:00:00Z`)
  return !Number.isNaN(instant.getTime()) && instant.toISOString().startsWith(iso) && /^(18|19|20)/.test(iso)
}

function isIdNumber(candidate: string): boolean {
  const id = candidate.replace(/[\s-]/g, '')
  if (id.length === 15) return /^[1-9]/.test(id) && isBirthday(`19${id.slice(6, 12)}`)
  const sum = ID_WEIGHTS.reduce((total, weight, index) => total + weight * Number(id.charAt(index)), 0)
  return isBirthday(id.slice(6, 14)) && '10x98765432'.charAt(sum % 11) === id.charAt(17)
}

const ID_18 = /(?<![\da-z])[1-9]\d{5}[\s-]?\d{8}[\s-]?\d{3}[\dx](?![\da-z])/g
const ID_15 = /(?<!\d)[1-9]\d{14}(?!\d)/g
const MOBILE = /(?<!\d)(?:\+?86[\s-]?)?1[3-9]\d(?:[\s-]?\d){8}(?!\d)/g
// An area code is needed: eight digits alone are as often a date or a document number.
const LANDLINE = /(?<!\d)\(?0(?:10|2\d|[3-9]\d{2})\)?[\s-]?[2-9]\d{2,3}[\s-]?\d{4}(?!\d)/g

function words(text: string): Glyph[] {
  return symbolsOf(text).filter(({ char }) => /[\p{L}\p{N}]/u.test(char))
}

function grams(symbols: readonly Glyph[]): string[] {
  const found: string[] = []
  for (let index = 0; index + SHARED_RUN <= symbols.length; index++) {
    found.push(
      symbols
        .slice(index, index + SHARED_RUN)
        .map(({ char }) => char)
        .join('\0'),
    )
  }
  return found
}

function repeated(statement: string, reporterWords: readonly string[]): Leak[] {
  const told = new Set(reporterWords.flatMap((text) => grams(words(text))))
  if (told.size === 0) return []
  const symbols = words(statement)
  const leaks: Leak[] = []
  let run: { first: number; last: number } | null = null
  const close = () => {
    const first = run && symbols[run.first]
    const last = run && symbols[run.last]
    if (first && last) leaks.push({ kind: 'repeats-words', excerpt: statement.slice(first.start, last.end) })
    run = null
  }
  for (const [index, gram] of grams(symbols).entries()) {
    const last = index + SHARED_RUN - 1
    if (!told.has(gram)) {
      if (run && run.last < index) close()
    } else if (run) run.last = last
    else run = { first: index, last }
  }
  close()
  return leaks
}

/**
 * Chinese mobile and landline numbers (also with spaces, dashes, full width or spoken digits), 18- and 15-digit ID
 * numbers, and every passage of 8 or more characters, punctuation and spaces aside, that the reporter used too.
 * A warning, not a proof: what it finds may be harmless, what it does not find may still be too much.
 */
export function leaks(statement: string, options: { readonly reporterWords: readonly string[] }): Leak[] {
  const symbols = symbolsOf(statement)
  const digits = symbols.map(({ char }) => asDigit(char))
  // One UTF-16 unit per symbol, so that a match's index is a symbol's index.
  const line = digits.map((digit) => (digit.length === 1 ? digit : '\0')).join('')

  const found: (Leak & { readonly first: number; readonly last: number })[] = []
  const search = (kind: Leak['kind'], pattern: RegExp, accepts: (match: string) => boolean) => {
    for (const match of line.matchAll(pattern)) {
      const first = match.index
      const last = first + match[0].length - 1
      const taken = found.some((leak) => first <= leak.last && leak.first <= last)
      const [from, to] = [symbols[first], symbols[last]]
      if (taken || !from || !to || !accepts(match[0])) continue
      found.push({ kind, excerpt: statement.slice(from.start, to.end), first, last })
    }
  }
  search('id-number', ID_18, isIdNumber)
  search('id-number', ID_15, isIdNumber)
  search('phone', MOBILE, () => true)
  search('phone', LANDLINE, () => true)

  const numbers = found.sort((a, b) => a.first - b.first).map(({ kind, excerpt }) => ({ kind, excerpt }))
  return [...numbers, ...repeated(statement, options.reporterWords)]
}
