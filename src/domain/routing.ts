import { DomainError, type FieldError } from './errors.ts'
import {
  DISPATCHER_DEPARTMENT,
  INACTION_CATEGORY,
  SUPERVISION_DEPARTMENT,
  UNSURE_AREA,
  type Area,
  type Category,
  type Department,
  type Plan,
  type Split,
  type SplitAnswer,
} from './plan.ts'
import { planRows, rowLabel } from './plan-rows.ts'

/** One row of the published rule table: who owns a category, for one answer (or none) and one area (or any). */
export interface RoutingRule {
  /** The category the citizen chose; an answer may lead to another one. */
  readonly category: string
  /** An answer of the category's split; null is the row for "not answered". */
  readonly answer: string | null
  /** Null matches every area. */
  readonly area: string | null
  readonly department: string
  /** Without the subdistrict office of the area, which {@link route} adds for territorial categories. */
  readonly coDepartments: readonly string[]
  readonly measureRefs: readonly string[]
  /** Our inference: the plan does not name this owner for this matter. */
  readonly derived: boolean
  /** Where the row comes from, e.g. `2017-23.1, 2017-23.2`, or why it is inferred. */
  readonly basis: string
}

export interface RouteInput {
  readonly category: string
  readonly answer?: string | null | undefined
  readonly area: string
  /** The department complained of; required for {@link INACTION_CATEGORY}, refused elsewhere. */
  readonly accused?: string | null | undefined
}

export interface Route {
  /** The category after the answer changed it. */
  readonly category: string
  readonly department: string
  readonly coDepartments: readonly string[]
  /** Readable and stable: `road-dust:outer`, `open-stockpile@410102001`. */
  readonly rule: string
  readonly measureRefs: readonly string[]
  readonly derived: boolean
  readonly ambiguous: boolean
  readonly ambiguityNote: string | null
  /** One zh-CN sentence or two: why this department. */
  readonly reason: string
}

/** Area to police branch, kept by the operator; the plan gives no boundaries. */
export type PoliceByArea = ReadonlyMap<string, string>

const NO_POLICE: PoliceByArea = new Map()

/** The question that settles a category's owner, or null when none is needed. */
export function splitFor(plan: Plan, category: string): Split | null {
  return plan.splits.find((split) => split.categories.includes(category)) ?? null
}

/** The answers a citizen may give for a category; empty when nothing is asked. */
export function availableAnswers(plan: Plan, category: string): readonly SplitAnswer[] {
  return splitFor(plan, category)?.answers ?? []
}

/**
 * The answer a form should offer first to somebody who chose this category: the split's default where that keeps the
 * category, else the first answer that does. Null when nothing is asked.
 */
export function suggestedAnswer(plan: Plan, category: string): string | null {
  const split = splitFor(plan, category)
  if (!split) return null
  const keeps = split.answers.filter((answer) => (answer.category ?? category) === category)
  const preferred = keeps.find((answer) => answer.id === split.defaultAnswer) ?? keeps[0]
  return preferred?.id ?? split.defaultAnswer
}

/** The readable id of a row: category, `:answer`, `@area`. */
export function ruleId(rule: Pick<RoutingRule, 'category' | 'answer' | 'area'>): string {
  return `${rule.category}${rule.answer === null ? '' : `:${rule.answer}`}${rule.area === null ? '' : `@${rule.area}`}`
}

function categoryOf(plan: Plan, id: string): Category | undefined {
  return plan.categories.find((category) => category.id === id)
}

/** What an answer (null: none given, so the one that keeps the category) makes of the chosen category. */
function settle(plan: Plan, chosen: Category, answerId: string | null) {
  const split = splitFor(plan, chosen.id)
  const answer =
    split?.answers.find(({ id }) => id === (answerId ?? suggestedAnswer(plan, chosen.id))) ?? null
  const category = (answer?.category && categoryOf(plan, answer.category)) || chosen
  return { split, answer, category, department: answer?.department ?? category.defaultDepartment }
}

/** The four branches without boundaries, which measures 37 and 21(3) name together. */
function policeBranches(plan: Plan): readonly string[] {
  const fireworks = categoryOf(plan, 'fireworks')?.lead ?? []
  return plan.departments
    .filter(({ id, kind }) => kind === 'police' && fireworks.includes(id))
    .map(({ id }) => id)
}

interface Owner {
  readonly department: string
  readonly inferred: string | null
}

function ownerWithoutDefault(
  category: Category,
  area: Area,
  police: string | undefined,
  byPolice: boolean,
): Owner {
  if (byPolice && police !== undefined) return { department: police, inferred: null }
  if (area.department === null) {
    return { department: DISPATCHER_DEPARTMENT, inferred: '不知道在哪个街道，由区大气办转办' }
  }
  if (byPolice) return { department: area.department, inferred: '公安分局辖区对照表未填，先由街道办事处承办' }
  // The group 各街道办事处 is what the plan names; picking the member by its area is no inference.
  return { department: area.department, inferred: category.derived ? '本站推定' : null }
}

/**
 * The complete rule table from the plan: every category × answer (and no answer) × area has exactly one row.
 * `policeByArea` is the operator's table; areas without an entry keep the fallback of D§6.
 */
export function buildRules(plan: Plan, policeByArea: PoliceByArea = NO_POLICE): RoutingRule[] {
  const branches = policeBranches(plan)
  const subdistricts = new Set(
    plan.departments.filter(({ kind }) => kind === 'subdistrict').map(({ id }) => id),
  )

  const row = (chosen: Category, answerId: string | null, area: Area | null): RoutingRule => {
    const { answer, category, department } = settle(plan, chosen, answerId)
    const byPolice = category.lead.length > 0 && category.lead.every((id) => branches.includes(id))
    const police = area === null ? undefined : policeByArea.get(area.id)
    const owner: Owner =
      department !== null || area === null
        ? { department: department ?? DISPATCHER_DEPARTMENT, inferred: category.derived ? '本站推定' : null }
        : ownerWithoutDefault(category, area, police, byPolice)
    const named = [...category.lead, ...category.co].filter(
      (id) =>
        id !== owner.department && !subdistricts.has(id) && !(police !== undefined && branches.includes(id)),
    )
    // Where the area's branch is known, it stands for the four.
    const mentionsPolice = [...category.lead, ...category.co].some((id) => branches.includes(id))
    const branch = police !== undefined && mentionsPolice && police !== owner.department ? [police] : []
    const inferred = owner.inferred ?? (answer?.derived ? '按本站的问题划分，方案没有写明' : null)
    return {
      category: chosen.id,
      answer: answerId,
      area: area?.id ?? null,
      department: owner.department,
      coDepartments: category.id === INACTION_CATEGORY ? [] : [...new Set([...named, ...branch])],
      measureRefs: category.measureRefs,
      derived: inferred !== null,
      basis: [category.measureRefs.join(', '), inferred].filter(Boolean).join('；'),
    }
  }

  const rules: RoutingRule[] = []
  for (const chosen of plan.categories) {
    for (const answerId of [null, ...availableAnswers(plan, chosen.id).map(({ id }) => id)]) {
      const { category, department } = settle(plan, chosen, answerId)
      const mentionsPolice = [...category.lead, ...category.co].some((id) => branches.includes(id))
      const perArea = department === null || (mentionsPolice && policeByArea.size > 0)
      if (perArea) for (const area of plan.areas) rules.push(row(chosen, answerId, area))
      else rules.push(row(chosen, answerId, null))
    }
  }
  return rules
}

function matching(rules: readonly RoutingRule[], category: string, answer: string | null, area: string) {
  return rules.filter(
    (rule) =>
      rule.category === category && rule.answer === answer && (rule.area === null || rule.area === area),
  )
}

/**
 * What is wrong with a rule table, one English sentence per violation; an empty list means it may be saved. Every
 * (category, answer or none, area) needs exactly one owner, every id must exist, inaction stays with 区政府督查室.
 */
export function checkRules(plan: Plan, rules: readonly RoutingRule[]): string[] {
  const violations: string[] = []
  const departments = new Set(plan.departments.map(({ id }) => id))
  const areas = new Set(plan.areas.map(({ id }) => id))
  const rows = new Set([...plan.measures.map(({ id }) => id), ...planRows(plan).map(({ id }) => id)])

  for (const rule of rules) {
    const id = ruleId(rule)
    const category = categoryOf(plan, rule.category)
    if (!category) violations.push(`${id}: no such category`)
    else if (
      rule.answer !== null &&
      !availableAnswers(plan, category.id).some(({ id }) => id === rule.answer)
    ) {
      violations.push(`${id}: the category has no such answer`)
    }
    if (rule.area !== null && !areas.has(rule.area)) violations.push(`${id}: no such area`)
    for (const department of [rule.department, ...rule.coDepartments]) {
      if (!departments.has(department)) violations.push(`${id}: no such department ${department}`)
    }
    if (rule.coDepartments.includes(rule.department))
      violations.push(`${id}: the owner is also a co-department`)
    for (const ref of rule.measureRefs) if (!rows.has(ref)) violations.push(`${id}: no such measure ${ref}`)
    if (
      rule.category === INACTION_CATEGORY &&
      (rule.department !== SUPERVISION_DEPARTMENT || rule.coDepartments.length > 0)
    ) {
      violations.push(`${id}: inaction goes to ${SUPERVISION_DEPARTMENT} alone`)
    }
  }

  for (const category of plan.categories) {
    for (const answer of [null, ...availableAnswers(plan, category.id).map(({ id }) => id)]) {
      for (const area of plan.areas) {
        const count = matching(rules, category.id, answer, area.id).length
        if (count !== 1) {
          violations.push(
            `${ruleId({ category: category.id, answer, area: area.id })}: ${count} owners, not one`,
          )
        }
      }
    }
  }
  return violations
}

/** Checks the citizen's choices; every wrong field is named at once. */
function checkInput(plan: Plan, input: RouteInput): { chosen: Category; area: Area } {
  const fields: FieldError[] = []
  const chosen = categoryOf(plan, input.category)
  const area = plan.areas.find(({ id }) => id === input.area)
  if (!chosen) fields.push({ field: 'category', message: '请从列表里选一个污染类别。' })
  if (!area) fields.push({ field: 'area', message: '请从列表里选一个街道；不清楚可以选“不清楚或跨街道”。' })

  if (chosen && input.answer != null) {
    const answers = availableAnswers(plan, chosen.id)
    if (answers.length === 0) {
      fields.push({ field: 'answer', message: `${quoted(chosen.name)}没有需要回答的问题，请去掉这个回答。` })
    } else if (!answers.some(({ id }) => id === input.answer)) {
      fields.push({
        field: 'answer',
        message: `这个回答和所选的类别对不上，请重新回答：${splitFor(plan, chosen.id)?.question ?? ''}`,
      })
    }
  }

  const accused = input.accused ?? null
  if (chosen?.id === INACTION_CATEGORY) {
    if (accused === null) fields.push({ field: 'accused', message: '请选择您要反映的是哪个单位。' })
    else if (accused === SUPERVISION_DEPARTMENT) {
      fields.push({
        field: 'accused',
        message:
          '反映区政府督查室本身的问题，本站不能受理，否则就成了自己查自己。请拨打12345热线，或者向上级机关（市政府督查部门）反映。',
      })
    } else if (!plan.departments.some(({ id }) => id === accused)) {
      fields.push({ field: 'accused', message: '请从列表里选一个单位。' })
    }
  } else if (chosen && accused !== null) {
    fields.push({ field: 'accused', message: '只有反映“部门不作为、慢作为”时才需要选单位，请去掉。' })
  }

  if (!chosen || !area || fields.length > 0) {
    throw new DomainError('invalid-input', fields[0]?.message ?? '请检查填写的内容。', fields)
  }
  return { chosen, area }
}

function nameOf(plan: Plan, id: string): string {
  return plan.departments.find((department) => department.id === id)?.name ?? id
}

/** 方案的措施23(1)(2)、24(1): how the plan's rows are named in a sentence. */
function labels(refs: readonly string[]): string {
  const items = new Map<string, string>()
  for (const ref of refs) {
    const [, no = ref, item = ''] = /^措施(\d+)(.*)$/.exec(rowLabel(ref)) ?? []
    items.set(no, (items.get(no) ?? '') + item)
  }
  return `方案的措施${[...items].map(([no, item]) => no + item).join('、')}`
}

/** A category's name inside quotation marks. */
function quoted(name: string): string {
  return `“${name.replaceAll('“', '‘').replaceAll('”', '’')}”`
}

/** The rows among `refs` in which the department stands in the given part. */
function refsNaming(plan: Plan, refs: readonly string[], department: string, part: 'lead' | 'responsible') {
  const named = [...planRows(plan), ...plan.measures].filter((row) => row[part].includes(department))
  return refs.filter((ref) => named.some(({ id }) => id === ref))
}

function explain(plan: Plan, chosen: Category, area: Area, rule: RoutingRule): string {
  const name = nameOf(plan, rule.department)
  if (rule.category === INACTION_CATEGORY) {
    return `${labels(rule.measureRefs)}由区政府督查室负责督查，所以由它受理。您反映的单位收不到、也看不到这件举报。`
  }
  const { split, answer, category } = settle(plan, chosen, rule.answer)
  let lead = ''
  if (split && answer) {
    lead =
      rule.answer === null
        ? `“${split.question}”没有回答，先按“${answer.label}”处理。`
        : `“${split.question}”您回答的是“${answer.label}”。`
    if (category.id !== chosen.id) lead += `这属于${quoted(category.name)}。`
  }
  if (category.id === 'other')
    return `${lead}方案没有写这类问题归谁，先由统筹协调的${name}接收，再转给主管单位。`
  const byArea = category.defaultDepartment === null && answer?.department == null
  if (byArea && area.id === UNSURE_AREA && rule.department === DISPATCHER_DEPARTMENT) {
    return `${lead}这类问题按地点分给各单位，您不清楚在哪个街道，所以先由${name}接收，再转给当地单位。`
  }
  const leading = refsNaming(plan, rule.measureRefs, rule.department, 'lead')
  if (leading.length > 0) return `${lead}${labels(leading)}写明由${name}牵头，所以由它受理。`
  const responsible = refsNaming(plan, rule.measureRefs, rule.department, 'responsible')
  const noLead = responsible.every(
    (ref) => [...planRows(plan), ...plan.measures].find(({ id }) => id === ref)?.lead.length === 0,
  )
  if (responsible.length > 0 && noLead) {
    return `${lead}${labels(responsible)}没有写牵头单位，${name}是责任单位，所以由它受理。`
  }
  if (responsible.length > 0 && byArea) {
    return `${lead}${labels(responsible)}由公安分局按辖区牵头，辖区对照表还没有填，所以先由当地的${name}（责任单位）受理，四个公安分局协办。`
  }
  return `${lead}按本站公布的分派规则，由${name}受理。`
}

/**
 * Who gets a tip. Pure and total: for a table that {@link checkRules} accepts, every valid input has one owner.
 * @throws {DomainError} `invalid-input` with fields `category`, `area`, `answer`, `accused`.
 */
export function route(plan: Plan, rules: readonly RoutingRule[], input: RouteInput): Route {
  const { chosen, area } = checkInput(plan, input)
  const [rule, ...others] = matching(rules, chosen.id, input.answer ?? null, area.id)
  if (!rule || others.length > 0) {
    throw new Error(
      `the routing table has ${rule ? 'several owners' : 'no owner'} for ${chosen.id} in ${area.id}`,
    )
  }
  const { category } = settle(plan, chosen, rule.answer)
  const local = category.territorial && area.department !== null && area.department !== rule.department
  return {
    category: category.id,
    department: rule.department,
    coDepartments:
      local && area.department !== null
        ? [...new Set([...rule.coDepartments, area.department])]
        : rule.coDepartments,
    rule: ruleId(rule),
    measureRefs: rule.measureRefs,
    derived: rule.derived,
    ambiguous: category.ambiguous,
    ambiguityNote: category.ambiguity,
    reason: explain(plan, chosen, area, rule),
  }
}

/** The departments one may complain about for inaction: all but 区政府督查室, which would be judging itself. */
export function accusable(plan: Plan): readonly Department[] {
  return plan.departments.filter(({ id }) => id !== SUPERVISION_DEPARTMENT)
}
