import { describe, expect, it } from 'vitest'
import { loadPlan } from '../../db/seed/plan.ts'
import { EXAMPLE_TERMS } from '../../db/seed/rewards.ts'
import { readFindings, readPenalty, readTerms, termFields } from '../../src/schemas/reward.ts'

const CATEGORIES = loadPlan().categories.map(({ id }) => id)
const fields = (given: Readonly<Record<string, string>>) =>
  new Map(Object.entries(given).map(([name, value]) => [name, [value]]))

describe('the form of a schedule', () => {
  it('sends back the terms that it shows', () => {
    expect(readTerms(termFields(EXAMPLE_TERMS), CATEGORIES)).toEqual({ terms: EXAMPLE_TERMS, problems: [] })
  })

  it('names each field that cannot be read', () => {
    const { terms, problems } = readTerms(
      new Map([
        ...termFields(EXAMPLE_TERMS),
        ['fixed.open-bbq', ['很多']],
        ['fixed.fireworks', ['']],
        ['penalty.warning', ['']],
        ['tier.1.from', ['三万']],
        ['tier.3.amount', ['9']],
        ['window', ['1.5']],
        ['budget', ['-1']],
      ]),
      CATEGORIES,
    )
    expect(problems.map(({ field }) => field)).toEqual([
      'fixed.open-bbq',
      'tier.1',
      'tier.3',
      'penalty.warning',
      'budget',
      'window',
    ])
    expect(terms.fixedFen).not.toHaveProperty('fireworks')
  })
})

describe('the form of an assessment', () => {
  it('reads what was chosen', () => {
    expect(
      readFindings(fields({ penalty: 'fine', fine: '３万元', known: 'new', evidence: 'led' })).problems,
    ).toMatchObject([{ field: 'fine' }])
    expect(readFindings(fields({ penalty: 'fine', fine: '30,000', known: 'new', evidence: 'led' }))).toEqual({
      findings: { knownBefore: 'new', evidence: 'led', penalty: { kind: 'fine', fineFen: 3_000_000 } },
      problems: [],
    })
    // A figure left over from another choice means nothing.
    expect(readPenalty('warning', '500').penalty).toEqual({ kind: 'warning', fineFen: 0 })
  })

  it('names what was not', () => {
    const { findings, problems } = readFindings(fields({ known: 'maybe' }))
    expect(findings).toBeNull()
    expect(problems.map(({ field }) => field)).toEqual(['penalty', 'known', 'evidence'])
  })
})
