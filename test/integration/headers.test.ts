import { request } from 'node:http'
import { connect } from 'node:net'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillForm, tokenOf, type FormWalk } from '../support/form-walk.ts'
import { png } from '../support/images.ts'
import { insertPublicCase, PUBLISHED } from '../support/rows.ts'
import { openTestSite, type TestSite } from '../support/site.ts'

const SLOW = 240_000
const HOST = 'tip.example'

const page = (scripts: string, trustedTypes: string): string =>
  `default-src 'none'; script-src ${scripts}; style-src 'self'; img-src 'self' blob:; font-src 'self'; ` +
  `connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; ` +
  `frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types ${trustedTypes}`
const CITIZEN = page("'self'", "'none'")
const FORM = page("'self'", 'report-worker')
const STAFF = page("'self' 'wasm-unsafe-eval'", "'none'")
const API = "default-src 'none'; frame-ancestors 'none'; sandbox"
const IMAGE = "sandbox; default-src 'none'"

const COMMON = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'strict-transport-security': 'max-age=63072000; includeSubDomains',
}

interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
}

let site: TestSite
let asset = ''

interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** As the proxy in front sends it: `fetch` would not take another host's name. */
function ask(path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(site.url)
    const sent = request(
      { hostname, port, path, method, agent: false, headers: { host: HOST, ...headers } },
      (reply) => {
        const chunks: Buffer[] = []
        reply.on('data', (chunk: Buffer) => chunks.push(chunk))
        reply.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: text })
        })
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

/** The form, behind the proxy. */
function walkOver(): FormWalk {
  let cookie = ''
  const keep = ({ headers }: Reply): void => {
    cookie = [headers['set-cookie'] ?? []].flat()[0]?.split(';')[0] ?? cookie
  }
  const get: FormWalk['get'] = async (path) => {
    const reply = await ask(path, { headers: { cookie } })
    keep(reply)
    return { status: reply.status, html: reply.body, reply: new Response() }
  }
  const post: FormWalk['post'] = async (path, token, fields, photos = []) => {
    const form = new FormData()
    for (const [name, value] of Object.entries({ token, sealing: 'server', ...fields }))
      form.append(name, String(value))
    for (const photo of photos) form.append('photos', new File([photo.slice()], 'photo.png'))
    const sent = new Response(form)
    const reply = await ask(path, {
      method: 'POST',
      headers: {
        cookie,
        origin: `https://${HOST}`,
        'content-type': sent.headers.get('content-type') ?? '',
      },
      body: new Uint8Array(await sent.arrayBuffer()),
    })
    keep(reply)
    const { location = '' } = reply.headers
    return new Response(null, { status: reply.status, headers: { location: String(location) } })
  }
  return {
    get cookie() {
      return cookie
    },
    get,
    post,
    send: async (path, fields, photos) => post(path, tokenOf((await get(path)).html), fields, photos),
  }
}

function expectHeaders({ headers }: Pick<Reply, 'headers'>, policy: string): void {
  expect(headers).toMatchObject({ ...COMMON, 'content-security-policy': policy })
  expect(headers['permissions-policy']).toMatch(/^(?:[a-z-]+=\((?:self)?\)(?:, |$))+$/)
  expect(headers['x-powered-by']).toBeUndefined()
  expect(headers['server']).toBeUndefined()
}

beforeAll(async () => {
  site = await openTestSite(
    async (db) => {
      await insertPublicCase(db, { ...PUBLISHED, case_no: 'ZY-2601-00001' })
      // Whoever asks for one entry of a list finds the server at fault.
      await sql`drop index entry_no_prefix`.execute(db)
      await sql`alter table entry alter column entry_no type integer using 0`.execute(db)
    },
    undefined,
    {
      PUBLIC_URL: `https://${HOST}`,
      TRUSTED_PROXY: '127.0.0.1',
    },
  )
  const built = readdirSync(fileURLToPath(new URL('../../dist/client/assets/', import.meta.url)))
  asset = `/assets/${built.find((name) => name.endsWith('.css')) ?? ''}`
}, SLOW)
afterAll(async () => {
  await site.close()
})

const PUBLIC = [
  ...[
    '/',
    '/measures/',
    '/measures/2017-1/',
    '/departments/',
    '/departments/hotlines/',
    '/departments/qu-huanbao/',
  ],
  ...[
    '/cases/',
    '/cases/ZY-2601-00001/',
    '/lists/',
    '/lists/dust-blacklist/',
    '/lists/non-compliant/',
    '/rewards/',
  ],
  ...['/about/', '/about/api/', '/about/keys/', '/about/routing/', '/problems/', '/problems/not-found/'],
] as const

const TABLE: readonly (readonly [
  what: string,
  path: string,
  status: number,
  policy: string,
  asked?: Asked,
])[] = [
  ...PUBLIC.map((path) => ['a page', path, 200, CITIZEN] as const),
  ...PUBLIC.slice(0, 2).map((path) => ['a page that is kept', path, 200, CITIZEN] as const),
  ['a page that is none', '/nothing/', 404, CITIZEN],
  ['a page without its slash', '/cases', 301, CITIZEN],
  ['a list as CSV', '/lists/dust-blacklist/entries.csv', 200, CITIZEN],
  ['a page that fails', '/lists/dust-blacklist/NO-SUCH/', 500, CITIZEN],
  ['the form', '/report/', 200, FORM],
  ['a step of the form, without a draft', '/report/check/', 303, FORM],
  ['what is no form', '/report/', 415, FORM, { method: 'POST', headers: { origin: `https://${HOST}` } }],
  ['a photo of no draft', '/report/photos/1/', 404, FORM],
  ['the reporter’s page', '/track/', 200, CITIZEN],
  ['a proof that is none', '/proof/0189c0de-0000-7000-8000-000000000000/', 404, CITIZEN],
  ['the console, signed out', '/staff/queue/', 302, STAFF],
  ['the console’s door', '/staff/sign-in/', 200, STAFF],
  ['a list of the API', '/api/v1/cases', 200, API],
  ['a list of the API that is kept', '/api/v1/cases', 200, API],
  ['the description of the API', '/api/v1/openapi.json', 200, API],
  ['an address the API does not have', '/api/v1/nothing', 404, API],
  ['a method the API does not take', '/api/v1/measures', 405, API, { method: 'DELETE' }],
  ['the API, signed out', '/api/v1/staff/keys', 401, API],
  [
    'JSON that is none',
    '/api/v1/receipts/open',
    422,
    API,
    { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' },
  ],
  [
    'more than is taken',
    '/api/v1/receipts/open',
    413,
    API,
    { method: 'POST', headers: { 'content-type': 'application/json' }, body: `"${'x'.repeat(2 ** 20)}"` },
  ],
  ['leaving, for programs', '/api/v1/receipts/current/sign-out', 200, API, { method: 'POST' }],
  ['whether it lives', '/healthz', 200, CITIZEN],
  ['whether it is ready', '/readyz', 200, CITIZEN],
  ['an icon', '/favicon.svg', 200, IMAGE],
  ['a file that is none', '/assets/nothing.js', 404, CITIZEN],
  ['another host’s name', '/', 421, CITIZEN, { headers: { host: 'evil.example' } }],
  [
    'another site’s form',
    '/track/',
    303,
    CITIZEN,
    { method: 'POST', headers: { origin: 'https://evil.example' } },
  ],
  [
    'another site’s program',
    '/api/v1/receipts',
    403,
    API,
    { method: 'POST', headers: { origin: 'https://evil.example' } },
  ],
]

describe('the headers', () => {
  it.each(TABLE.map(([what, path, status, policy, asked]) => ({ what, path, status, policy, asked })))(
    'stand on $what: $path, $status',
    async ({ path, status, policy, asked }) => {
      const reply = await ask(path, asked)
      expect([path, reply.status]).toEqual([path, status])
      expectHeaders(reply, policy)
    },
  )

  it.each(['/', '/api/v1/measures', 'asset'])('stand on “not modified”: %s', async (named) => {
    const path = named === 'asset' ? asset : named
    const first = await ask(path)
    expectHeaders(first, path.startsWith('/api/') ? API : CITIZEN)
    const again = await ask(path, { headers: { 'if-none-match': String(first.headers['etag']) } })
    expect([again.status, again.body]).toEqual([304, ''])
    expectHeaders(again, path.startsWith('/api/') ? API : CITIZEN)
  })

  it.each([
    ['no HTTP', 'nonsense\r\n\r\n', 400],
    ['no address', `GET http://[ HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`, 400],
    ['too long a header', `GET / HTTP/1.1\r\nhost: ${HOST}\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('stand on the answer to %s', async (_, text, status) => {
    const { port, hostname } = new URL(site.url)
    const answer = await new Promise<string>((resolve, reject) => {
      let read = ''
      const socket = connect(Number(port), hostname, () => socket.write(text))
      socket.setEncoding('utf8')
      socket.on('data', (chunk: string) => {
        read += chunk
        if (read.includes('\r\n\r\n')) socket.destroy()
      })
      socket.on('close', () => {
        resolve(read)
      })
      socket.on('error', reject)
    })
    const [first = '', ...lines] = (answer.split('\r\n\r\n')[0] ?? '').split('\r\n')
    expect(first).toContain(` ${status} `)
    const headers = Object.fromEntries(
      lines.map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 2),
      ]),
    )
    expectHeaders({ headers }, CITIZEN)
  })

  it('let a picture do nothing, and keep it nowhere', async () => {
    const walk = walkOver()
    await fillForm(walk, { description: '锅炉冒黑烟，气味很大。', place: '厂区', callback: '' }, [
      await png(),
    ])
    const { html } = await walk.get('/report/check/')
    const path = /src="(\/report\/photos\/[^"]+)"/.exec(html)?.[1] ?? ''
    const reply = await ask(path, { headers: { cookie: walk.cookie } })
    expect(reply).toMatchObject({
      status: 200,
      headers: { 'content-type': 'image/jpeg', 'cache-control': 'no-store' },
    })
    expectHeaders(reply, IMAGE)
  })

  it('allow passkeys to the console, and nothing to anybody else', async () => {
    const citizen = String((await ask('/report/')).headers['permissions-policy'])
    expect(citizen).not.toContain('self')
    for (const feature of ['camera', 'geolocation', 'microphone', 'usb', 'payment', 'display-capture'])
      expect(citizen).toContain(`${feature}=()`)
    const staff = String((await ask('/staff/sign-in/')).headers['permissions-policy'])
    expect(staff.replaceAll('=(self)', '=()')).toBe(citizen)
    expect(staff.match(/[a-z-]+=\(self\)/g)).toEqual([
      'publickey-credentials-create=(self)',
      'publickey-credentials-get=(self)',
    ])
  })

  it.each([
    '/report/',
    '/track/',
    '/staff/sign-in/',
    '/staff/queue/',
    '/api/v1/staff/keys',
    '/api/v1/receipts/current',
  ])('let nobody keep what belongs to a session: %s', async (path) => {
    expect((await ask(path)).headers['cache-control']).toBe('no-store')
  })

  it('clear what a browser kept when somebody leaves, and leave other sites’ cookies alone', async () => {
    for (const path of ['/api/v1/receipts/current/sign-out', '/api/v1/staff/sign-out']) {
      const { headers } = await ask(path, { method: 'POST' })
      expect(headers['clear-site-data']).toBe('"cache", "storage"')
      expect(String(headers['set-cookie'])).toMatch(/Max-Age=0/)
    }
  })
})

describe('the pages', () => {
  it.each([...PUBLIC, '/report/', '/track/', '/staff/sign-in/', '/staff/enrol/', '/nothing/'])(
    'have no script, style or handler within: %s',
    async (path) => {
      const { body } = await ask(path)
      expect(body).toContain('</html>')
      for (const [tag] of body.matchAll(/<script\b[^>]*>/g)) expect(tag).toMatch(/ src="\//)
      expect(body).not.toMatch(/<script\b[^>]*>[^<]/)
      expect(body).not.toMatch(/<style\b|<[a-z][^>]*\s(?:style|on[a-z]+)=|javascript:/i)
    },
  )
})
