import { Hono } from 'hono'
import { DomainError } from '../domain/errors.ts'
import type { Runtime } from '../runtime.ts'
import { createChallengesApi } from './challenges.ts'
import type { ApiEnv } from './check.ts'
import { createOpenApi } from './openapi.ts'
import { problemResponse } from './problem.ts'
import { createReadingApi } from './reading.ts'
import { createReceiptsApi } from './receipts.ts'
import { createRewardsApi } from './rewards.ts'
import { createStaffIdentityApi } from './staff-identity.ts'
import { createStaffKeysApi } from './staff-keys.ts'
import { createStaffCasesApi } from './staff-cases.ts'
import { createStaffPayeesApi } from './staff-payees.ts'
import { createStaffRequestsApi } from './staff-requests.ts'
import { createTipsApi } from './tips.ts'

/** The API under `/api/v1`: every reply that is not the thing asked for is a problem document. */
export function createApi(runtime: Runtime): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()
  api.route('/', createReadingApi(runtime))
  api.route('/', createOpenApi())
  api.route('/challenges', createChallengesApi(runtime))
  api.route('/tips', createTipsApi(runtime))
  api.route('/receipts', createReceiptsApi(runtime))
  api.route('/rewards', createRewardsApi(runtime))
  api.route('/staff/cases', createStaffCasesApi(runtime))
  api.route('/staff/identity', createStaffRequestsApi(runtime))
  api.route('/staff/rewards', createStaffPayeesApi(runtime))
  api.route('/staff', createStaffIdentityApi(runtime))
  api.route('/staff', createStaffKeysApi(runtime))

  const methods = new Map<string, Set<string>>()
  for (const route of api.routes) {
    if (route.method === 'ALL') continue
    methods.set(route.path, (methods.get(route.path) ?? new Set()).add(route.method))
  }
  for (const [path, allowed] of methods) {
    api.all(path, () =>
      Response.json(
        { type: 'about:blank', title: '这个地址不支持这种方法', status: 405 },
        {
          status: 405,
          headers: {
            allow: [...allowed, ...(allowed.has('GET') ? ['HEAD'] : [])].join(', '),
            'content-type': 'application/problem+json; charset=utf-8',
          },
        },
      ),
    )
  }
  api.all('*', () => {
    throw new DomainError('not-found', '接口里没有这个地址，请看 /api/v1/openapi.json。')
  })
  api.onError(async (error, c) => {
    if (error instanceof DomainError) return problemResponse(error)
    if (!('getResponse' in error)) {
      if (await runtime.services.readiness.isOutage(error)) {
        return problemResponse(new DomainError('database-unavailable', '系统暂时无法读写数据，请稍后再试。'))
      }
      runtime.log.error(error, { requestId: c.get('requestId') })
    }
    return problemResponse(error)
  })
  return api
}
