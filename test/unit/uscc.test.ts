import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isValidUscc, makeUscc, normalizeUscc, usccProblem } from '../../src/domain/uscc.ts'

const SYMBOLS = [...'0123456789ABCDEFGHJKLMNPQRTUWXY']

describe('a unified social credit code', () => {
  it.each(['91350100M000100Y43', '91330100799655058B', '91440300708461136T', '914403001922038216'])(
    '%s is valid',
    (code) => {
      expect(isValidUscc(code)).toBe(true)
      expect(makeUscc(code.slice(0, 17))).toBe(code)
    },
  )

  it.each([
    '91350100M000100Y4Z',
    '91350100M000100Y44',
    '91350100M000100Y4',
    '91350100M000100Y433',
    '9135O100M000100Y43',
    '91350100m000100y43',
    '',
  ])('%s is not', (code) => {
    expect(isValidUscc(code)).toBe(false)
  })

  it('is normalised without repairing letters', () => {
    expect(normalizeUscc(' ９１３５０１００ m000100y43 ')).toBe('91350100M000100Y43')
    expect(normalizeUscc('O1')).toBe('O1')
  })

  it('is completed for any 17 symbols, and one wrong symbol is always seen', () => {
    const body = fc.array(fc.constantFrom(...SYMBOLS), { minLength: 17, maxLength: 17 })
    fc.assert(
      fc.property(body, fc.nat(17), fc.constantFrom(...SYMBOLS), (symbols, at, other) => {
        const code = makeUscc(symbols.join(''))
        expect(isValidUscc(code)).toBe(true)
        fc.pre(code.charAt(at) !== other)
        expect(isValidUscc(code.slice(0, at) + other + code.slice(at + 1))).toBe(false)
      }),
    )
  })

  it('that is wrong says what to look at, and is never repaired', () => {
    expect(usccProblem('91350100M000100Y43')).toBeNull()
    expect(usccProblem('91350100M000100Y4')).toContain('17位')
    expect(usccProblem('9135O100M000100Y43')).toContain('是不是0')
    expect(usccProblem('9135-100M000100Y43')).toContain('“-”')
    expect(usccProblem('91350100M000100Y44')).toContain('校验位')
  })

  it('cannot be made from anything else', () => {
    expect(() => makeUscc('000000')).toThrow(RangeError)
    expect(() => makeUscc('0000000000000000I')).toThrow(RangeError)
  })
})
