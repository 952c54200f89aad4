import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Problem } from '../../src/api/problem.ts'
import { ROLES, type Role } from '../../src/domain/case.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { CONSOLE_ROUTES } from '../../src/domain/roles.ts'
import { encodeCursor } from '../../src/services/cursor.ts'
import type { Services } from '../../src/services/index.ts'
import type { StaffSession } from '../../src/services/staff.ts'
import { openTestApp, plainTip, signInAs, type TestApp, type TestMember } from '../support/app.ts'

const HOLDER = 'qu-huanbao'
/** Where each role sits; the officer is the holder's own, `stranger` one of another department. */
const SEATS: Readonly<Record<Role, string>> = {
  officer: HOLDER,
  dispatcher: 'qu-daqiban',
  publisher: 'qu-daqiban',
  custodian: HOLDER,
  approver: HOLDER,
  finance: HOLDER,
  auditor: 'qu-duchashi',
  admin: 'qu-daqiban',
}
type Who = Role | 'stranger' | 'nobody'
const EVERYBODY: readonly Who[] = [...ROLES, 'stranger', 'nobody']

let app: TestApp
let who: Readonly<Record<Exclude<Who, 'nobody'>, TestMember>>
let caseNo: string
let tipId: string
beforeAll(async () => {
  app = await openTestApp()
  const seated: Partial<Record<Exclude<Who, 'nobody'>, TestMember>> = {}
  for (const role of ROLES) seated[role] = await signInAs(app, SEATS[role], [role])
  seated.stranger = await signInAs(app, 'qu-jianshe', ['officer'])
  who = seated as typeof who
})
afterAll(async () => {
  await app.close()
})

const version = async (): Promise<number> =>
  (
    await app.database.db
      .selectFrom('case_file')
      .select('version')
      .where('case_no', '=', caseNo)
      .executeTakeFirstOrThrow()
  ).version

async function officerDoes(...actions: ('accept' | 'work')[]): Promise<void> {
  for (const action of actions) {
    await app.services.cases.act(who.officer.session, caseNo, { action, version: await version() })
  }
}

async function concluded(): Promise<void> {
  await officerDoes('accept', 'work')
  await app.services.cases.addProof(who.officer.session, caseNo, {
    kind: 'decision-number',
    caption: '原环罚〔2026〕1号',
    blobKey: null,
  })
  await app.services.cases.act(who.officer.session, caseNo, {
    action: 'conclude',
    version: await version(),
    outcome: 'substantiated',
    statement: '已责令停用。',
  })
}

async function fileCase(): Promise<void> {
  const reply = await fetch(`${app.url}/api/v1/tips`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json' },
    body: JSON.stringify({ plain: plainTip() }),
  })
  const filed = (await reply.json()) as { caseNo: string; promise: { department: string } }
  expect(filed.promise.department).toBe(HOLDER)
  caseNo = filed.caseNo
  tipId = (
    await app.database.db
      .selectFrom('tip')
      .innerJoin('case_file', 'case_file.id', 'tip.case_id')
      .select('tip.id')
      .where('case_no', '=', caseNo)
      .executeTakeFirstOrThrow()
  ).id
}

function call(as: Who, method: string, path: string, body?: unknown, token?: string): Promise<Response> {
  const member = as === 'nobody' ? null : who[as]
  return fetch(`${app.url}/api/v1${path}`, {
    method,
    headers: {
      ...(member ? { cookie: member.cookie, 'x-form-token': token ?? member.token } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

/** What a row of the table says for whom: the status, with one for all who are not named. */
type Expected = Partial<Record<Who, number>> & { readonly others: number }
interface Row {
  /** Brings the fresh case to where the request makes sense. */
  readonly before?: () => Promise<void>
  readonly path?: () => string
  readonly body?: () => unknown
  readonly expected: Expected
}

const signedIn: Expected = { nobody: 401, others: 200 }
const seesRouted: Expected = { officer: 200, dispatcher: 200, auditor: 200, nobody: 401, others: 404 }
/** Begins as what a browser sealed. */
const AGE = Buffer.from('age-encryption.org/v1\n').toString('base64url')
const noRequest = (): string => `/staff/identity/${randomUUID()}`
const NOT_A_WRAP = { tipId: '00000000-0000-4000-8000-000000000000', epoch: 1, wrapped: 'AAAA' }

/** Who may do what: every route of the console's API has a row, or this file fails. */
const TABLE: Readonly<Record<string, Row>> = {
  'POST /staff/kdf': { body: () => ({ username: 'x' }), expected: { others: 200 } },
  'POST /staff/sign-in': {
    body: () => ({ username: randomUUID(), auth: 'y' }),
    expected: { others: 403 },
  },
  'POST /staff/sign-in/code': { body: () => ({ ticket: 'x', code: '000000' }), expected: { others: 401 } },
  'POST /staff/sign-in/passkey-options': { body: () => ({ ticket: 'x' }), expected: { others: 401 } },
  'POST /staff/sign-in/passkey': { body: () => ({}), expected: { others: 422 } },
  'POST /staff/enrolment': { body: () => ({ token: 'x' }), expected: { others: 404 } },
  'POST /staff/enrol': { body: () => ({}), expected: { others: 422 } },
  // With a link that nobody has, and without one for the own account alone.
  'POST /staff/factors/link': { body: () => ({ link: 'x' }), expected: { others: 404 } },
  'POST /staff/factors/totp-offer': { body: () => ({}), expected: signedIn },
  'POST /staff/factors/totp': {
    body: () => ({ sealed: 'AAAA', code: '000000' }),
    expected: { nobody: 401, others: 422 },
  },
  'POST /staff/factors/passkey-offer': { body: () => ({}), expected: signedIn },
  'POST /staff/factors/passkey': { body: () => ({}), expected: { others: 422 } },
  'POST /staff/factors/remove': {
    body: () => ({ factor: randomUUID() }),
    expected: { nobody: 401, others: 404 },
  },
  'GET /staff/recent': { expected: signedIn },
  'POST /staff/recent/code': { body: () => ({ code: '000000' }), expected: { nobody: 401, others: 403 } },
  'POST /staff/recent/passkey-options': { body: () => ({}), expected: { nobody: 401, others: 422 } },
  'POST /staff/recent/passkey': { body: () => ({}), expected: { nobody: 401, others: 422 } },
  'POST /staff/passphrase': { body: () => ({}), expected: { nobody: 401, others: 422 } },
  'GET /staff/keys': { expected: signedIn },
  'GET /staff/recipients': { expected: signedIn },
  // Nobody here holds a key, so nobody has one to give.
  'POST /staff/grants': {
    body: () => ({ memberId: randomUUID(), grants: [{ epoch: 1, wrapped: 'AAAA' }], voucher: '' }),
    expected: { nobody: 401, others: 403 },
  },
  'GET /staff/rotation': { expected: { nobody: 401, others: 403 } },
  'POST /staff/rotation': {
    body: () => ({
      epoch: 2,
      recipient: 'age1',
      grants: [{ memberId: randomUUID(), wrapped: 'AAAA', voucher: '' }],
      escrow: 'AAAA',
      voucher: { previous: '', day: '2026-11-25', verifier: '', signature: '' },
    }),
    expected: { nobody: 401, others: 403 },
  },
  'GET /staff/rotation/tips': { expected: { nobody: 401, others: 403 } },
  'POST /staff/rotation/tips': {
    body: () => ({ wraps: [{ ...NOT_A_WRAP }] }),
    expected: { nobody: 401, others: 403 },
  },
  'GET /staff/cases/:caseNo': { expected: seesRouted },
  'GET /staff/cases/:caseNo/photos/:tipId/:purpose/:part': {
    path: () => `/staff/cases/${caseNo}/photos/${tipId}/tip.photo/0`,
    expected: { nobody: 401, others: 404 },
  },
  'POST /staff/cases/:caseNo/actions': {
    body: () => ({ action: 'accept', version: 1 }),
    expected: { officer: 200, dispatcher: 403, auditor: 403, nobody: 401, others: 404 },
  },
  // No age file: whoever may write is told so, everybody else learns of no case.
  'POST /staff/cases/:caseNo/messages': {
    before: () => officerDoes('accept'),
    body: () => ({ tipId, number: 1, key: randomUUID(), sealed: 'AAAA' }),
    expected: { officer: 422, nobody: 401, others: 404 },
  },
  'GET /staff/cases/:caseNo/messages/:tipId/photos/:photo': {
    path: () => `/staff/cases/${caseNo}/messages/${tipId}/photos/${'0'.repeat(32)}`,
    expected: { nobody: 401, others: 404 },
  },
  // The wrap is no age file: whoever may wrap at all is told so, everybody else learns of no case.
  'POST /staff/cases/:caseNo/wraps': {
    before: async () => {
      await app.database.db.deleteFrom('tip_wrap').where('tip_id', '=', tipId).execute()
    },
    body: () => ({ wraps: [{ ...NOT_A_WRAP, tipId }] }),
    expected: { officer: 422, dispatcher: 422, nobody: 401, others: 404 },
  },
  'POST /staff/cases/:caseNo/proofs': {
    before: () => officerDoes('accept'),
    body: () => ({ kind: 'decision-number', caption: '原环罚〔2026〕1号' }),
    expected: { officer: 201, nobody: 401, others: 404 },
  },
  'POST /staff/cases/:caseNo/proofs/:id/remove': {
    before: () => officerDoes('accept'),
    path: () => `/staff/cases/${caseNo}/proofs/${proofId}/remove`,
    expected: { officer: 200, nobody: 401, others: 404 },
  },
  'GET /staff/cases/:caseNo/preview': {
    before: concluded,
    expected: { ...seesRouted, publisher: 200 },
  },
  // The tip is anonymous: whoever may ask is told so. What each may do with a request: identity.test.ts.
  'POST /staff/identity': {
    before: fileCase,
    body: () => ({ caseNo, tipId, kind: 'read', reason: 'clarify', sealedReason: AGE }),
    expected: { officer: 422, dispatcher: 403, auditor: 403, nobody: 401, others: 404 },
  },
  'GET /staff/identity/:id': { path: noRequest, expected: { nobody: 401, others: 404 } },
  'POST /staff/identity/:id/strip': {
    path: () => `${noRequest()}/strip`,
    body: () => ({ inner: AGE }),
    expected: { nobody: 401, others: 404 },
  },
  'POST /staff/identity/:id/pass': {
    path: () => `${noRequest()}/pass`,
    body: () => ({ passed: AGE }),
    expected: { nobody: 401, others: 404 },
  },
  'POST /staff/identity/:id/reissue': {
    path: () => `${noRequest()}/reissue`,
    body: () => ({
      auth: 'A'.repeat(43),
      recipient: `age1${'q'.repeat(58)}`,
      recipientMac: null,
      signature: '',
      sealedNote: AGE,
    }),
    expected: { nobody: 401, others: 404 },
  },
  'POST /staff/identity/:id/refuse': {
    path: () => `${noRequest()}/refuse`,
    body: () => ({}),
    expected: { nobody: 401, others: 404 },
  },
  'POST /staff/identity/:id/open': {
    path: () => `${noRequest()}/open`,
    body: () => ({}),
    expected: { nobody: 401, others: 404 },
  },
  // No reward has that id. What each may do with one: rewards.test.ts.
  'GET /staff/rewards/:id/payee': {
    path: () => `/staff/rewards/${randomUUID()}/payee`,
    expected: { nobody: 401, others: 404 },
  },
  'POST /staff/rewards/:id/payee/release': {
    path: () => `/staff/rewards/${randomUUID()}/payee/release`,
    body: () => ({ inner: AGE }),
    expected: { nobody: 401, others: 404 },
  },
  // Last, since it ends the session.
  'POST /staff/sign-out': { expected: { others: 200 } },
}
let proofId: string

/** What pages ask of the services themselves: the roles that are heard. To the others each is refused alike. */
const VERBS: Readonly<Record<string, readonly [Verb, ...Role[]]>> = {
  'sees the audit': [({ staff }, by) => staff.audit(by, null), 'auditor', 'admin'],
  'checks the trail': [({ auditTrail }, by) => auditTrail.check(by), 'auditor', 'admin'],
  'sees members': [({ staff }, by) => staff.members(by), 'auditor', 'admin'],
  'removes a member': [({ staff }, by) => staff.remove('nobody', by), 'admin'],
  'resets a factor': [({ factors }, by) => factors.reset(by, 'nobody'), 'admin'],
  'counts sessions': [({ sessions }, by) => sessions.counts(by), 'admin'],
  'ends sessions': [({ sessions }, by) => sessions.endAll(by, 'nobody'), 'admin'],
  'sends streets to a police branch': [
    ({ staff }, by) => staff.setPolice(by, 'nowhere', null),
    'dispatcher',
    'admin',
  ],
  'sees mails': [({ notices }, by) => notices.overview(by, 'all', null), 'auditor', 'admin'],
  'reads a mail': [({ notices }, by) => notices.written(by, randomUUID()), 'auditor', 'admin'],
  'sends a mail again': [({ notices }, by) => notices.replay(by, randomUUID()), 'admin'],
  'sees how long things are kept': [({ retention }, by) => retention.overview(by), 'auditor', 'admin'],
  'changes how long': [
    ({ retention }, by) => retention.setRule(by, { class: '', days: 0, from: '' }),
    'admin',
  ],
  'keeps a case': [({ retention }, by) => retention.hold(by, 'nothing', 'audit'), 'auditor'],
  'lets a kept case go': [({ retention }, by) => retention.lift(by, 'nothing'), 'auditor'],
  'sees requests for names': [
    ({ identity }, by) => identity.waiting(by),
    ...(['officer', 'dispatcher', 'custodian', 'approver'] as const),
  ],
  'sees rewards': [
    ({ rewards }, by) => rewards.waiting(by),
    ...(['officer', 'approver', 'finance', 'auditor', 'admin'] as const),
  ],
  'approves a reward': [({ rewards }, by) => rewards.approve(by, randomUUID()), 'approver'],
  'sends a reward back': [({ rewards }, by) => rewards.sendBack(by, randomUUID(), 'known'), 'approver'],
  'releases a reward': [({ rewards }, by) => rewards.release(by, randomUUID(), 'review', ''), 'approver'],
  'sees transfers': [({ rewards }, by) => rewards.transfers(by), 'approver', 'finance'],
  'transfers a reward': [({ rewards }, by) => rewards.transfer(by, randomUUID(), '1'), 'finance'],
  'looks behind a code': [({ rewards }, by) => rewards.desk(by, ''), 'finance'],
  'pays a reward': [
    ({ rewards }, by) => rewards.pay(by, { code: '', voucherNo: '', identityChecked: true }),
    'finance',
  ],
  'corrects a voucher': [({ rewards }, by) => rewards.correctVoucher(by, 'a', 'b'), 'finance'],
  'reads the ledger': [
    ({ rewards }, by) => rewards.ledger(by, null),
    ...(['approver', 'finance', 'auditor', 'admin'] as const),
  ],
  'sees budgets': [
    ({ rewards }, by) => rewards.budgets(by),
    ...(['approver', 'finance', 'auditor', 'admin'] as const),
  ],
  'sees proposed schedules': [
    ({ rewardRules }, by) => rewardRules.proposals(by),
    ...(['approver', 'finance', 'auditor', 'admin'] as const),
  ],
  'proposes how rewards are collected': [
    ({ rewardRules }, by) => rewardRules.proposeSetting(by, { anonymous: true, inspectPerMille: -1 }),
    'finance',
    'admin',
  ],
  'confirms a schedule': [
    ({ rewardRules }, by) => rewardRules.decide(by, 'schedule', randomUUID(), true),
    'approver',
    'admin',
  ],
}
type Verb = (services: Services, by: StaffSession) => Promise<unknown>

describe('the verbs behind the console’s pages', () => {
  it.each(Object.entries(VERBS))('who %s', async (_what, [verb, ...roles]) => {
    const heard = new Set<Role>()
    for (const role of ROLES) {
      const answer = await verb(app.services, who[role].session).then(
        () => 'done',
        (error: unknown) => (error instanceof DomainError ? error.code : Promise.reject(error as Error)),
      )
      if (answer !== 'forbidden') heard.add(role)
    }
    expect(heard).toEqual(new Set(roles))
  })
})

describe('the console’s API', () => {
  it('has a row for each of its routes', () => {
    const routes = app.routes.filter(({ path }) => path.startsWith('/staff'))
    expect(routes.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(Object.keys(TABLE).sort())
  })

  it.each(Object.keys(TABLE))('%s answers each role as the table says', async (route) => {
    const row = TABLE[route]
    if (!row) throw new Error('no row')
    const [method = '', pattern = ''] = route.split(' ')
    const seen: Partial<Record<Who, number>> = {}
    const expected: Partial<Record<Who, number>> = {}
    for (const as of EVERYBODY) {
      if (pattern.includes(':caseNo')) await fileCase()
      await row.before?.()
      if (pattern.includes('/proofs/:id/')) {
        proofId = await app.services.cases.addProof(who.officer.session, caseNo, {
          kind: 'decision-number',
          caption: '一份文书',
          blobKey: null,
        })
      }
      const reply = await call(as, method, row.path?.() ?? pattern.replace(':caseNo', caseNo), row.body?.())
      seen[as] = reply.status
      expected[as] = row.expected[as] ?? row.expected.others
      if (reply.status >= 400) {
        expect(reply.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
        expect(((await reply.json()) as Problem).type).toMatch(/^\/problems\/[a-z-]+\/$/)
      }
    }
    expect(seen).toEqual(expected)
    if (route === 'POST /staff/sign-out') {
      expect((await call('officer', 'GET', '/staff/keys')).status).toBe(401)
      expect((await call('admin', 'GET', '/staff/keys')).status).toBe(401)
    }
  })
})

describe('a change of a case', () => {
  beforeAll(async () => {
    // The walk above has signed everybody out.
    const officer = await signInAs(app, HOLDER, ['officer'])
    const publisher = await signInAs(app, 'qu-daqiban', ['publisher'])
    who = { ...who, officer, publisher }
  })
  beforeEach(fileCase)

  const problemOf = async (reply: Response) => {
    const problem = (await reply.json()) as Problem
    return `${reply.status} ${problem.type}`
  }
  const act = (as: Who, body: unknown, token?: string) =>
    call(as, 'POST', `/staff/cases/${caseNo}/actions`, body, token)

  it('is refused for a version that somebody else has changed, and changes nothing', async () => {
    expect((await act('officer', { action: 'accept', version: 1 })).status).toBe(200)
    expect(await problemOf(await act('officer', { action: 'work', version: 1 }))).toBe(
      '409 /problems/stale-version/',
    )
    expect(await problemOf(await act('officer', { action: 'work', version: 99 }))).toBe(
      '409 /problems/stale-version/',
    )
    expect(await version()).toBe(2)
  })

  it('is one change when two send it at once', async () => {
    const replies = await Promise.all(
      Array.from({ length: 8 }, () => act('officer', { action: 'accept', version: 1 })),
    )
    expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(7).fill(409)])
  })

  it('needs the page’s form token, of this session', async () => {
    const publisher = who.publisher.token
    for (const token of ['', 'junk', publisher, who.officer.token.replace(/^./, '0')]) {
      expect(await problemOf(await act('officer', { action: 'accept', version: 1 }, token))).toBe(
        '403 /problems/form-token/',
      )
    }
    expect(await version()).toBe(1)
  })

  it('is refused out of order, with nonsense in it, and for a case that is not there', async () => {
    expect(await problemOf(await act('officer', { action: 'conclude', version: 1 }))).toMatch(
      /^(?:409 \/problems\/case-transition|422 \/problems\/invalid-input)\/$/,
    )
    for (const body of [
      null,
      [],
      { action: 'burn', version: 1 },
      { action: 'accept' },
      { action: 'accept', version: '1' },
      { action: 'return', version: 1, reason: 'other-area', target: 'no-such-place' },
    ]) {
      expect(await problemOf(await act('officer', body))).toBe('422 /problems/invalid-input/')
    }
    const gone = await call('officer', 'POST', '/staff/cases/ZY-2611-00000/actions', {
      action: 'accept',
      version: 1,
    })
    expect(await problemOf(gone)).toBe('404 /problems/not-found/')
    expect(await version()).toBe(1)
  })

  it('answers an id that is none as not found', async () => {
    await officerDoes('accept')
    for (const id of ['nothing', '1', "'", randomUUID()]) {
      const path = `/staff/cases/${caseNo}/proofs/${encodeURIComponent(id)}/remove`
      expect(await problemOf(await call('officer', 'POST', path))).toBe('404 /problems/not-found/')
    }
    for (const photo of [
      'x/tip.photo/0',
      `${tipId}/tip.note/0`,
      `${tipId}/tip.photo/-1`,
      `${tipId}/tip.photo/0`,
    ]) {
      const path = `/staff/cases/${caseNo}/photos/${photo}`
      expect(await problemOf(await call('officer', 'GET', path))).toBe('404 /problems/not-found/')
    }
  })

  it('cannot be published by whoever worked on it', async () => {
    const both = await signInAs(app, HOLDER, ['officer', 'publisher'])
    who = { ...who, officer: both }
    await concluded()
    expect(await problemOf(await act('officer', { action: 'publish', version: await version() }))).toBe(
      '409 /problems/two-people/',
    )
    expect((await act('publisher', { action: 'publish', version: await version() })).status).toBe(200)
  })
})

describe('the console’s pages', () => {
  const folder = fileURLToPath(new URL('../../src/pages/staff', import.meta.url))
  const pages = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:astro|ts)$/.test(name))
    .map((name) => ({
      name,
      route: name.endsWith('.ts')
        ? `/staff/${name.slice(0, -3)}`
        : `/staff/${name.replace(/(?:^|\/)index\.astro$|\.astro$/, '')}/`.replace('//', '/'),
    }))

  it.each(pages)('$name has a row that says who may open it, and asks it', ({ name, route }) => {
    const allowed = CONSOLE_ROUTES[route]
    expect(allowed, `${route} has no row in CONSOLE_ROUTES`).toBeDefined()
    if (allowed === 'anybody') return
    const source = readFileSync(`${folder}/${name}`, 'utf8')
    // A page of one case is for those who may see that case; the service says who, and not found to the others.
    const asks = source.includes(`mayVisit('${route}'`) || source.includes('services.cases.detail(staff')
    expect(asks, `${name} asks nobody's role`).toBe(true)
    expect(source).toContain(name.endsWith('.ts') ? '!staff ||' : "redirect('/staff/sign-in/')")
  })
})

describe('the audit', () => {
  it('tells who came and went, to the auditor only, page by page', async () => {
    const auditor = await signInAs(app, 'qu-duchashi', ['auditor'])
    const officer = await signInAs(app, HOLDER, ['officer'])
    await app.services.sessions.end(officer.session)
    const { items } = await app.services.staff.audit(auditor.session, null)
    expect(items.slice(0, 2).map(({ who, action }) => [who, action])).toEqual([
      [officer.session.displayName, 'sign-out'],
      [officer.session.displayName, 'sign-in'],
    ])
    await expect(app.services.staff.audit(officer.session, null)).rejects.toMatchObject({ code: 'forbidden' })
    for (const cursor of ['nonsense', encodeCursor(['a word'])]) {
      await expect(app.services.staff.audit(auditor.session, cursor)).rejects.toMatchObject({
        code: 'bad-cursor',
      })
    }
  })
})
