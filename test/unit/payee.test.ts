import { describe, expect, it } from 'vitest'
import { readPayee } from '../../src/domain/payee.ts'

const CARD = '6222020000000000000'
/** The same with a right check digit. */
const right = (digits: string): string => {
  for (let last = 0; last < 10; last += 1) {
    const card = digits.slice(0, -1) + String(last)
    const read = readPayee({ name: '张三', bank: '示例银行', account: card })
    if (read.payee) return card
  }
  throw new Error('no check digit')
}

describe('where a reward is paid to', () => {
  it('is nothing when nothing was typed', () => {
    expect(readPayee({ name: ' ', bank: '', account: '' })).toEqual({ payee: null, errors: [] })
  })

  it('takes a card as it is printed, in groups and full width', () => {
    const card = right(CARD)
    const printed = card.replace(/(.{4})/g, '$1 ').replace('6', '６')
    expect(readPayee({ name: ' 张三 ', bank: '示例银行', account: printed })).toEqual({
      payee: { name: '张三', bank: '示例银行', account: card },
      errors: [],
    })
  })

  it('finds every single wrong digit of a card', () => {
    const card = right(CARD)
    for (let at = 2; at < card.length; at += 1) {
      const wrong = card.slice(0, at) + String((Number(card[at]) + 1) % 10) + card.slice(at + 1)
      expect(readPayee({ name: '张三', bank: '示例银行', account: wrong }).errors).toEqual([
        expect.objectContaining({ field: 'account' }),
      ])
    }
  })

  it('checks no digit of an account that is no card, and says what is missing', () => {
    expect(readPayee({ name: '张三', bank: '示例银行', account: '12345678' }).errors).toEqual([])
    expect(readPayee({ name: '张三', bank: '', account: '12a' }).errors).toEqual([
      expect.objectContaining({ field: 'bank' }),
      expect.objectContaining({ field: 'account' }),
    ])
  })
})
