import { CsvError, parse } from 'csv-parse/sync'
import { z } from 'zod'
import { BYTE_ORDER_MARK, csvRecord } from '../domain/csv.ts'
import type { Day } from '../domain/day.ts'
import { DomainError } from '../domain/errors.ts'
import {
  checkEntry,
  ENTRY_STATES,
  LIST_ACTIONS,
  readCell,
  SUBJECT_KINDS,
  type EntryData,
  type ListColumn,
  type ListKind,
} from '../domain/list.ts'

/** The most that one file may bring. */
export const MAX_CSV_BYTES = 2 * 2 ** 20
export const MAX_CSV_ROWS = 2000

const day = z.iso.date()

/** What the public learns of a kind of list. */
export const listSummarySchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  /** The plan's own words that order the list. */
  hook: z.string(),
  measureRefs: z.array(z.string()),
  term: z.string(),
  consequences: z.array(z.object({ text: z.string(), source: z.string() })),
  columns: z.array(z.object({ key: z.string(), label: z.string() })),
  /** Entries in force today, and those no longer. */
  listed: z.int(),
  past: z.int(),
})
export type ListSummary = z.infer<typeof listSummarySchema>

/** One line of a list. */
export const entrySummarySchema = z.object({
  list: z.string(),
  listName: z.string(),
  entryNo: z.string(),
  state: z.enum(ENTRY_STATES),
  subjectName: z.string(),
  subjectKind: z.enum(SUBJECT_KINDS),
  uscc: z.string().nullable(),
  reason: z.string(),
  decisionNo: z.string().nullable(),
  authority: z.string(),
  /** The authority as printed. */
  authorityName: z.string(),
  listedOn: day,
  listedUntil: day.nullable(),
  endedOn: day.nullable(),
  /** The kind's columns by key, the ones above included. */
  data: z.record(z.string(), z.string().nullable()),
})
export type EntrySummary = z.infer<typeof entrySummarySchema>

export const entryRevisionSchema = z.object({
  revision: z.int(),
  action: z.enum(LIST_ACTIONS),
  reason: z.string(),
  changes: z.array(
    z.object({
      key: z.string(),
      label: z.string(),
      before: z.string().nullable(),
      after: z.string().nullable(),
    }),
  ),
  /** By role: names of officers are not published. */
  proposedBy: z.literal('officer'),
  approvedBy: z.literal('publisher'),
  at: z.iso.datetime(),
})
export type EntryRevisionView = z.infer<typeof entryRevisionSchema>

/** An entry with its whole history, newest revision first. */
export const entryViewSchema = entrySummarySchema.extend({
  revision: z.int(),
  consequences: z.array(z.object({ text: z.string(), source: z.string() })),
  measureRefs: z.array(z.string()),
  revisions: z.array(entryRevisionSchema),
})
export type EntryView = z.infer<typeof entryViewSchema>

/** Which entries: `state` is those in force unless told otherwise. Wrong values are dropped by pages, refused by the API. */
export const entryFilterSchema = z.object({
  /** Part of a name; or the beginning of a credit code, decision number or entry number. */
  q: z.string().trim().max(200).optional(),
  state: z.enum(['listed', 'past', 'all']).optional(),
  /** Department id, or the printed name of an authority. */
  authority: z.string().max(100).optional(),
  /** Year of listing. */
  year: z.coerce.number().int().min(1949).max(2999).optional(),
})
export type EntryFilter = z.infer<typeof entryFilterSchema>

/** The filter of a page's address. Each value that makes no sense is dropped, the others stay. */
export function entryFilterOf(query: URLSearchParams): EntryFilter {
  const fields = Object.entries(entryFilterSchema.shape).flatMap(([name, schema]) => {
    const typed = query.get(name)
    if (typed === null || typed.trim() === '') return []
    const read = schema.safeParse(typed)
    return read.success ? [[name, read.data] as const] : []
  })
  return Object.fromEntries(fields)
}

/** Something wrong in a file: row 1 is the heading, as a spreadsheet counts; row 0 means the file itself. */
export interface RowProblem {
  readonly row: number
  /** Column key; null when the whole row is meant. */
  readonly key: string | null
  /** The column's heading, or 整行. */
  readonly column: string
  readonly message: string
}

/** One valid row of a file. */
export interface ReadRow {
  readonly row: number
  readonly data: EntryData
}

export interface ReadCsv {
  readonly rows: readonly ReadRow[]
  readonly errors: readonly RowProblem[]
}

/** Reads one cell through the kind's rule. */
const cellSchema = (kind: ListKind, column: ListColumn) =>
  z
    .string()
    .nullish()
    .transform((raw, context): string | null => {
      const read = readCell(kind, column, raw ?? '')
      if ('value' in read) return read.value
      context.addIssue({ code: 'custom', message: read.problem })
      return z.NEVER
    })

/**
 * The schema of one entry of a kind, from its columns: texts in, canonical values out. Dates are checked against
 * each other and against `today`.
 */
export function entrySchemaOf(kind: ListKind, today: Day) {
  return z
    .object(Object.fromEntries(kind.columns.map((column) => [column.key, cellSchema(kind, column)])))
    .transform((cells) => cells as EntryData)
    .superRefine((data, context) => {
      for (const { key, problem } of checkEntry(data, today)) {
        context.addIssue({ code: 'custom', path: [key], message: problem })
      }
    })
}

/**
 * A file's bytes as text: UTF-8, or GB 18030 as Chinese spreadsheets save it.
 * @throws {DomainError} `too-large`, or `unsupported-media` for a workbook or anything else that is no text
 */
export function decodeCsv(bytes: Uint8Array): string {
  if (bytes.length > MAX_CSV_BYTES) {
    throw fileProblem('too-large', 'CSV 文件不能超过 2 MB，请分成几个文件上传。')
  }
  if (bytes.length === 0) throw fileProblem('invalid-input', '请选择一个有内容的 CSV 文件。')
  if (bytes.includes(0)) {
    throw fileProblem(
      'unsupported-media',
      '这不是 CSV 文件。请在表格软件里选“另存为”，格式选“CSV（UTF-8）”。',
    )
  }
  for (const encoding of ['utf-8', 'gb18030']) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes)
    } catch {
      // Not in this encoding; the next may fit.
    }
  }
  throw fileProblem('unsupported-media', '文件编码认不出来。请另存为“CSV（UTF-8）”后再上传。')
}

const fileProblem = (code: 'too-large' | 'unsupported-media' | 'invalid-input', message: string) =>
  new DomainError(code, message, [{ field: 'file', message }])

/**
 * Reads a CSV file of entries. Headings are the columns' labels in any order; unknown ones are refused, so that a
 * misspelt heading does not lose a column. Empty rows are skipped. Two rows alike are found by the caller.
 */
export function readEntryCsv(kind: ListKind, text: string, today: Day): ReadCsv {
  const whole = (row: number, message: string): ReadCsv => ({
    rows: [],
    errors: [{ row, key: null, column: '整行', message }],
  })
  if (Buffer.byteLength(text) > MAX_CSV_BYTES) return whole(0, 'CSV 文件不能超过 2 MB，请分成几个文件上传。')
  let records: string[][]
  try {
    records = parse(text, { bom: true, relax_column_count: true, max_record_size: 65_536 })
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const line = typeof error.lines === 'number' ? error.lines : 0
    return whole(line, `第 ${line} 行附近的引号不成对或格式不对，请用表格软件重新另存为 CSV。`)
  }
  const heading = (records[0] ?? []).map((cell) => cell.normalize('NFKC').replace(/\s+/g, ''))
  while (heading.at(-1) === '') heading.pop()
  const headingErrors = checkHeading(kind, heading)
  if (headingErrors.length > 0) return { rows: [], errors: headingErrors }

  const columns = heading.map((label) => kind.columns.find((column) => column.label === label)?.key ?? label)
  const schema = entrySchemaOf(kind, today)
  const rows: ReadRow[] = []
  const errors: RowProblem[] = []
  let count = 0
  for (const [index, record] of records.entries()) {
    if (index === 0 || record.every((cell) => cell.trim() === '')) continue
    const row = index + 1
    if (++count > MAX_CSV_ROWS) return whole(row, `一个文件最多 ${MAX_CSV_ROWS} 行，请分成几个文件上传。`)
    if (record.slice(heading.length).some((cell) => cell.trim() !== '')) {
      errors.push({ row, key: null, column: '整行', message: '这一行的格数比表头多，可能少了引号。' })
      continue
    }
    const cells = Object.fromEntries(columns.map((key, place) => [key, record[place] ?? '']))
    const read = schema.safeParse(cells)
    if (read.success) rows.push({ row, data: read.data })
    else errors.push(...problemsOf(kind, row, read.error))
  }
  if (count === 0) return whole(0, '文件里只有表头，没有内容。')
  return { rows, errors }
}

function checkHeading(kind: ListKind, heading: readonly string[]): RowProblem[] {
  const problem = (column: string, message: string): RowProblem => ({ row: 1, key: null, column, message })
  const labels = new Map(kind.columns.map((column) => [column.label, column]))
  const ignored = new Set(EXPORT_ONLY)
  const unknown = heading.filter((label) => !labels.has(label) && !ignored.has(label))
  const twice = heading.filter((label, index) => label !== '' && heading.indexOf(label) !== index)
  const missing = kind.columns.filter(
    (column) =>
      column.required &&
      !heading.includes(column.label) &&
      !(column.type === 'subject-kind' && kind.subjectKinds.length === 1),
  )
  return [
    ...unknown.map((label) => problem(label || '空', `表头“${label}”不在模板里，请改成模板的写法。`)),
    ...twice.map((label) => problem(label, `表头“${label}”出现了两次。`)),
    ...missing.map((column) => problem(column.label, `表头缺少“${column.label}”。`)),
  ]
}

/** A refused row's problems, each with its column. */
export function problemsOf(kind: ListKind, row: number, error: z.ZodError): RowProblem[] {
  return error.issues.map((issue) => {
    const column = kind.columns.find(({ key }) => key === issue.path[0])
    return { row, key: column?.key ?? null, column: column?.label ?? '整行', message: issue.message }
  })
}

/** Headings that only our export has; a file that has them may be read back. */
const EXPORT_ONLY = ['编号', '状态', '移出日期', '版次']

/** An empty file with the right headings, for Excel. */
export function csvTemplate(kind: ListKind): string {
  return (
    BYTE_ORDER_MARK +
    csvRecord(
      kind.columns.map((column) => column.label),
      { excel: true },
    )
  )
}

/** The first record of an export. */
export function exportHeading(kind: ListKind): string[] {
  const [no, state, ...last] = EXPORT_ONLY
  return [no ?? '', state ?? '', ...kind.columns.map((column) => column.label), ...last]
}
