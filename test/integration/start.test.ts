import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { openServerSecrets } from '../../src/adapters/server-secrets.ts'
import { systemRandom } from '../../src/adapters/system.ts'
import { isValidUscc } from '../../src/domain/uscc.ts'
import { plainTip } from '../support/app.ts'
import { administer, databaseUrl } from '../support/database.ts'
import { openProxy, type Proxy } from '../support/proxy.ts'
import { prepareData, ServerEndedError, startServer, type TestServer } from '../support/server.ts'
import { openTestSite, type TestSite } from '../support/site.ts'

// The embedded database takes seconds to start, and many on a busy machine.
const SLOW = { timeout: 240_000 }
const source = inject('testDatabase')

let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'lantian-start-'))
})
afterAll(() => {
  rmSync(home, { recursive: true, force: true })
})

/** What a server says that does not start: one line, no stack. */
async function refusal(env: Record<string, string>, dataDir = join(home, 'unused')): Promise<string> {
  const ended = await startServer({ dataDir, env }).then(
    async (server) => {
      await server.stop()
      throw new Error('it started')
    },
    (error: unknown) => error,
  )
  if (!(ended instanceof ServerEndedError)) throw ended
  expect(ended.exitCode).toBe(1)
  expect(ended.output.split('\n')).toHaveLength(1)
  return ended.output
}

describe('a wrong setting', () => {
  it.each([
    [{ PORT: 'http' }, /^PORT: /],
    [{ PORT: '70000' }, /^PORT: /],
    [{ DATABASE_URL: 'mysql://x/y' }, /^DATABASE_URL: must look like postgres:/],
    [{ PUBLIC_URL: 'lantian' }, /^PUBLIC_URL: must look like https:/],
    [{ PUBLIC_URL: 'http://lantian.example' }, /^PUBLIC_URL: must be https:/],
    [{ HOST: '0.0.0.0' }, /^PUBLIC_URL: required when HOST is not loopback/],
    [{ DEMO: 'maybe' }, /^DEMO: /],
    [
      { DEMO: 'on', DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' },
      /^DEMO: demonstration data never loads/,
    ],
    [{ DEMO: 'on', HOST: '0.0.0.0', PUBLIC_URL: 'https://lantian.example' }, /^DEMO: /],
    [
      { NODE_OPTIONS: '--heapsnapshot-signal=SIGUSR2' },
      /^NODE_OPTIONS: --heapsnapshot-signal writes memory into files/,
    ],
    [{ NODE_OPTIONS: '--report-on-fatalerror' }, /^NODE_OPTIONS: --report-on-fatalerror /],
    [{ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }, /^DATABASE_URL: the database does not answer/],
  ])('%o stops the start with one line', async (env, line) => {
    expect(await refusal(env)).toMatch(line)
  })
})

describe.runIf(source.engine === 'pglite')('the data directory', () => {
  it('serves one process at a time, outlives it, and survives its sudden end', SLOW, async () => {
    const dataDir = join(home, 'data')
    await prepareData(dataDir)
    const env = { DEMO: 'off' }
    const first = await startServer({ dataDir, env })
    const key = randomUUID()
    const file = async (url: string): Promise<[number, unknown]> => {
      const reply = await fetch(`${url}/api/v1/tips`, {
        method: 'POST',
        headers: { 'idempotency-key': key, 'content-type': 'application/json' },
        body: JSON.stringify({ plain: plainTip() }),
      })
      return [reply.status, await reply.json()]
    }
    const [created, filed] = await file(first.url)
    expect(created).toBe(201)

    expect(await refusal(env, dataDir)).toBe(
      `${dataDir} is in use by process ${first.pid}; stop it first or set another DATA_DIR`,
    )
    expect((await fetch(`${first.url}/healthz`)).status).toBe(200)

    await first.kill()
    const second = await startServer({ dataDir, env })
    expect(await file(second.url)).toEqual([200, filed])
    expect(await second.stop()).toBe(0)

    const third = await startServer({ dataDir, env })
    expect(await file(third.url)).toEqual([200, filed])
    expect(await third.stop()).toBe(0)
  })
})

describe.runIf(source.engine === 'pglite')('a first start, begun again after it was cut off', () => {
  let server: TestServer
  beforeAll(async () => {
    const dataDir = join(home, 'first')
    let pid = 0
    const cutOff = startServer({ dataDir, env: { DEMO: 'on' }, onSpawn: (spawned) => (pid = spawned) }).then(
      () => 'it started',
      (error: unknown) => error,
    )
    // The first tip of the demonstration is filed, the last one is not.
    await vi.waitUntil(() => existsSync(join(dataDir, 'blobs')), SLOW)
    process.kill(pid, 'SIGKILL')
    expect(await cutOff).toBeInstanceOf(ServerEndedError)
    expect(existsSync(join(dataDir, 'demo-accounts.json'))).toBe(false)
    server = await startServer({ dataDir, env: { DEMO: 'on' } })
  }, SLOW.timeout)
  afterAll(async () => {
    await server.stop()
  })
  const get = async (path: string): Promise<{ items: readonly Record<string, unknown>[]; count: number }> =>
    (await fetch(`${server.url}/api/v1${path}`)).json() as Promise<{
      items: readonly Record<string, unknown>[]
      count: number
    }>

  it('shows a fictional district in every state the public can see', async () => {
    const { items } = await get('/cases?limit=200')
    expect(items.length).toBeGreaterThanOrEqual(12)
    expect(new Set(items.map(({ state }) => state))).toEqual(
      new Set(['routed', 'accepted', 'working', 'reviewing', 'published', 'closed']),
    )
    expect(items.some(({ overdue }) => overdue === true)).toBe(true)
    expect(items.some(({ onTime }) => onTime === false)).toBe(true)
    expect(new Set(items.flatMap(({ outcome }) => (outcome === null ? [] : [outcome]))).size).toBe(3)
  })

  it('fills both lists with firms that cannot exist, and says so on each page', async () => {
    for (const list of ['non-compliant', 'dust-blacklist']) {
      const { items } = await get(`/lists/${list}/entries?state=all&limit=200`)
      expect(items.length).toBeGreaterThanOrEqual(25)
      for (const entry of items) {
        expect(entry['subjectName']).toContain('（演示）')
        expect(String(entry['uscc']).slice(2, 8)).toBe('000000')
        expect(isValidUscc(String(entry['uscc']))).toBe(true)
      }
    }
    for (const { hotline, mailbox } of (await get('/departments')).items) {
      expect([hotline, mailbox]).toEqual([
        expect.stringContaining('（演示）'),
        expect.stringMatching(/@example\.invalid$/),
      ])
    }
    for (const path of ['/', '/lists/', '/measures/2017-14/', '/report/', '/track/', '/staff/sign-in/']) {
      expect(await (await fetch(`${server.url}${path}`)).text()).toContain('演示数据')
    }
  })
})

describe.runIf(source.engine === 'postgres')('PostgreSQL', () => {
  it('without migrations refuses with the command to run', SLOW, async () => {
    if (source.engine !== 'postgres') return
    const name = `lantian_test_empty_${process.pid}`
    await administer(source.server, `create database ${name}`)
    try {
      expect(await refusal({ DATABASE_URL: databaseUrl(source.server, name) })).toMatch(
        /^DATABASE_URL: \d+ migration\(s\) missing; run: npm run db:migrate$/,
      )
    } finally {
      await administer(source.server, `drop database if exists ${name} with (force)`)
    }
  })

  it('without the server’s secrets refuses with the command to run', SLOW, async () => {
    if (source.engine !== 'postgres') return
    const dataDir = join(home, 'bare')
    expect(await refusal({ DATABASE_URL: databaseUrl(source.server, source.template) }, dataDir)).toMatch(
      /^Server secrets missing in .*npm run keys -- init/,
    )
    await openServerSecrets(join(dataDir, 'keys'), systemRandom, { create: true })
  })

  describe('that goes away', () => {
    let site: TestSite
    let proxy: Proxy
    beforeAll(async () => {
      site = await openTestSite(
        async (db) => {
          await db
            .updateTable('department')
            .set({ hotline: '0371-60000000' })
            .where('id', '=', 'qu-daqiban')
            .execute()
        },
        async (direct) => {
          const url = new URL(direct)
          proxy = await openProxy({ host: url.hostname, port: Number(url.port || 5432) })
          url.host = `127.0.0.1:${proxy.port}`
          return url.href
        },
      )
    }, 240_000)
    afterAll(async () => {
      proxy.mend()
      await site.close()
      proxy.close()
    })

    const tip = () =>
      fetch(`${site.url}/api/v1/tips`, {
        method: 'POST',
        headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json' },
        body: JSON.stringify({ plain: plainTip() }),
      })

    it('leaves a page with the hotline and a problem document, and comes back by itself', SLOW, async () => {
      expect((await fetch(`${site.url}/report/`)).status).toBe(200)
      expect((await fetch(`${site.url}/measures/`)).status).toBe(200)
      expect((await tip()).status).toBe(201)

      // Cut while statements are on their way: what they answer is true, whichever it is.
      const onTheWay = Array.from({ length: 30 }, tip)
      await Promise.any(onTheWay)
      proxy.cut()
      const answers = (await Promise.all(onTheWay)).map(({ status }) => status)
      expect(answers.filter((status) => status !== 201 && status !== 503)).toEqual([])
      expect(answers).toContain(503)
      // What a process knows of the data may be half a second old.
      await expect.poll(async () => (await fetch(`${site.url}/report/`)).status).toBe(503)
      for (const path of ['/report/', '/track/', '/cases/', '/lists/dust-blacklist/']) {
        const page = await fetch(`${site.url}${path}`)
        const html = await page.text()
        expect([path, page.status]).toEqual([path, 503])
        expect(page.headers.get('retry-after')).toBe('30')
        expect(page.headers.get('cache-control')).toBe('no-store')
        expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
        expect(html).toContain('0371-60000000')
        expect(html).toContain('12345')
      }
      // A page that was read before is still there to read.
      expect((await fetch(`${site.url}/measures/`)).status).toBe(200)
      const refused = await tip()
      expect(refused.status).toBe(503)
      expect(refused.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
      expect(await refused.json()).toMatchObject({ status: 503 })
      expect((await fetch(`${site.url}/api/v1/cases?limit=7`)).headers.get('content-type')).toBe(
        'application/problem+json; charset=utf-8',
      )
      expect((await fetch(`${site.url}/readyz`)).status).toBe(503)
      expect((await fetch(`${site.url}/healthz`)).status).toBe(200)

      proxy.mend()
      await expect.poll(async () => (await fetch(`${site.url}/readyz`)).status, { timeout: 15_000 }).toBe(200)
      expect((await fetch(`${site.url}/report/`)).status).toBe(200)
      expect((await fetch(`${site.url}/cases/`)).status).toBe(200)
      expect((await tip()).status).toBe(201)
    })
  })
})
