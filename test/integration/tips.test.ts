import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createMemoryFiles } from '../../src/adapters/memory-files.ts'
import type { Problem } from '../../src/api/problem.ts'
import { PROBLEM_TEXTS } from '../../src/content/problems.ts'
import { parseReceiptCode } from '../../src/domain/receipt.ts'
import { MAX_DESCRIPTION, MAX_PLACE } from '../../src/domain/tip.ts'
import { createServices } from '../../src/services/index.ts'
import { cutConnection, openTestApp, plainTip, tipForm, type TestApp } from '../support/app.ts'
import {
  emptyFile,
  hugePng16000,
  jpegWithExif,
  png,
  svgAsJpg,
  textAsJpg,
  truncatedJpeg,
  webp,
} from '../support/images.ts'

interface Filed {
  readonly caseNo: string
  readonly receiptCode: string
  readonly receivedDay: string
  readonly promise: {
    readonly department: string
    readonly rule: string
    readonly measureRefs: readonly string[]
    readonly accept: { readonly day: string | null; readonly count: number; readonly unit: string }
    readonly conclude: { readonly day: string | null; readonly count: number; readonly unit: string }
  }
  readonly follow: string
}

// A Monday in a year with a loaded calendar, so that the promised days are known.
const NOW = new Date('2026-11-23T02:00:00Z')
const MIB = 1024 * 1024
const NO_GATE = { trap: '', proof: '', client: null }
/** A draft that is complete. */
const PLAIN = {
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

/** What filing writes, children first. */
const WRITTEN = [
  ...['tip_part', 'tip_wrap', 'tip', 'case_event', 'public_case', 'notice', 'case_file', 'filing'],
  ...['draft_blob', 'draft'],
]

let app: TestApp
let files: ReturnType<typeof createMemoryFiles>
beforeAll(async () => {
  files = createMemoryFiles()
  app = await openTestApp({ now: () => NOW, files })
})
afterAll(async () => {
  await app.close()
})
beforeEach(async () => {
  // The keys stay: what a tip writes goes. Deleted, since truncating costs far more on the embedded database.
  for (const table of WRITTEN) await sql`delete from ${sql.table(table)}`.execute(app.database.db)
  for await (const { key } of files.list()) await files.delete(key)
})

function post(body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${app.url}/api/v1/tips`, {
    method: 'POST',
    headers: {
      'idempotency-key': randomUUID(),
      ...(body instanceof FormData ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body instanceof FormData ? body : JSON.stringify(body),
  })
}

/** The refusal, which must be a problem document with a page of its own. */
async function refusal(reply: Response, status: number, code: string): Promise<Problem> {
  const text = await reply.text()
  expect(`${reply.status} ${text}`).toMatch(new RegExp(`^${status} `))
  expect(reply.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
  expect(reply.headers.get('cache-control')).toBe('no-store')
  const problem = JSON.parse(text) as Problem
  expect(problem).toMatchObject({ type: `/problems/${code}/`, status })
  expect(PROBLEM_TEXTS).toHaveProperty(code)
  expect(problem.title).toMatch(/[一-鿿]/)
  expect(problem.detail).toMatch(/[一-鿿]/)
  return problem
}

async function counts(): Promise<Record<string, number>> {
  const all: Record<string, number> = {}
  for (const table of WRITTEN) {
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from ${sql.table(table)}`.execute(
      app.database.db,
    )
    all[table] = rows[0]?.n ?? -1
  }
  return all
}

async function blobs(): Promise<number> {
  let found = 0
  for await (const file of files.list()) found += file.bytes > 0 ? 1 : 0
  return found
}

/** Nothing of a refused tip stays anywhere. */
async function expectNothingStored(): Promise<void> {
  expect(Object.values(await counts()).every((count) => count === 0)).toBe(true)
  expect(await blobs()).toBe(0)
}

const theTip = () => app.database.db.selectFrom('tip').selectAll().executeTakeFirstOrThrow()

describe('filing a tip', () => {
  it('answers number, receipt code, owner and dates, and stores all of it at once', async () => {
    const reply = await post({ plain: plainTip({ place: '建设路 12 号', callback: '138 0013 8000' }) })
    expect(reply.status).toBe(201)
    const filed = (await reply.json()) as Filed
    expect(filed.caseNo).toMatch(/^ZY-2611-[0-9A-HJKMNP-TV-Z]{5}$/)
    expect(parseReceiptCode(filed.receiptCode)).not.toBeNull()
    expect(filed).toMatchObject({ receivedDay: '2026-11-23', follow: '/track/' })
    expect(filed.promise.accept).toMatchObject({ day: '2026-11-25', count: 2, unit: 'working' })
    expect(filed.promise.conclude).toMatchObject({ day: '2026-12-14', count: 15, unit: 'working' })
    expect(filed.promise.measureRefs.length).toBeGreaterThan(0)

    expect(await counts()).toEqual({
      filing: 1,
      case_file: 1,
      tip: 1,
      tip_part: 1,
      tip_wrap: 2,
      case_event: 2,
      public_case: 1,
      notice: 1,
      draft: 0,
      draft_blob: 0,
    })
    const { db } = app.database
    const stored = await db.selectFrom('case_file').selectAll().executeTakeFirstOrThrow()
    expect(stored).toMatchObject({
      case_no: filed.caseNo,
      category_id: 'boiler-coal',
      area_id: '410102001',
      state: 'routed',
      holder_id: filed.promise.department,
      rule_id: filed.promise.rule,
      received_day: '2026-11-23',
      accept_due: '2026-11-25',
      conclude_due: '2026-12-14',
    })
    const events = await db.selectFrom('case_event').selectAll().orderBy('ordinal').execute()
    expect(events.map(({ role, action, to_state: to, at }) => ({ role, action, to, at }))).toEqual([
      { role: 'reporter', action: 'receive', to: 'received', at: null },
      { role: 'system', action: 'route', to: 'routed', at: null },
    ])
    const wraps = await db.selectFrom('tip_wrap').select('department_id').execute()
    expect(wraps.map((wrap) => wrap.department_id).sort()).toEqual(
      [filed.promise.department, 'qu-daqiban'].sort(),
    )
    expect(await theTip()).toMatchObject({ callback: true, photo_count: 0, sealed_by: 'server' })
    const narrative = await app.openNarrative((await theTip()).id, filed.promise.department)
    expect(narrative).toEqual({
      description: '锅炉冒黑烟，气味很大，从早上开始。',
      place: '建设路 12 号',
      callback: '13800138000',
      checklist: [],
      reporterRecipient: (await theTip()).reporter_recipient,
    })
  })

  it('keeps each photo twice: the original as sent, and a working copy without metadata', async () => {
    const sent = [await jpegWithExif({ text: 'exif-words' }), await jpegWithExif({ width: 800, height: 600 })]
    const reply = await post(tipForm(plainTip(), sent))
    expect(reply.status).toBe(201)
    const { promise } = (await reply.json()) as Filed
    expect(await counts()).toMatchObject({ tip: 1, tip_part: 5 })
    expect(await blobs()).toBe(4)
    const { id, photo_count: photoCount } = await theTip()
    expect(photoCount).toBe(2)
    for (const [part, bytes] of sent.entries()) {
      const original = await app.openPhoto(id, promise.department, 'tip.original', part)
      expect(Buffer.from(original).equals(Buffer.from(bytes))).toBe(true)
      const working = Buffer.from(await app.openPhoto(id, promise.department, 'tip.photo', part))
      expect(working.subarray(0, 2).toString('hex')).toBe('ffd8')
      expect(working.includes('Exif')).toBe(false)
    }
  })

  it('takes form fields one by one as well, and PNG and WebP', async () => {
    const form = new FormData()
    for (const [name, value] of Object.entries(plainTip())) form.append(`plain.${name}`, String(value))
    form.append('photos', new File([(await png()).slice()], 'a'))
    form.append('photos', new File([(await webp()).slice()], 'b'))
    expect((await post(form)).status).toBe(201)
    expect(await theTip()).toMatchObject({ photo_count: 2 })
  })

  it('never tells the accused department or the dispatcher of an inaction complaint', async () => {
    const reply = await post({ plain: plainTip({ category: 'department-inaction', accused: 'qu-huanbao' }) })
    expect(reply.status).toBe(201)
    expect(((await reply.json()) as Filed).promise.department).toBe('qu-duchashi')
    const wraps = await app.database.db.selectFrom('tip_wrap').select('department_id').execute()
    expect(wraps).toEqual([{ department_id: 'qu-duchashi' }])
  })
})

describe('the same request again', () => {
  it('answers the same case, with photos too, and stores nothing more', async () => {
    const photo = await jpegWithExif()
    const key = { 'idempotency-key': randomUUID() }
    const first = await post(tipForm(plainTip(), [photo]), key)
    const before = await counts()
    const again = await post(tipForm(plainTip(), [photo]), key)
    expect([first.status, again.status]).toEqual([201, 200])
    expect(await again.json()).toEqual(await first.json())
    expect(await counts()).toEqual(before)
    expect(await blobs()).toBe(2)
  })

  it('is one case when it comes 50 times at once', async () => {
    const key = { 'idempotency-key': randomUUID() }
    const replies = await Promise.all(Array.from({ length: 50 }, () => post({ plain: plainTip() }, key)))
    const bodies = await Promise.all(replies.map((reply) => reply.text()))
    expect(new Set(bodies).size).toBe(1)
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(49)
    expect(await counts()).toMatchObject({ filing: 1, case_file: 1, tip: 1, tip_part: 1, public_case: 1 })
  })

  it.each([
    ['another text', () => ({ plain: plainTip({ description: '另一件事，另一处地方。' }) })],
    ['another photo', async () => tipForm(plainTip(), [await png()])],
  ])('is refused with %s under the key', async (_name, other) => {
    const key = { 'idempotency-key': randomUUID() }
    expect((await post({ plain: plainTip() }, key)).status).toBe(201)
    const before = await counts()
    await refusal(await post(await other(), key), 422, 'idempotency-conflict')
    expect(await counts()).toEqual(before)
    expect(await blobs()).toBe(0)
  })

  it('from a draft committed 50 times at once is one case', async () => {
    const { cookie } = await app.services.drafts.start()
    const filed = await Promise.all(
      Array.from({ length: 50 }, () => app.services.drafts.commit(cookie, PLAIN, NO_GATE)),
    )
    expect(new Set(filed.map(({ caseNo, receiptCode }) => `${caseNo} ${receiptCode}`)).size).toBe(1)
    expect(await counts()).toMatchObject({ case_file: 1, tip: 1 })
    expect(await app.services.drafts.open(cookie)).toBeNull()
  })

  it.each(['', 'short', 'spaces are not allowed', 'x'.repeat(201)])(
    'needs a usable key, not "%s"',
    async (key) => {
      await refusal(await post({ plain: plainTip() }, { 'idempotency-key': key }), 422, 'invalid-input')
      await expectNothingStored()
    },
  )
})

describe('a case number that exists', () => {
  it('is drawn again, also by those who file at the same moment', async () => {
    const drawn = Uint8Array.from([7, 7, 7, 7, 7])
    // One filer may meet it three times at most, and four tries are allowed.
    let same = 4
    const bytes = (length: number): Uint8Array => {
      if (length !== drawn.length) return app.deps.random.bytes(length)
      same -= 1
      return same < 0 ? app.deps.random.bytes(length) : drawn
    }
    const { drafts } = createServices({ ...app.deps, random: { ...app.deps.random, bytes } })
    const cookies = await Promise.all(Array.from({ length: 4 }, async () => (await drafts.start()).cookie))
    const filed = await Promise.all(cookies.map((cookie) => drafts.commit(cookie, PLAIN, NO_GATE)))
    expect(same).toBeLessThan(0)
    expect(new Set(filed.map(({ caseNo }) => caseNo)).size).toBe(4)
    expect(await counts()).toMatchObject({ case_file: 4, tip: 4, public_case: 4, notice: 4 })
  })
})

describe('bad input', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['unknown category', { category: 'no-such-thing' }, 'category'],
    ['category that is no slug', { category: '../../etc' }, 'category'],
    ['unknown area', { area: '999999999' }, 'area'],
    ['answer of another question', { category: 'diesel-vehicle', answer: 'household' }, 'answer'],
    ['answer where nothing is asked', { answer: 'yes' }, 'answer'],
    ['accused department without inaction', { accused: 'qu-huanbao' }, 'accused'],
    ['inaction without a department', { category: 'department-inaction' }, 'accused'],
    ['unknown time', { when: 'yesterday' }, 'when'],
    ['unknown urgency', { urgency: 'very' }, 'urgency'],
    ['no description', { description: undefined }, 'description'],
    [
      'description of control characters',
      { description: '\u0000\u0001\u0002\u0003\u0007\u200e' },
      'description',
    ],
    ['over-long description', { description: '烟'.repeat(MAX_DESCRIPTION + 1) }, 'description'],
    ['over-long place', { place: '路'.repeat(MAX_PLACE + 1) }, 'place'],
    ['half a telephone number', { callback: '1380013' + 'x' }, 'callback'],
    ['number for a text', { description: 12345 }, 'description'],
    ['object for a text', { place: { $ne: '' } }, 'place'],
    ['list for a choice', { category: ['boiler-coal', 'other'] }, 'category'],
    ['too many ticks', { checklist: Array.from({ length: 21 }, () => 'a') }, 'checklist'],
  ])('%s is refused by name', async (_name, part, field) => {
    const problem = await refusal(await post({ plain: plainTip(part) }), 422, 'invalid-input')
    const errors = problem.errors ?? []
    expect(errors.map((error) => error.field.split('.')[0])).toContain(field)
    for (const { message } of errors) expect(message).toMatch(/[一-鿿]/)
    await expectNothingStored()
  })

  it.each<[string, string]>([
    ['no JSON', '{"plain": '],
    ['null', 'null'],
    ['a list', '[]'],
    ['a number', '7'],
    ['nothing', ''],
    ['a sealed tip, which comes later', '{"sealed": {"v": 1}}'],
  ])('%s as a body is refused', async (_name, body) => {
    const reply = await fetch(`${app.url}/api/v1/tips`, {
      method: 'POST',
      headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json' },
      body,
    })
    await refusal(reply, 422, 'invalid-input')
    await expectNothingStored()
  })

  it('refuses a body of another kind and one that is too long', async () => {
    const send = (type: string, body: BodyInit) =>
      fetch(`${app.url}/api/v1/tips`, {
        method: 'POST',
        headers: { 'idempotency-key': randomUUID(), 'content-type': type },
        body,
      })
    await refusal(await send('text/xml', '<tip/>'), 415, 'unsupported-media')
    await refusal(await send('application/json', ' '.repeat(70_000)), 413, 'too-large')
    await expectNothingStored()
  })

  it('keeps what looks like code or a formula as the text it is', async () => {
    const nasty = [
      '<script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      "'; drop table tip; --",
      '=HYPERLINK("http://x","y")',
      '@SUM(1+1)*cmd|" /C calc"!A0',
      '${7*7}{{7*7}}%s%n',
    ].join(' ')
    const reply = await post({
      plain: plainTip({ description: nasty, place: nasty, checklist: [nasty.slice(0, 60)] }),
    })
    expect(reply.status).toBe(201)
    const { promise } = (await reply.json()) as Filed
    expect(await app.openNarrative((await theTip()).id, promise.department)).toMatchObject({
      description: nasty,
      place: nasty,
    })
  })

  it('drops characters that nobody sees, and keeps lines and tabs', async () => {
    const reply = await post({
      plain: plainTip({
        description: '  第一行\r\n第二行\u0000\u0007\t完\u202e\u2028\ud800。 ',
        place: '路\u0000口',
      }),
    })
    expect(reply.status).toBe(201)
    const { promise } = (await reply.json()) as Filed
    expect(await app.openNarrative((await theTip()).id, promise.department)).toMatchObject({
      description: '第一行\n第二行\t完。',
      place: '路口',
    })
  })

  it('takes a text of exactly the greatest length', async () => {
    const description = '𠮷'.repeat(MAX_DESCRIPTION)
    const reply = await post({ plain: plainTip({ description, place: '路'.repeat(MAX_PLACE) }) })
    expect(reply.status).toBe(201)
  })

  it.each<[string, () => Uint8Array | Promise<Uint8Array>]>([
    ['text under the name of an image', textAsJpg],
    ['vector graphics with a script', svgAsJpg],
    ['an empty file', emptyFile],
    ['a truncated JPEG', truncatedJpeg],
    ['a PNG of 16000 × 16000', hugePng16000],
  ])('%s refuses the tip, names the photo and leaves no blob', async (_name, make) => {
    const reply = await post(tipForm(plainTip(), [await png(), await make()]))
    const problem = await refusal(reply, 422, 'photo-rejected')
    expect(problem.detail).toContain('第 2 张照片')
    expect(problem.errors).toEqual([expect.objectContaining({ field: 'photos.1' })])
    await expectNothingStored()
  })

  it('refuses a tenth photo', async () => {
    const photo = await png(16, 16)
    await refusal(
      await post(
        tipForm(
          plainTip(),
          Array.from({ length: 10 }, () => photo),
        ),
      ),
      413,
      'too-large',
    )
    await expectNothingStored()
    expect(
      (
        await post(
          tipForm(
            plainTip(),
            Array.from({ length: 9 }, () => photo),
          ),
        )
      ).status,
    ).toBe(201)
  })

  it('refuses the 16th megabyte of one photo and the 61st of all', async () => {
    const photo = await png(16, 16)
    const padded = (bytes: number): Uint8Array => {
      const whole = new Uint8Array(bytes)
      whole.set(photo)
      return whole
    }
    await refusal(await post(tipForm(plainTip(), [padded(15 * MIB + 1)])), 413, 'too-large')
    const many = Array.from({ length: 5 }, () => padded(12 * MIB + MIB / 4))
    await refusal(await post(tipForm(plainTip(), many)), 413, 'too-large')
    await expectNothingStored()
  })

  it('keeps nothing when the connection is cut during an upload', async () => {
    const photo = Buffer.from(await jpegWithExif()).toString('latin1')
    const part = (name: string) =>
      `--cut\r\ncontent-disposition: form-data; name="photos"; filename="${name}"\r\n\r\n${photo}\r\n`
    const body = `--cut\r\ncontent-disposition: form-data; name="plain"\r\n\r\n${JSON.stringify(plainTip())}\r\n${part('1')}${part('2').slice(0, -2000)}`
    await cutConnection(
      app.port,
      [
        'POST /api/v1/tips HTTP/1.1',
        'host: localhost',
        `idempotency-key: ${randomUUID()}`,
        'content-type: multipart/form-data; boundary=cut',
        `content-length: ${Buffer.byteLength(body, 'latin1') + 5000}`,
      ],
      Buffer.from(body, 'latin1'),
    )
    // The first photo is decoded and sealed before the loss is noticed; then it goes again.
    await expect.poll(blobs, { timeout: 10_000 }).toBe(0)
    await new Promise((resolve) => setTimeout(resolve, 500))
    await expectNothingStored()
    expect((await post({ plain: plainTip() })).status).toBe(201)
  })

  it('does not take tips while a department has no key', async () => {
    const { db } = app.database
    const changed = () => db.transaction().execute((tx) => app.deps.versions.bump(tx, 'keys'))
    const grants = await db
      .deleteFrom('key_grant')
      .where('department_id', '=', 'qu-huanbao')
      .returningAll()
      .execute()
    const keys = await db
      .deleteFrom('department_key')
      .where('department_id', '=', 'qu-huanbao')
      .returningAll()
      .execute()
    try {
      expect(keys).toHaveLength(1)
      await changed()
      await refusal(await post({ plain: plainTip() }), 503, 'intake-closed')
      await expectNothingStored()
    } finally {
      await db.insertInto('department_key').values(keys).execute()
      await db.insertInto('key_grant').values(grants).execute()
      await changed()
    }
  })
})

describe('the receipt code', () => {
  const open = (body: unknown) =>
    fetch(`${app.url}/api/v1/receipts/open`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

  it('opens the reporter’s own case, and nothing without its cookie', async () => {
    const filed = (await (await post({ plain: plainTip() })).json()) as Filed
    const reply = await open({ code: ` ${filed.receiptCode.toLowerCase().replaceAll('-', ' ')} ` })
    expect(reply.status).toBe(200)
    const cookie = reply.headers.get('set-cookie') ?? ''
    expect(cookie).toMatch(
      /^__Host-receipt=[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=1200$/,
    )
    const current = (headers: Record<string, string>) =>
      fetch(`${app.url}/api/v1/receipts/current`, { headers })
    const followed = await current({ cookie: cookie.split(';')[0] ?? '' })
    expect(await followed.json()).toMatchObject({
      caseNo: filed.caseNo,
      ownCaseNo: filed.caseNo,
      state: 'routed',
      holder: filed.promise.department,
    })
    await refusal(await current({}), 404, 'not-found')
    await refusal(await current({ cookie: '__Host-receipt=AAAA' }), 404, 'not-found')
  })

  it('answers right, wrong, malformed and purged codes alike; only the cookie tells', async () => {
    const purged = (await (await post({ plain: plainTip() })).json()) as Filed
    for (const table of WRITTEN.slice(0, 3))
      await sql`delete from ${sql.table(table)}`.execute(app.database.db)
    const alive = (await (await post({ plain: plainTip() })).json()) as Filed
    const codes = [purged.receiptCode, '0'.repeat(24), 'not a code', '', 'A'.repeat(200), '<script>']
    const opened = await Promise.all([alive.receiptCode, ...codes].map((code) => open({ code })))
    const shown: string[] = []
    for (const [index, reply] of opened.entries()) {
      const cookie = reply.headers.getSetCookie()[0]?.split(';')[0] ?? ''
      const headers = [...reply.headers].filter(([name]) => name !== 'date')
      const told = JSON.stringify([reply.status, headers, await reply.text()])
      // The same to the last byte but for the cookie's value, which is as long.
      shown.push(told.replace(cookie.split('=')[1] ?? '', (value) => '.'.repeat(value.length)))
      const current = await fetch(`${app.url}/api/v1/receipts/current`, { headers: { cookie } })
      if (index === 0) expect(await current.json()).toMatchObject({ ownCaseNo: alive.caseNo })
      else await refusal(current, 404, 'not-found')
    }
    expect(new Set(shown).size).toBe(1)
    expect(shown[0]).toMatch(/__Host-receipt=\.{100,}; /)
  })
})
