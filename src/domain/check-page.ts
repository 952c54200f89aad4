import { isEasyPin, parseClaimPin } from './claim-pin.ts'
import type { FieldError } from './errors.ts'
import { matchesEnd } from './receipt.ts'

/** Optional fields of the page on which a tip is checked before it is sent, as typed. */
export interface CheckFields {
  /** The end of the code, as it was copied. */
  readonly retype: string
  readonly pin: string
}

/** Both may be left empty; what is filled in has to be right. The browser asks this where it seals, else the server. */
export function checkProblems({ retype, pin }: CheckFields, receiptCode: string): FieldError[] {
  const problems: FieldError[] = []
  if (retype.trim() !== '' && !matchesEnd(receiptCode, retype)) {
    problems.push({
      field: 'retype',
      message: '和上面查询码的最后一组不一样。请对照着看看是不是抄错了；不想核对可以留空。',
    })
  }
  const digits = parseClaimPin(pin)
  if (pin.trim() !== '' && digits === null) {
    problems.push({ field: 'pin', message: '领奖密码要正好六位数字；不需要可以留空。' })
  } else if (digits !== null && isEasyPin(digits)) {
    problems.push({ field: 'pin', message: '这个密码太好猜。不要用六个相同或者连着的数字。' })
  }
  return problems
}
