import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchTotp, toBase32, totpCode, totpStep, totpUri } from '../../src/services/totp.ts'
import { fromBase32 } from '../support/authenticator.ts'

const SECRET = Buffer.from('12345678901234567890')
const at = (seconds: number): Date => new Date(seconds * 1000)

describe('a code', () => {
  // RFC 6238, appendix B, SHA-1: the last six of the eight digits there.
  it.each([
    [59, '287082'],
    [1111111109, '081804'],
    [1111111111, '050471'],
    [1234567890, '005924'],
    [2000000000, '279037'],
    [20000000000, '353130'],
  ])('at second %d is the one of RFC 6238', (seconds, code) => {
    expect(totpCode(SECRET, totpStep(at(seconds)))).toBe(code)
  })

  it('is taken one step late and one step early, and no further', () => {
    const now = at(1_800_000_000)
    const step = totpStep(now)
    const taken = [-2, -1, 0, 1, 2].map((drift) => matchTotp(SECRET, totpCode(SECRET, step + drift), now, 0))
    expect(taken).toEqual([null, step - 1, step, step + 1, null])
  })

  it('is not taken again, nor one before it', () => {
    const now = at(1_800_000_000)
    const step = totpStep(now)
    expect(matchTotp(SECRET, totpCode(SECRET, step), now, step)).toBeNull()
    expect(matchTotp(SECRET, totpCode(SECRET, step - 1), now, step)).toBeNull()
    expect(matchTotp(SECRET, totpCode(SECRET, step + 1), now, step)).toBe(step + 1)
  })

  it('may be typed with spaces and in full width, and nothing else passes', () => {
    const now = at(1111111109)
    expect(matchTotp(SECRET, ' 081 804 ', now, 0)).toBe(totpStep(now))
    expect(matchTotp(SECRET, '０８１８０４', now, 0)).toBe(totpStep(now))
    for (const wrong of ['', '81804', '0081804', '081805', 'aaaaaa', '08180４4']) {
      expect(matchTotp(SECRET, wrong, now, 0)).toBeNull()
    }
  })
})

describe('the secret', () => {
  it('is written in base 32 as RFC 4648 does', () => {
    expect(toBase32(Buffer.from('foobar'))).toBe('MZXW6YTBOI')
    expect(toBase32(SECRET)).toBe('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(fromBase32(toBase32(bytes))).toEqual(bytes)
      }),
    )
  })

  it('stands in the address of the QR code with the site and the account', () => {
    const uri = new URL(totpUri(SECRET, '蓝天：公开', 'li-1'))
    expect(uri.protocol).toBe('otpauth:')
    expect(decodeURIComponent(uri.pathname)).toContain('蓝天：公开:li-1')
    expect(Object.fromEntries(uri.searchParams)).toEqual({
      secret: toBase32(SECRET),
      issuer: '蓝天：公开',
      algorithm: 'SHA1',
      digits: '6',
      period: '30',
    })
  })
})
