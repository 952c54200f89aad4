import type { FieldError } from './errors.ts'

/** Where a reward is paid to when it is not collected at the desk: as told. */
export interface Payee {
  readonly name: string
  readonly bank: string
  readonly account: string
}

export const MAX_PAYEE_NAME = 40
export const MAX_BANK = 60
const ACCOUNT = /^\d{8,30}$/
/** UnionPay cards begin with 62 and have 16 to 19 digits, the last of them a check digit. */
const CARD = /^62\d{14,17}$/

/** What was typed, tidied up, and what is wrong with it; no payee at all when nothing was typed. */
export function readPayee(typed: Readonly<Record<keyof Payee, string>>): {
  readonly payee: Payee | null
  readonly errors: readonly FieldError[]
} {
  const text = (value: string) =>
    value
      .normalize('NFKC')
      .replace(/\p{Cc}/gu, '')
      .trim()
  const payee = {
    name: text(typed.name),
    bank: text(typed.bank),
    account: text(typed.account).replace(/[\s-]/g, ''),
  }
  if (Object.values(payee).every((value) => value === '')) return { payee: null, errors: [] }
  const errors: FieldError[] = []
  const refuse = (field: keyof Payee, message: string) => errors.push({ field, message })
  const isWithin = (value: string, max: number) => value !== '' && Array.from(value).length <= max
  if (!isWithin(payee.name, MAX_PAYEE_NAME)) refuse('name', `请填写户名，最多 ${MAX_PAYEE_NAME} 个字。`)
  if (!isWithin(payee.bank, MAX_BANK)) refuse('bank', `请填写开户银行，最多 ${MAX_BANK} 个字。`)
  if (!ACCOUNT.test(payee.account)) refuse('account', '账号是 8 到 30 位数字，请核对。')
  else if (CARD.test(payee.account) && !hasCheckDigit(payee.account)) {
    refuse('account', '卡号有一位不对，请对着卡再核对一遍。')
  }
  return { payee: errors.length > 0 ? null : payee, errors }
}

/** @source ISO/IEC 7812-1, annex on the Luhn check digit. */
function hasCheckDigit(digits: string): boolean {
  const sum = Array.from(digits)
    .reverse()
    .reduce((total, digit, index) => {
      const value = Number(digit) * (index % 2 === 1 ? 2 : 1)
      return total + (value > 9 ? value - 9 : value)
    }, 0)
  return sum % 10 === 0
}
