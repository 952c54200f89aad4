import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadPlan } from '../../db/seed/plan.ts'
import { DomainError } from '../../src/domain/errors.ts'
import {
  DISPATCHER_DEPARTMENT,
  INACTION_CATEGORY,
  SUPERVISION_DEPARTMENT,
  UNSURE_AREA,
} from '../../src/domain/plan.ts'
import {
  accusable,
  availableAnswers,
  buildRules,
  checkRules,
  route,
  splitFor,
  suggestedAnswer,
  type RouteInput,
} from '../../src/domain/routing.ts'

const plan = loadPlan()
const rules = buildRules(plan)
const BRANCHES = ['gongan-jianshelu', 'gongan-tongbailu', 'gongan-dihu', 'gongan-xushui']
const departments = new Set(plan.departments.map(({ id }) => id))

const send = (input: Partial<RouteInput>) =>
  route(plan, rules, { category: 'boiler-coal', area: '410102001', ...input })

/** Every valid input, but for the department accused: category × answer or none × area. */
const everyInput: readonly RouteInput[] = plan.categories.flatMap((category) =>
  [null, ...availableAnswers(plan, category.id).map(({ id }) => id)].flatMap((answer) =>
    plan.areas.map((area) => ({
      category: category.id,
      answer,
      area: area.id,
      accused: category.id === INACTION_CATEGORY ? 'qu-huanbao' : null,
    })),
  ),
)

function refusal(act: () => unknown): DomainError {
  try {
    act()
  } catch (error) {
    if (error instanceof DomainError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('the rule table', () => {
  it('gives every category × answer × area exactly one queue', () => {
    expect(checkRules(plan, rules)).toEqual([])
    for (const input of everyInput) {
      const sent = route(plan, rules, input)
      expect(departments).toContain(sent.department)
      expect(sent.coDepartments).not.toContain(sent.department)
      expect(new Set(sent.coDepartments).size).toBe(sent.coDepartments.length)
      for (const id of sent.coDepartments) expect(departments).toContain(id)
      expect(sent.reason).toContain(plan.departments.find(({ id }) => id === sent.department)?.name)
    }
    expect(everyInput.length).toBe((45 + 57) * 15)
  })

  it('stays complete for any table of police areas', () => {
    const areas = plan.areas.map(({ id }) => id).filter((id) => id !== UNSURE_AREA)
    const table = fc.dictionary(fc.constantFrom(...areas), fc.constantFrom(...BRANCHES))
    fc.assert(
      fc.property(table, fc.constantFrom(...everyInput), (police, input) => {
        const filled = buildRules(plan, new Map(Object.entries(police)))
        expect(checkRules(plan, filled)).toEqual([])
        const sent = route(plan, filled, input)
        const branch = police[input.area]
        if (sent.category === 'fireworks' && branch !== undefined) expect(sent.department).toBe(branch)
      }),
      { numRuns: 40 },
    )
  })

  it('is refused with a gap, a second owner, or an unknown id', () => {
    const [first, ...rest] = rules
    if (!first) throw new Error('no rules')
    expect(checkRules(plan, rest)).toContainEqual(expect.stringMatching(/0 owners/))
    expect(checkRules(plan, [first, ...rules])).toContainEqual(expect.stringMatching(/2 owners/))
    expect(checkRules(plan, [...rules, { ...first, area: '410102001' }])).toContainEqual(
      expect.stringMatching(/2 owners/),
    )
    expect(checkRules(plan, [{ ...first, department: 'nobody' }, ...rest])).toContainEqual(
      expect.stringMatching(/no such department nobody/),
    )
    expect(checkRules(plan, [...rules, { ...first, category: 'noise' }])).toContainEqual(
      expect.stringMatching(/no such category/),
    )
    expect(checkRules(plan, [...rules, { ...first, area: 'mars' }])).toContainEqual(
      expect.stringMatching(/no such area/),
    )
    expect(checkRules(plan, [...rules, { ...first, answer: 'maybe' }])).toContainEqual(
      expect.stringMatching(/no such answer/),
    )
    expect(checkRules(plan, [{ ...first, measureRefs: ['2017-48'] }, ...rest])).toContainEqual(
      expect.stringMatching(/no such measure/),
    )
  })

  it('is refused when inaction goes anywhere but to the supervision office', () => {
    const bent = rules.map((rule) =>
      rule.category === INACTION_CATEGORY ? { ...rule, coDepartments: ['qu-huanbao'] } : rule,
    )
    expect(checkRules(plan, bent)).toContainEqual(expect.stringMatching(/inaction goes to/))
  })
})

describe('a route', () => {
  it('follows the plan, with the subdistrict office beside the owner', () => {
    expect(send({})).toMatchObject({
      category: 'boiler-coal',
      department: 'qu-huanbao',
      coDepartments: ['jiedao-410102001'],
      rule: 'boiler-coal',
      measureRefs: ['2017-5'],
      derived: false,
      ambiguous: false,
      ambiguityNote: null,
      reason: '方案的措施5写明由区环保局牵头，所以由它受理。',
    })
    expect(send({ area: UNSURE_AREA }).coDepartments).toEqual([])
    expect(send({ category: 'truck-restricted' }).coDepartments).toEqual([])
  })

  it('changes category or department with the answer', () => {
    expect(send({ category: 'loose-coal', answer: 'business' })).toMatchObject({
      category: 'restricted-fuel-use',
      department: 'qu-huanbao',
      measureRefs: ['2017-3'],
      rule: 'loose-coal:business',
    })
    expect(send({ category: 'road-dust', answer: 'outer' })).toMatchObject({
      category: 'road-dust',
      department: 'qu-jiaotong',
    })
    expect(send({ category: 'road-damage', answer: 'outer' }).category).toBe('road-damage')
    expect(send({ category: 'construction-dust', answer: 'rural' }).department).toBe('qu-nongwei')
    expect(send({ category: 'construction-dust', answer: 'street' })).toMatchObject({
      category: 'municipal-roadworks',
      department: 'qu-chengguan',
    })
    expect(send({ category: 'prohibited-industry', answer: 'place' })).toMatchObject({
      department: 'zhongyuan-guihua',
      derived: true,
    })
  })

  it('keeps the chosen category when nothing is answered, and says so', () => {
    for (const split of plan.splits) {
      for (const category of split.categories) {
        const silent = send({ category })
        const spoken = send({ category, answer: suggestedAnswer(plan, category) })
        expect([silent.category, silent.department]).toEqual([category, spoken.department])
        expect(silent.reason).toContain('没有回答')
      }
    }
  })

  it('sends 各街道办事处 to the office of the area, or to the dispatcher', () => {
    expect(send({ category: 'open-stockpile', area: '410102012' }).department).toBe('jiedao-410102012')
    expect(send({ category: 'open-stockpile', area: UNSURE_AREA })).toMatchObject({
      department: DISPATCHER_DEPARTMENT,
      derived: true,
    })
  })

  it('sends fireworks to the office with the four branches until the police table is filled', () => {
    expect(send({ category: 'fireworks' })).toMatchObject({
      department: 'jiedao-410102001',
      coDepartments: BRANCHES,
      derived: true,
    })
    expect(send({ category: 'fireworks', area: UNSURE_AREA }).department).toBe(DISPATCHER_DEPARTMENT)
    const filled = buildRules(plan, new Map([['410102001', 'gongan-dihu']]))
    const known = route(plan, filled, { category: 'fireworks', area: '410102001' })
    expect(known).toMatchObject({
      department: 'gongan-dihu',
      coDepartments: ['jiedao-410102001'],
      derived: false,
    })
    const fuel = route(plan, filled, { category: 'fuel-quality', answer: 'quality', area: '410102001' })
    expect(fuel.coDepartments).toEqual(['qu-gongshang-zhijian', 'gongan-dihu', 'jiedao-410102001'])
    expect(route(plan, filled, { category: 'fireworks', area: '410102002' }).department).toBe(
      'jiedao-410102002',
    )
  })

  it('sends what is not sure to the dispatcher', () => {
    expect(send({ category: 'other' })).toMatchObject({ department: DISPATCHER_DEPARTMENT, derived: true })
  })

  it('never routes inaction to anyone but the supervision office', () => {
    for (const { id } of accusable(plan)) {
      for (const area of plan.areas) {
        const sent = send({ category: INACTION_CATEGORY, accused: id, area: area.id })
        expect(sent).toMatchObject({ department: SUPERVISION_DEPARTMENT, coDepartments: [], derived: true })
      }
    }
    expect(accusable(plan)).toHaveLength(40)
  })
})

describe('a refused choice', () => {
  it.each([
    [{ category: 'noise' }, 'category'],
    [{ area: '410102099' }, 'area'],
    [{ answer: 'yes' }, 'answer'],
    [{ category: 'road-dust', answer: 'sale' }, 'answer'],
    [{ category: INACTION_CATEGORY }, 'accused'],
    [{ category: INACTION_CATEGORY, accused: 'nobody' }, 'accused'],
    [{ category: INACTION_CATEGORY, accused: SUPERVISION_DEPARTMENT }, 'accused'],
    [{ accused: 'qu-huanbao' }, 'accused'],
  ] as const)('%j names its field', (input, field) => {
    const error = refusal(() => send(input))
    expect(error.code).toBe('invalid-input')
    expect(error.fields.map((each) => each.field)).toEqual([field])
  })

  it('names all wrong fields at once', () => {
    const error = refusal(() => send({ category: 'noise', area: 'mars' }))
    expect(error.fields.map(({ field }) => field)).toEqual(['category', 'area'])
  })

  it('tells where to turn about the supervision office itself', () => {
    const error = refusal(() => send({ category: INACTION_CATEGORY, accused: SUPERVISION_DEPARTMENT }))
    expect(error.message).toContain('12345')
    expect(error.message).toContain('上级')
  })

  it('holds for any junk', () => {
    const ids = new Set(plan.categories.map(({ id }) => id))
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.option(fc.string()), (category, area, answer) => {
        fc.pre(!ids.has(category))
        expect(refusal(() => route(plan, rules, { category, area, answer })).code).toBe('invalid-input')
      }),
    )
  })
})

describe('the suggested answer', () => {
  it('keeps the category somebody chose', () => {
    for (const split of plan.splits) {
      for (const category of split.categories) {
        expect(send({ category, answer: suggestedAnswer(plan, category) }).category).toBe(category)
      }
    }
    expect(suggestedAnswer(plan, 'urea-missing')).toBe('urea')
    expect(suggestedAnswer(plan, 'boiler-coal')).toBeNull()
    expect(splitFor(plan, 'boiler-coal')).toBeNull()
  })
})
