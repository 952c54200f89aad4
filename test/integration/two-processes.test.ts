import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { createRuntime, type Runtime } from '../../src/runtime.ts'
import { plainTip, signInAs, type TestMember } from '../support/app.ts'
import { fillForm, receiptCodeOf, startWalk, tokenOf } from '../support/form-walk.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { openTestSite, type TestSite } from '../support/site.ts'

const SLOW = 240_000
const PAGE = '/departments/qu-duchashi/'

describe.runIf(inject('testDatabase').engine === 'postgres')('two processes on one PostgreSQL', () => {
  let one: TestSite
  let other: TestServer
  let runtime: Runtime
  let officer: TestMember
  beforeAll(async () => {
    one = await openTestSite()
    const env = { DATABASE_URL: one.databaseUrl ?? '', DATA_DIR: one.dataDir }
    other = await startServer({ dataDir: one.dataDir, env })
    runtime = await createRuntime(readConfig(env))
    officer = await signInAs(runtime, 'qu-duchashi', ['officer'])
  }, SLOW)
  afterAll(async () => {
    await runtime.close()
    await other.stop()
    await one.close()
  })

  const setHotline = async (url: string, hotline: string) => {
    const version = (await runtime.services.staff.departmentVersions()).get('qu-duchashi') ?? 0
    const body = new FormData()
    const fields = { token: officer.token, id: 'qu-duchashi', version: String(version), hotline, mailbox: '' }
    for (const [name, value] of Object.entries(fields)) body.append(name, value)
    return fetch(`${url}/staff/departments/`, {
      method: 'POST',
      headers: { cookie: officer.cookie, origin: url },
      body,
    })
  }
  const text = async (url: string) => (await fetch(`${url}${PAGE}`)).text()

  it('a change that one makes is on the pages of both, and no old copy is confirmed', async () => {
    const before = await fetch(`${other.url}${PAGE}`)
    expect(await before.text()).not.toContain('0371-11110000')
    const etag = before.headers.get('etag') ?? ''
    const again = () => fetch(`${other.url}${PAGE}`, { headers: { 'if-none-match': etag } })
    expect((await again()).status).toBe(304)

    expect((await setHotline(one.url, '0371-11110000')).status).toBe(200)
    expect(await text(one.url)).toContain('0371-11110000')
    await expect.poll(() => text(other.url)).toContain('0371-11110000')
    expect((await again()).status).toBe(200)

    expect((await setHotline(other.url, '0371-22220000')).status).toBe(200)
    expect(await text(other.url)).toContain('0371-22220000')
    await expect.poll(() => text(one.url)).toContain('0371-22220000')
  })

  it('a tip may be begun with one and sent to the other, and its receipt opens with both', async () => {
    const tip = { description: '夜里冒黑烟。', place: '某路口', callback: '' }
    const walk = startWalk(one.url)
    await fillForm(walk, tip)
    const check = await walk.get('/report/check/')
    const { cookie } = walk
    const reply = await fetch(`${other.url}/report/check/`, {
      method: 'POST',
      headers: { cookie, origin: other.url },
      body: new URLSearchParams({ token: tokenOf(check.html) }),
      redirect: 'manual',
    })
    expect([reply.status, reply.headers.get('location')]).toEqual([303, '/report/sent/'])
    const code = receiptCodeOf((await walk.get('/report/sent/')).html)
    for (const { url } of [one, other]) {
      const opened = await fetch(`${url}/api/v1/receipts/open`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ code }),
      })
      const cookie = opened.headers.getSetCookie()[0]?.split(';')[0] ?? ''
      const current = await fetch(`${url}/api/v1/receipts/current`, { headers: { cookie } })
      expect(current.status).toBe(200)
    }
  })

  it('one key sent to both at once, many times, is one case', async () => {
    const key = randomUUID()
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        fetch(`${index % 2 === 0 ? one.url : other.url}/api/v1/tips`, {
          method: 'POST',
          headers: { 'idempotency-key': key, 'content-type': 'application/json' },
          body: JSON.stringify({ plain: plainTip() }),
        }),
      ),
    )
    expect(new Set(await Promise.all(replies.map((reply) => reply.text()))).size).toBe(1)
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1)
  })
})
