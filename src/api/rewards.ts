import { Hono } from 'hono'
import { MIN_PAYMENTS, sumBy } from '../domain/reward-ledger.ts'
import type { Runtime } from '../runtime.ts'
import { scheduleView, type PaidGroupReply, type RewardsReply } from '../schemas/reward.ts'
import type { ApiEnv } from './check.ts'

/** The schedule, the totals, and the sums they are made of. */
export function createRewardsApi({ services }: Runtime): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()
  const headers = { 'access-control-allow-origin': '*' }

  api.get('/', async (c) => {
    const { schedule, upcoming, anonymous, groups } = await services.rewards.public()
    const { departments } = await services.plan.current()
    const named = (id: string | null) => (id === null ? null : { id, name: departments.get(id)?.name ?? id })
    const [total] = sumBy(groups, () => null)
    const reply: RewardsReply = {
      open: schedule !== null,
      schedule: schedule && scheduleView(schedule),
      upcoming: upcoming.map(scheduleView),
      anonymousCollection: anonymous,
      minPayments: MIN_PAYMENTS,
      total: total?.[1] ?? { payments: 0, amountFen: 0 },
      months: sumBy(groups, ({ from, until }) => ({ from, until })).map(([period, sum]) => ({
        ...period,
        ...sum,
      })),
      departments: sumBy(groups, ({ department }) => department).map(([id, sum]) => ({
        department: named(id),
        ...sum,
      })),
    }
    return c.json(reply, 200, headers)
  })

  api.get('/ledger', async (c) => {
    const { groups } = await services.rewards.public()
    const { departments } = await services.plan.current()
    const items: PaidGroupReply[] = groups.map(({ department, ...sum }) => ({
      ...sum,
      department:
        department === null
          ? null
          : { id: department, name: departments.get(department)?.name ?? department },
    }))
    return c.json({ items, next: null }, 200, headers)
  })
  return api
}
