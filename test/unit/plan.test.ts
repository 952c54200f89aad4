import { describe, expect, it } from 'vitest'
import { loadPlan } from '../../db/seed/plan.ts'
import { planRows, rowLabel, rowsOf } from '../../src/domain/plan-rows.ts'
import { INACTION_CATEGORY, UNSURE_AREA } from '../../src/domain/plan.ts'

const plan = loadPlan()
const departments = new Set(plan.departments.map(({ id }) => id))

describe('the plan', () => {
  it('has 47 measures in 8 sections, 43 items and 76 rows', () => {
    expect(plan.sections.map(({ no }) => no)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(plan.measures.map(({ no }) => no)).toEqual(Array.from({ length: 47 }, (_, index) => index + 1))
    expect(plan.measures.flatMap(({ items }) => items)).toHaveLength(43)
    expect(planRows(plan)).toHaveLength(76)
  })

  it('has 41 departments: 27 of the text and 14 subdistrict offices', () => {
    expect(plan.departments).toHaveLength(41)
    const offices = plan.departments.filter(({ kind }) => kind === 'subdistrict')
    expect(offices).toHaveLength(14)
    expect(offices.every(({ inSource }) => !inSource)).toBe(true)
    expect(plan.departments.filter(({ inSource }) => inSource)).toHaveLength(27)
    expect(plan.departments.filter(({ kind }) => kind === 'authority').map(({ id }) => id)).toEqual([
      'zhongyuan-guihua',
      'changxihu-xinqu',
      'zhongyuan-xinqu',
    ])
    expect(plan.departments.every(({ hotline, mailbox }) => hotline === null && mailbox === null)).toBe(true)
  })

  it('has 45 categories in 9 groups, 15 of them open', () => {
    expect(plan.categories).toHaveLength(45)
    expect(plan.groups.map(({ id }) => id)).toEqual([
      'coal',
      'industry',
      'vehicle',
      'fuel',
      'site',
      'truck',
      'ground',
      'area',
      'meta',
    ])
    expect(new Set(plan.categories.map(({ group }) => group))).toEqual(
      new Set(plan.groups.map(({ id }) => id)),
    )
    expect(plan.categories.filter(({ visibility }) => visibility === 'open')).toHaveLength(15)
  })

  it('keeps guarded what a neighbour could be suspected of telling', () => {
    for (const id of [
      'mud-carry-out',
      'construction-dust',
      'cooking-fume',
      'loose-coal',
      'other',
      INACTION_CATEGORY,
    ]) {
      expect(plan.categories.find((category) => category.id === id)?.visibility, id).toBe('guarded')
    }
  })

  it('names only departments and rows that exist', () => {
    const rows = new Set([...plan.measures, ...planRows(plan)].map(({ id }) => id))
    for (const row of [...plan.measures, ...planRows(plan)]) {
      for (const id of [...row.lead, ...row.responsible]) expect(departments).toContain(id)
      expect(row.sourceLines[0]).toBeLessThanOrEqual(row.sourceLines[1])
    }
    for (const category of plan.categories) {
      for (const ref of category.measureRefs) expect(rows).toContain(ref)
      for (const id of [...category.lead, ...category.co]) expect(departments).toContain(id)
    }
  })

  it('expands 各街道办事处 to its 14 members and keeps the printed name', () => {
    const five = plan.measures[4]
    expect(five?.responsible).toHaveLength(14)
    expect(five?.responsibleNames).toEqual(['各街道办事处'])
  })

  it('keeps the printed name of a group whose members the plan does not list', () => {
    const thirtyNine = plan.measures[38]
    expect(thirtyNine?.responsible).toEqual([])
    expect(thirtyNine?.responsibleNames).toEqual(['区大气办各成员单位'])
  })

  it('gives a measure with items the units of all of them, and the dates to the items alone', () => {
    const sixteen = plan.measures[15]
    expect(sixteen?.items.map(({ id }) => id)).toEqual(['2017-16.1', '2017-16.2'])
    expect(sixteen?.deadlines).toEqual([])
    expect(sixteen?.items[0]?.deadlines[0]?.date).toBe('2017-02-28')
    expect(plan.measures[24]?.lead).toEqual(['qu-zhifa', 'qu-jianshe', 'qu-nongwei'])
  })

  it('says whether an item title is printed or ours', () => {
    const titles = plan.measures.flatMap(({ items }) => items)
    expect(titles.filter(({ titleInSource }) => titleInSource)).toHaveLength(11)
    expect(titles.find(({ id }) => id === '2017-16.1')).toMatchObject({
      title: '强化网格监管',
      titleInSource: true,
    })
    expect(titles.find(({ id }) => id === '2017-6.1')?.titleInSource).toBe(false)
  })

  it('explains every category to a resident, and every ambiguity', () => {
    for (const category of plan.categories) {
      expect(category.examples, category.id).not.toBe('')
      expect(category.notes, category.id).not.toBe('')
      expect(category.ambiguity !== null, category.id).toBe(category.ambiguous)
      // The source's notes are for editors and name internal ids; none may reach a page.
      expect(`${category.examples}${category.notes}${category.ambiguity ?? ''}`).not.toMatch(/[a-z]{3,}-/)
    }
    expect(plan.categories.filter(({ ambiguous }) => ambiguous)).toHaveLength(30)
  })

  it('has 14 areas with an office each, and one for those who do not know', () => {
    expect(plan.areas).toHaveLength(15)
    expect(plan.areas.filter(({ department }) => department === null).map(({ id }) => id)).toEqual([
      UNSURE_AREA,
    ])
    expect(plan.areas.find(({ name }) => name === '莲湖街道')?.validFrom).toBe('2018-11-13')
  })

  it('lets no short id of the source through', () => {
    expect(JSON.stringify(plan)).not.toMatch(/"m\d{2}|m\d{2}-\d/)
  })
})

describe('rows', () => {
  it('are the items of a measure, or the measure itself', () => {
    expect(
      plan.measures
        .slice(4, 6)
        .flatMap(rowsOf)
        .map(({ id }) => id),
    ).toEqual(['2017-5', '2017-6.1', '2017-6.2'])
  })

  it('are called as the plan numbers them', () => {
    expect(rowLabel('2017-14')).toBe('措施14')
    expect(rowLabel('2017-15.2')).toBe('措施15(2)')
  })
})
