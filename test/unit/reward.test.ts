import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EXAMPLE_TERMS } from '../../db/seed/rewards.ts'
import { loadPlan } from '../../db/seed/plan.ts'
import { OUTCOMES } from '../../src/domain/case.ts'
import {
  collectionCode,
  formatCollectionCode,
  parseCollectionCode,
} from '../../src/domain/collection-code.ts'
import { addDays } from '../../src/domain/day.ts'
import { parseYuan, yuanFigure, yuanText } from '../../src/domain/money.ts'
import {
  assess,
  checkTerms,
  EVIDENCE_USES,
  firstTip,
  KNOWN_BEFORE,
  lastCollectionDay,
  PENALTY_KINDS,
  REWARD_ACTIONS,
  REWARD_STATUSES,
  rewardRefusal,
  scheduleOn,
  type Findings,
  type RewardAction,
  type RewardFacts,
  type RewardSchedule,
  type RewardSituation,
  type RewardStatus,
  type RewardTerms,
} from '../../src/domain/reward.ts'

const YUAN = 100
const CATEGORIES = new Set(loadPlan().categories.map(({ id }) => id))

const schedule = (part: Partial<RewardSchedule> = {}): RewardSchedule => ({
  id: 'one',
  version: 1,
  title: '测试标准',
  basis: '测试〔2026〕1号',
  validFrom: '2026-01-01',
  validUntil: null,
  example: false,
  terms: EXAMPLE_TERMS,
  ...part,
})
const facts = (part: Partial<RewardFacts> = {}, findings: Partial<Findings> = {}): RewardFacts => ({
  category: 'construction-dust',
  categoryName: '建设工地扬尘',
  outcome: 'substantiated',
  decisionNo: '示罚〔2026〕1号',
  first: true,
  findings: {
    knownBefore: 'new',
    evidence: 'led',
    penalty: { kind: 'none', fineFen: 0 },
    ...findings,
  },
  ...part,
})
const fine = (yuan: number): Findings['penalty'] => ({ kind: 'fine', fineFen: yuan * YUAN })
const amount = (given: RewardFacts, terms: RewardTerms = EXAMPLE_TERMS): number =>
  assess(given, schedule({ terms })).amountFen

const anyFen = fc.integer({ min: 0, max: 2_000_000 })
const anyTerms: fc.Arbitrary<RewardTerms> = fc
  .record({
    fixed: fc.integer({ min: 1, max: 2_000_000 }),
    warning: anyFen,
    correction: anyFen,
    shutdown: anyFen,
    starts: fc.uniqueArray(fc.integer({ min: 1, max: 50_000_000 }), { maxLength: 5 }),
    amounts: fc.array(anyFen, { minLength: 6, maxLength: 6 }),
    partlyPercent: fc.integer({ min: 0, max: 100 }),
    capFen: fc.integer({ min: 1, max: 3_000_000 }),
    count: fc.integer({ min: 1, max: 1000 }),
  })
  .map(({ fixed, warning, correction, shutdown, starts, amounts, partlyPercent, capFen, count }) => {
    const rising = [...amounts].sort((a, b) => a - b)
    return {
      fixedFen: { 'construction-dust': fixed },
      penaltyFen: { warning, correction, shutdown },
      fineTiers: [0, ...starts.sort((a, b) => a - b)].map((fromFen, index) => ({
        fromFen,
        amountFen: rising[index] ?? 0,
      })),
      partlyPercent,
      capFen,
      yearBudgetFen: capFen * 3,
      window: { count, unit: 'calendar' as const },
    }
  })
const anyFindings: fc.Arbitrary<Findings> = fc.record({
  knownBefore: fc.constantFrom(...KNOWN_BEFORE),
  evidence: fc.constantFrom(...EVIDENCE_USES),
  penalty: fc.record({ kind: fc.constantFrom(...PENALTY_KINDS), fineFen: anyFen }),
})
const anyFacts: fc.Arbitrary<RewardFacts> = fc.record({
  category: fc.constantFrom('construction-dust', 'other'),
  categoryName: fc.constant('某类'),
  outcome: fc.constantFrom(...OUTCOMES, null),
  decisionNo: fc.constantFrom('示罚〔2026〕1号', null),
  first: fc.boolean(),
  findings: fc.option(anyFindings),
})

describe('the amount', () => {
  it.each([
    ['the category’s fixed sum', facts(), 500],
    ['another category’s', facts({ category: 'industrial-emission' }), 1000],
    [
      'the fixed sum when the penalty’s tier is lower',
      facts({}, { penalty: { kind: 'correction', fineFen: 0 } }),
      500,
    ],
    ['the tier when it is higher', facts({}, { penalty: fine(30_000) }), 1000],
    [
      'the tier below for a fine one fen short',
      facts({}, { penalty: { kind: 'fine', fineFen: 2_999_999 } }),
      500,
    ],
    ['the highest tier for any higher fine', facts({}, { penalty: fine(9_000_000) }), 3000],
    ['half of it when true in part', facts({ outcome: 'partly' }, { penalty: fine(30_000) }), 500],
    ['the cap', facts({ category: 'emergency-noncompliance' }), 5000],
  ])('is %s', (_name, given, yuan) => {
    expect(amount(given)).toBe(yuan * YUAN)
  })

  it('ends at the cap, and the line says so', () => {
    const terms = { ...EXAMPLE_TERMS, capFen: 300 * YUAN }
    const found = assess(facts(), schedule({ terms }))
    expect(found.amountFen).toBe(300 * YUAN)
    expect(found.lines.at(-1)).toEqual({
      kind: 'amount',
      rule: 'cap',
      amountFen: 30_000,
      text: '每件最多300元。',
    })
  })

  it('never exceeds the cap, is a whole number of fen, and is what the last line says', () => {
    fc.assert(
      fc.property(anyFacts, anyTerms, (given, terms) => {
        const { eligible, amountFen, lines } = assess(given, schedule({ terms }))
        expect(Number.isSafeInteger(amountFen)).toBe(true)
        expect(amountFen).toBeGreaterThanOrEqual(0)
        expect(amountFen).toBeLessThanOrEqual(terms.capFen)
        expect(eligible).toBe(amountFen > 0)
        const last = lines.findLast((line) => line.kind === 'amount')
        if (eligible) expect(last?.amountFen).toBe(amountFen)
      }),
    )
  })

  it('does not fall when the fine rises', () => {
    fc.assert(
      fc.property(anyTerms, anyFen, anyFen, (terms, one, other) => {
        const [low, high] = one < other ? [one, other] : [other, one]
        const of = (fineFen: number) => amount(facts({}, { penalty: { kind: 'fine', fineFen } }), terms)
        expect(of(low)).toBeLessThanOrEqual(of(high))
      }),
    )
  })
})

describe('a tip', () => {
  const unmet = (given: RewardFacts, of: RewardSchedule | null = schedule()) =>
    assess(given, of).lines.flatMap((line) => (line.kind === 'condition' && !line.met ? [line.rule] : []))

  it.each([
    ['schedule', facts(), null],
    ['first', facts({ first: false }), schedule()],
    ['outcome', facts({ outcome: 'unsubstantiated' }), schedule()],
    ['outcome', facts({ outcome: null }), schedule()],
    ['category', facts({ category: 'other', categoryName: '其他' }), schedule()],
    ['decision', facts({ decisionNo: null }), schedule()],
    ['unknown', facts({}, { knownBefore: 'investigated' }), schedule()],
    ['evidence', facts({}, { evidence: 'vague' }), schedule()],
  ] as const)('earns nothing when “%s” is not met, and that line says so', (rule, given, of) => {
    const found = assess(given, of)
    expect(unmet(given, of)).toEqual([rule])
    expect([found.eligible, found.amountFen]).toEqual([false, 0])
    expect(found.lines.filter(({ kind }) => kind === 'amount')).toEqual([])
  })

  it('is told all that is not met, not only the first', () => {
    expect(unmet(facts({ first: false, decisionNo: null }, { evidence: 'contradicted' }))).toEqual([
      'first',
      'decision',
      'evidence',
    ])
  })

  it('is told nothing that an officer has not stated', () => {
    const { lines, eligible } = assess(facts({ findings: null }), schedule())
    expect(lines.map(({ rule }) => rule)).toEqual(['schedule', 'first', 'outcome', 'category'])
    expect(eligible).toBe(false)
  })

  it('of a case is the eligible one exactly when it came first, in whatever order they are read', () => {
    const anyTips = fc.uniqueArray(
      fc.record({
        id: fc.uuid(),
        day: fc.integer({ min: 0, max: 3 }).map((days) => addDays('2026-11-20', days)),
        arrival: fc.integer({ min: 1, max: 1_000_000 }),
      }),
      { minLength: 1, maxLength: 20, selector: ({ arrival }) => arrival },
    )
    fc.assert(
      fc.property(anyTips, fc.integer(), (tips, seed) => {
        const shuffled = [...tips].sort((a, b) => ((a.arrival * seed) % 7) - ((b.arrival * seed) % 7))
        const first = firstTip(shuffled)
        expect(first).toEqual(firstTip(tips))
        const earns = shuffled.filter(
          ({ id }) => assess(facts({ first: id === first?.id }), schedule()).eligible,
        )
        expect(earns).toHaveLength(1)
        for (const { day, arrival } of tips) {
          const before = [first?.day ?? '', first?.arrival ?? 0] as const
          expect(before[0] < day || (before[0] === day && before[1] <= arrival)).toBe(true)
        }
      }),
    )
  })

  it('of nobody is first where there is none', () => {
    expect(firstTip([])).toBeNull()
  })
})

describe('a schedule', () => {
  const one = schedule({ id: 'one', validFrom: '2026-01-01' })
  const two = schedule({ id: 'two', version: 2, validFrom: '2026-07-01', validUntil: '2026-09-30' })

  it.each([
    ['2025-12-31', null],
    ['2026-01-01', 'one'],
    ['2026-06-30', 'one'],
    ['2026-07-01', 'two'],
    ['2026-09-30', 'two'],
    // A later version ends the earlier ones, also by ending itself.
    ['2026-10-01', null],
  ])('on %s is %s', (day, id) => {
    expect(scheduleOn([two, one], day)?.id ?? null).toBe(id)
  })

  it('of the seed can be confirmed as it is, and names its sources', async () => {
    const { EXAMPLE_SOURCES } = await import('../../db/seed/rewards.ts')
    expect(checkTerms(EXAMPLE_TERMS, CATEGORIES)).toEqual([])
    expect(EXAMPLE_SOURCES.join()).toContain('郑环攻坚办〔2018〕115号')
    expect(EXAMPLE_SOURCES.join()).toContain('鲁环发〔2021〕6号')
  })

  it.each<[string, Partial<RewardTerms>]>([
    ['fixed', { fixedFen: {} }],
    ['fixed', { fixedFen: { ...EXAMPLE_TERMS.fixedFen, nonsense: 100 } }],
    ['fixed.open-bbq', { fixedFen: { 'open-bbq': 0 } }],
    ['fixed.open-bbq', { fixedFen: { 'open-bbq': 1.5 } }],
    ['penalty.warning', { penaltyFen: { ...EXAMPLE_TERMS.penaltyFen, warning: -1 } }],
    ['tier.0', { fineTiers: [{ fromFen: 1, amountFen: 1 }] }],
    [
      'tier.1',
      {
        fineTiers: [
          { fromFen: 0, amountFen: 1 },
          { fromFen: 0, amountFen: 2 },
        ],
      },
    ],
    [
      'tier.1',
      {
        fineTiers: [
          { fromFen: 0, amountFen: 2 },
          { fromFen: 9, amountFen: 1 },
        ],
      },
    ],
    ['partlyPercent', { partlyPercent: 101 }],
    ['cap', { capFen: 0 }],
    ['budget', { yearBudgetFen: EXAMPLE_TERMS.capFen - 1 }],
    ['window', { window: { count: 0, unit: 'working' } }],
  ])('is refused at %s when that makes no sense', (field, part) => {
    expect(checkTerms({ ...EXAMPLE_TERMS, ...part }, CATEGORIES).map((problem) => problem.field)).toEqual([
      field,
    ])
  })
})

describe('the last day to collect', () => {
  const calendar = { years: new Set([2026]), holidays: new Set<string>(), makeUpDays: new Set<string>() }
  const days = (count: number, unit: 'calendar' | 'working', approved: string, published: string) =>
    lastCollectionDay({ window: { count, unit } }, calendar, approved, published)

  it('counts from the approval, or from the publication after a review', () => {
    expect(days(60, 'calendar', '2026-11-25', '2026-11-20')).toBe('2027-01-24')
    expect(days(60, 'calendar', '2026-11-25', '2026-12-20')).toBe('2027-02-18')
  })

  it('is not known before the calendar of its year is', () => {
    expect(days(3, 'working', '2026-11-25', '2026-11-20')).toBe('2026-11-30')
    expect(days(30, 'working', '2026-12-25', '2026-11-20')).toBeNull()
  })
})

describe('a step', () => {
  const at = (status: RewardStatus, part: Partial<RewardSituation> = {}): RewardSituation => ({
    status,
    eligible: true,
    proposedBy: 'officer',
    decidedBy: status === 'proposed' ? null : 'approver',
    paidBy: status === 'paid' ? 'finance' : null,
    member: 'somebody',
    caseStands: true,
    inspection: 'none',
    today: '2026-11-25',
    lastDay: '2026-12-01',
    anonymousAllowed: true,
    identityChecked: false,
    ...part,
  })
  const late = { today: '2026-12-02' }
  const FROM: Readonly<Record<RewardAction, readonly RewardStatus[]>> = {
    approve: ['proposed'],
    'send-back': ['proposed'],
    claim: ['approved', 'claimed'],
    pay: ['claimed'],
    lapse: ['approved', 'claimed'],
    release: ['denied', 'approved', 'claimed', 'paid', 'lapsed'],
    voucher: ['paid'],
  }

  it.each(REWARD_ACTIONS.flatMap((action) => REWARD_STATUSES.map((status) => ({ action, status }))))(
    '$action from $status is possible only where the table says',
    ({ action, status }) => {
      const refusal = rewardRefusal(action, at(status, action === 'lapse' ? late : {}))
      expect(refusal === null).toBe(FROM[action].includes(status))
      if (refusal) expect(refusal.code).toBe('reward-transition')
    },
  )

  it.each<[RewardAction, RewardStatus, string]>([
    ['approve', 'proposed', 'officer'],
    ['send-back', 'proposed', 'officer'],
    ['pay', 'claimed', 'officer'],
    ['pay', 'claimed', 'approver'],
    ['release', 'paid', 'finance'],
  ])('%s a %s reward is not for %s', (action, status, member) => {
    expect(rewardRefusal(action, at(status, { member }))?.code).toBe('two-people')
  })

  it.each<[RewardAction, RewardStatus]>([
    ['approve', 'proposed'],
    ['claim', 'approved'],
    ['pay', 'claimed'],
    ['lapse', 'claimed'],
  ])('%s waits while the case is under review', (action, status) => {
    expect(
      rewardRefusal(action, at(status, { caseStands: false, ...(action === 'lapse' ? late : {}) }))?.code,
    ).toBe('reward-transition')
  })

  it('approves a drawn case only after another officer confirmed it', () => {
    expect(rewardRefusal('approve', at('proposed', { inspection: 'waiting' }))?.message).toContain('复查')
    expect(rewardRefusal('approve', at('proposed', { inspection: 'refuted' }))?.message).toContain('复查')
    expect(rewardRefusal('approve', at('proposed', { inspection: 'confirmed' }))).toBeNull()
    // Nothing is paid, so nothing has to be proved.
    expect(rewardRefusal('approve', at('proposed', { inspection: 'waiting', eligible: false }))).toBeNull()
  })

  it('claims and pays through the last day, and lapses after it', () => {
    const last = { today: '2026-12-01' }
    for (const [action, status] of [
      ['claim', 'approved'],
      ['pay', 'claimed'],
    ] as const) {
      expect(rewardRefusal(action, at(status, last))).toBeNull()
      expect(rewardRefusal(action, at(status, late))?.code).toBe('reward-transition')
      expect(rewardRefusal(action, at(status, { lastDay: null, ...late }))).toBeNull()
    }
    expect(rewardRefusal('lapse', at('approved', last))?.code).toBe('reward-transition')
    expect(rewardRefusal('lapse', at('approved', { lastDay: null, ...late }))?.code).toBe('reward-transition')
  })

  it('pays without a name only when the operator allows it', () => {
    const closed = { anonymousAllowed: false }
    expect(rewardRefusal('pay', at('claimed', closed))).toMatchObject({
      code: 'invalid-input',
      field: 'identity',
    })
    expect(rewardRefusal('pay', at('claimed', { ...closed, identityChecked: true }))).toBeNull()
  })
})

describe('a collection code', () => {
  const anyBytes = fc.uint8Array({ minLength: 10, maxLength: 10 })

  it('is ten symbols, read back from however it is written', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const code = collectionCode(bytes)
        expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{10}$/)
        const shown = formatCollectionCode(code)
        expect(shown).toMatch(/^\S{5}-\S{5}$/)
        for (const typed of [
          code,
          shown,
          shown.toLowerCase(),
          [...code].join(' '),
          shown.replaceAll('0', 'o'),
        ])
          expect(parseCollectionCode(typed)).toBe(code)
      }),
    )
  })

  it.each(['', '123456789', '12345678901', '7QK3F-M4XWU', '7'.repeat(100)])('is not %s', (typed) => {
    expect(parseCollectionCode(typed)).toBeNull()
  })

  it('favours no symbol', () => {
    const counts = new Map<string, number>()
    for (let byte = 0; byte < 256; byte += 1) {
      const [symbol = ''] = collectionCode(new Uint8Array(10).fill(byte))
      counts.set(symbol, (counts.get(symbol) ?? 0) + 1)
    }
    expect([...counts.values()]).toEqual(Array(32).fill(8))
  })
})

describe('money', () => {
  it.each([
    [0, '0元'],
    [1, '0.01元'],
    [1250, '12.50元'],
    [50_000, '500元'],
    [123_456_789, '1,234,567.89元'],
    [-30_000, '-300元'],
  ])('%d fen reads %s', (fen, text) => {
    expect(yuanText(fen)).toBe(text)
  })

  it('that is shown is read back, to the fen', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000_000_000 }), (fen) => {
        expect(parseYuan(yuanText(fen))).toBe(fen)
        expect(parseYuan(yuanFigure(fen))).toBe(fen)
      }),
    )
  })

  it.each([
    ['５００', 50_000],
    ['¥1,000.5', 100_050],
    [' 12 元', 1200],
  ])('%s is %d fen', (text, fen) => {
    expect(parseYuan(text)).toBe(fen)
  })

  it.each(['', '-1', '1.234', 'abc', '1e9', '99999999999'])('%s is no amount', (text) => {
    expect(parseYuan(text)).toBeNull()
  })
})
