import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { connectPostgres } from '../../src/db/connect.ts'
import { LIMITS } from '../../src/domain/rate.ts'
import { plainTip } from '../support/app.ts'
import { startCuttingProxy } from '../support/cutting-proxy.ts'
import { fillForm, startWalk, tokenOf } from '../support/form-walk.ts'
import { proofFrom } from '../support/gate.ts'
import { jpegWithExif, png } from '../support/images.ts'
import { dumpOf, filesBelow, findSecrets } from '../support/search.ts'
import { ServerEndedError, startServer } from '../support/server.ts'
import { openTestSite, type TestSite } from '../support/site.ts'

// Against the built program behind a proxy on this machine, so that a test says whose request it is.
const SLOW = 240_000
const onPostgres = inject('testDatabase').engine === 'postgres'

let site: TestSite
beforeAll(async () => {
  site = await openTestSite(undefined, undefined, { TRUSTED_PROXY: '127.0.0.1' })
}, SLOW)
afterAll(async () => {
  await site.close()
})

const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address })

const postTip = (body: unknown, headers: Record<string, string> = {}, url = site.url): Promise<Response> =>
  fetch(`${url}/api/v1/tips`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...headers },
    body: JSON.stringify(body),
  })

/** Uses up a limit with requests that cost next to nothing. */
async function exhaust(times: number, once: () => Promise<Response>): Promise<void> {
  const statuses = await Promise.all(Array.from({ length: times }, async () => (await once()).status))
  expect(statuses).not.toContain(429)
}

/** The answer once nothing is left: on a slow machine a little has come back meanwhile. */
async function untilLimited(once: () => Promise<Response>): Promise<Response> {
  for (let tries = 0; tries < 20; tries += 1) {
    const reply = await once()
    if (reply.status === 429) return reply
  }
  throw new Error('never limited')
}

function expectLimited(reply: Response): void {
  expect(reply.status).toBe(429)
  expect(Number(reply.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
}

describe.runIf(process.platform === 'linux')('memory', () => {
  const limitOf = (pid: number): string =>
    /^Max core file size +(\S+) +(\S+)/m
      .exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))
      ?.slice(1)
      .join(' ') ?? ''
  const childrenOf = (pid: number): number[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)

  it('is left on disk by no crash, neither of the server nor of what decodes photos', async () => {
    const walk = startWalk(site.url, from('192.0.2.70'))
    const words = { description: '锅炉冒黑烟，气味很大。', place: '某路', callback: '' }
    // The decoder starts with the first photo.
    await fillForm(walk, words, [await jpegWithExif()])
    const decoders = childrenOf(site.pid)
    expect(decoders).not.toEqual([])
    for (const pid of [site.pid, ...decoders]) {
      expect([pid, limitOf(pid)]).toEqual([pid, '0 0'])
      expect([pid, Number.parseInt(readFileSync(`/proc/${pid}/coredump_filter`, 'utf8'), 16)]).toEqual([
        pid,
        0,
      ])
    }
  })
})

describe('a page that says “too often”', () => {
  it('keeps the receipt code that was typed, and lets everybody else look', async () => {
    const walk = startWalk(site.url, from('198.51.100.1'))
    const token = tokenOf((await walk.get('/track/')).html)
    const look = (address: string, code: string) =>
      fetch(`${site.url}/track/`, {
        method: 'POST',
        headers: { ...from(address), origin: site.url },
        body: new URLSearchParams({ token, code }),
        redirect: 'manual',
      })
    await exhaust(LIMITS.receipts.burst, () => look('198.51.100.1', 'guess'))
    const reply = await untilLimited(() => look('198.51.100.1', 'NZYZ-M4XW'))
    expectLimited(reply)
    const html = await reply.text()
    expect(html).toContain('请求太多')
    expect(html).toMatch(/id="code"[^>]*value="NZYZ-M4XW"/)
    expect((await look('198.51.100.2', 'NZYZ-M4XW')).status).toBe(303)
    expect((await look('198.51.100.2, 198.51.100.1', 'NZYZ-M4XW')).status).toBe(429)
  })

  it('keeps what was searched for', async () => {
    const search = (word: string) =>
      fetch(`${site.url}/lists/non-compliant/?q=${word}`, { headers: from('198.51.100.3') })
    await exhaust(LIMITS.searches.burst, () => search(randomUUID()))
    // Another word each time: what was found once is in the cache.
    let tries = 0
    const reply = await untilLimited(() => search(`示例建材${(tries += 1)}`))
    expectLimited(reply)
    expect(await reply.text()).toMatch(/id="q"[^>]*value="示例建材\d+"/)
    const file = await untilLimited(() =>
      fetch(`${site.url}/lists/non-compliant/entries.csv?q=x`, { headers: from('198.51.100.3') }),
    )
    expectLimited(file)
    const whole = await fetch(`${site.url}/lists/non-compliant/`, { headers: from('198.51.100.3') })
    expect(whole.status).toBe(200)
  })

  it('keeps the tip, which goes out later from the same page', async () => {
    const address = '198.51.100.4'
    const walk = startWalk(site.url, from(address))
    await fillForm(walk, { description: '锅炉冒黑烟，一直不停。', place: '建设路 12 号', callback: '' })
    await exhaust(LIMITS.tips.burst, () => postTip({ gate: 'junk' }, from(address)))
    await untilLimited(() => postTip({ gate: 'junk' }, from(address)))
    const reply = await walk.send('/report/check/', {})
    expectLimited(reply)
    const html = await reply.text()
    expect(html).toContain('请求太多')
    expect(html).toContain('锅炉冒黑烟，一直不停。')
    // The same person over another network.
    const cookie = walk.cookie
    const elsewhere = await fetch(`${site.url}/report/check/`, {
      method: 'POST',
      headers: { ...from('198.51.100.5'), origin: site.url, cookie },
      body: new URLSearchParams({ token: tokenOf(html) }),
      redirect: 'manual',
    })
    expect([elsewhere.status, elsewhere.headers.get('location')]).toEqual([303, '/report/sent/'])
  })

  it('keeps the words and the photos that were there before', async () => {
    const address = '198.51.100.6'
    const walk = startWalk(site.url, from(address))
    await walk.send('/report/', { category: 'boiler-coal' })
    const upload = (photos: readonly Uint8Array[]) =>
      walk.send('/report/what/', { description: '黑烟从三号烟囱来。', upload: '1' }, photos)
    expect((await upload([await png()])).status).toBe(200)
    // Nine that are no photos at a time.
    const junk = Array.from({ length: 9 }, () => new Uint8Array([1, 2, 3]))
    for (let sent = 1; sent + 9 <= LIMITS.uploads.burst; sent += 9)
      expect((await upload(junk)).status).toBe(422)
    const reply = await upload(junk)
    expectLimited(reply)
    const html = await reply.text()
    expect(html).toContain('请求太多')
    expect(html).toContain('黑烟从三号烟囱来。')
    expect(html.match(/<img src="\/report\/photos\//g)).toHaveLength(1)
  })

  it('is told to a program as a problem with a page of its own', async () => {
    const reply = await untilLimited(() => postTip({ gate: 'junk' }, from('198.51.100.4')))
    expectLimited(reply)
    const { type } = (await reply.json()) as { type: string }
    const page = await fetch(`${site.url}${type}`)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('操作太频繁')
  })
})

describe('what is left of a client', () => {
  it('is nothing: no address in a log, a file or a row', async () => {
    const address = '203.0.113.177'
    const network = '2001:db8:7a7a:7b7b:1:2:3:4'
    const walk = startWalk(site.url, from(address))
    await fillForm(walk, { description: '锅炉冒黑烟。', place: '', callback: '' })
    await walk.send('/report/check/', {
      gate: await proofFrom(site.url, { ...from(address), cookie: walk.cookie }),
    })
    for (const one of [address, network]) {
      const gate = await proofFrom(site.url, from(one))
      expect((await postTip({ gate, plain: plainTip() }, from(one))).status).toBe(201)
      expect((await postTip({ gate, plain: plainTip() }, from(one))).status).toBe(403)
      await fetch(`${site.url}/api/v1/nothing`, { headers: from(one) })
    }
    const rows = site.databaseUrl === null ? [] : await rowsOf(site.databaseUrl)
    const logs = { name: 'logs', bytes: Buffer.from(site.logs()) }
    const secrets = { address, network, prefix: '2001:db8:7a7a:7b7b' }
    expect(findSecrets(secrets, [...filesBelow(site.dataDir), ...rows, logs])).toEqual([])
    // The search can find: what is there is found.
    expect(findSecrets({ line: 'Listening on' }, [logs])).not.toEqual([])
  })

  async function rowsOf(url: string): Promise<Awaited<ReturnType<typeof dumpOf>>> {
    const connection = connectPostgres(url, 1)
    try {
      return await dumpOf(connection.db)
    } finally {
      await connection.close()
    }
  }
})

describe.runIf(onPostgres)('two processes on one database', () => {
  it('know each other’s challenges, and spend a proof once between them', async () => {
    const other = await startServer({
      dataDir: site.dataDir,
      env: { DATABASE_URL: site.databaseUrl ?? '', TRUSTED_PROXY: '127.0.0.1' },
    })
    try {
      const gate = await proofFrom(other.url)
      const replies = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          postTip({ gate, plain: plainTip() }, from('198.51.100.30'), index % 2 === 0 ? site.url : other.url),
        ),
      )
      const statuses = replies.map(({ status }) => status).sort()
      expect(statuses).toEqual([201, ...Array.from({ length: 19 }, () => 403)])
    } finally {
      await other.stop()
    }
  })
})

describe('a start with half of the third party’s settings', () => {
  it.each([
    [{ TURNSTILE_SITE_KEY: 'site' }, 'TURNSTILE_SECRET_KEY: required together with TURNSTILE_SITE_KEY'],
    [{ TURNSTILE_SECRET_KEY: 'secret' }, 'TURNSTILE_SITE_KEY: required together with TURNSTILE_SECRET_KEY'],
    [{ TRUSTED_PROXY: 'my-proxy' }, 'TRUSTED_PROXY: must be an IP address, such as 127.0.0.1'],
  ])('ends with one line: %o', async (env, line) => {
    const failure = await startServer({ env: { DEMO: 'off', ...env } }).then(
      async (server) => server.stop(),
      (error: unknown) => error,
    )
    if (!(failure instanceof ServerEndedError)) throw new Error('it started')
    expect([failure.exitCode, failure.output]).toEqual([1, line])
  })
})

describe('the client in the README', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const [, program = ''] = /## File tips from a program[\s\S]*?```js\n([\s\S]*?)```/.exec(readme) ?? []
  const dir = mkdtempSync(join(tmpdir(), 'lantian-client-'))
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true })
  })

  async function run(url: string): Promise<{ caseNo: string; code: string }> {
    writeFileSync(join(dir, 'tip.mjs'), program)
    writeFileSync(join(dir, 'photo.jpg'), await jpegWithExif())
    const { stdout } = await promisify(execFile)(process.execPath, ['tip.mjs', url, 'photo.jpg'], {
      cwd: dir,
    })
    const [, caseNo = '', code = ''] = /^case number {3}(\S+)\nreceipt code {2}(\S+)\n$/.exec(stdout) ?? []
    return { caseNo, code }
  }
  const opened = async (code: string): Promise<string> => {
    const reply = await fetch(`${site.url}/api/v1/receipts/open`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    })
    const cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? ''
    const current = await fetch(`${site.url}/api/v1/receipts/current`, { headers: { cookie } })
    return ((await current.json()) as { caseNo: string }).caseNo
  }

  it('is short and needs nothing but Node', () => {
    expect(program.trim().split('\n').length).toBeLessThanOrEqual(60)
    const imports = [...program.matchAll(/from '([^']+)'/g)].map(([, name]) => name)
    expect(imports.length).toBeGreaterThan(0)
    expect(imports.filter((name) => !name?.startsWith('node:'))).toEqual([])
  })

  it('files a tip with its photo and prints number and code', async () => {
    const { caseNo, code } = await run(site.url)
    expect(caseNo).toMatch(/^ZY-\d{4}-[0-9A-Z]{5}$/)
    expect(await opened(code)).toBe(caseNo)
    if (site.databaseUrl === null) return
    const connection = connectPostgres(site.databaseUrl, 1)
    const row = await connection.db
      .selectFrom('case_file')
      .innerJoin('tip', 'tip.case_id', 'case_file.id')
      .select(['lane', 'photo_count'])
      .where('case_no', '=', caseNo)
      .executeTakeFirstOrThrow()
      .finally(() => connection.close())
    expect(row).toEqual({ lane: 'normal', photo_count: 1 })
  })

  it('files once when the answer is lost and it has to ask again', async () => {
    const proxy = await startCuttingProxy(site.url, '/api/v1/tips', 2)
    try {
      const { caseNo, code } = await run(proxy.url)
      expect(proxy.answers.map(({ status }) => status)).toEqual([201, 200, 200])
      const told = proxy.answers.map(({ body }) => (JSON.parse(body) as { caseNo: string }).caseNo)
      expect(new Set(told)).toEqual(new Set([caseNo]))
      expect(await opened(code)).toBe(caseNo)
    } finally {
      await proxy.close()
    }
  })
})
