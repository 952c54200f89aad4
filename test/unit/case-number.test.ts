import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { caseNumber, normalizeCaseNumber } from '../../src/domain/case-number.ts'

describe('a case number', () => {
  it('is year, month and five Crockford symbols', () => {
    expect(caseNumber('2026-11-24', Uint8Array.of(7, 22, 19, 3, 15))).toBe('ZY-2611-7PK3F')
    expect(caseNumber('2017-03-01', Uint8Array.of(255, 224, 31, 0, 32))).toBe('ZY-1703-Z0Z00')
  })

  it('favours no symbol', () => {
    const counts = new Map<string, number>()
    for (let byte = 0; byte < 256; byte++) {
      const symbol = caseNumber('2026-01-01', Uint8Array.of(byte, 0, 0, 0, 0)).charAt(8)
      counts.set(symbol, (counts.get(symbol) ?? 0) + 1)
    }
    expect(counts.size).toBe(32)
    expect(new Set(counts.values())).toEqual(new Set([8]))
  })

  it('needs five bytes', () => {
    expect(() => caseNumber('2026-11-24', new Uint8Array(4))).toThrow(RangeError)
  })
})

describe('a typed case number', () => {
  it.each([
    ['ZY-2611-7QK3F'],
    ['zy-2611-7qk3f'],
    [' ZY 2611 7QK3F '],
    ['ZY26117QK3F'],
    ['26117QK3F'],
    ['ＺＹ－２６１１－７ＱＫ３Ｆ'],
    ['ZY—2611–7QK3F'],
  ])('%s is understood', (input) => {
    expect(normalizeCaseNumber(input)).toBe('ZY-2611-7QK3F')
  })

  it('reads O as 0, and I and L as 1', () => {
    expect(normalizeCaseNumber('ZY-26lI-OoIlL')).toBe('ZY-2611-00111')
  })

  it.each([
    '',
    'ZY-2611',
    'ZY-2613-7QK3F',
    'ZY-2600-7QK3F',
    'ZY-2611-7QK3U',
    'ZY-2611-7QK3FF',
    '中原-2611-7QK3F',
  ])('%s is none', (input) => {
    expect(normalizeCaseNumber(input)).toBeNull()
  })

  it('leaves every written number as it is, and is stable on junk', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 5, maxLength: 5 }), fc.string(), (bytes, junk) => {
        const number = caseNumber('2026-11-24', bytes)
        expect(normalizeCaseNumber(number)).toBe(number)
        const once = normalizeCaseNumber(junk)
        if (once !== null) expect(normalizeCaseNumber(once)).toBe(once)
      }),
    )
  })
})
