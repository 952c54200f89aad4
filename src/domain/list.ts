import { addDays, type Day } from './day.ts'
import { withoutFormulaGuard } from './csv.ts'
import { leaks } from './leak.ts'
import { canonicalDecisionNo } from './search-text.ts'
import { normalizeUscc, usccProblem } from './uscc.ts'

/**
 * A list that the plan orders to be published. Every kind is one declaration in `src/domain/lists/`; its columns
 * drive the CSV template, the reading of a file, the console's form, the public page and the export.
 */
export const SUBJECT_KINDS = ['enterprise', 'construction-project', 'vehicle'] as const
export type SubjectKind = (typeof SUBJECT_KINDS)[number]

export const SUBJECT_KIND_NAMES: Readonly<Record<SubjectKind, string>> = {
  enterprise: '企业',
  'construction-project': '工程项目',
  vehicle: '车辆',
}

/** What a cell may hold; see {@link readCell}. */
export type ColumnType =
  'text' | 'long-text' | 'subject-kind' | 'uscc' | 'legal-basis' | 'decision-no' | 'authority' | 'day'

export interface ListColumn {
  /** Property of {@link EntryData}. */
  readonly key: string
  /** In Chinese; also the heading in CSV files. */
  readonly label: string
  readonly type: ColumnType
  readonly required: boolean
  /** Characters. */
  readonly maxLength: number
  /** What to write, for the officer. */
  readonly hint: string
  readonly example: string
  /** Found by the search by name. */
  readonly searchable: boolean
}

/** The columns that every kind has; a kind may add its own. Values are canonical text; null means not given. */
export interface EntryData {
  readonly subjectKind: SubjectKind
  readonly subjectName: string
  readonly uscc: string | null
  readonly reason: string
  readonly legalBasis: string
  readonly decisionNo: string | null
  /** A department's id, or the printed name of an authority outside the plan. */
  readonly authority: string
  readonly decidedOn: Day | null
  /** Null in a proposal: the day of its approval. */
  readonly listedOn: Day | null
  readonly listedUntil: Day | null
  readonly evidence: string | null
  readonly [key: string]: string | null
}

/** What being listed brings, with the sentence of the plan or law it rests on. */
export interface Consequence {
  readonly text: string
  readonly source: string
}

export interface ListRules {
  /** Who may propose: this role in one of these departments. */
  readonly propose: { readonly role: 'officer'; readonly departments: readonly string[] }
  /** Who may approve, never the proposer; `departments: null` means of any department. */
  readonly approve: { readonly role: 'publisher'; readonly departments: readonly string[] | null }
  /** How long an entry stays when its decision does not say; null when no rule gives a term. */
  readonly listedForMonths: number | null
  /** The term in words, for the public page. */
  readonly term: string
  readonly consequences: readonly Consequence[]
}

export interface ListKind {
  /** As in the address: `dust-blacklist`. */
  readonly id: string
  readonly name: string
  /** Two letters before an entry number. */
  readonly prefix: string
  readonly description: string
  /** The plan's own words that order the list. */
  readonly hook: string
  readonly measureRefs: readonly string[]
  readonly subjectKinds: readonly SubjectKind[]
  readonly columns: readonly ListColumn[]
  readonly rules: ListRules
  /** Category of the report form for someone who sees the subject pollute again. */
  readonly reportCategory: string
}

export const LIST_ACTIONS = ['enter', 'amend', 'remove'] as const
export type ListAction = (typeof LIST_ACTIONS)[number]

export const LIST_ACTION_NAMES: Readonly<Record<ListAction, string>> = {
  enter: '列入',
  amend: '更正',
  remove: '移出',
}

/** `expired`: its term has passed without an order to remove it. */
export const ENTRY_STATES = ['listed', 'expired', 'ended'] as const
export type EntryState = (typeof ENTRY_STATES)[number]

export const ENTRY_STATE_NAMES: Readonly<Record<EntryState, string>> = {
  listed: '公布中',
  expired: '已到期',
  ended: '已移出',
}

/** Whether an entry is in force on a day. The last day of its term still counts. */
export function entryState(
  entry: { readonly state: 'listed' | 'ended'; readonly listedUntil: Day | null },
  today: Day,
): EntryState {
  if (entry.state === 'ended') return 'ended'
  return entry.listedUntil !== null && entry.listedUntil < today ? 'expired' : 'listed'
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
export const ENTRY_NO_SYMBOLS = 5

/**
 * A public entry number such as `YC-2611-7QK3F`: the kind, year and month of publication, five random symbols.
 * @param bytes five bytes from a cryptographic source; 256 is a multiple of 32, so each symbol is uniform
 */
export function entryNumber(prefix: string, day: Day, bytes: Uint8Array): string {
  const symbols = Array.from(bytes.subarray(0, ENTRY_NO_SYMBOLS), (byte) => CROCKFORD.charAt(byte & 31)).join(
    '',
  )
  return `${prefix}-${day.slice(2, 4)}${day.slice(5, 7)}-${symbols}`
}

/** The last day of a term of `months` from `from`: 2026-01-31 and one month give 2026-02-28. */
export function listingEnd(from: Day, months: number): Day {
  const [year = 0, month = 0, dayOfMonth = 0] = from.split('-').map(Number)
  const index = year * 12 + month - 1 + months
  const first = `${String(Math.floor(index / 12)).padStart(4, '0')}-${String((index % 12) + 1).padStart(2, '0')}-01`
  const next = index + 1
  const nextFirst = `${String(Math.floor(next / 12)).padStart(4, '0')}-${String((next % 12) + 1).padStart(2, '0')}-01`
  const last = addDays(nextFirst, -1)
  const wanted = `${first.slice(0, 8)}${String(dayOfMonth).padStart(2, '0')}`
  return wanted < last ? wanted : last
}

/** One cell read: its canonical value, or what is wrong with it, in the officer's language. */
export type CellReading = { readonly value: string | null } | { readonly problem: string }

/** Control characters have no place in a public text; line breaks and tabs are tidied before this is asked. */
const CONTROL = /[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/u

/**
 * Reads one cell of a file or one field of the console's form.
 * @param kind whose subject kinds are allowed
 */
export function readCell(kind: ListKind, column: ListColumn, raw: string): CellReading {
  const text = tidy(raw, column.type === 'long-text')
  if (text === '') {
    const only =
      column.type === 'subject-kind' && kind.subjectKinds.length === 1 ? kind.subjectKinds[0] : undefined
    if (only) return { value: only }
    return column.required ? { problem: `请填写${column.label}。` } : { value: null }
  }
  if (CONTROL.test(text.replaceAll('\n', '')))
    return { problem: `${column.label}里有看不见的控制字符，请删去后重填。` }
  if (Array.from(text).length > column.maxLength) {
    return { problem: `${column.label}最多 ${column.maxLength} 个字，现有 ${Array.from(text).length} 个。` }
  }
  const leak = column.type === 'uscc' ? undefined : leaks(text, { reporterWords: [] })[0]
  if (leak) {
    const what = leak.kind === 'phone' ? '电话号码' : '身份证号码'
    return { problem: `${column.label}里的“${leak.excerpt}”像是${what}，名单不公布个人信息，请删去。` }
  }
  switch (column.type) {
    case 'subject-kind':
      return readSubjectKind(kind, text)
    case 'uscc': {
      const code = normalizeUscc(text)
      const problem = usccProblem(code)
      return problem === null ? { value: code } : { problem }
    }
    case 'day': {
      const day = readDay(text.normalize('NFKC'))
      return day === null ? { problem: `${column.label}不是有效日期，请写成 2026-11-24。` } : { value: day }
    }
    case 'decision-no': {
      const number = canonicalDecisionNo(text)
      return /〔\d{4}〕.*\d+号$/u.test(number)
        ? { value: number }
        : { problem: `${column.label}请写全，如“中环罚〔2026〕12号”。` }
    }
    case 'legal-basis':
      return /《[^》]+》.*第.+[条款项章]/su.test(text)
        ? { value: text }
        : {
            problem: `${column.label}要写明法律或文件名称和条款，如“《中华人民共和国大气污染防治法》第九十九条”。`,
          }
    case 'text':
    case 'long-text':
    case 'authority':
      return { value: text }
  }
}

function tidy(raw: string, multiline: boolean): string {
  const text = withoutFormulaGuard(raw.trim()).replace(/\r\n?/g, '\n').replaceAll('\t', ' ')
  return (multiline ? text : text.replaceAll('\n', ' ')).trim()
}

function readSubjectKind(kind: ListKind, text: string): CellReading {
  const found = kind.subjectKinds.find((id) => id === text || SUBJECT_KIND_NAMES[id] === text)
  if (found) return { value: found }
  return { problem: `主体类型只能是：${kind.subjectKinds.map((id) => SUBJECT_KIND_NAMES[id]).join('、')}。` }
}

/** `2026-11-24`, `2026/1/5`, `2026.1.5`, `2026年1月5日` or `20261124` as a day; null when there is no such day. */
export function readDay(text: string): Day | null {
  const parts =
    /^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?$/.exec(text.trim()) ??
    /^(\d{4})(\d{2})(\d{2})$/.exec(text.trim())
  if (!parts) return null
  const [, year = '', month = '', dayOfMonth = ''] = parts
  const day = `${year}-${month.padStart(2, '0')}-${dayOfMonth.padStart(2, '0')}`
  if (month.padStart(2, '0') > '12' || month.padStart(2, '0') < '01' || year < '1949') return null
  const first = `${day.slice(0, 8)}01`
  // A day that does not exist turns into another one when counted from the first of its month.
  return addDays(first, Number(dayOfMonth) - 1) === day ? day : null
}

/** What is wrong between the columns of one row, by column key. */
export function checkEntry(
  data: EntryData,
  today: Day,
): { readonly key: string; readonly problem: string }[] {
  const problems: { key: string; problem: string }[] = []
  const { decidedOn, listedOn, listedUntil } = data
  if (decidedOn !== null && decidedOn > today) {
    problems.push({ key: 'decidedOn', problem: '决定日期在今天之后，请核对。' })
  }
  if (listedOn !== null && listedOn > today) {
    problems.push({
      key: 'listedOn',
      problem: '列入日期在今天之后。到那天再提交，或留空（以批准当天为准）。',
    })
  }
  if (decidedOn !== null && listedOn !== null && listedOn < decidedOn) {
    problems.push({ key: 'listedOn', problem: '列入日期早于决定日期，请核对。' })
  }
  if (listedUntil !== null && listedUntil < (listedOn ?? today)) {
    problems.push({ key: 'listedUntil', problem: '公布截止日早于列入日期，请核对。' })
  }
  return problems
}

/** What identifies an entry within a list: two with the same key are the same listing. Null without a decision number. */
export function duplicateKey(entry: {
  readonly uscc: string | null
  readonly decisionNo: string | null
  readonly searchName: string
}): string | null {
  return entry.decisionNo === null ? null : `${entry.decisionNo} ${entry.uscc ?? entry.searchName}`
}

export interface FieldChange {
  readonly key: string
  readonly label: string
  readonly before: string | null
  readonly after: string | null
}

/** The columns in which two versions of an entry differ, in the kind's order. */
export function changesBetween(kind: ListKind, before: EntryData, after: EntryData): FieldChange[] {
  return kind.columns
    .map((column) => ({
      key: column.key,
      label: column.label,
      before: before[column.key] ?? null,
      after: after[column.key] ?? null,
    }))
    .filter((change) => change.before !== change.after)
}

/** The columns whose text the search by name covers. */
export function searchableNames(kind: ListKind, data: EntryData): (string | null)[] {
  return kind.columns.filter((column) => column.searchable).map((column) => data[column.key] ?? null)
}

/** Whether somebody may propose to a list. */
export function mayPropose(
  kind: ListKind,
  staff: { readonly departmentId: string; readonly roles: readonly string[] },
): boolean {
  const { role, departments } = kind.rules.propose
  return staff.roles.includes(role) && departments.includes(staff.departmentId)
}

/** Whether somebody may decide on proposals to a list; that it is not their own is checked with the proposal. */
export function mayApprove(
  kind: ListKind,
  staff: { readonly departmentId: string; readonly roles: readonly string[] },
): boolean {
  const { role, departments } = kind.rules.approve
  return staff.roles.includes(role) && (departments === null || departments.includes(staff.departmentId))
}
