import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addDays, type Day } from '../../src/domain/day.ts'
import {
  daysOn,
  dueDayOf,
  fatesOf,
  isDue,
  RETENTION_CLASSES,
  SHIPPED_SCHEDULE,
  WARNING_DAYS,
  warningOf,
  type Fates,
  type Hold,
  type RetentionFacts,
  type RetentionRule,
} from '../../src/domain/retention.ts'

const CLOSED: Day = '2026-03-01'
const TODAY: Day = '2027-01-01'
const facts = (part: Partial<RetentionFacts> = {}): RetentionFacts => ({
  receivedDay: '2026-01-10',
  closedDay: CLOSED,
  unproven: false,
  outside: false,
  rewardOpen: false,
  rewardDay: null,
  paidDay: null,
  destroyedDay: null,
  ...part,
})
const fates = (part: Partial<RetentionFacts> = {}, holds: readonly Hold[] = [], today = TODAY): Fates =>
  fatesOf(facts(part), SHIPPED_SCHEDULE, holds, today)

describe('what is kept', () => {
  it.each([
    ['the content of a closed case, for a year', fates().content, { due: '2027-03-01' }],
    ['the content of an open case', fates({ closedDay: null }).content, { kept: 'open' }],
    [
      'what came without a proof and nobody took, 90 days from receipt',
      fates({ closedDay: null, unproven: true }).content,
      { due: '2026-04-10' },
    ],
    [
      'somebody else’s business, 90 days from closing',
      fates({ outside: true }).content,
      { due: '2026-05-30' },
    ],
    [
      'somebody else’s business before it is closed',
      fates({ outside: true, closedDay: null }).content,
      { kept: 'open' },
    ],
    ['a case with a reward under way', fates({ rewardOpen: true }).content, { kept: 'reward' }],
    [
      'a case whose reward was decided late, until that was announced',
      fates({ rewardDay: '2027-02-27' }).content,
      { due: '2027-03-13' },
    ],
    [
      'identity without a reward: the window to collect one, and 30 days',
      fates().identity,
      { due: '2026-09-27' },
    ],
    [
      'identity after payment',
      fates({ paidDay: '2026-05-01', rewardDay: '2026-05-01' }).identity,
      { due: '2026-05-31' },
    ],
    ['identity of an open case', fates({ closedDay: null }).identity, { kept: 'open' }],
    [
      'payee after payment',
      fates({ paidDay: '2026-05-01', rewardDay: '2026-05-01' }).payee,
      { due: '2026-05-31' },
    ],
    ['payee before', fates().payee, { kept: 'waits' }],
    ['the receipt while there is content', fates().receipt, { kept: 'waits' }],
    ['the receipt after it', fates({ destroyedDay: '2027-03-01' }).receipt, { due: '2028-02-29' }],
    ['the public ledger', fates().ledger, { kept: 'for-ever' }],
  ])('%s', (_name, seen, expected) => {
    expect(seen).toEqual(expected)
  })

  it('is everything while a hold stands', () => {
    const held = fates({ paidDay: CLOSED, destroyedDay: CLOSED }, [
      { placedDay: '2026-12-01', liftedDay: null },
    ])
    for (const name of ['content', 'receipt', 'identity', 'payee'] as const) {
      expect(held[name]).toEqual({ kept: 'held' })
    }
  })

  it('goes two weeks after a hold was lifted at the earliest', () => {
    const lifted = (day: Day) =>
      fates({}, [{ placedDay: '2026-12-01', liftedDay: day }], '2027-06-01').content
    expect(lifted('2027-05-01')).toEqual({ due: '2027-05-15' })
    expect(lifted('2026-12-02')).toEqual({ due: '2027-03-01' })
  })
})

describe('a change of the schedule', () => {
  const rule = (days: number, from: Day): RetentionRule => ({ class: 'case', days, from })
  const due = (...rules: RetentionRule[]) => dueDayOf([...SHIPPED_SCHEDULE, ...rules], 'case', CLOSED)

  it.each([
    ['a shorter term makes nothing due before it holds', [rule(90, '2026-10-01')], '2026-10-01'],
    ['a shorter term in time', [rule(90, '2026-04-01')], '2026-05-30'],
    ['a shorter term that comes too late changes nothing', [rule(90, '2027-03-02')], '2027-03-01'],
    ['a longer term keeps what is not due by then', [rule(730, '2027-02-28')], '2028-02-29'],
    ['of two for one day, the last holds', [rule(90, '2026-04-01'), rule(200, '2026-04-01')], '2026-09-17'],
    ['one that is taken back in time', [rule(90, '2026-10-01'), rule(365, '2026-10-01')], '2027-03-01'],
  ])('%s', (_name, rules, expected) => {
    expect(due(...rules)).toBe(expected)
  })

  it('never lets anything go without two weeks of warning', () => {
    const days = fc.integer({ min: 0, max: 900 })
    fc.assert(
      fc.property(days, days, fc.integer({ min: 1, max: 800 }), days, (closed, now, term, lead) => {
        const today = addDays(CLOSED, closed + now)
        // A rule set today holds two weeks later at the earliest.
        const from = addDays(today, WARNING_DAYS + lead)
        const before = dueDayOf(SHIPPED_SCHEDULE, 'case', addDays(CLOSED, closed)) ?? ''
        const after = dueDayOf([...SHIPPED_SCHEDULE, rule(term, from)], 'case', addDays(CLOSED, closed)) ?? ''
        return after >= before || after >= addDays(today, WARNING_DAYS)
      }),
    )
  })
})

describe('the days', () => {
  it('have a rule for each class', () => {
    for (const name of RETENTION_CLASSES) expect(daysOn(SHIPPED_SCHEDULE, name, TODAY)).toBeLessThan(1100)
  })

  it('are told from two weeks before, and come on the day itself', () => {
    const { content } = fates()
    expect(warningOf(content, '2027-02-14')).toBeNull()
    expect(warningOf(content, '2027-02-15')).toBe('2027-03-01')
    expect(isDue(content, '2027-02-28')).toBe(false)
    expect(isDue(content, '2027-03-01')).toBe(true)
    expect(isDue({ kept: 'held' }, '2030-01-01')).toBe(false)
    expect(warningOf({ kept: 'open' }, '2030-01-01')).toBeNull()
  })
})
