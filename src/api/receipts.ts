import { Hono } from 'hono'
import { DomainError } from '../domain/errors.ts'
import { readPayee } from '../domain/payee.ts'
import { RECEIPT_COOKIE } from '../http/session-cookie.ts'
import type { Runtime } from '../runtime.ts'
import { receiptOpen } from '../schemas/api.ts'
import { claimBody } from '../schemas/reward.ts'
import { check, type ApiEnv } from './check.ts'
import { readJson } from './json.ts'

/** The reporter's side for programs; the code travels in a body only, then a cookie stands for it. */
export function createReceiptsApi({ services, random }: Runtime): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()
  const unknown = (): DomainError => new DomainError('not-found', '没有找到：查询码不对，或者已经过期。')

  api.post('/open', async (c) => {
    const body = check(receiptOpen, await readJson(c.req.raw))
    services.limits.take('receipts', c.get('client'))
    const cookie =
      'code' in body ? await services.receipts.open(body.code) : await services.receipts.openAuth(body.auth)
    // Whatever was typed: only GET /current tells whether there is a tip.
    return c.json({ opened: true }, 200, { 'set-cookie': RECEIPT_COOKIE.set(cookie, 20 * 60) })
  })
  api.get('/current', async (c) => {
    const found = await services.receipts.current(RECEIPT_COOKIE.read(c.req.raw))
    if (!found) throw unknown()
    return c.json(found)
  })
  api.post('/current/dispute', async (c) => {
    const cookie = RECEIPT_COOKIE.read(c.req.raw)
    if (!(await services.receipts.current(cookie))) throw unknown()
    await services.receipts.dispute(cookie)
    return c.json({ disputed: true })
  })
  api.post('/current/claim', async (c) => {
    const { again, pin, payee: typed } = check(claimBody, await readJson(c.req.raw))
    const { payee, errors } = typed ? readPayee(typed) : { payee: null, errors: [] }
    if (errors.length > 0) throw new DomainError('invalid-input', '收款信息请核对。', errors)
    const seed = Buffer.from(random.bytes(32)).toString('base64url')
    return c.json(await services.receipts.claim(RECEIPT_COOKIE.read(c.req.raw), seed, { again, pin, payee }))
  })
  api.post('/current/sign-out', (c) =>
    c.json({ opened: false }, 200, {
      'set-cookie': RECEIPT_COOKIE.clear(),
      'clear-site-data': '"cache", "storage"',
    }),
  )
  return api
}
