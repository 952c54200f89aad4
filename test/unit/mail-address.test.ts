import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isMailAddress } from '../../src/domain/mail-address.ts'

describe('a mail address', () => {
  it.each([
    'a@b.cn',
    'huanbao-1@zhongyuan.gov.cn',
    'first.last+x@mail.example.gov.cn',
    'o_k!#$%&*@x-y.example',
  ])('is one: %s', (text) => {
    expect(isMailAddress(text)).toBe(true)
  })

  it.each([
    '',
    'a',
    '@b.cn',
    'a@',
    'a@b',
    'a@b.c',
    'a@-b.cn',
    'a@b..cn',
    '.a@b.cn',
    'a.@b.cn',
    'a..b@b.cn',
    'a b@c.cn',
    'a@b.cn ',
    'a@b.cn\n',
    'a@b.cn\r\nBcc: c@d.cn',
    'a@b.cn,c@d.cn',
    'a@b.cn;c@d.cn',
    'a,c@d.cn',
    '"a"@b.cn',
    'a(x)@b.cn',
    'A <a@b.cn>',
    '<a@b.cn>',
    'a@b.cn>',
    'a@c@b.cn',
    'a@[127.0.0.1]',
    'a@127.0.0.1',
    '信箱@b.cn',
    'a@例子.中国',
    `${'a'.repeat(65)}@b.cn`,
    `a@${'b.'.repeat(126)}cn`,
  ])('is none: %j', (text) => {
    expect(isMailAddress(text)).toBe(false)
  })

  it('never holds what could end a header or begin another address', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(30), (junk, at) => {
        const text = 'huanbao@example.gov.cn'
        const mixed = text.slice(0, at) + junk + text.slice(at)
        return !isMailAddress(mixed) || /^[^\s\p{C}<>(),;:\\"[\]@]+@[^\s\p{C}<>(),;:\\"[\]@]+$/u.test(mixed)
      }),
    )
  })
})
