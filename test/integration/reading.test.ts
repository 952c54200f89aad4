import { beforeEach, describe, expect, it } from 'vitest'
import type { PublicCaseRow } from '../../src/db/public-cases.ts'
import { createPlanStore } from '../../src/services/plan-store.ts'
import type { Deps } from '../../src/services/ports.ts'
import { COUNT_CAP, createReading, type CaseView } from '../../src/services/reading.ts'
import { createDataVersions } from '../../src/services/versions.ts'
import { useTestDatabase } from '../support/database.ts'
import { insertPublicCase, PUBLISHED } from '../support/rows.ts'

const database = useTestDatabase()
const MORNING = new Date('2026-11-25T02:00:00Z')
let now = MORNING
let made = 0
beforeEach(() => {
  now = MORNING
  made = 0
})

function reading() {
  const { db } = database
  const clock = { now: () => now }
  const versions = createDataVersions(db, clock, Number.POSITIVE_INFINITY)
  const deps: Partial<Deps> = { db, clock, versions, plan: createPlanStore(db, versions) }
  return createReading(deps as Deps)
}

/** @returns the number of a case with a row in the ledger */
async function aCase(part: Partial<PublicCaseRow> = {}): Promise<string> {
  made += 1
  const caseNo = `ZY-2611-${made.toString().padStart(5, '0')}`
  await insertPublicCase(database.db, { case_no: caseNo, ...part })
  return part.case_no ?? caseNo
}

const numbers = (cases: readonly CaseView[]) => cases.map(({ caseNo }) => caseNo).sort()

describe('the public ledger', () => {
  it('pages through everything once, newest week first', async () => {
    const weeks = ['2026-11-02', '2026-11-09', '2026-11-16']
    const all = []
    for (let index = 0; index < 25; index += 1) all.push(await aCase({ received_week: weeks[index % 3] }))
    const seen: CaseView[] = []
    let cursor: string | null = null
    do {
      const page = await reading().cases({}, cursor, 4)
      expect(page.count).toBe(25)
      expect(page.items.length).toBeLessThanOrEqual(4)
      seen.push(...page.items)
      cursor = page.next
    } while (cursor !== null)
    expect(numbers(seen)).toEqual([...all].sort())
    const order = seen.map(({ receivedWeek, caseNo }) => `${receivedWeek} ${caseNo}`)
    expect(order).toEqual([...order].sort().reverse())
  })

  it('loses and repeats nothing when a case arrives between two pages', async () => {
    const old = []
    for (let index = 0; index < 6; index += 1) old.push(await aCase())
    const first = await reading().cases({}, null, 3)
    await aCase({ received_week: '2026-11-23' })
    const second = await reading().cases({}, first.next, 10)
    expect(numbers([...first.items, ...second.items])).toEqual([...old].sort())
  })

  it('does not go on after a page that happens to be full', async () => {
    for (let index = 0; index < 3; index += 1) await aCase()
    expect((await reading().cases({}, null, 3)).next).toBeNull()
  })

  it('shows a case from 06:00 of the morning it becomes visible', async () => {
    const caseNo = await aCase({ visible_from: '2026-11-25' })
    now = new Date('2026-11-24T21:59:59Z')
    expect((await reading().cases()).items).toEqual([])
    expect((await reading().cases()).count).toBe(0)
    expect(await reading().case(caseNo)).toBeNull()
    expect((await reading().home()).counts.open).toBe(0)
    now = new Date('2026-11-24T22:00:00Z')
    expect(numbers((await reading().cases()).items)).toEqual([caseNo])
    expect(await reading().case(caseNo)).not.toBeNull()
    expect((await reading().home()).counts.open).toBe(1)
  })

  it('finds a guarded case by no category and no area', async () => {
    const guarded = await aCase()
    const published = await aCase(PUBLISHED)
    const { items } = await reading().cases({ category: 'boiler-coal' })
    expect(numbers(items)).toEqual([published])
    expect(numbers((await reading().cases({ group: 'coal' })).items)).toEqual([published])
    expect(numbers((await reading().cases({ area: '410102001' })).items)).toEqual([published])
    expect(numbers((await reading().cases({ holder: 'qu-huanbao' })).items)).toEqual([guarded, published])
    expect(await reading().case(guarded)).toMatchObject({
      category: null,
      group: null,
      area: null,
      measures: [],
    })
  })

  it('filters by state, outcome and holder', async () => {
    const routed = await aCase({ state: 'routed', holder_id: 'qu-jianshe' })
    const published = await aCase(PUBLISHED)
    expect(numbers((await reading().cases({ state: 'routed' })).items)).toEqual([routed])
    expect(numbers((await reading().cases({ outcome: 'substantiated' })).items)).toEqual([published])
    expect(numbers((await reading().cases({ holder: 'qu-jianshe' })).items)).toEqual([routed])
    expect((await reading().cases({ holder: 'qu-jianshe', outcome: 'partly' })).count).toBe(0)
  })

  it('calls a case overdue from the week after its due week, until it is published', async () => {
    const late = await aCase()
    await aCase({ overdue_from: null })
    await aCase({ ...PUBLISHED, on_time: false })
    now = new Date('2026-11-29T21:59:00Z')
    expect((await reading().cases({ overdue: true })).items).toEqual([])
    expect(await reading().case(late)).toMatchObject({ overdue: false })
    now = new Date('2026-11-29T22:00:00Z')
    expect(numbers((await reading().cases({ overdue: true })).items)).toEqual([late])
    expect(await reading().case(late)).toMatchObject({ overdue: true })
  })

  it.each([
    'x',
    '',
    Buffer.from('["2026-11-02"]').toString('base64url'),
    Buffer.from('["2026-13-99","x"]').toString('base64url'),
  ])('refuses the cursor %j', async (cursor) => {
    await expect(reading().cases({}, cursor)).rejects.toMatchObject({ code: 'bad-cursor' })
  })

  it('counts no further than its cap', async () => {
    const { db } = database
    await aCase({ case_no: 'ZY-2611-ZZZZZ' })
    const files = await db.selectFrom('case_file').selectAll().executeTakeFirstOrThrow()
    const rows = await db.selectFrom('public_case').selectAll().executeTakeFirstOrThrow()
    const many = Array.from({ length: COUNT_CAP + 5 }, (_, index) => index)
    const no = (index: number) => `ZY-2610-${index.toString().padStart(5, '0')}`
    const id = (index: number) => `00000000-0000-4000-9000-${index.toString().padStart(12, '0')}`
    await db
      .insertInto('case_file')
      .values(many.map((index) => ({ ...files, id: id(index), case_no: no(index) })))
      .execute()
    await db
      .insertInto('public_case')
      .values(many.map((index) => ({ ...rows, case_no: no(index), proof: '[]' })))
      .execute()
    expect((await reading().cases({}, null, 1)).count).toBe(COUNT_CAP + 1)
  })
})

describe('what was concluded', () => {
  it('counts the month and shows the newest first', async () => {
    const older = await aCase({ ...PUBLISHED, published_day: '2026-11-03' })
    const newer = await aCase({ ...PUBLISHED, published_day: '2026-11-20', on_time: false })
    await aCase({ ...PUBLISHED, published_day: '2026-10-31' })
    await aCase({ overdue_from: '2026-11-23' })
    const home = await reading().home()
    expect(home.month).toBe('2026-11-01')
    expect(home.counts).toEqual({ onTime: 1, late: 1, overdue: 1, open: 1 })
    expect(home.concluded.slice(0, 2).map(({ caseNo }) => caseNo)).toEqual([newer, older])
  })

  it('stands under its measure and not under another', async () => {
    const found = await aCase({ ...PUBLISHED, measure_refs: ['2017-15.2'] })
    await aCase({ measure_refs: ['2017-15.2'] })
    expect(numbers((await reading().measure('2017-15'))?.cases ?? [])).toEqual([found])
    expect((await reading().measure('2017-14'))?.cases).toEqual([])
  })

  it('is counted for its holder', async () => {
    await aCase(PUBLISHED)
    await aCase({ overdue_from: '2026-11-23' })
    expect((await reading().department('qu-huanbao'))?.counts).toEqual({ open: 1, overdue: 1, published: 1 })
    expect((await reading().department('qu-jianshe'))?.counts).toEqual({ open: 0, overdue: 0, published: 0 })
  })
})

describe('the plan', () => {
  it('has 47 measures with 76 rows', async () => {
    const all = await reading().measures()
    expect(all).toHaveLength(47)
    expect(all.reduce((sum, { rows }) => sum + rows, 0)).toBe(76)
  })

  it('is split without rest by the deadline filter', async () => {
    const yes = await reading().measures({ deadline: true })
    const no = await reading().measures({ deadline: false })
    expect(yes.length).toBeGreaterThan(0)
    expect([...yes, ...no].map(({ no: number }) => number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 47 }, (_, index) => index + 1),
    )
    expect((await reading().measures({ state: 'none' })).map(({ id }) => id)).toEqual(no.map(({ id }) => id))
  })

  it('narrows by section and department together', async () => {
    const found = await reading().measures({ section: 5, department: 'qu-jianshe' })
    expect(found.map(({ id }) => id)).toContain('2017-23')
    expect(found.every(({ section }) => section.no === 5)).toBe(true)
    expect(found.map(({ id }) => id)).not.toContain('2017-14')
  })

  it('calls a date of 2017 past on the next day, and a monthly duty never', async () => {
    now = new Date('2017-10-31T12:00:00Z')
    expect((await reading().measure('2017-4'))?.deadlineStates).toEqual(['ahead'])
    now = new Date('2017-10-31T16:00:00Z')
    expect((await reading().measure('2017-4'))?.deadlineStates).toEqual(['past'])
    expect((await reading().measure('2017-31'))?.deadlineStates).toEqual(['recurring'])
  })

  it('opens the group of all subdistrict offices and links single units', async () => {
    const measure = await reading().measure('2017-14')
    expect(measure?.units.lead).toEqual([
      { printed: '区环保局', department: { id: 'qu-huanbao', name: '区环保局' }, members: null },
    ])
    expect(measure?.units.responsible[0]?.members).toHaveLength(14)
    expect(await reading().measure('2017-48')).toBeNull()
    expect(await reading().department('nobody')).toBeNull()
  })

  it('leads from each measure to its neighbours', async () => {
    expect((await reading().measure('2017-1'))?.previous).toBeNull()
    expect((await reading().measure('2017-1'))?.next?.id).toBe('2017-2')
    expect((await reading().measure('2017-47'))?.next).toBeNull()
  })
})

describe('departments', () => {
  it('are 41, each with a place in the printable table or none', async () => {
    const departments = await reading().departments()
    expect(departments).toHaveLength(41)
    const table = await reading().hotlineTable()
    const categories = table.groups.flatMap(({ categories }) => categories)
    expect(categories).toHaveLength(45)
    expect(categories.filter(({ owners }) => owners.length === 0)).toEqual([])
    expect(table.subdistricts).toHaveLength(14)
  })

  it("show the operator's hotline as soon as it is stored", async () => {
    await database.db
      .updateTable('department')
      .set({ hotline: '0371-00000000', version: 2 })
      .where('id', '=', 'qu-huanbao')
      .execute()
    expect((await reading().department('qu-huanbao'))?.hotline).toBe('0371-00000000')
    expect((await reading().department('qu-jianshe'))?.hotline).toBeNull()
  })

  it('own in the table exactly what the rules route to them', async () => {
    const rules = await reading().rules()
    const owner = rules
      .filter(({ category }) => category.id === 'boiler-coal')
      .map(({ department }) => department.id)
    expect(new Set(owner)).toEqual(new Set(['qu-huanbao']))
    const row = (await reading().hotlineTable()).groups
      .flatMap(({ categories }) => categories)
      .find(({ id }) => id === 'boiler-coal')
    expect(row?.owners).toMatchObject([{ department: { id: 'qu-huanbao' }, answers: [] }])
    expect((await reading().department('qu-huanbao'))?.categories.map(({ id }) => id)).toContain(
      'boiler-coal',
    )
  })
})
