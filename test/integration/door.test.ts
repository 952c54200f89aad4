import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { STATUS, type Problem } from '../../src/api/problem.ts'
import { PROBLEM_TEXTS } from '../../src/content/problems.ts'
import { PROBLEM_CODES } from '../../src/domain/errors.ts'
import { plainTip } from '../support/app.ts'
import { fillForm, receiptCodeOf, startWalk, tokenOf } from '../support/form-walk.ts'
import { emptyFile, hugePng16000, png, svgAsJpg, textAsJpg, truncatedJpeg } from '../support/images.ts'
import { insertPublicCase, PUBLISHED } from '../support/rows.ts'
import { openTestSite, type TestSite } from '../support/site.ts'

// Read against the built program, pages and front door included.
const NASTY = `"><script>alert(1)</script><img src=x onerror=alert(2)>'=1+1`
const SLOW = 240_000

let site: TestSite
beforeAll(async () => {
  site = await openTestSite(async (db) => {
    for (const number of ['00001', '00002', '00003']) {
      await insertPublicCase(db, {
        ...PUBLISHED,
        case_no: `ZY-2601-${number}`,
        // The built program has the machine's clock: long past.
        visible_from: '2026-01-06',
        received_week: '2026-01-05',
        published_day: '2026-01-20',
        outcome: 'outside',
        statement: NASTY,
        competent_body: NASTY,
        proof: [
          { kind: 'decision-number', caption: NASTY, photo: null },
          { kind: 'photo', caption: NASTY, photo: randomUUID() },
        ],
      })
    }
  })
}, SLOW)
afterAll(async () => {
  await site.close()
})

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${site.url}${path}`, { headers, redirect: 'manual' })

/** Text that looks like markup stands on the page as text: outside of attribute values none of it is markup. */
function expectEscaped(html: string): void {
  const outside = html.replace(/="[^"]*"/g, '=""')
  expect(outside).not.toMatch(/<script>alert|<img src=x/)
}

async function problemOf(reply: Response): Promise<Problem> {
  expect(reply.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
  return (await reply.json()) as Problem
}

describe('problem documents', () => {
  it.each(PROBLEM_CODES)('%s has a page that says what to do', async (code) => {
    const reply = await get(`/problems/${code}/`)
    expect(reply.status).toBe(200)
    const html = await reply.text()
    expect(html).toContain(PROBLEM_TEXTS[code].title)
    for (const step of PROBLEM_TEXTS[code].todo) expect(html).toContain(step.slice(0, 8))
    expect(STATUS[code]).toBeGreaterThanOrEqual(400)
  })

  it.each([
    ['GET', '/api/v1/nothing', 404, 'not-found'],
    ['GET', '/api/v1/', 404, 'not-found'],
    ['POST', '/api/v1/nothing/at/all', 404, 'not-found'],
    ['GET', '/api/v1/measures/2017-99', 404, 'not-found'],
    ['GET', '/api/v1/cases/ZY-2601-ZZZZZ', 404, 'not-found'],
    ['GET', '/api/v1/cases/%27%3B--', 404, 'not-found'],
    ['GET', '/api/v1/lists/no-such-list/entries', 404, 'not-found'],
    ['GET', '/api/v1/routing', 422, 'invalid-input'],
    ['GET', '/api/v1/routing?category=no&area=410102001', 422, 'invalid-input'],
    ['GET', '/api/v1/cases?limit=0', 422, 'invalid-input'],
    ['GET', '/api/v1/cases?limit=201', 422, 'invalid-input'],
    ['GET', '/api/v1/cases?limit=many', 422, 'invalid-input'],
    ['GET', '/api/v1/cases?cursor=junk', 400, 'bad-cursor'],
    ['GET', '/api/v1/cases?cursor=WyJhIiwiYiJd', 400, 'bad-cursor'],
    ['GET', '/api/v1/lists/non-compliant/entries?cursor=junk', 400, 'bad-cursor'],
    ['GET', '/api/v1/staff/keys', 401, 'sign-in-required'],
  ])('%s %s is %i %s', async (method, path, status, code) => {
    const reply = await fetch(`${site.url}${path}`, { method })
    const problem = await problemOf(reply)
    expect([reply.status, problem.type]).toEqual([status, `/problems/${code}/`])
    for (const { message } of problem.errors ?? []) expect(message).toMatch(/[一-鿿]/)
  })

  it('says which methods an address takes', async () => {
    const reply = await fetch(`${site.url}/api/v1/measures`, { method: 'DELETE' })
    expect(reply.status).toBe(405)
    expect(reply.headers.get('allow')).toBe('GET, HEAD')
    expect((await problemOf(reply)).status).toBe(405)
  })
})

describe('collections', () => {
  it.each([
    '/api/v1/measures',
    '/api/v1/departments',
    '/api/v1/areas',
    '/api/v1/categories',
    '/api/v1/lists',
    '/api/v1/lists/non-compliant/entries',
    '/api/v1/lists/dust-blacklist/entries',
    '/api/v1/cases',
  ])('%s answers items, next and an ETag that saves the second answer', async (path) => {
    const reply = await get(path)
    expect(reply.status).toBe(200)
    expect(reply.headers.get('set-cookie')).toBeNull()
    const body = (await reply.json()) as { items: unknown[]; next: string | null }
    expect(Array.isArray(body.items)).toBe(true)
    expect(body.next).toBeNull()
    const etag = reply.headers.get('etag') ?? ''
    expect(etag).toMatch(/^(?:W\/)?"[^"]+"$/)
    const again = await get(path, { 'if-none-match': etag })
    expect([again.status, await again.text()]).toEqual([304, ''])
    expect((await get(path, { 'if-none-match': '"other"' })).status).toBe(200)
  })

  it('page through the cases, each once', async () => {
    const seen: string[] = []
    let next: string | null = null
    do {
      const query: string = next === null ? '' : `&cursor=${encodeURIComponent(next)}`
      const body = (await (await get(`/api/v1/cases?limit=1${query}`)).json()) as {
        items: { caseNo: string }[]
        next: string | null
      }
      seen.push(...body.items.map(({ caseNo }) => caseNo))
      next = body.next
    } while (next !== null && seen.length < 10)
    expect(seen.sort()).toEqual(['ZY-2601-00001', 'ZY-2601-00002', 'ZY-2601-00003'])
  })
})

describe('a request from elsewhere', () => {
  const sent = (path: string, headers: Record<string, string>) =>
    fetch(`${site.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...headers },
      body: JSON.stringify({ plain: plainTip() }),
      redirect: 'manual',
    })

  it.each<Record<string, string>>([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:1' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('%o is refused by the API and by pages', async (headers) => {
    const reply = await sent('/api/v1/tips', headers)
    expect([reply.status, (await problemOf(reply)).type]).toEqual([403, '/problems/cross-site/'])
    for (const path of ['/report/', '/track/', '/staff/members/']) {
      const page = await sent(path, headers)
      expect([page.status, page.headers.get('location')]).toEqual([303, '/problems/cross-site/'])
      expect(page.headers.get('set-cookie')).toBeNull()
    }
  })

  it('is taken from our own page and from a program', async () => {
    expect((await sent('/api/v1/tips', {})).status).toBe(201)
    expect((await sent('/api/v1/tips', { origin: site.url, 'sec-fetch-site': 'same-origin' })).status).toBe(
      201,
    )
  })
})

describe('the form without JavaScript', () => {
  const post = (path: string, fields: Record<string, string>, cookie = '') =>
    fetch(`${site.url}${path}`, {
      method: 'POST',
      headers: { origin: site.url, cookie },
      body: new URLSearchParams(fields),
      redirect: 'manual',
    })

  it.each([
    ['missing', {}],
    ['empty', { token: '' }],
    ['made up', { token: 'abc.def.ghi' }],
    ['stale', { token: '0.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }],
  ])('a %s token is told on the page, and nothing is kept', async (_name, token) => {
    const reply = await post('/report/', { category: 'boiler-coal', ...token })
    expect(reply.status).toBe(403)
    expect(reply.headers.get('set-cookie')).toBeNull()
    const html = await reply.text()
    expect(html).toContain('页面已过期')
    // What was chosen is still chosen.
    expect(html).toMatch(/value="boiler-coal"[^>]* checked/)
  })

  it('a token of another form or of another draft is none', async () => {
    const one = startWalk(site.url)
    await one.send('/report/', { category: 'boiler-coal' })
    const token = tokenOf((await one.get('/report/where/')).html)
    const other = startWalk(site.url)
    await other.send('/report/', { category: 'boiler-coal' })
    expect(
      (await post('/report/where/', { token, area: '410102001', when: 'now' }, other.cookie)).status,
    ).toBe(403)
    expect((await post('/track/', { token, code: '0'.repeat(24) })).status).toBe(403)
  })

  it('refuses what is not on offer, by field, and keeps what was typed', async () => {
    const walk = startWalk(site.url)
    const none = await walk.send('/report/', {})
    expect(none.status).toBe(422)
    expect(await none.text()).toContain('请选择一个类别')
    await walk.send('/report/', { category: 'boiler-coal' })
    const where = await walk.send('/report/where/', { area: '', place: NASTY, when: 'yesterday' })
    expect(where.status).toBe(422)
    const html = await where.text()
    expectEscaped(html)
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(html).toMatch(/id="area"[^>]*aria-invalid="true"/)
  })

  it('goes on with the page that was shown with a refusal', async () => {
    const walk = startWalk(site.url)
    const refused = await walk.send('/report/', { category: 'cooking-fume', answer: 'nonsense' })
    expect(refused.status).toBe(422)
    const token = tokenOf(await refused.text())
    const reply = await post('/report/', { token, category: 'cooking-fume', answer: 'open' }, walk.cookie)
    expect([reply.status, reply.headers.get('location')]).toEqual([303, '/report/where/'])
  })

  it('keeps good photos and says what is wrong with each bad one', async () => {
    const walk = startWalk(site.url)
    await walk.send('/report/', { category: 'boiler-coal' })
    const photos = [await png(), textAsJpg(), svgAsJpg(), await truncatedJpeg(), hugePng16000(), emptyFile()]
    const reply = await walk.send('/report/what/', { description: '锅炉冒黑烟。', upload: '1' }, photos)
    expect(reply.status).toBe(422)
    const html = await reply.text()
    expect(html.match(/<img src="\/report\/photos\//g)).toHaveLength(1)
    for (const words of ['不是照片', '已损坏或没有传完', '像素太多', '是空的']) expect(html).toContain(words)
  })

  it('shows what looks like code as text, and files it once though it is sent fifty times at once', async () => {
    const walk = startWalk(site.url)
    await fillForm(walk, { description: `${NASTY} 描述`, place: NASTY, callback: '' })
    for (const step of ['where', 'what', 'check']) {
      const { html } = await walk.get(`/report/${step}/`)
      expectEscaped(html)
      expect(html).toContain('&lt;script&gt;')
    }
    const check = await walk.get('/report/check/')
    const token = tokenOf(check.html)
    const { cookie } = walk
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => post('/report/check/', { token }, cookie)),
    )
    expect(
      new Set(replies.map(({ status, headers }) => `${status} ${headers.get('location') ?? ''}`)),
    ).toEqual(new Set(['303 /report/sent/']))
    const sent = (await walk.get('/report/sent/')).html
    expect(receiptCodeOf(sent)).toBe(receiptCodeOf(check.html))
    expectEscaped(sent)
    // Sent once more, long after: the same case.
    expect((await post('/report/check/', { token }, cookie)).status).toBe(303)
    const caseNo = /ZY-\d{4}-[0-9A-Z]{5}/.exec(sent)?.[0] ?? 'no number'
    expect((await walk.get('/report/sent/')).html).toContain(caseNo)
  })
})

describe('pages that show what somebody wrote', () => {
  const query = encodeURIComponent(NASTY)
  it.each([
    '/cases/',
    '/cases/ZY-2601-00001/',
    `/cases/?category=${query}&state=${query}&area=${query}`,
    `/report/?q=${query}&category=${query}`,
    `/measures/?section=${query}&department=${query}&state=${query}`,
    `/lists/non-compliant/?q=${query}`,
    `/problems/${query}/`,
    `/departments/${query}/`,
    `/${query}`,
  ])('%s shows it as text', async (path) => {
    const reply = await get(path)
    expect(reply.status).toBeLessThan(500)
    expectEscaped(await reply.text())
  })

  it('refuses a cursor that is none of ours with its page', async () => {
    const reply = await get('/cases/?cursor=junk')
    expect([reply.status, reply.headers.get('location')]).not.toEqual([200, null])
    expect(reply.status).toBeLessThan(500)
  })
})

describe('/track/', () => {
  it('answers malformed and unknown codes with the same page', async () => {
    const pages: string[] = []
    for (const code of [
      '0'.repeat(24),
      'NZYZ-M4XW-GJYS-Q4EJ-0119-63R3',
      'not a code',
      '',
      NASTY,
      'A'.repeat(300),
    ]) {
      const walk = startWalk(site.url)
      const reply = await walk.send('/track/', { code })
      // One redirect for all, right codes too (thief.test.ts); the page behind it clears the worthless cookie.
      const cookie = reply.headers.getSetCookie()[0] ?? ''
      const headers = [...reply.headers].filter(([name]) => name !== 'date')
      const sent = JSON.stringify([reply.status, headers]).replace(/receipt=[\w-]+/, `(${cookie.length})`)
      const { status, html } = await walk.get('/track/')
      expect(walk.cookie).toBe('')
      pages.push(JSON.stringify([sent, status, html.replace(/name="token" value="[^"]+"/g, '')]))
    }
    expect(new Set(pages).size).toBe(1)
    expect(pages[0]).toContain('没有找到')
  })
})
