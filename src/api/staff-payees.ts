import { Hono } from 'hono'
import type { Runtime } from '../runtime.ts'
import { stripBody } from '../schemas/identity.ts'
import { toBase64Url } from '../sealing/bytes.ts'
import { check, type ApiEnv } from './check.ts'
import { readJson } from './json.ts'
import { signedIn } from './staff-identity.ts'

/** Where claimed rewards are to be paid, for the console's scripts. */
export function createStaffPayeesApi({ services }: Runtime): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()
  const layer = (given: { readonly epoch: number; readonly bytes: Uint8Array } | null) =>
    given && { epoch: given.epoch, bytes: toBase64Url(given.bytes) }

  api.get('/:id/payee', async (c) => {
    const staff = signedIn(c.get('staff'))
    await services.sessions.requireRecent(staff)
    const found = await services.rewards.payee(staff, c.req.param('id'))
    return c.json({
      ...found,
      wrapped: layer(found.wrapped),
      inner: layer(found.inner),
      sealed: found.sealed && toBase64Url(found.sealed),
    })
  })
  api.post('/:id/payee/release', async (c) => {
    const staff = signedIn(c.get('staff'))
    services.formTokens.verify(c.req.header('x-form-token'), 'staff', staff.sessionId)
    const { inner } = check(stripBody, await readJson(c.req.raw))
    await services.sessions.requireRecent(staff)
    await services.rewards.releasePayee(staff, c.req.param('id'), inner)
    return c.json({ released: true })
  })
  return api
}
