import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadPlan } from '../../db/seed/plan.ts'
import { CASE_STATES, OUTCOMES, PROOF_KINDS, type CaseState } from '../../src/domain/case.ts'
import { addDays, weekOf } from '../../src/domain/day.ts'
import {
  coarsen,
  PUBLIC_STATES,
  publicDay,
  publicFrom,
  reporterView,
  toPublic,
  type CaseFacts,
  type PublicCase,
} from '../../src/domain/privacy.ts'

const plan = loadPlan()
const named = (id: string) => {
  const category = plan.categories.find((each) => each.id === id)
  const group = plan.groups.find((each) => each.id === category?.group)
  if (!category || !group) throw new Error(`no category ${id}`)
  return { category, group }
}
const OPEN = named('fireworks')
const GUARDED = named('industrial-emission')

/** Tuesday; the case is due on Tuesday three weeks later. */
const RECEIVED = '2026-11-24'
const DUE = '2026-12-15'
const at = (local: string) => new Date(`${local}+08:00`)
const NEXT_MORNING = at('2026-11-25T06:00')

function aCase(over: Partial<CaseFacts> = {}): CaseFacts {
  return {
    caseNo: 'ZY-2611-7QK3F',
    holder: 'qu-huanbao',
    state: 'working',
    area: '410102001',
    receivedDay: RECEIVED,
    dueDay: DUE,
    dueCount: 15,
    dueUnit: 'working',
    handOvers: 1,
    outcome: 'substantiated',
    statement: '经查属实，已责令整改。',
    competentBody: null,
    proof: [{ id: 'proof-1', kind: 'photo', caption: '现场检查', photo: true }],
    concludedDay: '2026-12-10',
    publishedDay: null,
    disputeUntil: null,
    disputed: false,
    attachedToState: null,
    hideCategory: false,
    hideArea: false,
    ...over,
  }
}
const published = (over: Partial<CaseFacts> = {}) =>
  aCase({ state: 'published', publishedDay: '2026-12-11', disputeUntil: '2026-12-26', ...over })

function seen(facts: CaseFacts, category = GUARDED, now = NEXT_MORNING): PublicCase {
  const shown = toPublic(facts, category, now)
  if (!shown) throw new Error('not public')
  return shown
}

describe('the morning batch', () => {
  it('is out at six', () => {
    expect(publicDay(at('2026-11-25T05:59'))).toBe('2026-11-24')
    expect(publicDay(at('2026-11-25T06:00'))).toBe('2026-11-25')
    expect(publicDay(at('2026-11-25T23:59'))).toBe('2026-11-25')
  })

  it('shows a case not before the morning after it came in', () => {
    expect(toPublic(aCase(), OPEN, at('2026-11-24T23:59'))).toBeNull()
    expect(toPublic(aCase(), OPEN, at('2026-11-25T05:59'))).toBeNull()
    expect(toPublic(aCase(), OPEN, NEXT_MORNING)).not.toBeNull()
    expect(publicFrom(RECEIVED)).toBe('2026-11-25')
  })
})

describe('before publication', () => {
  it('a guarded case shows holder, weeks and state, and nothing else', () => {
    expect(seen(aCase())).toEqual({
      caseNo: 'ZY-2611-7QK3F',
      holder: 'qu-huanbao',
      receivedWeek: '2026-11-23',
      dueWeek: '2026-12-14',
      duePending: false,
      dueText: '2026-12-14起的一周内',
      handOvers: 1,
      state: 'working',
      category: null,
      group: null,
      area: null,
      outcome: null,
      statement: null,
      competentBody: null,
      proof: [],
      publishedDay: null,
      onTime: null,
      overdue: false,
    })
  })

  it('an open case shows category and area too, as far as they are not coarsened', () => {
    expect(seen(aCase(), OPEN)).toMatchObject({ category: 'fireworks', group: 'area', area: '410102001' })
    expect(seen(aCase({ hideArea: true }), OPEN)).toMatchObject({ category: 'fireworks', area: null })
    expect(seen(aCase({ hideArea: true, hideCategory: true }), OPEN)).toMatchObject({
      category: null,
      group: 'area',
      area: null,
    })
  })

  it('says how long the term is while its date is pending', () => {
    const shown = seen(aCase({ dueDay: null }))
    expect(shown).toMatchObject({ dueWeek: null, duePending: true, overdue: false })
    expect(shown.dueText).toContain('15个工作日')
    expect(seen(aCase({ dueDay: null, dueCount: 60, dueUnit: 'calendar' })).dueText).toContain('60个自然日')
  })

  it('does not call a case overdue before the due week is over', () => {
    const state = (local: string) => seen(aCase({ concludedDay: null }), GUARDED, at(local)).overdue
    expect(state('2026-12-16T12:00')).toBe(false)
    expect(state('2026-12-21T05:59')).toBe(false)
    expect(state('2026-12-21T06:00')).toBe(true)
  })

  it('does not call a conclusion in time overdue while it waits for its publisher', () => {
    const late = at('2026-12-30T12:00')
    expect(seen(aCase({ state: 'concluded' }), GUARDED, late).overdue).toBe(false)
    expect(seen(aCase({ state: 'concluded', concludedDay: '2026-12-16' }), GUARDED, late).overdue).toBe(true)
  })
})

describe('after publication', () => {
  it('shows what was found and done', () => {
    expect(seen(published(), GUARDED, at('2026-12-12T12:00'))).toMatchObject({
      state: 'published',
      category: 'industrial-emission',
      group: 'industry',
      area: '410102001',
      outcome: 'substantiated',
      statement: '经查属实，已责令整改。',
      proof: [{ id: 'proof-1', kind: 'photo', caption: '现场检查', photo: true }],
      publishedDay: '2026-12-11',
      onTime: true,
      overdue: false,
    })
    expect(seen(published({ concludedDay: '2026-12-16' })).onTime).toBe(false)
    expect(seen(published({ dueDay: null })).onTime).toBeNull()
    expect(seen(published({ outcome: 'outside', competentBody: '郑州市城市管理局' })).competentBody).toBe(
      '郑州市城市管理局',
    )
  })

  it('keeps category and area while under review, but not the earlier or the next finding', () => {
    for (const state of ['reopened', 'routed', 'accepted', 'working', 'concluded'] as const) {
      expect(seen(published({ state }))).toMatchObject({
        state: 'reviewing',
        category: 'industrial-emission',
        outcome: null,
        statement: null,
        proof: [],
        onTime: null,
      })
    }
  })
})

describe('the public state', () => {
  it.each<[CaseState, PublicCase['state']]>([
    ['received', 'routed'],
    ['routed', 'routed'],
    ['returned', 'routed'],
    ['arbitration', 'routed'],
    ['accepted', 'accepted'],
    ['working', 'working'],
    ['awaiting_reporter', 'working'],
    ['attached', 'working'],
    ['concluded', 'working'],
    ['reopened', 'reviewing'],
    ['published', 'published'],
    ['closed', 'closed'],
  ])('of %s is %s', (state, expected) => {
    expect(seen(aCase({ state })).state).toBe(expected)
  })

  it('of an attached case ends with the case it was folded into', () => {
    const late = at('2027-02-01T12:00')
    const attached = (attachedToState: CaseState) =>
      seen(aCase({ state: 'attached', attachedToState }), GUARDED, late)
    expect(attached('working')).toMatchObject({ state: 'working', overdue: true })
    expect(attached('published')).toMatchObject({
      state: 'closed',
      overdue: false,
      outcome: null,
      category: null,
    })
    expect(attached('closed').state).toBe('closed')
  })
})

const day = fc.integer({ min: 0, max: 200 }).map((offset) => addDays('2026-06-01', offset))
const anyCase: fc.Arbitrary<CaseFacts> = fc.record({
  caseNo: fc.constant('ZY-2611-7QK3F'),
  holder: fc.constantFrom('qu-huanbao', 'jiedao-410102001'),
  state: fc.constantFrom(...CASE_STATES),
  area: fc.constant('CANARY-area'),
  receivedDay: day,
  dueDay: fc.option(day),
  dueCount: fc.constant(15),
  dueUnit: fc.constantFrom('working' as const, 'calendar' as const),
  handOvers: fc.nat(3),
  outcome: fc.option(fc.constantFrom(...OUTCOMES)),
  statement: fc.option(fc.constant('CANARY-statement')),
  competentBody: fc.option(fc.constant('CANARY-body')),
  proof: fc.array(
    fc.record({
      id: fc.constant('CANARY-proof'),
      kind: fc.constantFrom(...PROOF_KINDS),
      caption: fc.constant('CANARY-caption'),
      photo: fc.boolean(),
      blobKey: fc.constant('CANARY-never-blob'),
    }),
    { maxLength: 2 },
  ),
  concludedDay: fc.option(day),
  publishedDay: fc.option(day),
  disputeUntil: fc.option(day),
  disputed: fc.boolean(),
  attachedToState: fc.option(fc.constantFrom(...CASE_STATES)),
  hideCategory: fc.boolean(),
  hideArea: fc.boolean(),
})

/** Columns that stand beside the case in the database and must never come out. */
const BESIDE = Object.fromEntries(
  [
    'answer',
    'whenBucket',
    'urgency',
    'accused',
    'description',
    'place',
    'names',
    'callback',
    'phone',
    'note',
    'lookup',
    'recipient',
    'workedBy',
    'concludedBy',
    'publishedBy',
    'returnedBy',
    'coDepartments',
    'attachedTo',
    'lane',
    'reward',
    'receivedAt',
  ].map((field) => [field, `CANARY-never-${field}`]),
)

const FIELDS = Object.keys(seen(aCase())).sort()

describe('the allow-list', () => {
  it('lets no other field through, in any state, at any time', () => {
    fc.assert(
      fc.property(anyCase, fc.constantFrom(OPEN, GUARDED), day, (facts, category, today) => {
        const shown = toPublic({ ...facts, ...BESIDE }, category, at(`${today}T12:00`))
        if (today <= facts.receivedDay) {
          expect(shown).toBeNull()
          return
        }
        if (!shown) throw new Error('must be public')
        const text = JSON.stringify(shown)
        expect(text).not.toContain('CANARY-never')
        expect(Object.keys(shown).sort()).toEqual(FIELDS)
        expect(PUBLIC_STATES).toContain(shown.state)
        expect(shown.receivedWeek).toBe(weekOf(facts.receivedDay))

        const isOut = facts.state === 'published' || facts.state === 'closed'
        if (!isOut) expect(text).not.toMatch(/CANARY-(statement|body|proof|caption)/)
        const hasBeenOut = isOut || facts.publishedDay !== null
        if (category === GUARDED && !hasBeenOut)
          expect([shown.category, shown.group, shown.area]).toEqual([null, null, null])
        if (facts.hideArea || (category === GUARDED && !hasBeenOut)) expect(text).not.toContain('CANARY-area')
        if (facts.hideCategory) expect(shown.category).toBeNull()
        // Of the days of receipt and promise only the Mondays come out.
        const shownDays = [
          facts.publishedDay,
          weekOf(facts.receivedDay),
          facts.dueDay && weekOf(facts.dueDay),
        ]
        for (const hidden of [
          facts.receivedDay,
          addDays(facts.receivedDay, 1),
          facts.dueDay,
          facts.concludedDay,
        ]) {
          if (hidden !== null && !shownDays.includes(hidden)) expect(text).not.toContain(hidden)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('shows every field it names in some case', () => {
    const text = JSON.stringify(
      seen(published({ area: 'CANARY-area', statement: 'CANARY-statement', competentBody: 'CANARY-body' })),
    )
    for (const field of ['area', 'statement', 'body']) expect(text).toContain(`CANARY-${field}`)
  })

  it('does not let two cases of the same week be told apart by their day', () => {
    const monday = seen(
      aCase({ receivedDay: '2026-11-23', dueDay: '2026-12-14' }),
      GUARDED,
      at('2026-12-01T12:00'),
    )
    const friday = seen(
      aCase({ receivedDay: '2026-11-27', dueDay: '2026-12-18' }),
      GUARDED,
      at('2026-12-01T12:00'),
    )
    expect(monday).toEqual(friday)
  })
})

describe('coarsening', () => {
  it('takes the area first, then the category', () => {
    expect(coarsen({ inArea: 5, inDistrict: 5 })).toEqual({ hideArea: false, hideCategory: false })
    expect(coarsen({ inArea: 4, inDistrict: 5 })).toEqual({ hideArea: true, hideCategory: false })
    expect(coarsen({ inArea: 4, inDistrict: 4 })).toEqual({ hideArea: true, hideCategory: true })
    expect(coarsen({ inArea: 2, inDistrict: 2 }, 2)).toEqual({ hideArea: false, hideCategory: false })
  })
})

describe('the reporter', () => {
  const view = (facts: CaseFacts, now = NEXT_MORNING) => reporterView(facts, GUARDED.category, now)

  it('sees state, category and promise to the day from the first second', () => {
    expect(view(aCase({ state: 'awaiting_reporter' }), at('2026-11-24T00:00'))).toMatchObject({
      state: 'awaiting_reporter',
      category: 'industrial-emission',
      area: '410102001',
      receivedDay: RECEIVED,
      dueDay: DUE,
      dueText: DUE,
      overdue: false,
      outcome: null,
      statement: null,
      proof: [],
    })
  })

  it('sees the decision when it is public, and until when to dispute it', () => {
    const facts = published()
    expect(view(facts, at('2026-12-26T23:00'))).toMatchObject({
      outcome: 'substantiated',
      statement: '经查属实，已责令整改。',
      disputeUntil: '2026-12-26',
    })
    expect(view(facts, at('2026-12-27T00:00')).disputeUntil).toBeNull()
    expect(view(published({ disputed: true })).disputeUntil).toBeNull()
    expect(view(published({ state: 'closed' })).disputeUntil).toBeNull()
  })

  it('sees a broken promise the day after', () => {
    expect(view(aCase(), at('2026-12-15T23:00')).overdue).toBe(false)
    expect(view(aCase(), at('2026-12-16T00:00')).overdue).toBe(true)
    expect(view(aCase({ state: 'concluded' }), at('2026-12-30T00:00')).overdue).toBe(false)
    expect(view(published({ concludedDay: '2026-12-16' })).overdue).toBe(true)
    expect(view(aCase({ state: 'attached' }), at('2026-12-30T00:00')).overdue).toBe(false)
    expect(view(aCase({ dueDay: null }), at('2027-12-30T00:00'))).toMatchObject({
      overdue: false,
      duePending: true,
    })
  })

  it('gets nothing that stands beside the case', () => {
    fc.assert(
      fc.property(anyCase, day, (facts, today) => {
        const text = JSON.stringify(
          reporterView({ ...facts, ...BESIDE }, GUARDED.category, at(`${today}T12:00`)),
        )
        expect(text).not.toContain('CANARY-never')
        if (facts.state !== 'published' && facts.state !== 'closed') {
          expect(text).not.toMatch(/CANARY-(statement|body|proof|caption)/)
        }
      }),
    )
  })
})
