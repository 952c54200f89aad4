/** How often it may be typed wrong; then one try comes back every midnight. */
export const PIN_TRIES = 5

/**
 * The six digits that a reporter may choose when filing, as typed: full-width digits and spaces are forgiven. Null
 * when it is none.
 */
export function parseClaimPin(input: string): string | null {
  const digits = input.normalize('NFKC').replace(/\s/gu, '')
  return /^\d{6}$/.test(digits) ? digits : null
}

/** Whether somebody would try it first: one digit only, or digits in a row. */
export function isEasyPin(pin: string): boolean {
  const steps = new Set(Array.from(pin.slice(1), (digit, index) => Number(digit) - Number(pin[index])))
  return steps.size === 1 && [-1, 0, 1].includes([...steps][0] ?? 0)
}
