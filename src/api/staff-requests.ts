import { Hono } from 'hono'
import type { Runtime } from '../runtime.ts'
import { askBody, passBody, reissueBody, stripBody } from '../schemas/identity.ts'
import { toBase64Url } from '../sealing/bytes.ts'
import type { StaffSession } from '../services/staff.ts'
import { check, type ApiEnv } from './check.ts'
import { readJson } from './json.ts'
import { signedIn } from './staff-identity.ts'

/** Requests to learn who a named reporter is, for the console's scripts. */
export function createStaffRequestsApi({ services }: Runtime): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()
  const { identity } = services

  /** The member, once the page's form token has been checked too. */
  function changing(staff: StaffSession | null, token: string | undefined): StaffSession {
    const member = signedIn(staff)
    services.formTokens.verify(token, 'staff', member.sessionId)
    return member
  }
  const layer = (given: { readonly epoch: number; readonly bytes: Uint8Array } | null) =>
    given && { epoch: given.epoch, bytes: toBase64Url(given.bytes) }

  api.post('/', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    const { caseNo, ...request } = check(askBody, await readJson(c.req.raw))
    return c.json({ id: await identity.ask(staff, caseNo, request) }, 201)
  })
  api.get('/:id', async (c) => {
    const found = await identity.detail(signedIn(c.get('staff')), c.req.param('id'))
    return c.json({
      ...found,
      sealedReason: toBase64Url(found.sealedReason),
      wrapped: layer(found.wrapped),
      inner: layer(found.inner),
      sealed: found.sealed && toBase64Url(found.sealed),
    })
  })
  api.post('/:id/strip', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    await identity.strip(staff, c.req.param('id'), check(stripBody, await readJson(c.req.raw)).inner)
    return c.json({ stripped: true })
  })
  api.post('/:id/pass', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    await identity.pass(staff, c.req.param('id'), check(passBody, await readJson(c.req.raw)).passed)
    return c.json({ passed: true })
  })
  api.post('/:id/reissue', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    await identity.reissue(staff, c.req.param('id'), check(reissueBody, await readJson(c.req.raw)))
    return c.json({ reissued: true })
  })
  api.post('/:id/refuse', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    await identity.refuse(staff, c.req.param('id'))
    return c.json({ refused: true })
  })
  api.post('/:id/open', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    const opened = await identity.open(staff, c.req.param('id'))
    return c.json({ ...opened, passed: toBase64Url(opened.passed), sealed: toBase64Url(opened.sealed) })
  })
  return api
}
