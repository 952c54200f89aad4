import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMemoryFiles } from '../../src/adapters/memory-files.ts'
import { createMemoryShredKeys } from '../../src/adapters/memory-shred-keys.ts'
import { createMemoryAuditMarks } from '../../src/adapters/audit-marks.ts'
import { createMemoryPin } from '../../src/adapters/recipient-pin.ts'
import { createAltcha } from '../../src/adapters/altcha.ts'
import { systemRandom } from '../../src/adapters/system.ts'
import { EXAMPLE_TERMS } from '../../db/seed/rewards.ts'
import { createApi } from '../../src/api/index.ts'
import { openApiDocument } from '../../src/api/openapi.ts'
import { OPERATIONS } from '../../src/api/operations.ts'
import type { RewardLine } from '../../src/domain/reward.ts'
import type { Runtime } from '../../src/runtime.ts'
import { sealChecked } from '../../src/sealing/outgoing.ts'
import { followedReply } from '../../src/schemas/api.ts'
import { createServices } from '../../src/services/index.ts'
import { createPlanStore } from '../../src/services/plan-store.ts'
import type { Deps } from '../../src/services/ports.ts'
import { createDataVersions } from '../../src/services/versions.ts'
import { openTestDatabase, type TestDatabase } from '../support/database.ts'
import { insertMember } from '../support/rows.ts'
import { newSecrets } from '../support/sealed.ts'

const DAY_MS = 86_400_000
const OFFICER = '00000000-0000-4000-8000-000000000001'
const PUBLISHER = '00000000-0000-4000-8000-000000000002'

let database: TestDatabase
let api: ReturnType<typeof createApi>
let now = new Date('2026-11-23T02:00:00Z')
/** The values that stand in the paths, and the receipt that was opened. */
let known: Readonly<Record<string, string>> = {}
let cookie = ''
let code = ''
let draftCookie = ''

const aMember = (id: string, role: 'officer' | 'publisher'): Promise<void> =>
  insertMember(database.db, {
    id,
    departmentId: 'qu-huanbao',
    roles: [role],
    displayName: role,
    createdAt: now,
  })

async function anEntry(lists: Runtime['services']['lists']): Promise<string> {
  const department = { departmentId: 'qu-huanbao' }
  const id = await lists.propose(
    { ...department, memberId: OFFICER, roles: ['officer'] },
    'non-compliant',
    {
      action: 'enter',
      rows: [
        {
          subjectKind: '企业',
          subjectName: '示例建材有限公司',
          exceeded: '颗粒物超过排放限值 0.6 倍',
          reason: '除尘设施停用，粉尘直接外排。',
          legalBasis: '《中华人民共和国大气污染防治法》第九十九条',
          decisionNo: '示环罚〔2026〕12号',
          authority: 'qu-huanbao',
        },
      ],
    },
    '检查时查实。',
  )
  const [entryNo = ''] = await lists.approve({ ...department, memberId: PUBLISHER, roles: ['publisher'] }, id)
  return entryNo
}

const tip = (key: string) =>
  api.request('/tips', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(OPERATIONS.find(({ path }) => path === '/tips')?.example?.['body']),
  })
const open = () =>
  api.request('/receipts/open', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
  })

beforeAll(async () => {
  database = await openTestDatabase()
  await database.reset()
  const { db } = database
  const clock = { now: () => now }
  const versions = createDataVersions(db, clock, Number.POSITIVE_INFINITY)
  const secret = () => new Uint8Array(randomBytes(32))
  const deps: Partial<Deps> = {
    db,
    clock,
    random: systemRandom,
    files: createMemoryFiles(),
    shredKeys: createMemoryShredKeys(),
    secrets: { lookup: secret(), form: secret(), salt: secret(), cookie: secret() },
    pin: createMemoryPin(),
    auditMarks: createMemoryAuditMarks(),
    gate: createAltcha({ clock, secret: secret() }),
    thirdPartyGate: null,
    plan: createPlanStore(db, versions),
    versions,
    demo: false,
  }
  const services = createServices(deps as Deps)
  await services.keys.init()
  draftCookie = `__Host-draft=${(await services.drafts.start()).cookie}`
  api = createApi({ services, clock, random: systemRandom } as Runtime)

  await aMember(OFFICER, 'officer')
  await aMember(PUBLISHER, 'publisher')
  const entryNo = await anEntry(services.lists)
  const filed = (await (await tip('openapi-test-000001')).json()) as { caseNo: string; receiptCode: string }
  code = filed.receiptCode
  // The morning batch has come and gone.
  now = new Date(now.getTime() + 2 * DAY_MS)
  cookie = (await open()).headers.get('set-cookie')?.split(';')[0] ?? ''
  known = { id: '2017-14', list: 'non-compliant', entryNo, caseNo: filed.caseNo }
})
afterAll(async () => {
  await database.close()
})

/** Sends what the document gives as an example, with ids that exist here. */
/** What the examples of an upload stand for: a photo's file, and somebody's draft. */
async function askUpload(method: string, path: string): Promise<Response> {
  const secrets = await newSecrets()
  const sealed = await sealChecked(secrets, 'tip.photo', 0, new Uint8Array(9))
  const headers = { cookie: draftCookie }
  const begun = await api.request('/uploads', {
    method: 'POST',
    headers,
    body: JSON.stringify({ size: sealed.length }),
  })
  if (path === '/uploads') return begun
  const { id } = (await begun.json()) as { id: string }
  return api.request(`/uploads/${id}`, {
    method,
    ...(method === 'PATCH' ? { body: sealed, headers: { 'upload-offset': '0' } } : {}),
  })
}

function ask({ method, path, example = {}, ...operation }: (typeof OPERATIONS)[number]) {
  if (path === '/tips') return tip('openapi-test-000002')
  if (path === '/receipts/open') return open()
  if (path.startsWith('/uploads')) return askUpload(method.toUpperCase(), path)
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => known[name] ?? '')
  const query = Object.entries(example).filter(([name]) => name in (operation.query?.shape ?? {}))
  const search = new URLSearchParams(query.map(([name, value]) => [name, String(value)]))
  return api.request(`${filled}?${search.toString()}`, {
    method: method.toUpperCase(),
    headers: {
      ...(operation.cookie ? { cookie } : {}),
      ...(operation.header ? { [operation.header.name]: operation.header.example } : {}),
    },
    ...(operation.body ? { body: JSON.stringify(example['body']) } : {}),
  })
}

const name = ({ method, path }: (typeof OPERATIONS)[number]) => `${method.toUpperCase()} ${path}`
const WITHIN = OPERATIONS.filter(({ atRoot }) => !atRoot)

async function disputable(): Promise<void> {
  await database.db
    .updateTable('case_file')
    .set({
      state: 'published',
      outcome: 'unsubstantiated',
      statement: '现场没有发现扬尘。',
      concluded_by: OFFICER,
      concluded_day: '2026-11-24',
      published_by: PUBLISHER,
      published_day: '2026-11-25',
      dispute_until: '2026-12-10',
    })
    .where('case_no', '=', known['caseNo'] ?? '')
    .execute()
}

/** The opened tip's reward, approved and not collected. */
async function claimable(): Promise<void> {
  const { db } = database
  const own = await db
    .updateTable('case_file')
    .set({ state: 'published', outcome: 'substantiated', published_day: '2026-11-25' })
    .where('case_no', '=', known['caseNo'] ?? '')
    .returning('id')
    .executeTakeFirstOrThrow()
  const { id: tipId } = await db
    .selectFrom('tip')
    .select('id')
    .where('case_id', '=', own.id)
    .executeTakeFirstOrThrow()
  const schedule = {
    id: '00000000-0000-4000-8000-00000000000a',
    version: 1,
    title: '测试标准',
    basis: '测试〔2026〕1号',
    valid_from: '2026-01-01',
    example: false,
    terms: JSON.stringify(EXAMPLE_TERMS),
    status: 'confirmed' as const,
    proposed_by: OFFICER,
    proposed_at: now,
    decided_by: PUBLISHER,
    decided_at: now,
  }
  await db.insertInto('reward_schedule').values(schedule).execute()
  const lines: RewardLine[] = [
    { kind: 'condition', rule: 'first', met: true, text: '您是第一个举报人。' },
    { kind: 'amount', rule: 'fixed', amountFen: 50_000, text: '定额500元。' },
  ]
  await db
    .insertInto('reward')
    .values({
      id: '00000000-0000-4000-8000-00000000000b',
      case_id: own.id,
      tip_id: tipId,
      department_id: 'qu-huanbao',
      schedule_id: schedule.id,
      findings: '{}',
      lines: JSON.stringify(lines),
      eligible: true,
      amount_fen: 50_000,
      status: 'approved',
      proposed_by: OFFICER,
      proposed_day: '2026-11-25',
      decided_by: PUBLISHER,
      decided_day: '2026-11-25',
      budget_year: 2026,
    })
    .execute()
}

describe('the OpenAPI document', () => {
  it('names every public route there is, and no other', () => {
    const routes = api.routes
      .filter(({ method, path }) => method !== 'ALL' && !path.startsWith('/staff/'))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
      .filter((route) => route !== 'GET /openapi.json')
    expect([...new Set(routes)].sort()).toEqual(WITHIN.map(name).sort())
  })

  it.each(WITHIN.map((operation) => ({ name: name(operation), operation })))(
    '$name answers as described, to the last field',
    async ({ operation }) => {
      if (operation.path === '/receipts/current/dispute') await disputable()
      if (operation.path === '/receipts/current/claim') await claimable()
      const reply = await ask(operation)
      const body: unknown = await reply.json()
      expect(reply.status, JSON.stringify(body)).toBe(operation.status ?? 200)
      expect(operation.reply.parse(body)).toEqual(body)
    },
  )

  it.each(
    WITHIN.filter(({ method, path }) => path.includes('{') && method !== 'delete').map((operation) => ({
      name: name(operation),
      operation,
    })),
  )('$name refuses what is not there with a described problem', async ({ operation }) => {
    const method = operation.method === 'patch' ? 'PATCH' : 'GET'
    const reply = await api.request(operation.path.replaceAll(/\{\w+\}/g, 'nothing'), {
      method,
      headers: { 'upload-offset': '0' },
    })
    expect(reply.status).toBe(404)
    expect(reply.headers.get('content-type')).toContain('application/problem+json')
    expect(await reply.json()).toMatchObject({ type: '/problems/not-found/', status: 404 })
    expect(operation.refusals).toContain('not-found')
  })

  it('asks for no field of a tip that may be left out', async () => {
    const body = openApiDocument().paths['/tips']?.post?.requestBody?.content['application/json']
    expect(body?.schema.properties?.['plain']?.required).toEqual(['category', 'area', 'when', 'description'])
    expect((await tip('openapi-test-000003')).status).toBe(201)
  })

  it('points to the page that people read', async () => {
    const reply = await api.request('/openapi.json')
    expect(await reply.json()).toMatchObject({
      openapi: '3.1.0',
      externalDocs: { url: '/about/api/' },
      servers: [{ url: '/api/v1' }],
    })
  })
})

describe('the reporter’s reward', () => {
  it('is told with the receipt, line by line, once it is decided', async () => {
    const reply = await api.request('/receipts/current', { headers: { cookie } })
    const { reward } = followedReply.parse(await reply.json())
    expect(reward).toMatchObject({ stage: 'claimed', amountFen: 50_000, lastDay: '2027-01-24' })
    expect(reward.lines.map(({ rule }) => rule)).toEqual(['first', 'fixed'])
  })

  it('has one code at a time: another is refused, or replaces it', async () => {
    const claim = (again: boolean) =>
      api.request('/receipts/current/claim', {
        method: 'POST',
        headers: { cookie },
        body: JSON.stringify({ again }),
      })
    const refused = await claim(false)
    expect(refused.status).toBe(409)
    expect(await refused.json()).toMatchObject({ type: '/problems/reward-transition/' })
    expect((await claim(true)).status).toBe(200)
    const stranger = await api.request('/receipts/current/claim', { method: 'POST', body: '{}' })
    expect(stranger.status).toBe(404)
  })
})

describe('the cases of the API', () => {
  it('are narrowed by department', async () => {
    const of = async (department: string) => {
      const reply = await api.request(`/cases?department=${department}`)
      return ((await reply.json()) as { items: { holder: { id: string } }[] }).items
    }
    const { holder_id: holder } = await database.db
      .selectFrom('case_file')
      .select('holder_id')
      .where('case_no', '=', known['caseNo'] ?? '')
      .executeTakeFirstOrThrow()
    expect(await of(holder)).not.toEqual([])
    expect(await of('qu-huanbao')).toEqual([])
    expect(holder).not.toBe('qu-huanbao')
  })
})
