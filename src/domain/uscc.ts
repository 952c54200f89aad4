/**
 * The unified social credit code (统一社会信用代码): 17 symbols and a check symbol.
 * @source GB 32100-2015 法人和其他组织统一社会信用代码编码规则, in force 2015-10-01
 */
const SYMBOLS = '0123456789ABCDEFGHJKLMNPQRTUWXY'
const WEIGHTS = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28] as const

function checkSymbol(body: string): string | null {
  let sum = 0
  for (const [index, weight] of WEIGHTS.entries()) {
    const value = SYMBOLS.indexOf(body.charAt(index))
    if (value < 0) return null
    sum += value * weight
  }
  return SYMBOLS.charAt((31 - (sum % 31)) % 31)
}

/** Full width, case and spaces folded. O and I are not repaired: the user is asked instead. */
export function normalizeUscc(input: string): string {
  return input.normalize('NFKC').toUpperCase().replace(/\s/g, '')
}

/** Whether a normalised code has 18 allowed symbols and the right check symbol. */
export function isValidUscc(code: string): boolean {
  return code.length === 18 && checkSymbol(code.slice(0, 17)) === code.charAt(17)
}

/** What is wrong with a normalised code, in zh-CN and with what to look at; null when it is valid. */
export function usccProblem(code: string): string | null {
  if (code.length !== 18) return `统一社会信用代码应为18位，这里是${code.length}位。`
  const wrong = [...code].find((symbol) => !SYMBOLS.includes(symbol))
  if (wrong !== undefined) {
    const likely = { O: '0', I: '1', S: '5', Z: '2', V: 'U或Y' }[wrong]
    const hint = likely === undefined ? '' : `，请核对是不是${likely}`
    return `统一社会信用代码里不会有“${wrong}”${hint}。`
  }
  return isValidUscc(code) ? null : '统一社会信用代码的校验位不对，请逐位核对。'
}

/**
 * What is wrong with a search that is meant as a whole credit code; null for anything else, a part of a code included.
 */
export function typedUsccProblem(search: string): string | null {
  const code = normalizeUscc(search)
  return /^(?=.*\d)[0-9A-Z]{18,}$/.test(code) ? usccProblem(code) : null
}

/** Completes 17 symbols with their check symbol, for demonstration data. @throws RangeError on a symbol not allowed. */
export function makeUscc(body17: string): string {
  const check = body17.length === 17 ? checkSymbol(body17) : null
  if (check === null) throw new RangeError(`${body17} is not 17 symbols of GB 32100`)
  return body17 + check
}
