import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createMemoryFiles } from '../../src/adapters/memory-files.ts'
import { systemRandom } from '../../src/adapters/system.ts'
import type { Problem } from '../../src/api/problem.ts'
import { solve } from '../../src/browser/report/proof.ts'
import { dayOf } from '../../src/domain/day.ts'
import { CHALLENGE_SECONDS, difficultyFor } from '../../src/domain/gate.ts'
import { LIMITS } from '../../src/domain/rate.ts'
import { createServices } from '../../src/services/index.ts'
import type { Challenge, ThirdPartyGate } from '../../src/services/ports.ts'
import { openTestApp, plainTip, signInAs, tipForm, type TestApp } from '../support/app.ts'
import { easyGate, proofFrom, putTogether, takeApart } from '../support/gate.ts'
import { jpegWithExif } from '../support/images.ts'

/** How far the program's clock is ahead of the machine's. */
let ahead = 0
/** Whose request it is; nobody's unless a test says so. */
let client: string | null = null
const files = createMemoryFiles()
const vouching: ThirdPartyGate = {
  siteKey: 'site',
  scriptUrl: 'https://example.invalid/api.js',
  verify: (token) =>
    Promise.resolve(
      token.startsWith('good')
        ? { state: 'proven', id: Buffer.alloc(32, token), until: new Date(Date.now() + 300_000) }
        : { state: 'refused' },
    ),
}

let app: TestApp
beforeAll(async () => {
  app = await openTestApp({
    now: () => new Date(Date.now() + ahead),
    files,
    thirdPartyGate: vouching,
    gate: easyGate,
    client: () => client,
  })
})
afterAll(async () => {
  await app.close()
})
beforeEach(async () => {
  ahead = 0
  client = null
  const { db } = app.database
  for (const table of ['tip_part', 'tip_wrap', 'tip', 'case_event', 'public_case', 'notice', 'case_file']) {
    await sql`delete from ${sql.table(table)}`.execute(db)
  }
  for (const table of ['filing', 'draft_blob', 'draft', 'spent_proof']) {
    await sql`delete from ${sql.table(table)}`.execute(db)
  }
  for await (const { key } of files.list()) await files.delete(key)
})

const post = (body: unknown, key: string = randomUUID()): Promise<Response> =>
  fetch(`${app.url}/api/v1/tips`, {
    method: 'POST',
    headers: {
      'idempotency-key': key,
      ...(body instanceof FormData ? {} : { 'content-type': 'application/json' }),
    },
    body: body instanceof FormData ? body : JSON.stringify(body),
  })

const aProof = () => proofFrom(app.url)

async function problemOf(reply: Response): Promise<Problem> {
  expect(reply.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
  return (await reply.json()) as Problem
}

async function expectRefused(reply: Response, words: RegExp): Promise<void> {
  const problem = await problemOf(reply)
  expect(problem).toMatchObject({ type: '/problems/gate-refused/', status: 403 })
  expect(problem.errors).toMatchObject([{ field: 'gate' }])
  expect(problem.detail).toMatch(words)
}

const lanes = async (): Promise<string[]> =>
  (await app.database.db.selectFrom('case_file').select('lane').execute()).map(({ lane }) => lane)
const spent = () => app.database.db.selectFrom('spent_proof').selectAll().execute()
const caseNoOf = async (reply: Response): Promise<string> =>
  ((await reply.json()) as { caseNo: string }).caseNo

describe('GET challenges', () => {
  it('answers a challenge that nobody keeps', async () => {
    const reply = await fetch(`${app.url}/api/v1/challenges`)
    expect(reply.status).toBe(200)
    expect(reply.headers.get('cache-control')).toBe('no-store')
    expect(reply.headers.get('access-control-allow-origin')).toBeNull()
    const one = (await reply.json()) as { parameters: { nonce: string; data: unknown } }
    expect(one.parameters.data).toEqual({ purpose: 'tip', holder: '' })
    const other = (await (await fetch(`${app.url}/api/v1/challenges`)).json()) as typeof one
    expect(other.parameters.nonce).not.toBe(one.parameters.nonce)
  })

  it('makes one for a form only beside that form', async () => {
    const without = await fetch(`${app.url}/api/v1/challenges?purpose=form`)
    expect(without.status).toBe(422)
    expect((await problemOf(without)).errors).toMatchObject([{ field: 'purpose' }])
    const { cookie, draft } = await app.services.drafts.start()
    const reply = await fetch(`${app.url}/api/v1/challenges?purpose=form`, {
      headers: { cookie: `__Host-draft=${cookie}` },
    })
    expect(reply.status).toBe(200)
    const text = await reply.text()
    expect(text).not.toContain(draft.id)
    expect(text).not.toContain(cookie)
  })
})

describe('a tip from a program', () => {
  it('goes to the normal lane with a proof and to the unverified one without', async () => {
    expect((await post({ gate: await aProof(), plain: plainTip() })).status).toBe(201)
    expect(await lanes()).toEqual(['normal'])
    expect((await post({ plain: plainTip() })).status).toBe(201)
    expect((await post({ plain: plainTip(), gate: '' })).status).toBe(201)
    expect((await lanes()).sort()).toEqual(['normal', 'unverified', 'unverified'])
  })

  it('as a form brings the proof before the photos', async () => {
    const form = new FormData()
    form.append('gate', await aProof())
    for (const [name, value] of tipForm(plainTip(), [await jpegWithExif()])) form.append(name, value)
    expect((await post(form)).status).toBe(201)
    expect(await lanes()).toEqual(['normal'])
    expect(await spent()).toHaveLength(1)
  })

  it('leaves of its proof a hash and a day, which go two days later', async () => {
    await post({ gate: await aProof(), plain: plainTip() })
    const rows = await spent()
    const day = dayOf(new Date(Date.now() + CHALLENGE_SECONDS * 1000))
    expect(rows).toEqual([{ hash: expect.any(Buffer) as Buffer, day }])
    const upkeepOn = async (days: number): Promise<number> => {
      ahead = days * 86_400_000
      await app.services.upkeep.run()
      return (await spent()).length
    }
    expect(await upkeepOn(1)).toBe(1)
    expect(await upkeepOn(3)).toBe(0)
  })

  it.each<[string, () => Promise<string>, RegExp]>([
    ['junk', () => Promise.resolve('not a proof'), /不是本站发出的/],
    [
      'a proof with more time than it was given',
      async () => {
        const solved = takeApart(await aProof())
        solved.challenge.parameters['expiresAt'] = 4_000_000_000
        return putTogether(solved)
      },
      /不是本站发出的/,
    ],
    [
      'the answer to another challenge',
      async () => putTogether({ ...takeApart(await aProof()), solution: takeApart(await aProof()).solution }),
      /不是本站发出的/,
    ],
    [
      'a challenge made easier and solved so',
      async () => {
        const { challenge } = takeApart(await aProof())
        Object.assign(challenge.parameters, { cost: 2, keyPrefix: '0' })
        return solve(challenge as unknown as Challenge)
      },
      /不是本站发出的/,
    ],
    [
      'a challenge signed with a secret from before',
      async () => {
        const former = easyGate({ clock: app.deps.clock, secret: systemRandom.bytes(32) })
        return solve(await former.challenge({ purpose: 'tip', holder: '' }, difficultyFor(0)))
      },
      /不是本站发出的/,
    ],
    [
      'the parameters of one challenge and the signature of another',
      async () => {
        const [one, other] = [takeApart(await aProof()), takeApart(await aProof())]
        return putTogether({ ...one, challenge: { ...one.challenge, signature: other.challenge.signature } })
      },
      /不是本站发出的/,
    ],
    [
      'a form’s proof',
      async () => {
        const { cookie } = await app.services.drafts.start()
        return proofFrom(app.url, { cookie: `__Host-draft=${cookie}` })
      },
      /不是本站发出的/,
    ],
    [
      'a proof made in advance',
      async () => {
        const proof = await aProof()
        ahead = (CHALLENGE_SECONDS + 5) * 1000
        return proof
      },
      /过期/,
    ],
    [
      'a proof used before',
      async () => {
        const gate = await aProof()
        await post({ gate, plain: plainTip() })
        return gate
      },
      /用过一次/,
    ],
  ])('with %s is refused, as JSON and before its photos are looked at', async (_name, make, words) => {
    const gate = await make()
    const before = (await lanes()).length
    await expectRefused(await post({ gate, plain: plainTip() }), words)
    const form = new FormData()
    form.append('gate', gate)
    for (const [name, value] of tipForm(plainTip(), [new Uint8Array([1, 2, 3])])) form.append(name, value)
    // The photo is none: had it been looked at, that would be the refusal.
    await expectRefused(await post(form), words)
    expect((await lanes()).length).toBe(before)
    for await (const file of files.list()) expect(file).toBeNull()
  })

  it('can be asked for again with its key when the proof is used up or too old', async () => {
    const key = randomUUID()
    const gate = await aProof()
    const first = await post({ gate, plain: plainTip() }, key)
    expect(first.status).toBe(201)
    const caseNo = await caseNoOf(first)
    for (const later of [0, (CHALLENGE_SECONDS + 5) * 1000]) {
      ahead = later
      const again = await post({ gate, plain: plainTip() }, key)
      expect([again.status, await caseNoOf(again)]).toEqual([200, caseNo])
    }
    ahead = 0
    const other = await post({ gate: await aProof(), plain: plainTip() }, key)
    expect([other.status, await caseNoOf(other)]).toEqual([200, caseNo])
    expect(await lanes()).toEqual(['normal'])
  })

  it('keeps its proof for the next try when it was refused for something else', async () => {
    const gate = await aProof()
    expect((await post({ gate, plain: plainTip({ area: 'no-such' }) })).status).toBe(422)
    expect((await post({ gate, plain: plainTip() })).status).toBe(201)
  })

  it('is one of 50 that show the same proof at once', async () => {
    const gate = await aProof()
    const replies = await Promise.all(Array.from({ length: 50 }, () => post({ gate, plain: plainTip() })))
    expect(replies.map(({ status }) => status).filter((status) => status === 201)).toHaveLength(1)
    for (const reply of replies.filter(({ status }) => status !== 201)) await expectRefused(reply, /用过一次/)
    expect(await lanes()).toEqual(['normal'])
    expect(await spent()).toHaveLength(1)
    const { db } = app.database
    const filings = await db.selectFrom('filing').select('case_no').execute()
    expect(filings).toHaveLength(1)
  })

  it('sent 50 times at once with one key and one proof is one', async () => {
    const gate = await aProof()
    const key = randomUUID()
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => post({ gate, plain: plainTip() }, key)),
    )
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200, 201]))
    expect(new Set(await Promise.all(replies.map(caseNoOf))).size).toBe(1)
    expect(await lanes()).toEqual(['normal'])
  })

  it('may be filed in one process with a challenge of another, and the proof is spent for both', async () => {
    // As a second process: its own memory, the same database and secrets.
    const other = createServices(app.deps)
    const gate = await solve(await other.gate.challenge({ purpose: 'tip', holder: '' }))
    const replies = await Promise.all([1, 2].map(() => post({ gate, plain: plainTip() })))
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 403])
    const evidence = await other.gate.examine(gate, { purpose: 'tip', holder: '' })
    if (!evidence.spend) throw new Error(evidence.state)
    expect(await other.gate.isSpent(evidence.spend)).toBe(true)
  })
})

describe('a tip from the form', () => {
  const plain = {
    category: 'boiler-coal',
    area: '410102001',
    answer: null,
    accused: null,
    when: 'now' as const,
    urgency: 'normal' as const,
    description: '锅炉冒黑烟。',
    place: '',
    callback: null,
    checklist: [],
  }
  const send = (
    cookie: string,
    sending: Partial<{ trap: string; proof: string; client: string | null }> = {},
  ) => app.services.drafts.commit(cookie, plain, { trap: '', proof: '', client: null, ...sending })
  const proofOf = (cookie: string) => proofFrom(app.url, { cookie: `__Host-draft=${cookie}` })

  it('goes to the normal lane with a proof, however fast', async () => {
    const { cookie } = await app.services.drafts.start()
    await send(cookie, { proof: await proofOf(cookie) })
    expect(await lanes()).toEqual(['normal'])
    expect(await spent()).toHaveLength(1)
  })

  it('without one goes to the normal lane when it took as long as a person takes', async () => {
    const fast = await app.services.drafts.start()
    const slow = await app.services.drafts.start()
    await send(fast.cookie)
    expect(await lanes()).toEqual(['unverified'])
    ahead = 6000
    await send(slow.cookie)
    expect((await lanes()).sort()).toEqual(['normal', 'unverified'])
    expect(await spent()).toEqual([])
  })

  it('with a proof that grew old on the page is taken as without one', async () => {
    const { cookie } = await app.services.drafts.start()
    const proof = await proofOf(cookie)
    ahead = (CHALLENGE_SECONDS + 60) * 1000
    await send(cookie, { proof })
    expect(await lanes()).toEqual(['normal'])
  })

  it.each<[string, (cookie: string) => Promise<Partial<{ trap: string; proof: string }>>]>([
    [
      'the trap filled in',
      async (cookie) => ({ trap: 'https://spam.example', proof: await proofOf(cookie) }),
    ],
    ['a forged proof', () => Promise.resolve({ proof: 'bm9uZQ==' })],
    ['a program’s proof', async () => ({ proof: await aProof() })],
    [
      'a proof found before the form was opened',
      async () => ({ proof: await proofOf(Buffer.from(systemRandom.bytes(48)).toString('base64url')) }),
    ],
    [
      'the proof of another draft',
      async () => ({ proof: await proofOf((await app.services.drafts.start()).cookie) }),
    ],
  ])('with %s goes to the unverified lane, never to the bin', async (_name, sending) => {
    const { cookie } = await app.services.drafts.start()
    const more = await sending(cookie)
    ahead = 60_000
    await send(cookie, more)
    expect(await lanes()).toEqual(['unverified'])
  })

  it('without a proof and one too many goes to the unverified lane', async () => {
    // A process of its own, since this one has let some through already.
    const services = createServices(app.deps)
    const key = services.limits.keyOf('203.0.113.20')
    const sendOne = async (): Promise<void> => {
      const { cookie } = await services.drafts.start()
      ahead += 6000
      await services.drafts.commit(cookie, plain, { trap: '', proof: '', client: key })
    }
    // The clock moves on by six seconds each, which gives back one for every ten.
    for (let sent = 0; sent < LIMITS.unproven.burst; sent += 1) await sendOne()
    expect(new Set(await lanes())).toEqual(new Set(['normal']))
    for (let sent = 0; sent < 10; sent += 1) await sendOne()
    expect(await lanes()).toContain('unverified')
    expect(await lanes()).toHaveLength(LIMITS.unproven.burst + 10)
  })

  it('is vouched for by the third party, once for each of its tokens', async () => {
    const one = await app.services.drafts.start()
    const two = await app.services.drafts.start()
    expect(one.draft.vouched).toBe(false)
    expect(await app.services.drafts.vouch(one.cookie, 'bad')).toBe(false)
    expect(await app.services.drafts.vouch(one.cookie, 'good')).toBe(true)
    expect((await app.services.drafts.open(one.cookie))?.vouched).toBe(true)
    expect(await app.services.drafts.vouch(two.cookie, 'good')).toBe(false)
    expect((await app.services.drafts.open(two.cookie))?.vouched).toBe(false)
    await send(one.cookie)
    await send(two.cookie)
    expect((await lanes()).sort()).toEqual(['normal', 'unverified'])
    expect(await spent()).toHaveLength(1)
  })
})

describe('the console', () => {
  it('lists what came without a proof by itself until somebody takes it up', async () => {
    await post({ gate: await aProof(), plain: plainTip() })
    await post({ plain: plainTip() })
    const officer = await signInAs(app, 'qu-huanbao', ['officer'])
    const { cases } = app.services
    const inBucket = async (bucket: 'new' | 'unverified' | 'working' | 'all') =>
      (await cases.queue(officer.session, { bucket }, null, 10)).items.map(({ lane }) => lane)
    expect(await inBucket('new')).toEqual(['normal'])
    expect(await inBucket('unverified')).toEqual(['unverified'])
    expect((await inBucket('all')).sort()).toEqual(['normal', 'unverified'])
    expect(await cases.counts(officer.session)).toMatchObject({ new: 1, unverified: 1, working: 0 })
    const [item] = (await cases.queue(officer.session, { bucket: 'unverified' }, null, 10)).items
    if (!item) throw new Error('just seen')
    await cases.act(officer.session, item.caseNo, { action: 'accept', version: item.version })
    expect(await inBucket('unverified')).toEqual([])
    expect(await inBucket('working')).toEqual(['unverified'])
  })

  it('keeps it out of what the dispatcher has to assign', async () => {
    await post({ gate: await aProof(), plain: plainTip({ category: 'other', area: 'unsure' }) })
    await post({ plain: plainTip({ category: 'other', area: 'unsure' }) })
    const dispatcher = await signInAs(app, 'qu-daqiban', ['dispatcher'])
    expect(await app.services.cases.counts(dispatcher.session)).toMatchObject({ triage: 1, unverified: 1 })
  })
})

describe('the limits of the API', () => {
  const open = () =>
    fetch(`${app.url}/api/v1/receipts/open`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: 'AAAA' }),
    })
  // Another account each time: each slows down by itself (services/slow-down.ts).
  const signIn = () =>
    fetch(`${app.url}/api/v1/staff/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: `nobody-${randomUUID().slice(0, 8)}`, auth: 'wrong' }),
    })
  it.each<[keyof typeof LIMITS, string, () => Promise<Response>]>([
    ['challenges', '198.51.100.1', () => fetch(`${app.url}/api/v1/challenges`)],
    ['tips', '198.51.100.2', () => post({ gate: 'junk', plain: {} })],
    ['tips-unproven', '198.51.100.3', () => post({ plain: {} })],
    ['receipts', '198.51.100.4', open],
    ['sign-ins', '198.51.100.5', signIn],
    [
      'searches',
      '198.51.100.6',
      () => fetch(`${app.url}/api/v1/lists/non-compliant/entries?q=${randomUUID()}`),
    ],
  ])('end %s with 429, when to come back, and a page that says why', async (limit, address, once) => {
    client = address
    const before = await Promise.all(Array.from({ length: LIMITS[limit].burst }, once))
    expect(before.filter(({ status }) => status === 429)).toEqual([])
    const reply = await once()
    expect(reply.status).toBe(429)
    const problem = await problemOf(reply)
    expect(problem).toMatchObject({ type: '/problems/rate-limited/', status: 429 })
    const seconds = Number(reply.headers.get('retry-after'))
    expect(Number.isInteger(seconds) && seconds >= 1).toBe(true)
    expect(seconds).toBeLessThanOrEqual(3600 / LIMITS[limit].perHour)
    // Everybody else goes on.
    client = '198.51.100.99'
    expect((await once()).status).not.toBe(429)
    client = address
    ahead = (seconds + 1) * 1000
    expect((await once()).status).not.toBe(429)
  })

  it('count each photo', async () => {
    client = '198.51.100.7'
    for (let used = 0; used < LIMITS.uploads.burst; used += 1) {
      app.services.limits.take('uploads', app.services.limits.keyOf(client))
    }
    const reply = await post(tipForm(plainTip(), [new Uint8Array([1])]))
    expect([reply.status, (await problemOf(reply)).type]).toEqual([429, '/problems/rate-limited/'])
  })

  it('do not count a search that is none, nor a sign-in that succeeds', async () => {
    client = '198.51.100.8'
    const { username } = (await signInAs(app, 'qu-huanbao', ['officer'])).session
    for (let times = 0; times < LIMITS['sign-ins'].burst + 5; times += 1) {
      const reply = await fetch(`${app.url}/api/v1/staff/sign-in`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username, auth: username.repeat(3) }),
      })
      expect(reply.status).toBe(200)
    }
    const plainReads = Array.from({ length: LIMITS.searches.burst + 5 }, () =>
      fetch(`${app.url}/api/v1/lists/non-compliant/entries`),
    )
    expect(new Set((await Promise.all(plainReads)).map(({ status }) => status))).toEqual(new Set([200]))
  })

  it('let 300 citizens of one carrier address file in one evening, all in the normal lane', async () => {
    const services = createServices(app.deps)
    const key = services.limits.keyOf('198.51.100.50')
    const FOUR_HOURS_MS = 4 * 3_600_000
    for (let citizen = 0; citizen < 300; citizen += 1) {
      services.limits.take('challenges', key)
      services.limits.take('drafts', key)
      const { cookie, draft } = await services.drafts.start()
      for (let photo = 0; photo < 3; photo += 1) services.limits.take('uploads', key)
      const proof = await solve(await services.gate.challenge({ purpose: 'form', holder: draft.id }))
      await services.drafts.commit(
        cookie,
        {
          category: 'boiler-coal',
          area: '410102001',
          answer: null,
          accused: null,
          when: 'now',
          urgency: 'normal',
          description: `第 ${citizen} 位居民：锅炉冒黑烟。`,
          place: '',
          callback: null,
          checklist: [],
        },
        { trap: '', proof, client: key },
      )
      services.limits.take('receipts', key)
      ahead += FOUR_HOURS_MS / 300
    }
    expect(await lanes()).toHaveLength(300)
    expect(new Set(await lanes())).toEqual(new Set(['normal']))
  })
})
