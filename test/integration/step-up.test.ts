import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Problem } from '../../src/api/problem.ts'
import { MEMBER_KDF } from '../../src/sealing/member-keys.ts'
import { openTestApp, signInAs, type TestApp, type TestMember } from '../support/app.ts'

let app: TestApp
let member: TestMember
beforeAll(async () => {
  app = await openTestApp()
})
afterAll(async () => {
  await app.close()
})
beforeEach(async () => {
  member = await signInAs(app, 'qu-huanbao', ['officer', 'publisher'])
  await app.services.keys.grantFromEscrow(app.escrowIdentity, member.session.username)
})

const lastFactorMinutesAgo = (minutes: number) =>
  app.database.db
    .updateTable('session')
    .set({ factor_at: new Date(Date.now() - minutes * 60_000) })
    .where('id', '=', member.session.sessionId)
    .execute()

async function post(path: string, body: unknown): Promise<{ status: number; type: string; cookie: string }> {
  const reply = await fetch(`${app.url}/api/v1/staff${path}`, {
    method: 'POST',
    headers: {
      cookie: member.cookie,
      'x-form-token': member.token,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  })
  const { type = '' } = (await reply.json()) as Partial<Problem>
  return { status: reply.status, type, cookie: reply.headers.get('set-cookie')?.split(';')[0] ?? '' }
}

const WRAPPED = Buffer.from('age-encryption.org/v1 and so on').toString('base64url')
const CREDENTIAL = { id: 'AAAA', rawId: 'AAAA', type: 'public-key' }
const RECORD = {
  oldAuth: 'x',
  salt: Buffer.alloc(16).toString('base64url'),
  kdf: MEMBER_KDF,
  auth: 'a-value-that-is-long-enough',
  wrappedIdentity: WRAPPED,
}

/** What must not be done by somebody who found the screen open. Each body is whole, so nothing else refuses it first. */
const GUARDED: Readonly<Record<string, unknown>> = {
  '/cases/ZY-2611-00000/actions': { action: 'publish', version: 1 },
  '/grants': { memberId: randomUUID(), grants: [{ epoch: 1, wrapped: WRAPPED }], voucher: '' },
  '/rotation': {
    epoch: 2,
    recipient: `age1${'q'.repeat(58)}`,
    grants: [{ memberId: randomUUID(), wrapped: WRAPPED, voucher: '' }],
    escrow: WRAPPED,
    voucher: { previous: '', day: '2026-11-25', verifier: '', signature: '' },
  },
  '/factors/totp-offer': {},
  '/factors/totp': { sealed: 'AAAA', code: '000000' },
  '/factors/passkey-offer': {},
  '/factors/passkey': {
    response: { ...CREDENTIAL, response: { attestationObject: 'AAAA', clientDataJSON: 'AAAA' } },
    name: 'x',
    wrappedIdentity: null,
  },
  '/factors/remove': { factor: 'totp' },
  '/passphrase': RECORD,
}

describe('a second factor shown long ago', () => {
  it.each(Object.keys(GUARDED))('is asked for again before POST %s', async (path) => {
    await lastFactorMinutesAgo(11)
    expect(await post(path, GUARDED[path])).toMatchObject({ status: 401, type: '/problems/factor-required/' })
    await lastFactorMinutesAgo(9)
    expect((await post(path, GUARDED[path])).type).not.toBe('/problems/factor-required/')
  })

  it('is enough for everyday work', async () => {
    await lastFactorMinutesAgo(11)
    expect(await post('/cases/ZY-2611-00000/actions', { action: 'accept', version: 1 })).toMatchObject({
      status: 404,
    })
  })

  it('counts anew once it was shown, under another cookie and the same form token', async () => {
    await lastFactorMinutesAgo(11)
    const wrong = await post('/recent/code', { code: '000000' })
    expect(wrong).toMatchObject({ status: 403, cookie: '' })
    const shown = await post('/recent/code', { code: member.authenticator.code() })
    expect(shown.status).toBe(200)
    expect((await post('/factors/totp-offer', {})).status).toBe(401)
    member = { ...member, cookie: shown.cookie }
    expect((await post('/factors/totp-offer', {})).status).toBe(200)
  })
})

describe('every door that publishes, approves or changes members', () => {
  const src = fileURLToPath(new URL('../../src/', import.meta.url))
  const doors = ['pages/staff', 'api'].flatMap((folder) =>
    readdirSync(`${src}${folder}`, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:astro|ts)$/.test(name))
      .map((name) => `${folder}/${name}`),
  )
  // The verbs that do not ask by themselves, since the command line and the demonstration use them too.
  const VERBS = [
    'lists.approve',
    'staff.remove',
    'staff.createEnrolment',
    'factors.reset',
    'cases.act',
    'rewards.approve',
    'rewards.release',
    'rewards.pay',
    'rewardRules.decide',
  ]

  it('asks for a recent factor before the verb', () => {
    const found = doors.flatMap((name) => {
      const text = readFileSync(`${src}${name}`, 'utf8')
      return VERBS.flatMap((verb) => {
        const at = text.indexOf(`services.${verb}(`)
        if (at < 0) return []
        const asked = text.lastIndexOf('sessions.requireRecent(', at)
        return [{ verb, asked: asked > 0 && text.slice(asked, at).split('\n').length <= 25 }]
      })
    })
    expect(found.filter(({ asked }) => !asked)).toEqual([])
    expect(found.map(({ verb }) => verb).sort()).toEqual([...VERBS].sort())
  })
})
