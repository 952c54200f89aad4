import type { DeadlineRule } from '../domain/deadline.ts'
import type { Plan } from '../domain/plan.ts'
import type { RoutingRule } from '../domain/routing.ts'
import type { Db, Tx } from './connect.ts'

/** Writes the plan's reference rows and first rules into an empty database. */
export async function storePlan(
  tx: Tx,
  plan: Plan,
  rules: readonly RoutingRule[],
  deadlineRules: readonly DeadlineRule[],
): Promise<void> {
  await tx
    .insertInto('department')
    .values(
      plan.departments.map((department) => ({
        id: department.id,
        name: department.name,
        kind: department.kind,
        full_name: department.fullName,
        hotline: department.hotline,
        mailbox: department.mailbox,
        in_source: department.inSource,
        notes: department.notes,
      })),
    )
    .execute()
  await tx
    .insertInto('area')
    .values(
      plan.areas.map((area) => ({
        id: area.id,
        name: area.name,
        department_id: area.department,
        valid_from: area.validFrom,
        police_department_id: null,
      })),
    )
    .execute()
  await tx
    .insertInto('category')
    .values(
      plan.categories.map((category, position) => ({
        id: category.id,
        group_id: category.group,
        name: category.name,
        visibility: category.visibility,
        position,
      })),
    )
    .execute()
  await tx
    .insertInto('measure')
    .values(
      plan.measures.flatMap((measure) =>
        [measure, ...measure.items].map((row) => ({
          id: row.id,
          no: measure.no,
          item: row === measure ? null : Number(row.id.split('.')[1]),
          section: measure.section,
          title: row.title,
        })),
      ),
    )
    .execute()
  await storeRules(tx, rules)
  await tx
    .insertInto('deadline_rule')
    .values(
      deadlineRules.map((rule) => ({
        category_id: rule.category,
        step: rule.step,
        count: rule.count,
        unit: rule.unit,
        valid_from: rule.validFrom,
        valid_until: rule.validUntil,
      })),
    )
    .execute()
}

/** Writes a whole rule table; the caller has checked it and removed the old one. */
export async function storeRules(tx: Tx, rules: readonly RoutingRule[]): Promise<void> {
  await tx
    .insertInto('routing_rule')
    .values(
      rules.map((rule) => ({
        id: [rule.category, rule.answer ?? 'any', rule.area ?? 'any'].join(':'),
        category_id: rule.category,
        answer: rule.answer,
        area_id: rule.area,
        department_id: rule.department,
        co_departments: [...rule.coDepartments],
        measure_refs: [...rule.measureRefs],
        derived: rule.derived,
        basis: rule.basis,
      })),
    )
    .execute()
}

/** What the operator may edit of a department, by id. */
export async function loadDepartments(
  db: Db,
): Promise<ReadonlyMap<string, { fullName: string; hotline: string | null; mailbox: string | null }>> {
  const rows = await db.selectFrom('department').select(['id', 'full_name', 'hotline', 'mailbox']).execute()
  return new Map(
    rows.map((row) => [row.id, { fullName: row.full_name, hotline: row.hotline, mailbox: row.mailbox }]),
  )
}

export async function loadRoutingRules(db: Db): Promise<RoutingRule[]> {
  const rows = await db.selectFrom('routing_rule').selectAll().orderBy('id').execute()
  return rows.map((row) => ({
    category: row.category_id,
    answer: row.answer,
    area: row.area_id,
    department: row.department_id,
    coDepartments: row.co_departments,
    measureRefs: row.measure_refs,
    derived: row.derived,
    basis: row.basis,
  }))
}

export async function loadDeadlineRules(db: Db): Promise<DeadlineRule[]> {
  const rows = await db.selectFrom('deadline_rule').selectAll().orderBy('id').execute()
  return rows.map((row) => ({
    category: row.category_id,
    step: row.step as DeadlineRule['step'],
    count: row.count,
    unit: row.unit as DeadlineRule['unit'],
    validFrom: row.valid_from,
    validUntil: row.valid_until,
  }))
}

export async function loadPoliceByArea(db: Db): Promise<ReadonlyMap<string, string>> {
  const rows = await db
    .selectFrom('area')
    .select(['id', 'police_department_id'])
    .where('police_department_id', 'is not', null)
    .execute()
  return new Map(rows.map((row) => [row.id, row.police_department_id as string]))
}
