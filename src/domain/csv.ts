/** How a CSV file is written: for programs, or for Excel (byte-order mark, formulas made harmless). */
export interface CsvStyle {
  readonly excel: boolean
}

/** How a cell begins that a spreadsheet runs: `= + - @`, also in full width as East Asian versions take them, tab, CR, LF. */
const FORMULA = /^[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n]/

/** What Excel needs to read UTF-8. */
export const BYTE_ORDER_MARK = '\ufeff'

/**
 * One RFC 4180 record with its CRLF. In Excel's variant a cell that would be run as a formula gets an apostrophe in
 * front; programs get the text as it is.
 */
export function csvRecord(cells: readonly (string | null)[], style: CsvStyle): string {
  return `${cells.map((cell) => csvCell(cell ?? '', style)).join(',')}\r\n`
}

function csvCell(text: string, { excel }: CsvStyle): string {
  const safe = excel && FORMULA.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Undoes the apostrophe of Excel's variant, so that an exported file can be read back. */
export function withoutFormulaGuard(text: string): string {
  return text.startsWith("'") && FORMULA.test(text.slice(1)) ? text.slice(1) : text
}
