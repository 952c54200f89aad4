import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { HalfSignedIn, SignedIn } from '../../src/services/sign-in.ts'
import type { StaffSession } from '../../src/services/staff.ts'
import { authOf, openTestApp, signInAs, type TestApp, type TestMember } from '../support/app.ts'

const MINUTE_MS = 60_000
let now = new Date('2026-11-24T09:00:00Z')
const pass = (ms: number): void => {
  now = new Date(now.getTime() + ms)
}

let app: TestApp
let member: TestMember
beforeAll(async () => {
  app = await openTestApp({ now: () => now })
})
afterAll(async () => {
  await app.close()
})
beforeEach(async () => {
  // Nothing that an earlier test did still counts.
  pass(25 * 60 * MINUTE_MS)
  member = await signInAs(app, 'qu-huanbao', ['officer'])
  pass(5 * MINUTE_MS)
})

const name = (): string => member.session.username
const begin = (auth = authOf(name()), browser: string | null = null) =>
  app.services.signIn.begin(name(), auth, browser)
async function ticket(browser: string | null = null): Promise<string> {
  const begun: SignedIn | HalfSignedIn = await begin(authOf(name()), browser)
  if (!('ticket' in begun)) throw new Error('let in without a second factor')
  return begun.ticket
}
const withCode = async (browser: string | null = null): Promise<SignedIn> =>
  app.services.signIn.withCode(await ticket(browser), member.authenticator.code(), browser)
const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no refusal',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  )
const audited = async (action: string): Promise<number> => {
  const rows = await app.database.db
    .selectFrom('staff_audit')
    .select('id')
    .where('action', '=', action)
    .where('object', '=', name())
    .execute()
  return rows.length
}

describe('signing in', () => {
  it('takes passphrase and code, and gives no session before both', async () => {
    const begun = await begin()
    expect(begun).toEqual({ ticket: expect.any(String) as string, totp: true, passkey: false })
    if (!('ticket' in begun)) return
    expect(await app.services.sessions.find(begun.ticket)).toBeNull()
    const { token } = await app.services.signIn.withCode(begun.ticket, member.authenticator.code(), null)
    expect(await app.services.sessions.find(token)).toMatchObject({ username: name(), factorAt: now })
  })

  it('refuses an unknown name and a wrong passphrase alike', async () => {
    const unknown = await app.services.signIn.begin('nobody-here', 'x', null).catch((error: unknown) => error)
    const wrong = await begin('wrong').catch((error: unknown) => error)
    expect(unknown).toMatchObject({ code: 'forbidden' })
    expect(String(unknown)).toBe(String(wrong))
  })

  it('takes a code once, even when two send it at the same time', async () => {
    const [one, other] = [await ticket(), await ticket()]
    const code = member.authenticator.code()
    const results = await Promise.all(
      [one, other].map((each) => refusal(app.services.signIn.withCode(each, code, null))),
    )
    expect(results.sort()).toEqual(['forbidden', 'no refusal'])
    expect(await refusal(app.services.signIn.withCode(await ticket(), code, null))).toBe('forbidden')
  })

  it('ends a ticket with its use, after five wrong codes and after five minutes', async () => {
    const used = await ticket()
    await app.services.signIn.withCode(used, member.authenticator.code(), null)
    expect(await refusal(app.services.signIn.withCode(used, member.authenticator.code(), null))).toBe(
      'sign-in-required',
    )
    const late = await ticket()
    pass(5 * MINUTE_MS)
    expect(await refusal(app.services.signIn.withCode(late, member.authenticator.code(), null))).toBe(
      'sign-in-required',
    )
    const guessed = await ticket()
    for (let guess = 0; guess < 5; guess += 1) {
      expect(await refusal(app.services.signIn.withCode(guessed, '000000', null))).toBe('forbidden')
    }
    pass(MINUTE_MS)
    expect(await refusal(app.services.signIn.withCode(guessed, member.authenticator.code(), null))).toBe(
      'sign-in-required',
    )
    expect(await audited('factor.refused')).toBe(5)
  })

  it('keeps the secret of the authenticator sealed', async () => {
    const row = await app.database.db
      .selectFrom('totp')
      .selectAll()
      .where('member_id', '=', member.session.memberId)
      .executeTakeFirstOrThrow()
    // 12 bytes of nonce, 20 of secret, 16 of tag.
    expect(row.sealed).toHaveLength(48)
  })
})

describe('guessing', () => {
  async function guess(times: number, browser: string | null = null): Promise<string[]> {
    const results: string[] = []
    for (let index = 0; index < times; index += 1) results.push(await refusal(begin('wrong', browser)))
    return results
  }

  it('is slowed down after five tries, also for names that nobody has', async () => {
    const expected = [...Array<string>(5).fill('forbidden'), 'rate-limited']
    expect(await guess(6)).toEqual(expected)
    const unknown: string[] = []
    const nobody = `nobody-${randomUUID().slice(0, 8)}`
    for (let index = 0; index < 6; index += 1) {
      unknown.push(await refusal(app.services.signIn.begin(nobody, 'x', null)))
    }
    expect(unknown).toEqual(expected)
  })

  it('learns nothing while it waits: the right passphrase is refused too, and only for half a minute', async () => {
    await guess(10)
    expect(await refusal(begin())).toBe('rate-limited')
    pass(31_000)
    expect(await refusal(begin())).toBe('no refusal')
  })

  it('is counted although many guess at once', async () => {
    const results = await Promise.all(Array.from({ length: 30 }, () => refusal(begin('wrong'))))
    expect(results.filter((code) => code === 'forbidden')).toHaveLength(5)
  })

  it('does not touch a browser from which the member has signed in before', async () => {
    const { browser } = await withCode()
    pass(MINUTE_MS)
    await guess(8)
    expect(await refusal(begin())).toBe('rate-limited')
    expect(await refusal(withCode(browser))).toBe('no refusal')
    // Nor does a made-up browser get a count of its own.
    expect(await refusal(begin(authOf(name()), 'made-up'))).toBe('rate-limited')
  })

  it('from a known browser is slowed down by itself', async () => {
    const { browser } = await withCode()
    pass(MINUTE_MS)
    expect((await guess(6, browser)).at(-1)).toBe('rate-limited')
    expect(await refusal(begin())).toBe('no refusal')
  })

  it('from the browser of another member counts as one that is not known', async () => {
    const other = await signInAs(app, 'qu-huanbao', ['officer'])
    const begun = await app.services.signIn.begin(
      other.session.username,
      authOf(other.session.username),
      null,
    )
    if (!('ticket' in begun)) throw new Error('let in without a second factor')
    const { browser } = await app.services.signIn.withCode(begun.ticket, other.authenticator.code(), null)
    await guess(6)
    expect(await refusal(begin(authOf(name()), browser))).toBe('rate-limited')
  })

  it('of codes slows down codes, not for longer than a quarter of an hour', async () => {
    const { browser } = await withCode()
    pass(MINUTE_MS)
    const results: string[] = []
    for (let index = 0; index < 3; index += 1) {
      const each = await ticket()
      for (let code = 0; code < 4; code += 1) {
        results.push(await refusal(app.services.signIn.withCode(each, '000000', null)))
      }
    }
    expect(results.filter((code) => code === 'forbidden')).toHaveLength(5)
    expect(await refusal(withCode())).toBe('rate-limited')
    expect(await refusal(withCode(browser))).toBe('no refusal')
    pass(15 * MINUTE_MS)
    expect(await refusal(withCode())).toBe('no refusal')
  })
})

describe('the second factor', () => {
  it('is set up with a link that works once and for three days', async () => {
    const admin = await signInAs(app, 'qu-daqiban', ['admin'])
    const link = await app.services.factors.reset(admin.session, name())
    const offer = await app.services.factors.offerTotp({ link }, { name: '蓝天' })
    expect(await refusal(app.services.factors.confirmTotp({ link }, offer.sealed, '000000'))).toBe(
      'invalid-input',
    )
    pass(73 * 60 * MINUTE_MS)
    expect(await refusal(app.services.factors.offerTotp({ link }, { name: '蓝天' }))).toBe('not-found')
  })

  it('takes no offer of another member, of another server or older than a quarter of an hour', async () => {
    const other = await signInAs(app, 'qu-huanbao', ['officer'])
    const { sealed } = await app.services.factors.offerTotp(other.session, { name: '蓝天' })
    const own = member.session
    const renewed = { ...own, factorAt: now }
    for (const offer of [sealed, '', 'AAAA', sealed.slice(0, -4)]) {
      expect(await refusal(app.services.factors.confirmTotp(renewed, offer, '000000'))).toBe('invalid-input')
    }
    const late = await app.services.factors.offerTotp(renewed, { name: '蓝天' })
    pass(16 * MINUTE_MS)
    expect(
      await refusal(app.services.factors.confirmTotp({ ...own, factorAt: now }, late.sealed, '000000')),
    ).toBe('invalid-input')
  })

  it('is reset by an administrator, never one’s own, and leaves no session behind', async () => {
    const admin = await signInAs(app, 'qu-daqiban', ['admin'])
    const { token } = await withCode()
    expect(await refusal(app.services.factors.reset(member.session, admin.session.username))).toBe(
      'forbidden',
    )
    expect(await refusal(app.services.factors.reset(admin.session, admin.session.username))).toBe('forbidden')
    expect(await refusal(app.services.factors.reset(admin.session, 'nobody-here'))).toBe('not-found')
    const link = await app.services.factors.reset(admin.session, name())
    expect(await audited('factor.reset')).toBe(1)
    expect(await app.services.sessions.find(token)).toBeNull()
    // The passphrase alone is not enough, not even for setting up a new one.
    const begun = await begin().catch((error: unknown) => error)
    expect(begun).toMatchObject({ code: 'forbidden', message: expect.stringContaining('链接') as string })
    const offer = await app.services.factors.offerTotp({ link }, { name: '蓝天' })
    expect(offer.uri).toContain(name())
  })

  it('cannot be given up when it is the only one', async () => {
    const session = { ...member.session, factorAt: now }
    expect(await refusal(app.services.factors.remove(session, 'totp'))).toBe('invalid-input')
    expect(await refusal(app.services.factors.remove(session, randomUUID()))).toBe('not-found')
  })
})

describe('a session', () => {
  const session = async (token: string): Promise<StaffSession> => {
    const found = await app.services.sessions.find(token)
    if (!found) throw new Error('no session')
    return found
  }

  it('is recent for ten minutes, and again once the factor was shown, under another token', async () => {
    const { token } = await withCode()
    const first = await session(token)
    await app.services.sessions.requireRecent(first)
    pass(10 * MINUTE_MS + 1)
    const stale = await session(token)
    expect(await refusal(app.services.sessions.requireRecent(stale))).toBe('factor-required')
    await app.services.factors.proveCode(stale, member.authenticator.code(), null)
    const next = await app.services.sessions.renew(stale)
    expect(await app.services.sessions.find(token)).toBeNull()
    const renewed = await session(next)
    await app.services.sessions.requireRecent(renewed)
    expect(renewed.sessionId).toBe(first.sessionId)
  })

  it('ends when idle for a quarter of an hour, and after eight hours in any case', async () => {
    const { token } = await withCode()
    pass(15 * MINUTE_MS + 1)
    expect(await app.services.sessions.find(token)).toBeNull()
    const { token: busy } = await withCode()
    for (let minutes = 0; minutes < 480; minutes += 14) {
      expect(await app.services.sessions.find(busy)).not.toBeNull()
      pass(14 * MINUTE_MS)
    }
    expect(await app.services.sessions.find(busy)).toBeNull()
  })

  it('is listed to its member and ended from another, and nobody ends somebody else’s', async () => {
    const own = await session((await withCode()).token)
    pass(MINUTE_MS)
    const { token } = await withCode()
    const other = await session(token)
    const listed = await app.services.sessions.list(own)
    expect(listed.slice(0, 2).map(({ id, current }) => [id, current])).toEqual([
      [other.sessionId, false],
      [own.sessionId, true],
    ])
    const stranger = await signInAs(app, 'qu-huanbao', ['officer'])
    for (const id of [other.sessionId, 'nonsense', randomUUID()]) {
      expect(await refusal(app.services.sessions.endOne(stranger.session, id))).toBe('not-found')
    }
    await app.services.sessions.endOne(own, other.sessionId)
    expect(await app.services.sessions.find(token)).toBeNull()
    expect((await app.services.sessions.history(own)).map(({ action }) => action)).toEqual([
      'sign-in',
      'sign-in',
      'sign-in',
    ])
  })

  it('is ended by an administrator, with all others of the member', async () => {
    const admin = await signInAs(app, 'qu-daqiban', ['admin'])
    const { token } = await withCode()
    expect((await app.services.sessions.counts(admin.session)).get(name())).toBe(2)
    expect(await refusal(app.services.sessions.endAll(member.session, name()))).toBe('forbidden')
    expect(await refusal(app.services.sessions.counts(member.session))).toBe('forbidden')
    await app.services.sessions.endAll(admin.session, name())
    expect(await app.services.sessions.find(token)).toBeNull()
    expect(await audited('session.end-all')).toBe(1)
  })

  it('of others ends when the passphrase changes, which needs the old one', async () => {
    const record = {
      salt: new Uint8Array(16),
      kdf: { memoryKiB: 65_536, iterations: 3, parallelism: 1 },
      auth: 'another-value-to-sign-in-with',
      wrappedIdentity: new Uint8Array(64),
    }
    const { token: elsewhere } = await withCode()
    const { token } = await withCode()
    const own = await session(token)
    expect(await refusal(app.services.account.changePassphrase(own, 'wrong', record))).toBe('forbidden')
    await app.services.account.changePassphrase(own, authOf(name()), record)
    expect(await app.services.sessions.find(elsewhere)).toBeNull()
    expect(await app.services.sessions.find(token)).not.toBeNull()
    expect(await refusal(begin())).toBe('forbidden')
    expect(await refusal(begin(record.auth))).toBe('no refusal')
    pass(11 * MINUTE_MS)
    expect(await refusal(app.services.account.changePassphrase(own, record.auth, record))).toBe(
      'factor-required',
    )
  })
})
