import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Role } from '../../src/domain/case.ts'
import { addDays, dayOf } from '../../src/domain/day.ts'
import { DISPATCHER_DEPARTMENT, SUPERVISION_DEPARTMENT } from '../../src/domain/plan.ts'
import type { ActRequest } from '../../src/services/cases.ts'
import { openTestApp, plainTip, signInAs, tipForm, type TestApp, type TestMember } from '../support/app.ts'
import { jpegWithExif } from '../support/images.ts'

/** The department from which everything is seen. */
const HOME = 'qu-huanbao'
const OTHER = 'qu-gongshang-zhijian'

/** Cases as one meets them, from {@link HOME}. */
const OBJECTS = ['own', 'folded', 'concluded', 'published', 'other', 'accusing', 'accusing-done'] as const
type Thing = (typeof OBJECTS)[number]

/** Who looks: every role, seated where the rule about it could be got wrong. */
const SEATS = {
  officer: [HOME, 'officer'],
  'other officer': [OTHER, 'officer'],
  'supervising officer': [SUPERVISION_DEPARTMENT, 'officer'],
  'dispatching officer': [DISPATCHER_DEPARTMENT, 'officer'],
  dispatcher: [DISPATCHER_DEPARTMENT, 'dispatcher'],
  publisher: [SUPERVISION_DEPARTMENT, 'publisher'],
  'accused publisher': [HOME, 'publisher'],
  auditor: [SUPERVISION_DEPARTMENT, 'auditor'],
  'accused auditor': [HOME, 'auditor'],
  'dispatching auditor': [DISPATCHER_DEPARTMENT, 'auditor'],
  custodian: [HOME, 'custodian'],
  approver: [HOME, 'approver'],
  finance: [HOME, 'finance'],
  admin: [HOME, 'admin'],
} as const satisfies Readonly<Record<string, readonly [string, Role]>>
type Who = keyof typeof SEATS
const EVERYBODY = Object.keys(SEATS) as Who[]

let app: TestApp
const who = {} as Record<Who, TestMember>
const cases = {} as Record<Thing, { caseNo: string; tipId: string }>
/** A proof's picture of each. */
const pictures = {} as Record<Thing, string>

async function file(part: Readonly<Record<string, unknown>>): Promise<{ caseNo: string; tipId: string }> {
  const reply = await fetch(`${app.url}/api/v1/tips`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID() },
    body: tipForm(plainTip(part), [await jpegWithExif({ text: 'x' })]),
  })
  const { caseNo } = (await reply.json()) as { caseNo: string }
  const { id } = await app.database.db
    .selectFrom('tip')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .select('tip.id')
    .where('case_no', '=', caseNo)
    .executeTakeFirstOrThrow()
  return { caseNo, tipId: id }
}

/** Takes a case through its steps, each by whoever may, and hangs a picture on it. */
async function walk(thing: Thing, by: TestMember, until: 'accepted' | 'concluded'): Promise<number> {
  const { services } = app
  const { caseNo } = cases[thing]
  const act = async (request: Omit<ActRequest, 'version'>, version: number): Promise<number> =>
    (await services.cases.act(by.session, caseNo, { ...request, version })).version
  const accepted = await act({ action: 'accept' }, 1)
  pictures[thing] = await services.cases.addProof(by.session, caseNo, {
    kind: 'photo',
    caption: '现场',
    blobKey: await services.photos.proof(await jpegWithExif({ text: 'x' })),
    review: 'checked',
  })
  if (until === 'accepted') return accepted
  const working = await act({ action: 'work' }, accepted)
  return act({ action: 'conclude', outcome: 'substantiated', statement: '已责令停用。' }, working)
}

beforeAll(async () => {
  app = await openTestApp()
  for (const one of EVERYBODY) who[one] = await signInAs(app, SEATS[one][0], [SEATS[one][1]])
  const elsewhere = await signInAs(app, DISPATCHER_DEPARTMENT, ['publisher'])
  cases.own = await file({})
  await walk('own', who.officer, 'accepted')
  // Only an earlier case takes another in.
  await app.database.db
    .updateTable('case_file')
    .set({ received_day: addDays(dayOf(app.deps.clock.now()), -1) })
    .where('case_no', '=', cases.own.caseNo)
    .execute()
  cases.folded = await file({})
  await app.services.cases.act(who.officer.session, cases.folded.caseNo, {
    action: 'attach',
    version: await walk('folded', who.officer, 'accepted'),
    attachTo: cases.own.caseNo,
  })
  cases.concluded = await file({})
  await walk('concluded', who.officer, 'concluded')
  cases.published = await file({})
  const version = await walk('published', who.officer, 'concluded')
  await app.services.cases.act(elsewhere.session, cases.published.caseNo, { action: 'publish', version })
  cases.other = await file({ category: 'loose-coal' })
  await walk('other', who['other officer'], 'accepted')
  cases.accusing = await file({ category: 'department-inaction', accused: HOME })
  await walk('accusing', who['supervising officer'], 'accepted')
  cases['accusing-done'] = await file({ category: 'department-inaction', accused: HOME })
  await walk('accusing-done', who['supervising officer'], 'concluded')
})
afterAll(async () => {
  await app.close()
})

function call(as: Who, method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${app.url}/api/v1${path}`, {
    method,
    headers: {
      cookie: who[as].cookie,
      'x-form-token': who[as].token,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

/**
 * What of each case each of them gets: `o` opens what is sealed, `f` the plain facts, `-` learns of no case. Nobody of the
 * accused department or the dispatcher's meets a complaint about inaction; publishers meet what is concluded.
 */
const GRID: Readonly<Record<Who, string>> = {
  //             own folded concluded published other accusing accusing-done
  officer: '               o o o o - - -',
  'other officer': '       - - - - o - -',
  'supervising officer': ' - - - - - o o',
  'dispatching officer': ' - - - - - - -',
  dispatcher: '            o o o o o - -',
  publisher: '             - - f f - - f',
  'accused publisher': '   - - f f - - -',
  auditor: '               f f f f f f f',
  'accused auditor': '     f f f f f - -',
  'dispatching auditor': ' f f f f f - -',
  custodian: '             - - - - - - -',
  approver: '              - - - - - - -',
  finance: '               - - - - - - -',
  admin: '                 - - - - - - -',
}
type Sight = 'o' | 'f' | '-'
const IN_WORK: readonly Thing[] = ['own', 'other', 'accusing']
/** Who meets some cases has a queue, if an empty one. */
const HAS_QUEUE: readonly Role[] = ['officer', 'dispatcher', 'publisher', 'auditor']

interface Look {
  /** Asks in a way that says whether it would be let, and changes nothing that another cell looks at. */
  readonly ask: (as: Who, thing: Thing) => Promise<string>
  readonly expected: (sight: Sight, as: Who, thing: Thing) => string
}

const base = (thing: Thing): string => `/staff/cases/${cases[thing].caseNo}`
const status = async (reply: Promise<Response>): Promise<string> => String((await reply).status)

/** Every route of the console's API with a case in its address has a row, or this file fails. */
const ROUTES: Readonly<Record<string, Look>> = {
  'GET /staff/cases/:caseNo': {
    ask: async (as, thing) => {
      const reply = await call(as, 'GET', base(thing))
      if (reply.status !== 200) return String(reply.status)
      const { tips } = (await reply.json()) as {
        tips: { wrap: { department: string } | null; narrative: string | null }[]
      }
      const wraps = tips.flatMap(({ wrap }) => (wrap ? [wrap.department] : []))
      const sealed = tips.filter(({ narrative }) => narrative !== null).length
      return `${sealed > 0 ? 'sealed parts' : 'facts'}, wraps for ${[...new Set(wraps)].join() || 'nobody'}`
    },
    expected: (sight, as) =>
      ({ o: `sealed parts, wraps for ${SEATS[as][0]}`, f: 'facts, wraps for nobody', '-': '404' })[sight],
  },
  'GET /staff/cases/:caseNo/photos/:tipId/:purpose/:part': {
    ask: (as, thing) => status(call(as, 'GET', `${base(thing)}/photos/${cases[thing].tipId}/tip.original/0`)),
    expected: (sight) => (sight === 'o' ? '200' : '404'),
  },
  'GET /staff/cases/:caseNo/preview': {
    ask: (as, thing) => status(call(as, 'GET', `${base(thing)}/preview`)),
    expected: (sight) => (sight === '-' ? '404' : '200'),
  },
  // A version that nobody has seen: whoever meets the case is told so. What each may do to it: test/unit/case.test.ts.
  'POST /staff/cases/:caseNo/actions': {
    ask: (as, thing) => status(call(as, 'POST', `${base(thing)}/actions`, { action: 'work', version: 99 })),
    expected: (sight) => (sight === '-' ? '404' : '409'),
  },
  // There is nothing to wrap.
  'POST /staff/cases/:caseNo/wraps': {
    ask: (as, thing) => status(call(as, 'POST', `${base(thing)}/wraps`, { wraps: [] })),
    expected: (sight) => (sight === 'o' ? '200' : '404'),
  },
  'POST /staff/cases/:caseNo/proofs': {
    ask: (as, thing) =>
      status(call(as, 'POST', `${base(thing)}/proofs`, { kind: 'decision-number', caption: '一份文书' })),
    expected: (sight, as, thing) =>
      sight !== 'o' || SEATS[as][1] !== 'officer' ? '404' : IN_WORK.includes(thing) ? '201' : '409',
  },
  'POST /staff/cases/:caseNo/proofs/:id/remove': {
    ask: async (as, thing) => {
      const reply = await call(as, 'POST', `${base(thing)}/proofs/${await added(thing)}/remove`)
      return String(reply.status)
    },
    expected: (sight, as, thing) =>
      sight !== 'o' || SEATS[as][1] !== 'officer' ? '404' : IN_WORK.includes(thing) ? '200' : '409',
  },
}

/** A proof that may be taken away; of a case that is done with, the picture. */
async function added(thing: Thing): Promise<string> {
  if (!IN_WORK.includes(thing)) return pictures[thing]
  const officer =
    EVERYBODY.find((as) => SEATS[as][1] === 'officer' && sightOf(as, thing) === 'o') ?? 'officer'
  return app.services.cases.addProof(who[officer].session, cases[thing].caseNo, {
    kind: 'rectification-note',
    caption: '一份文书',
    blobKey: null,
  })
}

function sightOf(as: Who, thing: Thing): Sight {
  const sight = GRID[as].trim().split(/\s+/)[OBJECTS.indexOf(thing)]
  if (sight !== 'o' && sight !== 'f' && sight !== '-') throw new Error(`no cell for ${as} and ${thing}`)
  return sight
}

async function expectGrid(look: Look): Promise<void> {
  const seen: Record<string, Record<string, string>> = {}
  const expected: Record<string, Record<string, string>> = {}
  for (const as of EVERYBODY) {
    const [row, wanted] = [(seen[as] = {}), (expected[as] = {})] as Record<string, string>[]
    for (const thing of OBJECTS) {
      if (row) row[thing] = await look.ask(as, thing)
      if (wanted) wanted[thing] = look.expected(sightOf(as, thing), as, thing)
    }
  }
  expect(seen).toEqual(expected)
}

describe('every role, every case', () => {
  it('has a row for each route with a case in its address', () => {
    const routes = app.routes.filter(({ path }) => path.startsWith('/staff') && path.includes(':caseNo'))
    expect(routes.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(Object.keys(ROUTES).sort())
  })

  it.each(Object.keys(ROUTES))('%s', async (route) => {
    const look = ROUTES[route]
    if (!look) throw new Error('no row')
    await expectGrid(look)
  })

  it('the queue', () =>
    expectGrid({
      ask: async (as, thing) => {
        const found = await app.services.cases
          .queue(who[as].session, { bucket: 'all' }, null, 200)
          .catch((error: unknown) => (error as { code: string }).code)
        if (typeof found === 'string') return found
        return found.items.some(({ caseNo }) => caseNo === cases[thing].caseNo) ? 'listed' : 'absent'
      },
      expected: (sight, as) =>
        sight !== '-' ? 'listed' : HAS_QUEUE.includes(SEATS[as][1]) ? 'absent' : 'forbidden',
    }))

  it('the pictures of proofs, which everybody sees once they are published', async () => {
    await expectGrid({
      ask: async (as, thing) =>
        (await app.services.cases.proofPhoto(who[as].session, pictures[thing])) ? 'seen' : 'nothing',
      expected: (sight, _as, thing) => (sight !== '-' || thing === 'published' ? 'seen' : 'nothing'),
    })
    for (const thing of OBJECTS) {
      const seen = (await app.services.cases.proofPhoto(null, pictures[thing])) !== null
      expect(`${thing} ${String(seen)}`).toBe(`${thing} ${String(thing === 'published')}`)
    }
  })

  it('a photo without its officer’s decision becomes no proof, and the decision is in the audit', async () => {
    const { caseNo } = cases.own
    const photo = await jpegWithExif({ text: 'x' })
    const send = (review: string | null): Promise<Response> => {
      const body = new FormData()
      if (review !== null) body.set('review', review)
      body.set('photo', new Blob([Buffer.from(photo)]), 'a.jpg')
      return fetch(`${app.url}/api/v1/staff/cases/${caseNo}/proofs`, {
        method: 'POST',
        headers: { cookie: who.officer.cookie, 'x-form-token': who.officer.token },
        body,
      })
    }
    const audited = async (): Promise<string[]> => {
      const rows = await app.database.db
        .selectFrom('staff_audit')
        .select(['action', 'role'])
        .where('object', '=', caseNo)
        .where('action', 'like', 'proof.add.%')
        .orderBy('id')
        .execute()
      return rows.map(({ action, role }) => `${role} ${action}`)
    }
    const proofs = async () => (await app.services.cases.detail(who.officer.session, caseNo)).proofs.length
    const [before, count] = [await audited(), await proofs()]
    for (const review of [null, '', 'redacted:0', 'yes']) expect((await send(review)).status).toBe(422)
    const unseen = { kind: 'photo', caption: '现场', blobKey: 'a-key' } as const
    await expect(app.services.cases.addProof(who.officer.session, caseNo, unseen)).rejects.toMatchObject({
      code: 'invalid-input',
      fields: [{ field: 'review' }],
    })
    expect(
      (await call('officer', 'POST', `/staff/cases/${caseNo}/proofs`, { kind: 'photo', caption: '现场' }))
        .status,
    ).toBe(422)
    expect(await proofs()).toBe(count)
    expect(await audited()).toEqual(before)

    expect((await send('redacted:2')).status).toBe(201)
    expect((await send('checked')).status).toBe(201)
    expect(await audited()).toEqual([...before, 'officer proof.add.redacted', 'officer proof.add.checked'])
  })
})
