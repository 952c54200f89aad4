import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Quirks } from '../support/passkey.ts'
import { authOf, openTestApp, signInAs, type TestApp, type TestMember } from '../support/app.ts'
import { createPasskey } from '../support/passkey.ts'

const SITE = { origin: 'https://example.gov.cn', name: '蓝天' }
let now = new Date('2026-11-24T09:00:00Z')

let app: TestApp
let member: TestMember
let passkey: ReturnType<typeof createPasskey>
beforeAll(async () => {
  app = await openTestApp({ now: () => now })
})
afterAll(async () => {
  await app.close()
})
beforeEach(async () => {
  member = await signInAs(app, 'qu-huanbao', ['officer'])
  passkey = createPasskey(SITE.origin)
})

const add = async (of = member, quirks: Quirks = {}) => {
  const offer = await app.services.factors.offerPasskey(of.session, SITE)
  const response = passkey.make(offer, quirks)
  await app.services.factors.confirmPasskey(
    of.session,
    { response, name: '电脑', wrappedIdentity: null },
    SITE,
  )
}
const ask = () => app.services.passkeys.proveOptions(member.session.memberId, SITE)
const prove = (response: ReturnType<typeof passkey.show>, of = member) =>
  app.services.passkeys.prove(of.session.memberId, response, SITE)
const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no refusal',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  )

const WRONG: readonly (readonly [string, Quirks])[] = [
  ['another site', { origin: 'https://example.gov.cn.evil.example' }],
  ['another host', { host: 'evil.example' }],
  ['nobody verified', { userVerified: false }],
  ['a challenge that we never gave', { challenge: Buffer.alloc(32).toString('base64url') }],
]

describe('a passkey', () => {
  it('is added, asked for by name, and shown', async () => {
    await add()
    const options = await ask()
    expect(options.allowCredentials?.map(({ id }) => id)).toEqual([passkey.id])
    expect(options.userVerification).toBe('required')
    await prove(passkey.show(options))
    const { passkeys } = await app.services.factors.stateOf(member.session.memberId)
    expect(passkeys).toMatchObject([{ name: '电脑', usedAt: now, unlocks: false }])
  })

  it('signs in with the passphrase before it, for its own member alone', async () => {
    await add()
    const { username } = member.session
    const begun = await app.services.signIn.begin(username, authOf(username), null)
    if (!('ticket' in begun)) throw new Error('let in without a second factor')
    expect(begun).toMatchObject({ totp: true, passkey: true })
    const other = await signInAs(app, 'qu-huanbao', ['officer'])
    const theirs = createPasskey(SITE.origin)
    const offer = await app.services.factors.offerPasskey(other.session, SITE)
    await app.services.factors.confirmPasskey(
      other.session,
      { response: theirs.make(offer), name: 'x', wrappedIdentity: null },
      SITE,
    )
    const show = async (by: typeof passkey) => {
      const options = await app.services.signIn.passkeyOptions(begun.ticket, SITE)
      return app.services.signIn.withPasskey(begun.ticket, by.show(options), null, SITE)
    }
    expect(await refusal(show(theirs))).toBe('forbidden')
    const { token } = await show(passkey)
    expect(await app.services.sessions.find(token)).toMatchObject({ username, factorAt: now })
    expect(await refusal(show(passkey))).toBe('sign-in-required')
  })

  it('is not shown twice with one answer, nor after a minute', async () => {
    await add()
    const answer = passkey.show(await ask())
    await prove(answer)
    expect(await refusal(prove(answer))).toBe('forbidden')
    const late = passkey.show(await ask())
    now = new Date(now.getTime() + 61_000)
    expect(await refusal(prove(late))).toBe('forbidden')
  })

  it.each(WRONG)('is refused with %s, when shown and when added', async (_what, quirks) => {
    expect(await refusal(add(member, quirks))).toBe('forbidden')
    passkey = createPasskey(SITE.origin)
    await add()
    expect(await refusal(prove(passkey.show(await ask(), quirks)))).toBe('forbidden')
    expect(await refusal(prove(passkey.show(await ask())))).toBe('no refusal')
  })

  it('is refused when its counter runs backwards: somebody has a copy', async () => {
    await add()
    await prove(passkey.show(await ask(), { counter: 50 }))
    expect(await refusal(prove(passkey.show(await ask(), { counter: 50 })))).toBe('forbidden')
    expect(await refusal(prove(passkey.show(await ask(), { counter: 51 })))).toBe('no refusal')
  })

  it('takes no challenge that was given to somebody else, or for something else', async () => {
    await add()
    const other = await signInAs(app, 'qu-huanbao', ['officer'])
    const offer = await app.services.factors.offerPasskey(other.session, SITE)
    expect(await refusal(prove(passkey.show({ challenge: offer.challenge })))).toBe('forbidden')
    const own = await app.services.factors.offerPasskey(member.session, SITE)
    expect(await refusal(prove(passkey.show({ challenge: own.challenge })))).toBe('forbidden')
  })

  it('does not belong to two members', async () => {
    await add()
    const other = await signInAs(app, 'qu-huanbao', ['officer'])
    expect(await refusal(add(other))).toBe('forbidden')
  })

  it('gone, leaves the other factor, which is the last', async () => {
    await add()
    const [line] = (await app.services.factors.stateOf(member.session.memberId)).passkeys
    await app.services.factors.remove(member.session, line?.id ?? '')
    expect(await refusal(ask())).toBe('invalid-input')
    expect(await refusal(app.services.factors.remove(member.session, 'totp'))).toBe('invalid-input')
  })
})
