import { execFile, type ExecFileException } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { OPERATIONS } from '../../src/api/operations.ts'
import { pairOf } from '../../src/sealing/age-identity.ts'
import { fromBase64Url, toBase64Url } from '../../src/sealing/bytes.ts'
import { openGrant } from '../../src/sealing/department-keys.ts'
import {
  createMemberKeys,
  MEMBER_KDF,
  SALT_BYTES,
  stretchPassphrase,
  unlockMember,
} from '../../src/sealing/member-keys.ts'
import { fingerprintOf } from '../../src/sealing/recipient-list.ts'
import { createAuthenticator, type Authenticator } from '../support/authenticator.ts'
import { administer, databaseUrl } from '../support/database.ts'
import { seededBytes } from '../support/seeded-bytes.ts'
import { startServer, type TestServer } from '../support/server.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PASSPHRASE = 'haiku meila baidou tilou yuwa peigao'
const random = seededBytes(7)

const source = inject('testDatabase')
const scratch = `lantian_test_deploy_${process.pid}`
let dir = ''
let env: Record<string, string> = {}

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs one of the commands as an operator does. */
function run(command: 'migrate' | 'keys' | 'staff', ...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(ROOT, `src/cli/${command}.ts`), ...args],
      { cwd: ROOT, env: { PATH: process.env['PATH'], ...env } },
      (error: ExecFileException | null, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err })
      },
    )
  })
}

async function post<T>(url: string, body: unknown): Promise<{ status: number; body: T; cookie: string }> {
  const reply = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? ''
  return { status: reply.status, body: (await reply.json()) as T, cookie }
}

/** The member's phone, as of the last enrolment or reset. */
let authenticator: Authenticator

/** Sets an authenticator up with the member's link. */
async function setUpFactor(url: string, link: string): Promise<number> {
  const api = `${url}/api/v1/staff/factors`
  const { status, body } = await post<{ secret: string; sealed: string }>(`${api}/totp-offer`, { link })
  if (status !== 200) return status
  authenticator = createAuthenticator(body.secret)
  return (await post(`${api}/totp`, { link, sealed: body.sealed, code: authenticator.code() })).status
}

/** What the enrolment page does in the member's browser. */
async function enrol(url: string, link: string): Promise<{ status: number; username: string }> {
  const token = link.split('#')[1] ?? ''
  const found = await post<{ username: string }>(`${url}/api/v1/staff/enrolment`, { token })
  const { username } = found.body
  const salt = random(SALT_BYTES)
  const made = await createMemberKeys({ username, passphrase: PASSPHRASE, salt, params: MEMBER_KDF, random })
  const { status, body } = await post<{ link: string }>(`${url}/api/v1/staff/enrol`, {
    token,
    salt: toBase64Url(salt),
    kdf: MEMBER_KDF,
    auth: made.auth,
    recipient: made.recipient,
    wrappedIdentity: toBase64Url(made.wrappedIdentity),
  })
  return { status: status === 201 ? await setUpFactor(url, body.link) : status, username }
}

const bytesOf = (text: string): Uint8Array => fromBase64Url(text) ?? new Uint8Array()

/** Signs in as the browser does; answers the status, the cookie and the member's own key. */
async function signIn(url: string, username: string) {
  const api = `${url}/api/v1/staff`
  const kdf = await post<{ salt: string; params: typeof MEMBER_KDF }>(`${api}/kdf`, { username })
  const keys = await stretchPassphrase(PASSPHRASE, bytesOf(kdf.body.salt), kdf.body.params)
  const begun = await post<{ ticket: string }>(`${api}/sign-in`, { username, auth: keys.auth })
  if (begun.status !== 200) return { status: begun.status, cookie: '', identity: () => Promise.resolve('') }
  const { ticket } = begun.body
  const { status, cookie } = await post(`${api}/sign-in/code`, { ticket, code: authenticator.code() })
  return {
    status,
    cookie,
    identity: async () => {
      const reply = await fetch(`${api}/keys`, { headers: { cookie } })
      const { wrappedIdentity } = (await reply.json()) as { wrappedIdentity: string }
      return unlockMember({ username, wrapKey: keys.wrapKey, wrappedIdentity: bytesOf(wrappedIdentity) })
    },
  }
}

const help = ['migrate', 'keys', 'staff'] as const
it.each(help)('%s --help tells how it is used and needs no database', async (command) => {
  env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }
  const { code, out } = await run(command, '--help')
  expect(code).toBe(0)
  expect(out).toContain('Usage: npm run ')
})

describe.skipIf(source.engine !== 'postgres')('a first deployment on PostgreSQL', () => {
  let server: TestServer | null = null
  const address = (): string => server?.url ?? ''

  beforeAll(async () => {
    if (source.engine !== 'postgres') return
    dir = mkdtempSync(join(tmpdir(), 'lantian-deploy-'))
    await administer(source.server, `create database ${scratch}`)
    env = { DATABASE_URL: databaseUrl(source.server, scratch), DATA_DIR: join(dir, 'data'), PORT: '0' }
  })
  afterAll(async () => {
    if (source.engine !== 'postgres') return
    await server?.stop()
    await administer(source.server, `drop database if exists ${scratch} with (force)`)
    rmSync(dir, { recursive: true, force: true })
  })

  const escrow = () => join(dir, 'escrow.txt')

  it('refuses to go on before the migrations, and says which command is missing', async () => {
    const early = await run('keys', 'init')
    expect(early).toMatchObject({ code: 1, out: '' })
    expect(early.err).toContain('npm run db:migrate')
  })

  it('migrates once', async () => {
    expect((await run('migrate')).out).toMatch(/^Applied: \d/)
    expect(await run('migrate')).toEqual({ code: 0, out: 'Nothing to apply.\n', err: '' })
  })

  it('invites nobody before the keys', async () => {
    const early = await run(
      'staff',
      ...['add', '--username', 'a', '--name', 'A', '--department', 'qu-daqiban', '--roles', 'admin'],
    )
    expect(early).toMatchObject({ code: 1, out: '' })
    expect(early.err).toContain('npm run keys -- init')
  })

  it('makes the keys once and writes the escrow key where it is told', async () => {
    const inside = await run('keys', 'init', '--out', join(dir, 'data', 'escrow.txt'))
    expect(inside).toMatchObject({ code: 2, out: '' })
    const made = await run('keys', 'init', '--out', escrow())
    expect(made).toMatchObject({ code: 0, err: '' })
    expect(made.out).toContain('41 departments')
    expect(made.out).not.toContain('AGE-SECRET-KEY')
    const key = readFileSync(escrow(), 'utf8')
    expect(key).toMatch(/^AGE-SECRET-KEY-\S+\n$/)
    expect(statSync(escrow()).mode & 0o777).toBe(0o600)
    const second = readFileSync(`${escrow()}.approver`, 'utf8')
    expect(second).toMatch(/^AGE-SECRET-KEY-\S+\n$/)
    expect(second).not.toBe(key)
    expect(statSync(`${escrow()}.approver`).mode & 0o777).toBe(0o600)
    expect(await run('keys', 'init', '--out', escrow())).toMatchObject({ code: 1 })
    expect(readFileSync(escrow(), 'utf8')).toBe(key)
    const again = await run('keys', 'init')
    expect(again).toMatchObject({ code: 1, out: '' })
    expect(again.err).toContain('keys exist already')
  })

  it('starts, takes tips and shows no demonstration', async () => {
    server = await startServer({ env, dataDir: join(dir, 'data') })
    expect(await (await fetch(`${address()}/healthz`)).text()).toBe('ok')
    const ready = await fetch(`${address()}/readyz`)
    const state: unknown = await ready.json()
    expect(ready.status).toBe(200)
    expect(state).toEqual({ ready: true, reasons: [] })
    const described = OPERATIONS.filter(({ atRoot }) => atRoot)
    expect(described.map(({ path }) => path)).toEqual(['/healthz', '/readyz'])
    expect(described[1]?.reply.parse(state)).toEqual(state)
    expect(await (await fetch(`${address()}/`)).text()).not.toContain('演示数据')
  })

  it('lists every operation of the API on the page for people', async () => {
    const page = await (await fetch(`${address()}/about/api/`)).text()
    for (const { path, summary } of OPERATIONS) {
      expect(page).toContain(summary)
      expect(page).toContain(path)
    }
    expect(page).not.toContain('<script')
  })

  it('invites the first administrator, whose link works once', async () => {
    const wrong = await run(
      'staff',
      ...['add', '--username', 'a', '--name', 'A', '--department', 'qu-daqiban', '--roles', 'king'],
    )
    expect(wrong).toMatchObject({ code: 2, out: '' })
    const added = await run(
      'staff',
      ...['add', '--username', 'first', '--name', '管理员', '--department', 'qu-daqiban'],
      ...['--roles', 'admin,dispatcher'],
    )
    expect(added).toMatchObject({ code: 0, err: '' })
    const link = /http\S+\/staff\/enrol\/#\S+/.exec(added.out)?.[0] ?? ''
    expect((await fetch(`${address()}/staff/enrol/`)).status).toBe(200)
    expect(await enrol(address(), link)).toEqual({ status: 201, username: 'first' })
    expect((await enrol(address(), link)).status).toBe(404)
    expect((await signIn(address(), 'first')).status).toBe(200)
  })

  it('grants the department key with the escrow key, which the member then opens', async () => {
    writeFileSync(join(dir, 'wrong.txt'), 'nothing\n')
    const { cookie, identity } = await signIn(address(), 'first')
    // What the member reads from the own account page.
    const own = fingerprintOf((await pairOf(await identity())).recipient)
    const grant = (file: string, member: string, fingerprint: string) =>
      run('keys', 'grant', '--escrow', file, '--member', member, '--fingerprint', fingerprint)
    expect(await grant(join(dir, 'wrong.txt'), 'first', own)).toMatchObject({ code: 1, out: '' })
    expect(await grant(escrow(), 'nobody', own)).toMatchObject({ code: 1 })
    expect(await grant(escrow(), 'first', fingerprintOf('another'))).toMatchObject({ code: 1, out: '' })
    expect(await grant(escrow(), 'first', own)).toEqual({ code: 0, out: 'Granted to first.\n', err: '' })
    const reply = await fetch(`${address()}/api/v1/staff/keys`, { headers: { cookie } })
    const { grants } = (await reply.json()) as {
      grants: { departmentId: string; epoch: number; wrapped: string }[]
    }
    expect(grants).toMatchObject([{ departmentId: 'qu-daqiban', epoch: 1 }])
    const secret = await openGrant(
      { department: 'qu-daqiban', epoch: 1 },
      bytesOf(grants[0]?.wrapped ?? ''),
      await identity(),
    )
    expect(secret).toMatch(/^AGE-SECRET-KEY-/)
  })

  it('finds that the escrow key opens every key', async () => {
    const lost = await run('keys', 'check')
    expect(lost).toMatchObject({ code: 2, out: '' })
    expect(await run('keys', 'check', '--escrow', escrow())).toEqual({
      code: 0,
      out: 'The escrow key opens all 43 keys.\n',
      err: '',
    })
    expect(await run('keys', 'check', '--escrow', `${escrow()}.approver`)).toMatchObject({
      code: 0,
      out: 'The escrow key opens all 1 keys.\n',
    })
    const wrong = [
      ...['--escrow', escrow(), '--member', 'first', '--department', 'role-approver'],
      ...['--fingerprint', 'x'],
    ]
    expect(await run('keys', 'grant', ...wrong)).toMatchObject({ code: 1 })
  })

  it('signs the list of keys once, and says when this machine does not know it', async () => {
    expect((await run('keys', 'sign', '--escrow', escrow())).out).toMatch(
      /^The list of 46 entries holds; nothing was signed\. Root: (?:[0-9a-f]{4} ?){5}\n$/,
    )
    const pin = join(dir, 'data', 'keys', 'recipients.json')
    const pinned = readFileSync(pin, 'utf8')
    rmSync(pin)
    expect(await run('keys', 'check', '--escrow', escrow())).toMatchObject({
      code: 1,
      err: expect.stringContaining('does not know the root of the list of keys') as string,
    })
    expect(await run('keys', 'sign', '--escrow', escrow())).toMatchObject({ code: 0 })
    expect(readFileSync(pin, 'utf8')).toBe(pinned)
  })

  it('changes a department’s key with the escrow key and hands it to who reads there', async () => {
    const missing = await run('keys', 'rotate', '--escrow', escrow(), '--department', 'nowhere')
    expect(missing).toMatchObject({ code: 1, out: '' })
    expect(await run('keys', 'rotate', '--escrow', escrow(), '--department', 'qu-daqiban')).toEqual({
      code: 0,
      out: 'Made a new key of qu-daqiban for 1 member(s); moved 0 tip(s) to it.\n',
      err: '',
    })
    expect((await run('keys', 'check', '--escrow', escrow())).out).toContain('all 44 keys')
  })

  it('helps the only administrator to a new second factor', async () => {
    expect(await run('staff', 'reset-factor', 'nobody')).toMatchObject({ code: 1, out: '' })
    const reset = await run('staff', 'reset-factor', 'first')
    expect(reset).toMatchObject({ code: 0, err: '' })
    expect((await signIn(address(), 'first')).status).toBe(403)
    const link = /\/staff\/factor\/#(\S+)/.exec(reset.out)?.[1] ?? ''
    expect(await setUpFactor(address(), link)).toBe(201)
    expect(await setUpFactor(address(), link)).toBe(404)
    expect((await signIn(address(), 'first')).status).toBe(200)
  })

  it('removes a member, who is out at once', async () => {
    const { cookie } = await signIn(address(), 'first')
    expect(await run('staff', 'remove', 'first')).toEqual({ code: 0, out: 'Removed first.\n', err: '' })
    expect((await fetch(`${address()}/api/v1/staff/keys`, { headers: { cookie } })).status).toBe(401)
    expect((await signIn(address(), 'first')).status).toBe(403)
    expect(await run('staff', 'remove', 'first')).toMatchObject({ code: 1 })
  })

  it('says where the trail of staff actions was changed, and fails', async () => {
    const whole = await run('staff', 'audit')
    expect(whole).toMatchObject({ code: 0, err: '' })
    const count = /^(\d+) of \1 rows are unbroken\. /.exec(whole.out)?.[1]
    expect(Number(count)).toBeGreaterThan(3)
    await administer(env['DATABASE_URL'] ?? '', `update staff_audit set object = 'nobody' where no = 3`)
    const broken = await run('staff', 'audit')
    expect(broken.code).toBe(1)
    expect(broken.out).toContain(`2 of ${count} rows are unbroken.`)
    expect(broken.err).toContain('Row 3 was changed.\n')
    expect(broken.err).toContain('The trail of staff actions is not as it was written.')
  })
})
