import { Hono, type Context } from 'hono'
import { DomainError } from '../domain/errors.ts'
import { BROWSER_COOKIE, SESSION_COOKIE } from '../http/session-cookie.ts'
import type { Runtime } from '../runtime.ts'
import {
  codeBody,
  enrolBody,
  enrolmentQuery,
  kdfQuery,
  linkBody,
  newPasskeyBody,
  newTotpBody,
  passkeyBody,
  passphraseBody,
  removeFactorBody,
  signInBody,
  ticketBody,
  ticketCodeBody,
  ticketPasskeyBody,
} from '../schemas/staff.ts'
import { toBase64Url } from '../sealing/bytes.ts'
import type { Setter } from '../services/factors.ts'
import type { Site } from '../services/passkeys.ts'
import { BROWSER_DAYS, type SignedIn } from '../services/sign-in.ts'
import type { StaffSession } from '../services/staff.ts'
import { check, type ApiEnv } from './check.ts'
import { readJson } from './json.ts'

type C = Context<ApiEnv>

/** Whoever is signed in. @throws {DomainError} `sign-in-required` */
export function signedIn(staff: StaffSession | null): StaffSession {
  if (!staff) throw new DomainError('sign-in-required', '登录已过期，请重新登录。')
  return staff
}

/** Sign-in, enrolment, second factor and the member's own sessions for the console's scripts. */
export function createStaffIdentityApi({ services, config }: Runtime): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()
  const { signIn, factors, sessions } = services

  const site = (c: C): Site => ({
    origin: config.publicUrl ?? new URL(c.req.url).origin,
    // The brand alone: the whole name would make the QR code twice as dense.
    name: config.siteName.split('：')[0] ?? config.siteName,
  })
  const browserOf = (c: C): string | null => BROWSER_COOKIE.read(c.req.raw)

  /** Taken in advance, so that many guesses at once do not all pass; only failures stay counted. */
  async function guarded<T>(c: C, work: () => Promise<T>): Promise<T> {
    services.limits.take('sign-ins', c.get('client'))
    const done = await work()
    services.limits.giveBack('sign-ins', c.get('client'))
    return done
  }

  function welcome(c: C, { token, browser }: SignedIn): Response {
    c.header('set-cookie', SESSION_COOKIE.set(token), { append: true })
    c.header('set-cookie', BROWSER_COOKIE.set(browser, BROWSER_DAYS * 86_400), { append: true })
    return c.json({ signedIn: true })
  }

  /** The member, once the page's form token has been checked too. */
  function changing(c: C): StaffSession {
    const staff = signedIn(c.get('staff'))
    services.formTokens.verify(c.req.header('x-form-token'), 'staff', staff.sessionId)
    return staff
  }
  const setter = (c: C, link: string | undefined): Setter => (link === undefined ? changing(c) : { link })

  api.post('/kdf', async (c) => {
    const { username } = check(kdfQuery, await readJson(c.req.raw))
    const { salt, params } = await signIn.kdf(username)
    return c.json({ salt: toBase64Url(salt), params })
  })
  api.post('/sign-in', async (c) => {
    const { username, auth } = check(signInBody, await readJson(c.req.raw))
    const begun = await guarded(c, () => signIn.begin(username, auth, browserOf(c)))
    return 'ticket' in begun ? c.json(begun) : welcome(c, begun)
  })
  api.post('/sign-in/code', async (c) => {
    const { ticket, code } = check(ticketCodeBody, await readJson(c.req.raw))
    return welcome(c, await guarded(c, () => signIn.withCode(ticket, code, browserOf(c))))
  })
  api.post('/sign-in/passkey-options', async (c) => {
    const { ticket } = check(ticketBody, await readJson(c.req.raw))
    return c.json(await signIn.passkeyOptions(ticket, site(c)))
  })
  api.post('/sign-in/passkey', async (c) => {
    const { ticket, response } = check(ticketPasskeyBody, await readJson(c.req.raw))
    return welcome(c, await guarded(c, () => signIn.withPasskey(ticket, response, browserOf(c), site(c))))
  })

  api.post('/enrolment', async (c) => {
    const { token } = check(enrolmentQuery, await readJson(c.req.raw))
    return c.json(await services.staff.enrolment(token))
  })
  api.post('/enrol', async (c) => {
    const link = await services.staff.enrol(check(enrolBody, await readJson(c.req.raw)))
    return c.json({ link }, 201)
  })

  // A factor is set up with the member's link, or by whoever is signed in and has shown one just now.
  api.post('/factors/link', async (c) => {
    const { link } = check(linkBody, await readJson(c.req.raw))
    const { username, displayName } = await factors.linkOwner(link ?? '')
    return c.json({ username, displayName })
  })
  api.post('/factors/totp-offer', async (c) => {
    const { link } = check(linkBody, await readJson(c.req.raw))
    return c.json(await factors.offerTotp(setter(c, link), site(c)))
  })
  api.post('/factors/totp', async (c) => {
    const { link, sealed, code } = check(newTotpBody, await readJson(c.req.raw))
    await factors.confirmTotp(setter(c, link), sealed, code)
    return c.json({ set: true }, 201)
  })
  api.post('/factors/passkey-offer', async (c) => {
    const { link } = check(linkBody, await readJson(c.req.raw))
    return c.json(await factors.offerPasskey(setter(c, link), site(c)))
  })
  api.post('/factors/passkey', async (c) => {
    const { link, ...passkey } = check(newPasskeyBody, await readJson(c.req.raw))
    await factors.confirmPasskey(setter(c, link), passkey, site(c))
    return c.json({ set: true }, 201)
  })
  api.post('/factors/remove', async (c) => {
    await factors.remove(changing(c), check(removeFactorBody, await readJson(c.req.raw)).factor)
    return c.json({ removed: true })
  })

  // The second factor once more, before what must not be done by somebody who found the screen open.
  api.get('/recent', async (c) => {
    const staff = signedIn(c.get('staff'))
    const { totp, passkeys } = await factors.stateOf(staff.memberId)
    return c.json({ recent: await sessions.isRecent(staff), totp, passkey: passkeys.length > 0 })
  })
  const renewed = async (c: C, staff: StaffSession): Promise<Response> =>
    c.json({ recent: true }, 200, { 'set-cookie': SESSION_COOKIE.set(await sessions.renew(staff)) })
  api.post('/recent/code', async (c) => {
    const staff = changing(c)
    const { code } = check(codeBody, await readJson(c.req.raw))
    await factors.proveCode(staff, code, await signIn.knownBrowser(staff.memberId, browserOf(c)))
    return renewed(c, staff)
  })
  api.post('/recent/passkey-options', async (c) =>
    c.json(await services.passkeys.proveOptions(changing(c).memberId, site(c))),
  )
  api.post('/recent/passkey', async (c) => {
    const staff = changing(c)
    const { response } = check(passkeyBody, await readJson(c.req.raw))
    await services.passkeys.prove(staff.memberId, response, site(c))
    return renewed(c, staff)
  })

  api.post('/passphrase', async (c) => {
    const staff = changing(c)
    const { oldAuth, ...record } = check(passphraseBody, await readJson(c.req.raw))
    await services.account.changePassphrase(staff, oldAuth, record)
    return c.json({ changed: true })
  })
  api.post('/sign-out', async (c) => {
    const staff = c.get('staff')
    if (staff) await sessions.end(staff)
    return c.json({ signedOut: true }, 200, {
      'set-cookie': SESSION_COOKIE.clear(),
      'clear-site-data': '"cache", "storage"',
    })
  })
  return api
}
