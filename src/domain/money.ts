/** Money is a whole number of fen everywhere; yuan exist only in what people read and type. */
const FEN_IN_YUAN = 100

/** The most that a form takes: ten thousand million yuan stays far below 2^53 fen. */
const MAX_YUAN_DIGITS = 10

/** `1,250元`, `12.50元`, `-3元`. */
export function yuanText(fen: number): string {
  const size = Math.abs(fen)
  const yuan = String(Math.trunc(size / FEN_IN_YUAN)).replace(/\B(?=(?:\d{3})+$)/g, ',')
  const rest = size % FEN_IN_YUAN
  return `${fen < 0 ? '-' : ''}${yuan}${rest === 0 ? '' : `.${String(rest).padStart(2, '0')}`}元`
}

/** The figure alone, as a form and a file carry it: `1250`, `12.50`. */
export function yuanFigure(fen: number): string {
  return yuanText(fen).replaceAll(',', '').replace('元', '')
}

/** Fen of an amount that somebody typed in yuan; null when it is none, negative, or finer than a fen. */
export function parseYuan(text: string): number | null {
  const plain = text
    .normalize('NFKC')
    .replace(/[\s,，元]/gu, '')
    .replace(/^[¥￥]/u, '')
  const match = /^(\d+)(?:\.(\d{1,2}))?$/.exec(plain)
  if (!match || (match[1] ?? '').length > MAX_YUAN_DIGITS) return null
  return Number(match[1]) * FEN_IN_YUAN + Number((match[2] ?? '').padEnd(2, '0'))
}
