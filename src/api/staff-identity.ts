import { Hono } from 'hono'
import { DomainError } from '../domain/errors.ts'
import { SESSION_COOKIE } from '../http/session-cookie.ts'
import type { Runtime } from '../runtime.ts'
import { enrolBody, enrolmentQuery, grantBody, kdfQuery, signInBody } from '../schemas/staff.ts'
import { toBase64Url } from '../sealing/bytes.ts'
import type { StaffSession } from '../services/staff.ts'
import { check, type ApiEnv } from './check.ts'
import { readJson } from './json.ts'

/** Whoever is signed in. @throws {DomainError} `sign-in-required` */
export function signedIn(staff: StaffSession | null): StaffSession {
  if (!staff) throw new DomainError('sign-in-required', '登录已过期，请重新登录。')
  return staff
}

/** Sign-in, enrolment and keys for the console's scripts. */
export function createStaffIdentityApi({ services }: Runtime): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()

  api.post('/kdf', async (c) => {
    const { username } = check(kdfQuery, await readJson(c.req.raw))
    const { salt, params } = await services.staff.kdf(username)
    return c.json({ salt: toBase64Url(salt), params })
  })
  api.post('/sign-in', async (c) => {
    const { username, auth } = check(signInBody, await readJson(c.req.raw))
    // Taken in advance, so that many guesses at once do not all pass; only failures stay counted.
    services.limits.take('sign-ins', c.get('client'))
    const { token, wrappedIdentity } = await services.staff.signIn(username, auth)
    services.limits.giveBack('sign-ins', c.get('client'))
    return c.json({ wrappedIdentity: toBase64Url(wrappedIdentity) }, 200, {
      'set-cookie': SESSION_COOKIE.set(token),
    })
  })
  api.post('/enrolment', async (c) => {
    const { token } = check(enrolmentQuery, await readJson(c.req.raw))
    return c.json(await services.staff.enrolment(token))
  })
  api.post('/enrol', async (c) => {
    await services.staff.enrol(check(enrolBody, await readJson(c.req.raw)))
    return c.json({ enrolled: true }, 201)
  })

  // From here on only for somebody signed in, and every change with the page's form token.
  api.get('/keys', async (c) => {
    const staff = signedIn(c.get('staff'))
    const grants = await services.keys.grantsFor(staff.memberId)
    return c.json({
      username: staff.username,
      half: toBase64Url(await services.staff.half(staff)),
      wrappedIdentity: toBase64Url(await services.staff.wrappedIdentity(staff)),
      grants: grants.map((grant) => ({ ...grant, wrapped: toBase64Url(grant.wrapped) })),
    })
  })
  api.get('/recipients', async (c) => {
    signedIn(c.get('staff'))
    return c.json(Object.fromEntries(await services.keys.recipients()))
  })
  api.post('/grants', async (c) => {
    const staff = signedIn(c.get('staff'))
    services.formTokens.verify(c.req.header('x-form-token'), 'staff', staff.tokenHash)
    await services.keys.addGrant(staff, check(grantBody, await readJson(c.req.raw)))
    return c.json({ granted: true }, 201)
  })
  api.post('/sign-out', async (c) => {
    const staff = c.get('staff')
    if (staff) await services.staff.signOut(staff)
    return c.json({ signedOut: true }, 200, {
      'set-cookie': SESSION_COOKIE.clear(),
      'clear-site-data': '"cache", "storage"',
    })
  })
  return api
}
