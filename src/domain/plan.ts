import type { Day } from './day.ts'

/**
 * The plan 中原政〔2017〕2号 as data: what it orders, of whom, by when. Read from `db/seed/plan-2017/`,
 * kept in the database, and handed around as one immutable {@link Plan}.
 */
export const DEPARTMENT_KINDS = ['bureau', 'office', 'police', 'subdistrict', 'authority'] as const
export type DepartmentKind = (typeof DEPARTMENT_KINDS)[number]

/** The queue of 区大气办, which triages and arbitrates. */
export const DISPATCHER_DEPARTMENT = 'qu-daqiban'
/** The queue of 区政府督查室, which takes complaints about inaction (measure 40, safeguard 四(三)). */
export const SUPERVISION_DEPARTMENT = 'qu-duchashi'
/** The category of complaints about a department that does nothing. */
export const INACTION_CATEGORY = 'department-inaction'
/** The area answer of somebody who does not know the subdistrict. */
export const UNSURE_AREA = 'unsure'

export interface Department {
  readonly id: string
  /** As the plan prints it, e.g. 区环保局. */
  readonly name: string
  readonly kind: DepartmentKind
  /** The office's full name as far as known; our expansion, never the plan's. */
  readonly fullName: string
  /** Public hotline and mailbox; null until the operator fills them in (shown as 由运营单位填写). */
  readonly hotline: string | null
  readonly mailbox: string | null
  /** False for the 14 subdistrict offices, which the plan only names as a group. */
  readonly inSource: boolean
  readonly notes: string
}

export interface Area {
  /** Statistical division code, or `unsure`. */
  readonly id: string
  readonly name: string
  /** The subdistrict office; null for `unsure`. */
  readonly department: string | null
  readonly validFrom: Day | null
}

export interface MeasureDeadline {
  /** A day, or a recurring phrase such as 每月. */
  readonly date: string
  readonly what: string
  readonly precision: string | null
  readonly kind: string
}

export interface MeasureTarget {
  readonly what: string
  readonly op: string
  readonly value: number
  readonly unit: string
  /** True when the figure stands literally in the measure; else `phrase` is the wording it rests on. */
  readonly literal: boolean
  readonly phrase: string | null
}

/** What a row of the plan (a measure, or one of its numbered items) orders, with units of its own. */
export interface PlanRow {
  /** `2017-14`, or `2017-15.2` for an item. */
  readonly id: string
  readonly title: string
  /** True when an item's title is printed in the plan; false when it is ours. */
  readonly titleInSource: boolean
  readonly lead: readonly string[]
  readonly responsible: readonly string[]
  /** Unit names exactly as printed, groups included (各街道办事处 …). */
  readonly leadNames: readonly string[]
  readonly responsibleNames: readonly string[]
  readonly deadlines: readonly MeasureDeadline[]
  readonly targets: readonly MeasureTarget[]
  readonly facts: readonly string[]
  /** First and last line in `source.txt`. */
  readonly sourceLines: readonly [number, number]
}

export interface Measure extends PlanRow {
  /** 1 to 47. */
  readonly no: number
  /** 1 to 8. */
  readonly section: number
  readonly items: readonly PlanRow[]
}

export interface Section {
  readonly no: number
  readonly title: string
}

/** A category is `open` when anyone in the street can see the matter and nobody can tell who told (D§5.1). */
export type Visibility = 'open' | 'guarded'

export interface Category {
  readonly id: string
  readonly name: string
  readonly group: string
  readonly examples: string
  readonly notes: string
  /** Rows of the plan this category rests on: `2017-15.2`. */
  readonly measureRefs: readonly string[]
  readonly lead: readonly string[]
  readonly co: readonly string[]
  /** The owner before any split or area is considered; null when only the area can tell (fireworks, 各街道办事处). */
  readonly defaultDepartment: string | null
  /** The subdistrict office of the area is a co-department. */
  readonly territorial: boolean
  readonly ambiguous: boolean
  readonly ambiguity: string | null
  /** The routing is our inference, the plan does not say it. */
  readonly derived: boolean
  readonly visibility: Visibility
}

export interface CategoryGroup {
  readonly id: string
  readonly name: string
}

export interface SplitAnswer {
  readonly id: string
  readonly label: string
  /** The category the answer leads to; null keeps the one asked about. */
  readonly category: string | null
  /** The department the answer leads to; null means the category's own. */
  readonly department: string | null
  readonly derived: boolean
}

/** A question that settles which of several departments owns a matter. */
export interface Split {
  readonly id: string
  readonly question: string
  readonly categories: readonly string[]
  readonly answers: readonly SplitAnswer[]
  readonly defaultAnswer: string
  readonly basis: string
}

export interface Plan {
  readonly sections: readonly Section[]
  readonly measures: readonly Measure[]
  readonly departments: readonly Department[]
  readonly areas: readonly Area[]
  readonly groups: readonly CategoryGroup[]
  readonly categories: readonly Category[]
  readonly splits: readonly Split[]
}
