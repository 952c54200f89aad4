import { Hono } from 'hono'
import type { Runtime } from '../runtime.ts'
import { grantBody, madeKeyBody, ownerQuery, rewrapBody } from '../schemas/staff.ts'
import { toBase64Url } from '../sealing/bytes.ts'
import type { StaffSession } from '../services/staff.ts'
import { check, type ApiEnv } from './check.ts'
import { readJson } from './json.ts'
import { signedIn } from './staff-identity.ts'

/** Keys for the console's scripts: what a member holds, grants to colleagues, and a department's next key. */
export function createStaffKeysApi({ services }: Runtime): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()
  const { keys, rotations } = services

  /** The member, once the page's form token has been checked too. */
  function changing(staff: StaffSession | null, token: string | undefined): StaffSession {
    const member = signedIn(staff)
    services.formTokens.verify(token, 'staff', member.sessionId)
    return member
  }

  api.get('/keys', async (c) => {
    const staff = signedIn(c.get('staff'))
    const grants = await keys.grantsFor(staff.memberId)
    const passkeys = await services.factors.passkeyWraps(staff.memberId)
    return c.json({
      username: staff.username,
      half: toBase64Url(await services.sessions.half(staff)),
      wrappedIdentity: toBase64Url(await services.account.wrappedIdentity(staff)),
      passkeys: passkeys.map((one) => ({ ...one, wrappedIdentity: toBase64Url(one.wrappedIdentity) })),
      grants: grants.map((grant) => ({ ...grant, wrapped: toBase64Url(grant.wrapped) })),
    })
  })
  api.get('/recipients', async (c) => {
    signedIn(c.get('staff'))
    return c.json(Object.fromEntries(await keys.recipients()))
  })
  api.post('/grants', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    const { memberId, grants, voucher, owner } = check(grantBody, await readJson(c.req.raw))
    await keys.addGrants(staff, memberId, grants, voucher, owner)
    return c.json({ granted: true }, 201)
  })

  api.get('/rotation', async (c) => {
    const staff = signedIn(c.get('staff'))
    return c.json(await rotations.plan(staff, check(ownerQuery, c.req.query()).owner))
  })
  api.post('/rotation', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    await rotations.rotate(staff, check(madeKeyBody, await readJson(c.req.raw)))
    return c.json({ rotated: true }, 201)
  })
  api.get('/rotation/tips', async (c) => {
    const staff = signedIn(c.get('staff'))
    const { tips, ...target } = await rotations.batch(staff, check(ownerQuery, c.req.query()).owner)
    return c.json({ ...target, tips: tips.map((tip) => ({ ...tip, wrapped: toBase64Url(tip.wrapped) })) })
  })
  api.post('/rotation/tips', async (c) => {
    const staff = changing(c.get('staff'), c.req.header('x-form-token'))
    const { wraps, owner } = check(rewrapBody, await readJson(c.req.raw))
    return c.json({ left: await rotations.rewrap(staff, wraps, owner) })
  })
  return api
}
