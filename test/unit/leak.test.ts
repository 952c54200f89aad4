import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { leaks } from '../../src/domain/leak.ts'

const found = (statement: string, ...reporterWords: string[]) => leaks(statement, { reporterWords })

describe('a phone number', () => {
  it.each([
    ['电话13800138000。', '13800138000'],
    ['电话138 0013 8000。', '138 0013 8000'],
    ['电话+86-138-0013-8000', '+86-138-0013-8000'],
    ['电话１３８００１３８０００', '１３８００１３８０００'],
    ['电话一三八零零一三八零零零', '一三八零零一三八零零零'],
    ['电话幺三八〇〇幺三八〇〇〇', '幺三八〇〇幺三八〇〇〇'],
    ['座机0371-67181234转', '0371-67181234'],
    ['座机(0371)6718 1234', '(0371)6718 1234'],
    ['座机010-62345678', '010-62345678'],
  ])('%s is seen', (statement, excerpt) => {
    expect(found(statement)).toEqual([{ kind: 'phone', excerpt }])
  })

  it.each([
    '请拨打12345热线，或12369。',
    '决定书文号：郑中环罚〔2026〕第138号',
    '2026-11-24 08:30 现场检查，PM10为121微克/立方米',
    '统一社会信用代码914403001922038216',
    '罚款50000元',
    '编号20261124138001380001',
  ])('%s is none', (statement) => {
    expect(found(statement)).toEqual([])
  })
})

describe('an ID number', () => {
  it.each([
    ['身份证11010519491231002X', '11010519491231002X'],
    ['身份证11010519491231002x。', '11010519491231002x'],
    ['身份证110105 19491231 002X', '110105 19491231 002X'],
    ['身份证130503670401001', '130503670401001'],
  ])('%s is seen', (statement, excerpt) => {
    expect(found(statement)).toEqual([{ kind: 'id-number', excerpt }])
  })

  it('needs a right check digit and a birthday', () => {
    expect(found('110105194912310021')).toEqual([])
    expect(found('130503671301001')).toEqual([])
  })
})

describe('the words of the reporter', () => {
  const told = '我家楼下的烧烤店，每天晚上十点以后把油烟排到楼道里。'

  it('are seen from eight characters on, whatever the punctuation', () => {
    expect(found('经查，该处每天晚上十点，以后把油烟外排。', told)).toEqual([
      { kind: 'repeats-words', excerpt: '每天晚上十点，以后把油烟' },
    ])
    expect(found('烧烤店每天晚上营业。', told)).toEqual([])
    expect(found('烧烤店 每天 晚上十', told)).toEqual([
      { kind: 'repeats-words', excerpt: '烧烤店 每天 晚上十' },
    ])
  })

  it('are seen in full width and in another case', () => {
    expect(found('店名ＡＢＣＤ烧烤城一号', '店名abcd烧烤城1号')).toEqual([
      { kind: 'repeats-words', excerpt: '店名ＡＢＣＤ烧烤城' },
    ])
  })

  it('are told apart when they are two passages', () => {
    const passages = found('每天晚上十点以后，另查明我家楼下的烧烤店', told)
    expect(passages.map(({ excerpt }) => excerpt)).toEqual(['每天晚上十点以后', '我家楼下的烧烤店'])
  })

  it('of exactly eight characters are always found', () => {
    const text = fc.array(fc.constantFrom(...'烟尘夜里排放烧烤店楼下晚上油烟机器'), {
      minLength: 8,
      maxLength: 30,
    })
    fc.assert(
      fc.property(text, fc.string(), fc.string(), fc.nat(), (chars, before, after, at) => {
        const words = chars.join('')
        const start = at % (chars.length - 7)
        const shared = chars.slice(start, start + 8).join('')
        const kinds = found(`${before}。${shared}。${after}`, words).map(({ kind }) => kind)
        expect(kinds).toContain('repeats-words')
      }),
    )
  })

  it('are no leak when nothing is shared', () => {
    expect(found('经现场检查，该单位已停产整改。', told, '', '短')).toEqual([])
  })
})

it('finds all kinds at once, numbers first', () => {
  const all = found('我家楼下的烧烤店老板13800138000，身份证11010519491231002X', '我家楼下的烧烤店')
  expect(all.map(({ kind }) => kind)).toEqual(['phone', 'id-number', 'repeats-words'])
})
