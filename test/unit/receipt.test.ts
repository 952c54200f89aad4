import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isEasyPin, parseClaimPin } from '../../src/domain/claim-pin.ts'
import {
  createReceiptCode,
  formatReceiptCode,
  matchesEnd,
  parseReceiptCode,
} from '../../src/domain/receipt.ts'
import { seededBytes } from '../support/seeded-bytes.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const code = fc
  .uint8Array({ minLength: 23, maxLength: 23 })
  .map((bytes) => createReceiptCode((n) => bytes.slice(0, n)))
const replaceAt = (text: string, index: number, symbol: string) =>
  text.slice(0, index) + symbol + text.slice(index + 1)

describe('a receipt code', () => {
  it('has 24 symbols of the alphabet and reads back from its printed form', () => {
    fc.assert(
      fc.property(code, (made) => {
        expect(made).toMatch(/^[0-9A-HJKMNP-TV-Z]{24}$/)
        expect(formatReceiptCode(made)).toMatch(/^(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}$/)
        expect(parseReceiptCode(formatReceiptCode(made))).toBe(made)
      }),
    )
  })

  it('carries 115 bits: the low five of each random byte, in order', () => {
    const made = createReceiptCode((n) => Uint8Array.from({ length: n }, (_, index) => index + 224))
    expect(made.slice(0, 23)).toBe(ALPHABET.slice(0, 23))
  })

  it('has the check symbol that was worked out by hand', () => {
    expect(createReceiptCode((n) => new Uint8Array(n))).toBe('0'.repeat(24))
    // One 1 in the last random place counts double: 32 - 2 = 30, which is Y.
    expect(createReceiptCode((n) => Uint8Array.from({ length: n }, (_, i) => (i === n - 1 ? 1 : 0)))).toBe(
      `${'0'.repeat(22)}1Y`,
    )
    // Sixteen doubles to 32, whose digits 1 and 0 add up to 1: 32 - 1 = 31, which is Z.
    expect(createReceiptCode((n) => Uint8Array.from({ length: n }, (_, i) => (i === n - 1 ? 16 : 0)))).toBe(
      `${'0'.repeat(22)}GZ`,
    )
  })

  it('draws every symbol equally often in every place', () => {
    const random = seededBytes(20_171_123)
    const samples = 20_000
    const counts = Array.from({ length: 24 }, () => new Map<string, number>())
    for (let sample = 0; sample < samples; sample++) {
      for (const [place, symbol] of Array.from(createReceiptCode(random)).entries()) {
        counts[place]?.set(symbol, (counts[place].get(symbol) ?? 0) + 1)
      }
    }
    const expected = samples / 32
    for (const count of counts) {
      const chiSquare = Array.from(ALPHABET).reduce(
        (sum, symbol) => sum + ((count.get(symbol) ?? 0) - expected) ** 2 / expected,
        0,
      )
      // 31 degrees of freedom: below 70 with probability 0.9999.
      expect(chiSquare).toBeLessThan(70)
    }
  })
})

describe('the check symbol', () => {
  it('catches every single wrong symbol', () => {
    fc.assert(
      fc.property(code, (made) => {
        for (let index = 0; index < made.length; index++) {
          for (const symbol of ALPHABET) {
            if (symbol !== made[index]) expect(parseReceiptCode(replaceAt(made, index, symbol))).toBeNull()
          }
        }
      }),
      { numRuns: 25 },
    )
  })

  it('catches at least 99 % of swapped neighbours', () => {
    const random = seededBytes(7)
    let swaps = 0
    let missed = 0
    for (let sample = 0; sample < 2_000; sample++) {
      const made = createReceiptCode(random)
      for (let index = 0; index + 1 < made.length; index++) {
        const [left = '', right = ''] = [made[index], made[index + 1]]
        if (left === right) continue
        swaps += 1
        if (parseReceiptCode(replaceAt(replaceAt(made, index, right), index + 1, left)) !== null) missed += 1
      }
    }
    expect(missed / swaps).toBeLessThan(0.01)
  })
})

describe('what a person types', () => {
  it('may be in small letters, full width, with spaces and any dash', () => {
    fc.assert(
      fc.property(code, (made) => {
        const groups = formatReceiptCode(made).split('-')
        const fullWidth = made.replace(/./g, (symbol) => String.fromCharCode(symbol.charCodeAt(0) + 0xfee0))
        for (const typed of [
          made.toLowerCase(),
          ` ${groups.join(' ')}\n`,
          groups.join('–'),
          groups.join('—'),
          groups.join('−'),
          groups.join('－'),
          groups.join('\u3000'),
          groups.join('\u200b'),
          fullWidth,
          fullWidth.toLowerCase(),
        ]) {
          expect(parseReceiptCode(typed)).toBe(made)
        }
      }),
    )
  })

  it('may say O for 0 and I or L for 1', () => {
    const made = createReceiptCode((n) => Uint8Array.from({ length: n }, (_, index) => index % 2))
    expect(made).toContain('01')
    for (const one of ['I', 'i', 'L', 'l', 'ｌ']) {
      expect(parseReceiptCode(made.replaceAll('0', 'o').replaceAll('1', one))).toBe(made)
    }
  })

  it('is no code when too short, too long, with foreign symbols or endless', () => {
    const made = '0'.repeat(24)
    expect(parseReceiptCode(made)).toBe(made)
    for (const typed of [
      '',
      made.slice(1),
      `${made}0`,
      `U${made.slice(1)}`,
      `中${made.slice(1)}`,
      `${made}!`,
    ]) {
      expect(parseReceiptCode(typed)).toBeNull()
    }
    expect(parseReceiptCode(`${made}${' '.repeat(10_000)}`)).toBeNull()
  })

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (typed) => {
        const parsed = parseReceiptCode(typed)
        expect(parsed === null || /^[0-9A-HJKMNP-TV-Z]{24}$/.test(parsed)).toBe(true)
      }),
    )
  })
})

describe('the end of a code, typed again', () => {
  it('is right for its last groups however they are written, and for nothing else', () => {
    fc.assert(
      fc.property(code, (made) => {
        const end = made.slice(-4)
        expect(matchesEnd(made, ` ${end.toLowerCase()} `)).toBe(true)
        expect(matchesEnd(made, formatReceiptCode(made).slice(-9))).toBe(true)
        expect(matchesEnd(made, made)).toBe(true)
        for (const wrong of [
          '',
          ' ',
          end.slice(1),
          made.slice(-5),
          `${made}${end}`,
          made.slice(0, 4) + end,
        ]) {
          if (!made.endsWith(wrong) || wrong.length % 4 !== 0 || wrong.trim() === '') {
            expect(matchesEnd(made, wrong)).toBe(false)
          }
        }
        for (const symbol of ALPHABET) {
          if (symbol !== end[2]) expect(matchesEnd(made, replaceAt(end, 2, symbol))).toBe(false)
        }
      }),
      { numRuns: 50 },
    )
  })
})

describe('a claim PIN', () => {
  it('is six digits, full width and spaces forgiven', () => {
    expect(parseClaimPin('４０７ 913')).toBe('407913')
    for (const none of ['', '40791', '4079133', 'abcdef', '4079 1x']) expect(parseClaimPin(none)).toBeNull()
  })

  it('is refused when somebody would try it first', () => {
    for (const easy of ['000000', '999999', '123456', '654321', '345678']) expect(isEasyPin(easy)).toBe(true)
    for (const fine of ['407913', '112233', '123465', '135790']) expect(isEasyPin(fine)).toBe(false)
  })
})
