import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { plainTip, tipForm } from '../support/app.ts'
import { fillForm, receiptCodeOf, startWalk } from '../support/form-walk.ts'
import { openTestSite, type TestSite } from '../support/site.ts'

const SLOW = 240_000
// Each is somewhere in what a citizen sends, and nowhere else.
const WORDS = 'canarywords7431'
const PLACE = 'canaryplace7431'
const PHONE = '13907431743'
const QUERY = 'canaryquery7431'
const AGENT = 'canaryagent7431'
const REFERRER = 'canaryreferrer7431'
const COOKIE = 'canarycookie7431'
const ENTRY = 'CANARYENTRY7431'
const ADDRESS = '127.0.74.31'

let site: TestSite
const secrets: string[] = []

const HEADERS = {
  'user-agent': AGENT,
  'x-forwarded-for': ADDRESS,
}

beforeAll(async () => {
  site = await openTestSite(
    async (db) => {
      // Asking for an entry fails, and the database's message quotes the address that was asked for.
      await sql`drop index entry_no_prefix`.execute(db)
      await sql`alter table entry alter column entry_no type integer using 0`.execute(db)
      // A filing fails, and the message quotes its case number.
      await sql`create function refuse() returns trigger language plpgsql as $$
        begin raise exception 'not this one: %', new.case_no using detail = new.case_no, hint = new.case_no; end $$`.execute(
        db,
      )
      await sql`create trigger refuse before insert on case_file for each row
        when (new.when_bucket = 'today') execute function refuse()`.execute(db)
    },
    undefined,
    { TRUSTED_PROXY: '127.0.0.1' },
  )
}, SLOW)
afterAll(async () => {
  await site.close()
})

const send = (path: string, init: RequestInit = {}) =>
  fetch(`${site.url}${path}`, {
    redirect: 'manual',
    ...init,
    headers: {
      ...HEADERS,
      referer: `${site.url}/?${REFERRER}`,
      cookie: `__Host-draft=${COOKIE}; __Host-receipt=${COOKIE}; __Host-sid=${COOKIE}`,
      ...init.headers,
    },
  })

const json = (body: string, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body,
})

/** Everything the process has written when it has ended, a line each. */
describe('what the process writes', () => {
  const own = { description: `${WORDS} 锅炉冒黑烟，气味很大。`, place: PLACE, callback: PHONE }

  it('while tips are filed, through the API and through the form', async () => {
    const filed = await send(
      '/api/v1/tips',
      json(JSON.stringify({ plain: plainTip(own) }), { 'idempotency-key': randomUUID() }),
    )
    expect(filed.status).toBe(201)
    const reply = (await filed.json()) as { caseNo: string; receiptCode: string }
    secrets.push(reply.caseNo, reply.receiptCode)
    expect(reply.receiptCode).toMatch(/^[0-9A-Z-]{20,}$/)
    const pictures = await send('/api/v1/tips', {
      method: 'POST',
      headers: { 'idempotency-key': randomUUID() },
      body: tipForm(plainTip(own), [new TextEncoder().encode(WORDS)]),
    })
    expect(pictures.status).toBeGreaterThanOrEqual(400)
    const walk = startWalk(site.url, HEADERS)
    await fillForm(walk, own)
    const sent = await walk.send('/report/check/', {})
    expect(sent.headers.get('location')).toBe('/report/sent/')
    const { html } = await walk.get('/report/sent/')
    secrets.push(receiptCodeOf(html), /ZY-\d{4}-[0-9A-Z]{5}/.exec(html)?.[0] ?? '')
    const opened = await send('/api/v1/receipts/open', json(JSON.stringify({ code: reply.receiptCode })))
    expect(opened.status).toBe(200)
    for (const value of walk.cookie.split('; ')) secrets.push(value.slice(value.indexOf('=') + 1))
  })

  it('while something fails in every layer', async () => {
    const open = '/api/v1/receipts/open'
    expect((await send(open, json(`{"code": "${WORDS}`))).status).toBe(422)
    expect((await send(open, json(`{"code": "${WORDS}"}`))).status).toBeLessThan(500)
    expect((await send(`/cases/?q=${QUERY}&cursor=${QUERY}`)).status).toBeLessThan(500)
    expect((await send(`/${WORDS}/?${QUERY}`)).status).toBe(404)
    // A page that fails for what was asked of it, with the words in the error.
    const page = await send(`/lists/dust-blacklist/${ENTRY}/?q=${QUERY}`)
    expect(page.status).toBe(500)
    expect(await page.text()).not.toMatch(/invalid input syntax/)
    // The API, for what was to be stored.
    const refused = await send(
      '/api/v1/tips',
      json(JSON.stringify({ plain: plainTip({ ...own, when: 'today' }) }), {
        'idempotency-key': randomUUID(),
      }),
    )
    expect([refused.status, await refused.text()]).toEqual([
      500,
      expect.not.stringContaining('not this one') as string,
    ])
  })

  it('is lines of JSON that say what failed where, and nothing of who or what', async () => {
    await site.stop()
    const logs = site.logs()
    for (const canary of [
      ...[WORDS, PLACE, PHONE, QUERY, AGENT, REFERRER, COOKIE, ENTRY, ADDRESS, '127.0.0.1'],
      ...secrets,
    ]) {
      expect(canary.length).toBeGreaterThan(5)
      for (const form of [
        canary,
        encodeURIComponent(canary),
        Buffer.from(canary).toString('base64').slice(0, -3),
      ])
        expect(logs.toLowerCase().split(form.toLowerCase()).length, form).toBe(1)
    }
    expect(logs).not.toMatch(/ZY-\d{4}-|invalid input syntax|not this one/)
    const lines = logs.split('\n').filter((line) => line !== '' && !line.startsWith('Listening on '))
    const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    // The guard did not swallow them: both database errors are there, by their codes.
    expect(told.map(({ level }) => level)).toContain('error')
    expect(JSON.stringify(told)).toContain('"P0001"')
    expect(told.some(({ frames }) => Array.isArray(frames) && frames.length > 0)).toBe(true)
    for (const line of told) {
      expect(
        Object.keys(line).filter((key) => !/^(?:level|name|code|frames|requestId|job|message)$/.test(key)),
      ).toEqual([])
    }
  })
})
