import { beforeEach, describe, expect, it } from 'vitest'
import type { Role } from '../../src/domain/case.ts'
import { BYTE_ORDER_MARK } from '../../src/domain/csv.ts'
import { listEntries, type EntryPosition, type FoundEntries } from '../../src/db/lists.ts'
import { DUST_BLACKLIST } from '../../src/domain/lists/dust-blacklist.ts'
import { readSearch } from '../../src/domain/search-text.ts'
import { makeUscc, typedUsccProblem } from '../../src/domain/uscc.ts'
import { csvTemplate, decodeCsv, type EntryFilter } from '../../src/schemas/list.ts'
import type { Reader } from '../../src/services/case-access.ts'
import { encodeCursor } from '../../src/services/cursor.ts'
import { createLists, type EntryCells, type ListChange } from '../../src/services/lists.ts'
import { createPlanStore } from '../../src/services/plan-store.ts'
import type { Deps } from '../../src/services/ports.ts'
import { createDataVersions } from '../../src/services/versions.ts'
import { useTestDatabase } from '../support/database.ts'
import { insertMember } from '../support/rows.ts'
import { seededBytes } from '../support/seeded-bytes.ts'

const LIST = 'dust-blacklist'
const database = useTestDatabase()
let now: Date
let made = 0

const aMember = (no: number, departmentId: string, ...roles: Role[]): Reader => ({
  memberId: `00000000-0000-4000-8000-00000000000${no}`,
  departmentId,
  roles,
})
const OFFICER = aMember(1, 'qu-jianshe', 'officer')
const STRANGER = aMember(2, 'qu-huanbao', 'officer')
const PUBLISHER = aMember(3, 'qu-daqiban', 'publisher')
// Somebody who may do both must still not do both to the same proposal.
const BOTH = aMember(4, 'qu-jianshe', 'officer', 'publisher')

beforeEach(async () => {
  now = new Date('2026-11-25T02:00:00Z')
  made = 0
  for (const { memberId, departmentId, roles } of [OFFICER, STRANGER, PUBLISHER, BOTH]) {
    const displayName = `测试员${memberId.slice(-1)}`
    await insertMember(database.db, { id: memberId, departmentId, roles, displayName, createdAt: now })
  }
})

const bytes = seededBytes(1)
function lists() {
  const { db } = database
  const clock = { now: () => now }
  const versions = createDataVersions(db, clock, Number.POSITIVE_INFINITY)
  const random = {
    bytes,
    uuid: () => `10000000-0000-4000-8000-${String((made += 1)).padStart(12, '0')}`,
  }
  const deps: Partial<Deps> = { db, clock, random, versions, plan: createPlanStore(db, versions) }
  return createLists(deps as Deps)
}

function cells(part: EntryCells = {}): EntryCells {
  made += 1
  return {
    subjectKind: '企业',
    subjectName: `示例${made}建筑有限公司`,
    uscc: makeUscc(`91000000${String(made).padStart(8, '0')}X`),
    project: '示例花园',
    site: '示例路口',
    reason: '土方未覆盖。',
    legalBasis: '《中华人民共和国大气污染防治法》第一百一十五条',
    decisionNo: `示建扬〔2026〕${made}号`,
    authority: '区建设局',
    decidedOn: '2026-01-01',
    ...part,
  }
}

const enter = (...rows: EntryCells[]): ListChange => ({ action: 'enter', rows })

/** Entries listed by two people; answers their numbers. */
async function listed(...rows: EntryCells[]): Promise<string[]> {
  const id = await lists().propose(OFFICER, LIST, enter(...rows), '按决定书列入')
  return lists().approve(PUBLISHER, id)
}

async function everything(filter: EntryFilter = {}, limit = 50): Promise<string[]> {
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const page = await lists().page(LIST, filter, cursor, limit)
    expect(page.items.length).toBeLessThanOrEqual(limit)
    seen.push(...page.items.map(({ entryNo }) => entryNo))
    cursor = page.next
  } while (cursor !== null)
  return seen
}

async function csv(excel: boolean): Promise<string> {
  let text = ''
  for await (const part of lists().csv(LIST, {}, excel)) text += part
  return text
}

describe('entering', () => {
  it('publishes nothing before a second person approves', async () => {
    const id = await lists().propose(OFFICER, LIST, enter(cells()), '按决定书列入')
    expect(await everything({ state: 'all' })).toEqual([])
    const [entryNo = ''] = await lists().approve(PUBLISHER, id)
    expect(entryNo).toMatch(/^YC-2611-[0-9A-HJKMNP-TV-Z]{5}$/)
    expect(await everything()).toEqual([entryNo])
    const entry = await lists().entry(LIST, entryNo)
    expect(entry).toMatchObject({
      state: 'listed',
      authority: 'qu-jianshe',
      authorityName: '区建设局',
      listedOn: '2026-11-25',
      revision: 1,
    })
    expect(entry?.revisions).toMatchObject([
      { action: 'enter', reason: '按决定书列入', proposedBy: 'officer', approvedBy: 'publisher' },
    ])
  })

  it('refuses a decision by the proposer, even one with both roles', async () => {
    const id = await lists().propose(BOTH, LIST, enter(cells()), '理由')
    await expect(lists().approve(BOTH, id)).rejects.toMatchObject({ code: 'two-people' })
    await expect(lists().reject(BOTH, id, '不要')).rejects.toMatchObject({ code: 'two-people' })
    expect(await everything()).toEqual([])
    expect(await lists().approve(PUBLISHER, id)).toHaveLength(1)
  })

  it('refuses proposals from other departments and roles, and decisions by officers', async () => {
    for (const staff of [STRANGER, PUBLISHER]) {
      await expect(lists().propose(staff, LIST, enter(cells()), '理由')).rejects.toMatchObject({
        code: 'forbidden',
      })
    }
    const id = await lists().propose(OFFICER, LIST, enter(cells()), '理由')
    for (const staff of [OFFICER, STRANGER]) {
      await expect(lists().approve(staff, id)).rejects.toMatchObject({ code: 'forbidden' })
    }
    await expect(lists().proposal(STRANGER, id)).rejects.toMatchObject({ code: 'not-found' })
  })

  it('decides once: a refused proposal lists nothing and cannot be approved', async () => {
    const id = await lists().propose(OFFICER, LIST, enter(cells()), '理由')
    await expect(lists().reject(PUBLISHER, id, ' ')).rejects.toMatchObject({
      code: 'invalid-input',
      fields: [{ field: 'why' }],
    })
    await lists().reject(PUBLISHER, id, '文号不对')
    await expect(lists().approve(PUBLISHER, id)).rejects.toMatchObject({ code: 'stale-version' })
    expect(await everything({ state: 'all' })).toEqual([])
    expect(await lists().proposal(OFFICER, id)).toMatchObject({
      status: 'rejected',
      decisionReason: '文号不对',
    })
  })

  it('takes a form that is sent twice as one proposal', async () => {
    const id = lists().proposalId('some.signed.token')
    const change = enter(cells())
    const ids = [
      await lists().propose(OFFICER, LIST, change, '理由', id),
      await lists().propose(OFFICER, LIST, change, '理由', id),
    ]
    expect(ids).toEqual([id, id])
    expect(await lists().proposals(PUBLISHER)).toHaveLength(1)
    await expect(lists().propose(BOTH, LIST, change, '理由', id)).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('does not list the same subject and decision twice, whichever was proposed first', async () => {
    const row = cells()
    const first = await lists().propose(OFFICER, LIST, enter(row), '理由')
    const second = await lists().propose(OFFICER, LIST, enter(row), '理由')
    await lists().approve(PUBLISHER, first)
    await expect(lists().approve(PUBLISHER, second)).rejects.toMatchObject({ code: 'invalid-input' })
    await expect(lists().propose(OFFICER, LIST, enter(row), '理由')).rejects.toMatchObject({
      code: 'invalid-input',
    })
    expect(await everything()).toHaveLength(1)
  })
})

describe('a file', () => {
  const heading =
    '主体类型,主体名称,统一社会信用代码,工程项目,工地位置,违法事实,依据,决定文号,决定机关,决定日期'
  const good = '企业,甲公司,,项目,路口,事实,《某法》第一条,示建扬〔2026〕1号,区建设局,2026-01-01'

  it('tells each problem with its row as a spreadsheet counts and its column, and stores nothing', async () => {
    const text = [
      heading,
      good,
      '企业,乙公司,91350100M000100Y4Z,项目,路口,事实,《某法》第一条,示建扬〔2026〕2号,区建设局,2026-02-31',
      '',
      '车辆,,,项目,路口,打 13812345678 问,某法,2号,区建设局,2026-01-01',
      good,
    ].join('\n')
    const { rows, errors } = await lists().previewCsv(OFFICER, LIST, text)
    expect(rows.map(({ row }) => row)).toEqual([2])
    expect(errors.map(({ row, key }) => `${row} ${key ?? ''}`)).toEqual([
      '3 uscc',
      '3 decidedOn',
      '5 subjectKind',
      '5 subjectName',
      '5 reason',
      '5 legalBasis',
      '5 decisionNo',
      '6 decisionNo',
    ])
    expect(await lists().proposals(PUBLISHER)).toEqual([])
  })

  it('refuses headings that are missing, misspelt or doubled', async () => {
    const { errors } = await lists().previewCsv(OFFICER, LIST, '主体名称,主体名称,工程项目名\n甲,甲,乙')
    const messages = errors.map(({ message }) => message).join('\n')
    expect(messages).toContain('“工程项目名”不在模板里')
    expect(messages).toContain('“主体名称”出现了两次')
    expect(messages).toContain('缺少“依据”')
  })

  it('reads what Chinese spreadsheets save, and no workbook', () => {
    const gb18030 = Uint8Array.from([0xd6, 0xf7, 0xcc, 0xe5])
    expect(decodeCsv(gb18030)).toBe('主体')
    expect(() => decodeCsv(Uint8Array.from([0x50, 0x4b, 3, 4, 0, 0]))).toThrow('这不是 CSV 文件')
    expect(() => decodeCsv(new Uint8Array())).toThrow('请选择')
  })

  it('is readable again when it is our own export, and the template has every column', async () => {
    await listed(cells({ reason: '=HYPERLINK("x")，又一行' }))
    const { errors } = await lists().previewCsv(OFFICER, LIST, await csv(true))
    expect(errors.map(({ key }) => key)).toEqual(['decisionNo'])
    const template = csvTemplate(DUST_BLACKLIST)
    expect(template.startsWith(BYTE_ORDER_MARK)).toBe(true)
    for (const { label } of DUST_BLACKLIST.columns) expect(template).toContain(label)
  })
})

describe('changing', () => {
  it('ends an entry with its reason and keeps it readable', async () => {
    const [entryNo = ''] = await listed(cells())
    now = new Date('2026-12-01T02:00:00Z')
    const id = await lists().propose(
      OFFICER,
      LIST,
      { action: 'remove', entryNo, revision: 1 },
      '整改完成，经复查达标',
    )
    expect(await everything()).toEqual([entryNo])
    await lists().approve(PUBLISHER, id)
    expect(await everything()).toEqual([])
    expect(await everything({ state: 'past' })).toEqual([entryNo])
    const entry = await lists().entry(LIST, entryNo)
    expect(entry).toMatchObject({ state: 'ended', endedOn: '2026-12-01', revision: 2 })
    expect(entry?.revisions.map(({ action, reason }) => [action, reason])).toEqual([
      ['remove', '整改完成，经复查达标'],
      ['enter', '按决定书列入'],
    ])
    await expect(
      lists().propose(OFFICER, LIST, { action: 'remove', entryNo, revision: 2 }, '再移一次'),
    ).rejects.toMatchObject({ code: 'stale-version' })
  })

  it('keeps what an amendment replaces, and shows who changed what', async () => {
    const row = cells()
    const [entryNo = ''] = await listed(row)
    const change: ListChange = {
      action: 'amend',
      entryNo,
      revision: 1,
      data: { ...row, site: '另一路口' },
    }
    const id = await lists().propose(OFFICER, LIST, change, '地址写错')
    expect((await lists().entry(LIST, entryNo))?.data['site']).toBe('示例路口')
    await lists().approve(PUBLISHER, id)
    const entry = await lists().entry(LIST, entryNo)
    expect(entry?.data['site']).toBe('另一路口')
    expect(entry?.revisions[0]).toMatchObject({
      revision: 2,
      action: 'amend',
      reason: '地址写错',
      changes: [{ key: 'site', before: '示例路口', after: '另一路口' }],
    })
    expect(entry?.revisions).toHaveLength(2)
  })

  it('refuses a change of what has changed since, at proposal and at approval', async () => {
    const row = cells()
    const [entryNo = ''] = await listed(row)
    const amend = (site: string): ListChange => ({
      action: 'amend',
      entryNo,
      revision: 1,
      data: { ...row, site },
    })
    const first = await lists().propose(OFFICER, LIST, amend('甲'), '理由')
    const second = await lists().propose(OFFICER, LIST, amend('乙'), '理由')
    await lists().approve(PUBLISHER, first)
    await expect(lists().approve(PUBLISHER, second)).rejects.toMatchObject({ code: 'stale-version' })
    await expect(lists().propose(OFFICER, LIST, amend('丙'), '理由')).rejects.toMatchObject({
      code: 'stale-version',
    })
    expect((await lists().entry(LIST, entryNo))?.data['site']).toBe('甲')
  })

  it('refuses an amendment that changes nothing', async () => {
    const row = cells()
    const [entryNo = ''] = await listed(row)
    await expect(
      lists().propose(OFFICER, LIST, { action: 'amend', entryNo, revision: 1, data: row }, '理由'),
    ).rejects.toMatchObject({ code: 'invalid-input' })
  })
})

describe('a search for what many entries bear', () => {
  it('looks through the list by stretches and misses nothing', async () => {
    const named = (index: number): string => (index % 5 === 3 ? '晨光' : '暮色')
    const rows = Array.from({ length: 23 }, (_, index) =>
      cells({ subjectName: `${named(index)}${index}建筑有限公司` }),
    )
    await listed(...rows)
    const whole = await everything({ q: '晨光' })
    expect(whole).toHaveLength(4)

    const search = readSearch('晨光')
    const criteria = { search, state: 'all', today: '2026-11-25', authority: null, year: null } as const
    const seen: string[] = []
    const sizes: number[] = []
    let after: EntryPosition | null = null
    do {
      const bounds = { fewHits: 2, stretch: 6 }
      const found: FoundEntries = await listEntries(database.db, LIST, criteria, after, 5, bounds)
      seen.push(...found.rows.map((row) => row.entry_no))
      sizes.push(found.rows.length)
      after = found.reached
    } while (after !== null)
    expect(seen).toEqual(whole)
    expect(sizes).toHaveLength(4)
  })
})

describe('reading', () => {
  it('pages through everything once, also when entries arrive between two pages', async () => {
    const days = ['2026-03-01', '2026-03-02', '2026-03-03']
    const all = await listed(
      ...Array.from({ length: 23 }, (_, index) => cells({ listedOn: days[index % 3] ?? null })),
    )
    expect((await everything({}, 5)).toSorted()).toEqual(all.toSorted())
    const first = await lists().page(LIST, {}, null, 10)
    await listed(cells({ listedOn: '2026-11-20' }))
    const rest = await lists().page(LIST, {}, first.next, 200)
    const seen = [...first.items, ...rest.items].map(({ entryNo }) => entryNo)
    expect(seen.toSorted()).toEqual(all.toSorted())
  })

  it('does not go on after a page that happens to be full', async () => {
    await listed(cells(), cells(), cells())
    expect((await lists().page(LIST, {}, null, 3)).next).toBeNull()
  })

  it.each([
    'xyz',
    encodeCursor(['2026-02-31', 'YC-2611-AAAAA']),
    encodeCursor(['2026-01-01', 'a\0b']),
    encodeCursor(['2026-01-01']),
  ])('refuses the cursor %j', async (cursor) => {
    await expect(lists().page(LIST, {}, cursor)).rejects.toMatchObject({ code: 'bad-cursor' })
  })

  it('finds by part of a name, credit code, decision number and entry number', async () => {
    const uscc = makeUscc('91000000999999999')
    const [wanted = '', other = ''] = await listed(
      cells({ subjectName: '蓝湖（演示）土石方公司', uscc, decisionNo: '示建扬〔2025〕778号' }),
      cells({ subjectName: '别家公司' }),
    )
    for (const q of [
      '湖演示土',
      '蓝',
      uscc,
      uscc.toLowerCase().slice(0, 12),
      '示建扬[2025]第778号',
      wanted.toLowerCase(),
    ]) {
      expect(await everything({ q }), q).toEqual([wanted])
    }
    expect(await everything({ q: '别家' })).toEqual([other])
    for (const q of ['没有这家', '%', "';--", '\0']) expect(await everything({ q }), q).toEqual([])
  })

  it('tells what is wrong with a whole credit code, and takes part of one as it is', () => {
    expect(typedUsccProblem('91350100M000100Y43')).toBeNull()
    expect(typedUsccProblem('91350100m000100y4z')).not.toBeNull()
    expect(typedUsccProblem('91350100M000100Y44')).toContain('校验位')
    expect(typedUsccProblem('91350100M000')).toBeNull()
    expect(typedUsccProblem('示例建材有限公司')).toBeNull()
  })

  it('filters by state, authority and year, and counts', async () => {
    const [expired = ''] = await listed(
      cells({ decidedOn: null, listedOn: '2025-05-01', listedUntil: '2026-11-25' }),
    )
    const [current = ''] = await listed(cells({ authority: '某市建设局' }))
    expect((await everything()).toSorted()).toEqual([expired, current].toSorted())
    now = new Date('2026-11-26T02:00:00Z')
    expect(await everything({ state: 'past' })).toEqual([expired])
    expect(await everything({ authority: '某市建设局' })).toEqual([current])
    expect(await everything({ state: 'all', year: 2025 })).toEqual([expired])
    expect(await everything({ authority: '\0' })).toEqual([])
    const kind = (await lists().kinds()).find(({ id }) => id === LIST)
    expect(kind).toMatchObject({ listed: 1, past: 1 })
    expect(await lists().facets(LIST)).toMatchObject({ years: [2026, 2025] })
    expect(await lists().newest(5)).toMatchObject([{ entryNo: current }])
  })

  it('answers null for entries that are not there, whatever the address holds', async () => {
    const [entryNo = ''] = await listed(cells())
    expect(await lists().entry('non-compliant', entryNo)).toBeNull()
    expect(await lists().entry('nothing', entryNo)).toBeNull()
    expect(await lists().entry(LIST, 'a\0b')).toBeNull()
  })

  it('writes a file that no spreadsheet runs, and leaves the text alone for programs', async () => {
    const names = ['=1+1公司', '+1公司', '-1公司', '@公司', '＝1+1公司', '引"号,公司']
    await listed(...names.map((subjectName) => cells({ subjectName })))
    const excel = await csv(true)
    expect(excel.startsWith(BYTE_ORDER_MARK)).toBe(true)
    for (const name of names.slice(0, 5)) expect(excel).toContain(`,'${name},`)
    expect(excel).toContain('"引""号,公司"')
    const plain = await csv(false)
    expect(plain.startsWith('编号,状态,')).toBe(true)
    expect(plain).toContain(',=1+1公司,')
    expect(plain.trimEnd().split('\r\n')).toHaveLength(names.length + 1)
  })
})
