import { Hono } from 'hono'
import { DomainError } from '../domain/errors.ts'
import { DRAFT_COOKIE } from '../http/session-cookie.ts'
import type { Runtime } from '../runtime.ts'
import { challengeQuery } from '../schemas/api.ts'
import { check, type ApiEnv } from './check.ts'

/** `GET challenges`: something for the sender's machine to work on before a tip is sent. */
export function createChallengesApi({ services }: Pick<Runtime, 'services'>): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()

  api.get('/', async (c) => {
    const { purpose } = check(challengeQuery, c.req.query())
    const holder = purpose === 'form' ? services.drafts.idOf(DRAFT_COOKIE.read(c.req.raw)) : ''
    if (holder === null) {
      throw new DomainError('invalid-input', '网页表单的验证要和表单一起请求；程序请用 purpose=tip。', [
        { field: 'purpose', message: '没有正在填写的表单。' },
      ])
    }
    services.limits.take('challenges', c.get('client'))
    return c.json(await services.gate.challenge({ purpose, holder }), 200, { 'cache-control': 'no-store' })
  })

  return api
}
