import { Hono, type Context } from 'hono'
import { availableAnswers, splitFor } from '../domain/routing.ts'
import type { PlanRow } from '../domain/plan.ts'
import type { Runtime } from '../runtime.ts'
import { ledgerQuery, paging, routingQuery } from '../schemas/api.ts'
import { entryFilterSchema } from '../schemas/list.ts'
import { DomainError } from '../domain/errors.ts'
import { check, type ApiEnv } from './check.ts'

const notFound = (): DomainError => new DomainError('not-found', '没有找到，请核对编号。')

const rowOf = (row: PlanRow) => ({
  id: row.id,
  title: row.title,
  titleInSource: row.titleInSource,
  lead: row.lead,
  responsible: row.responsible,
  leadNames: row.leadNames,
  responsibleNames: row.responsibleNames,
  deadlines: row.deadlines,
  targets: row.targets,
  facts: row.facts,
  sourceLines: row.sourceLines,
})

/** Everything that is public and only read. */
export function createReadingApi({ services }: Runtime): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()
  const open = (c: Context<ApiEnv>, body: object) => c.json(body, 200, { 'access-control-allow-origin': '*' })

  api.get('/measures', async (c) => {
    const { plan } = await services.plan.current()
    const items = plan.measures.map((measure) => ({
      ...rowOf(measure),
      no: measure.no,
      section: measure.section,
      items: measure.items.map(rowOf),
    }))
    return open(c, { items, next: null })
  })
  api.get('/measures/:id', async (c) => {
    const measure = (await services.plan.current()).measures.get(c.req.param('id'))
    if (!measure) throw notFound()
    return open(c, {
      ...rowOf(measure),
      no: measure.no,
      section: measure.section,
      items: measure.items.map(rowOf),
    })
  })
  api.get('/departments', async (c) =>
    open(c, { items: (await services.plan.current()).plan.departments, next: null }),
  )
  api.get('/areas', async (c) => open(c, { items: (await services.plan.current()).plan.areas, next: null }))
  api.get('/categories', async (c) => {
    const { plan, groups } = await services.plan.current()
    const items = plan.categories.map((category) => ({
      ...category,
      groupName: groups.get(category.group)?.name ?? '',
      question: splitFor(plan, category.id)?.question ?? null,
      answers: availableAnswers(plan, category.id),
    }))
    return open(c, { items, next: null })
  })
  api.get('/routing', async (c) => {
    const query = check(routingQuery, c.req.query())
    const promise = await services.tips.promise({
      category: query.category,
      area: query.area,
      answer: query.answer ?? null,
      accused: query.accused ?? null,
    })
    return open(c, promise)
  })
  api.get('/recipients', async (c) => {
    const { root, head, entries } = await services.recipients.list()
    return open(c, { root, head, items: entries, next: null })
  })
  api.get('/lists', async (c) => open(c, { items: await services.lists.kinds(), next: null }))
  api.get('/lists/:list/entries', async (c) => {
    const { limit, cursor } = check(paging, c.req.query())
    const filter = check(entryFilterSchema, c.req.query())
    if (filter.q) services.limits.take('searches', c.get('client'))
    const { items, next } = await services.lists.page(c.req.param('list'), filter, cursor ?? null, limit)
    return open(c, { items, next })
  })
  api.get('/lists/:list/entries/:entryNo', async (c) => {
    const entry = await services.lists.entry(c.req.param('list'), c.req.param('entryNo'))
    if (!entry) throw notFound()
    return open(c, entry)
  })
  api.get('/cases', async (c) => {
    const { limit, cursor, overdue, department, ...filter } = check(ledgerQuery, c.req.query())
    return open(
      c,
      await services.reading.cases(
        { ...filter, holder: department, ...(overdue ? { overdue: true } : {}) },
        cursor ?? null,
        limit,
      ),
    )
  })
  api.get('/cases/:caseNo', async (c) => {
    const found = await services.reading.case(c.req.param('caseNo'))
    if (!found) throw notFound()
    return open(c, found)
  })
  return api
}
