import type {
  Area,
  Category,
  CategoryGroup,
  Department,
  DepartmentKind,
  Measure,
  MeasureDeadline,
  MeasureTarget,
  Plan,
  PlanRow,
  Section,
  Split,
  Visibility,
} from '../../src/domain/plan.ts'
import { CATEGORY_TEXTS } from './category-texts.ts'
import areaSource from './plan-2017/areas.json' with { type: 'json' }
import measureSource from './plan-2017/measures.json' with { type: 'json' }
import categorySource from './plan-2017/routing.json' with { type: 'json' }
import splitSource from './plan-2017/splits.json' with { type: 'json' }
import unitSource from './plan-2017/units.json' with { type: 'json' }

interface SourceRow {
  readonly no: number
  readonly item: number | null
  readonly id: string
  readonly section: string
  readonly title: string
  readonly item_title?: string
  readonly item_title_official?: boolean
  readonly lead: readonly string[]
  readonly responsible: readonly string[]
  readonly lead_ids: readonly string[]
  readonly responsible_ids: readonly string[]
  readonly deadlines: readonly MeasureDeadline[]
  readonly targets: readonly MeasureTarget[]
  readonly facts: readonly string[]
  readonly source_lines: readonly number[]
}

interface SourceUnit {
  readonly id: string
  readonly name: string
  readonly kind: string
  readonly expanded?: string
  readonly in_source?: boolean
  readonly notes: string
}

const CHINESE_DIGITS = '一二三四五六七八'

const KINDS: Readonly<Record<string, DepartmentKind>> = {
  bureau: 'bureau',
  office: 'office',
  police: 'police',
  street: 'subdistrict',
  branch: 'authority',
  committee: 'authority',
}

/** Names in `units.json` that own no queue: groups, bodies named in passing, bodies outside the district. */
const NOT_DEPARTMENTS = new Set(['group', 'text-only', 'external'])

const ALL_SUBDISTRICTS = 'jiedao-all'
/** Groups whose member lists the plan does not attach: the printed name is kept, no department follows from it. */
const OPEN_GROUPS = new Set(['daqiban-members', 'qu-xiangguan'])

/** Matters anyone in the street can see, so that nobody can tell who told (D§5.1). All others are guarded. */
const OPEN_CATEGORIES = new Set([
  'fireworks',
  'road-dust',
  'road-damage',
  'bare-soil',
  'straw-burning',
  'waste-burning',
  'open-bbq',
  'sanitation-blackspot',
  'muck-truck',
  'muck-truck-driving',
  'truck-restricted',
  'diesel-vehicle',
  'bus-smoke',
  'municipal-vehicle',
  'yellow-label-vehicle',
])

/** `m14` is measure `2017-14`, `m15-2` its item `2017-15.2`; the short form never leaves this file. */
function planId(short: string): string {
  const match = /^m(\d{2})(?:-(\d))?$/.exec(short)
  if (!match) throw new Error(`plan data: ${short} is not a measure id`)
  const no = Number(match[1])
  return match[2] === undefined ? `2017-${no}` : `2017-${no}.${match[2]}`
}

function known<T>(found: T | undefined, what: string): T {
  if (found === undefined) throw new Error(`plan data: ${what}`)
  return found
}

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)]
}

function checkUnique(ids: readonly string[], what: string): void {
  if (new Set(ids).size !== ids.length) throw new Error(`plan data: ${what} are not unique`)
}

function toDepartments(units: readonly SourceUnit[]): readonly Department[] {
  return units
    .filter((unit) => !NOT_DEPARTMENTS.has(unit.kind))
    .map((unit) => ({
      id: unit.id,
      name: unit.name,
      kind: known(KINDS[unit.kind], `kind ${unit.kind} of ${unit.id}`),
      fullName: unit.expanded ?? `郑州市中原区${unit.name}`,
      hotline: null,
      mailbox: null,
      inSource: unit.in_source !== false,
      notes: unit.notes,
    }))
}

/** Turns unit ids of the source into departments: 各街道办事处 becomes its members, groups without a list vanish. */
function expander(departments: readonly Department[]): (ids: readonly string[]) => readonly string[] {
  const all = new Set(departments.map((department) => department.id))
  const subdistricts = departments.filter(({ kind }) => kind === 'subdistrict').map(({ id }) => id)
  return (ids) =>
    unique(
      ids.flatMap((id) => {
        if (id === ALL_SUBDISTRICTS) return subdistricts
        if (OPEN_GROUPS.has(id)) return []
        if (!all.has(id)) throw new Error(`plan data: unknown department ${id}`)
        return [id]
      }),
    )
}

function toSection(source: string): Section {
  const match = /^\((.)\)(.+)$/.exec(source)
  const no = match ? CHINESE_DIGITS.indexOf(match[1] ?? '') + 1 : 0
  if (no === 0) throw new Error(`plan data: ${source} is not a section`)
  return { no, title: match?.[2] ?? '' }
}

function toRow(row: SourceRow, expand: (ids: readonly string[]) => readonly string[]): PlanRow {
  const [first, last] = row.source_lines
  if (first === undefined || last === undefined) throw new Error(`plan data: ${row.id} has no source lines`)
  return {
    id: planId(row.id),
    title: row.item_title ?? row.title,
    titleInSource: row.item === null || row.item_title_official === true,
    lead: expand(row.lead_ids),
    responsible: expand(row.responsible_ids),
    leadNames: row.lead,
    responsibleNames: row.responsible,
    deadlines: row.deadlines,
    targets: row.targets,
    facts: row.facts,
    sourceLines: [first, last],
  }
}

function toMeasures(
  source: readonly SourceRow[],
  expand: (ids: readonly string[]) => readonly string[],
): readonly Measure[] {
  const numbers = unique(source.map((row) => row.no))
  return numbers.map((no) => {
    const rows = source.filter((row) => row.no === no)
    const first = known(rows[0], `measure ${no} has no row`)
    const section = toSection(first.section).no
    if (first.item === null) return { ...toRow(first, expand), no, section, items: [] }
    const items = rows.map((row) => toRow(row, expand))
    // A measure with items is only their heading: units are the union, dates and figures stay with the items.
    return {
      id: `2017-${no}`,
      title: first.title,
      titleInSource: true,
      lead: unique(items.flatMap((item) => item.lead)),
      responsible: unique(items.flatMap((item) => item.responsible)),
      leadNames: unique(items.flatMap((item) => item.leadNames)),
      responsibleNames: unique(items.flatMap((item) => item.responsibleNames)),
      deadlines: [],
      targets: [],
      facts: [],
      sourceLines: [
        Math.min(...items.map((item) => item.sourceLines[0])),
        Math.max(...items.map((item) => item.sourceLines[1])),
      ],
      no,
      section,
      items,
    }
  })
}

function toCategories(
  rows: ReadonlySet<string>,
  departments: ReadonlySet<string>,
  expand: (ids: readonly string[]) => readonly string[],
): readonly Category[] {
  return categorySource.map((source) => {
    const text = known(CATEGORY_TEXTS[source.id], `category ${source.id} has no text`)
    if (source.ambiguous !== (text.ambiguity !== null)) {
      throw new Error(`plan data: the ambiguity of ${source.id} is not explained, or explained without one`)
    }
    const measureRefs = source.measures.map(planId)
    for (const ref of measureRefs)
      if (!rows.has(ref)) throw new Error(`plan data: ${source.id} rests on ${ref}`)
    const byArea = source.default_unit === null || source.default_unit === ALL_SUBDISTRICTS
    if (!byArea && !departments.has(source.default_unit ?? '')) {
      throw new Error(`plan data: unknown owner of ${source.id}`)
    }
    const visibility: Visibility = OPEN_CATEGORIES.has(source.id) ? 'open' : 'guarded'
    return {
      id: source.id,
      name: source.zh,
      group: source.group,
      examples: text.examples,
      notes: text.hint,
      measureRefs,
      lead: expand(source.lead),
      co: expand(source.co),
      defaultDepartment: byArea ? null : source.default_unit,
      territorial: source.territorial,
      ambiguous: source.ambiguous,
      ambiguity: text.ambiguity,
      derived: source.derived,
      visibility,
    }
  })
}

function toSplits(categories: ReadonlySet<string>, departments: ReadonlySet<string>): readonly Split[] {
  return splitSource.map((source) => {
    const named = [...source.categories, ...source.answers.flatMap((answer) => answer.category ?? [])]
    for (const id of named)
      if (!categories.has(id)) throw new Error(`plan data: split ${source.id} names ${id}`)
    for (const { department } of source.answers) {
      if (department !== null && !departments.has(department)) {
        throw new Error(`plan data: split ${source.id} names ${department}`)
      }
    }
    if (!source.answers.some((answer) => answer.id === source.default)) {
      throw new Error(`plan data: split ${source.id} has no answer ${source.default}`)
    }
    return {
      id: source.id,
      question: source.question,
      categories: source.categories,
      answers: source.answers,
      defaultAnswer: source.default,
      basis: source.basis.replace(/m\d{2}(?:-\d)?/g, planId),
    }
  })
}

/**
 * Reads 中原政〔2017〕2号 from `plan-2017/`: 47 measures with 43 items (76 rows), 41 departments, 45 categories in 9 groups,
 * 14 subdistricts and `unsure`. Each call builds a fresh value.
 * @throws Error when the files name something that does not exist.
 */
export function loadPlan(): Plan {
  const departments = toDepartments(unitSource)
  const departmentIds = new Set(departments.map(({ id }) => id))
  const expand = expander(departments)
  const measures = toMeasures(measureSource, expand)
  const rowIds = new Set(measures.flatMap((measure) => [measure.id, ...measure.items.map(({ id }) => id)]))
  const categories = toCategories(rowIds, departmentIds, expand)
  const categoryIds = new Set(categories.map(({ id }) => id))
  const splits = toSplits(categoryIds, departmentIds)

  const areas: readonly Area[] = areaSource.map((area) => {
    if (area.department !== null && !departmentIds.has(area.department)) {
      throw new Error(`plan data: area ${area.id} names ${area.department}`)
    }
    return { id: area.id, name: area.name, department: area.department, validFrom: area.valid_from }
  })
  const groups: readonly CategoryGroup[] = [
    ...new Map(categorySource.map((source) => [source.group, source.group_zh])),
  ].map(([id, name]) => ({ id, name }))
  const sections = unique(measureSource.map((row) => row.section)).map(toSection)

  checkUnique(
    departments.map(({ id }) => id),
    'departments',
  )
  checkUnique(
    categories.map(({ id }) => id),
    'categories',
  )
  checkUnique(
    areas.map(({ id }) => id),
    'areas',
  )
  for (const id of OPEN_CATEGORIES) if (!categoryIds.has(id)) throw new Error(`plan data: no category ${id}`)
  for (const id of Object.keys(CATEGORY_TEXTS)) {
    if (!categoryIds.has(id)) throw new Error(`plan data: a text for the unknown category ${id}`)
  }

  return { sections, measures, departments, areas, groups, categories, splits }
}
