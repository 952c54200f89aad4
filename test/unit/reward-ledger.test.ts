import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  appropriationChange,
  balancesOf,
  ENTRY_KINDS,
  MIN_PAYMENTS,
  NO_BALANCES,
  postingsOf,
  publishable,
  REWARD_ACCOUNTS,
  sumBy,
  type EntryKind,
  type PaidCell,
  type PaidGroup,
  type PaidSum,
  type Posting,
} from '../../src/domain/reward-ledger.ts'

const anyKind = fc.constantFrom(...ENTRY_KINDS)
const anyAmount = fc.integer({ min: 1, max: 100_000_000 })
const sum = (postings: readonly Posting[]): number =>
  postings.reduce((total, { amountFen }) => total + amountFen, 0)

describe('an entry', () => {
  it('always balances, whatever is booked and however often', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyKind, fc.integer({ min: 2026, max: 2028 }), anyAmount), { maxLength: 60 }),
        (booked) => {
          const postings = booked.flatMap(([kind, year, amount]) => postingsOf(kind, year, amount))
          for (const [kind, year, amount] of booked) expect(sum(postingsOf(kind, year, amount))).toBe(0)
          for (const year of [2026, 2027, 2028]) {
            const { appropriation, available, committed, paid } = balancesOf(postings, year)
            expect(appropriation + available + committed + paid).toBe(0)
          }
        },
      ),
    )
  })

  it.each<[EntryKind, Partial<Record<(typeof REWARD_ACCOUNTS)[number], number>>]>([
    ['appropriate', { appropriation: -7, available: 7 }],
    ['approve', { available: -7, committed: 7 }],
    ['pay', { committed: -7, paid: 7 }],
    ['lapse', { available: 7, committed: -7 }],
    ['release', { available: 7, committed: -7 }],
    ['recover', { available: 7, paid: -7 }],
    ['voucher', {}],
  ])('to %s moves money only where it should', (kind, moved) => {
    expect(balancesOf(postingsOf(kind, 2026, 7), 2026)).toEqual({ ...NO_BALANCES, ...moved })
  })

  it('takes its accounts in one order', () => {
    for (const kind of ENTRY_KINDS) {
      for (const amount of [7, -7]) {
        const order = postingsOf(kind, 2026, amount).map(({ account }) => REWARD_ACCOUNTS.indexOf(account))
        expect(order).toEqual([...order].sort((a, b) => a - b))
      }
    }
  })

  it.each([0, 0.5, Number.NaN, Number.POSITIVE_INFINITY])('of %d is none', (amount) => {
    expect(() => postingsOf('pay', 2026, amount)).toThrow(RangeError)
  })
})

describe('a year’s budget', () => {
  it('is never exceeded by what is booked in order, and always covers what was approved', () => {
    type Step = { readonly to: 'budget' | 'approve' | 'pay' | 'lapse'; readonly amount: number }
    const anyStep: fc.Arbitrary<Step> = fc.record({
      to: fc.constantFrom('budget', 'approve', 'pay', 'lapse'),
      amount: anyAmount,
    })
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
        const postings: Posting[] = []
        const open: number[] = []
        const book = (kind: EntryKind, amount: number): void => {
          postings.push(...postingsOf(kind, 2026, amount))
        }
        for (const { to, amount } of steps) {
          const now = balancesOf(postings, 2026)
          if (to === 'budget') {
            const change = appropriationChange(amount, now)
            if (change !== 0) book('appropriate', change)
          } else if (to === 'approve') {
            // What the check in the database refuses.
            if (now.available >= amount) {
              book('approve', amount)
              open.push(amount)
            }
          } else {
            const due = open.pop()
            if (due !== undefined) book(to, due)
          }
          const after = balancesOf(postings, 2026)
          for (const account of ['available', 'committed', 'paid'] as const)
            expect(after[account]).toBeGreaterThanOrEqual(0)
          expect(after.committed + after.paid).toBeLessThanOrEqual(-after.appropriation)
        }
      }),
    )
  })

  it('follows the schedule up and down, but not below what is spoken for', () => {
    expect(appropriationChange(100, NO_BALANCES)).toBe(100)
    const some = { appropriation: -100, available: 30, committed: 50, paid: 20 }
    expect(appropriationChange(100, some)).toBe(0)
    expect(appropriationChange(150, some)).toBe(50)
    expect(appropriationChange(80, some)).toBe(-20)
    expect(appropriationChange(10, some)).toBe(-30)
  })
})

describe('what is published', () => {
  const cell = (month: string, department: string, payments: number, yuan = 500): PaidCell => ({
    month,
    department,
    payments,
    amountFen: payments * yuan * 100,
  })
  const row = ({ from, until, department, payments }: PaidGroup) =>
    `${from}..${until} ${department ?? '*'} ${payments}`

  it.each<[string, readonly PaidCell[], readonly string[]]>([
    ['nothing under five', [cell('2026-09', 'a', 4)], []],
    ['a department of five by its name', [cell('2026-09', 'a', 5)], ['2026-09..2026-09 a 5']],
    [
      'small departments together',
      [cell('2026-09', 'a', 7), cell('2026-09', 'b', 2), cell('2026-09', 'c', 3)],
      ['2026-09..2026-09 a 7', '2026-09..2026-09 * 5'],
    ],
    [
      'no remainder that a subtraction would tell',
      [cell('2026-09', 'a', 7), cell('2026-09', 'b', 2)],
      ['2026-09..2026-09 * 9'],
    ],
    [
      'the smallest of the named with a small remainder',
      [cell('2026-09', 'a', 9), cell('2026-09', 'b', 6), cell('2026-09', 'c', 1)],
      ['2026-09..2026-09 a 9', '2026-09..2026-09 * 7'],
    ],
    [
      'a small month with the next',
      [cell('2026-08', 'a', 3), cell('2026-09', 'a', 1), cell('2026-10', 'b', 1), cell('2026-11', 'a', 6)],
      ['2026-08..2026-10 * 5', '2026-11..2026-11 a 6'],
    ],
    ['the current month not at all', [cell('2026-12', 'a', 50)], []],
  ])('is %s', (_name, cells, expected) => {
    expect(publishable(cells, '2026-12').map(row)).toEqual(expected)
  })

  const anyCells: fc.Arbitrary<PaidCell[]> = fc.uniqueArray(
    fc.record({
      month: fc.constantFrom('2026-07', '2026-08', '2026-09', '2026-10', '2026-11', '2026-12'),
      department: fc.constantFrom('a', 'b', 'c', 'd'),
      payments: fc.integer({ min: 0, max: 12 }),
      // A month may hold nothing but money that came back.
      amountFen: fc.integer({ min: -500_000, max: 5_000_000 }),
    }),
    { maxLength: 24, selector: ({ month, department }) => `${month} ${department}` },
  )

  it('has five payments in every sum, and no cell twice or by half', () => {
    fc.assert(
      fc.property(anyCells, (cells) => {
        const groups = publishable(cells, '2026-12')
        for (const { payments } of groups) expect(payments).toBeGreaterThanOrEqual(MIN_PAYMENTS)
        const last = groups.at(-1)?.until ?? ''
        const within = cells.filter(({ month }) => month <= last)
        const total = (of: readonly { payments: number; amountFen: number }[]) =>
          of.reduce((all, one) => [(all[0] ?? 0) + one.payments, (all[1] ?? 0) + one.amountFen], [0, 0])
        expect(total(groups)).toEqual(total(within))
        const waiting = cells.filter(({ month }) => month > last && month < '2026-12')
        expect(total(waiting)[0]).toBeLessThan(MIN_PAYMENTS)
      }),
    )
  })

  it('leaves no sum of fewer to be found by subtracting one department from its period', () => {
    fc.assert(
      fc.property(anyCells, (cells) => {
        const periods = Map.groupBy(publishable(cells, '2026-12'), ({ from, until }) => `${from} ${until}`)
        for (const groups of periods.values()) {
          const all = groups.reduce((sum, { payments }) => sum + payments, 0)
          for (const { payments } of groups)
            expect([0, ...range(MIN_PAYMENTS, all)]).toContain(all - payments)
          expect(groups.filter(({ department }) => department === null).length).toBeLessThanOrEqual(1)
        }
      }),
    )
  })

  it('adds up the same by month, by department and in all', () => {
    fc.assert(
      fc.property(anyCells, (cells) => {
        const groups = publishable(cells, '2026-12')
        const total = (sums: readonly (readonly [unknown, PaidSum])[]) =>
          sums.reduce((all, [, { payments, amountFen }]) => all + payments * 1e9 + amountFen, 0)
        const all = total(sumBy(groups, () => null))
        expect(total(sumBy(groups, ({ from }) => from))).toBe(all)
        expect(total(sumBy(groups, ({ department }) => department))).toBe(all)
        const months = sumBy(groups, ({ from, until }) => ({ from, until })).map(([{ from }]) => from)
        expect(months).toEqual([...new Set(months)].sort())
      }),
    )
  })

  it('never changes what was published before', () => {
    fc.assert(
      fc.property(anyCells, (cells) => {
        let before: readonly PaidGroup[] = []
        for (const month of ['2026-08', '2026-09', '2026-10', '2026-11', '2026-12', '2027-01']) {
          const groups = publishable(cells, month)
          expect(groups.slice(0, before.length)).toEqual(before)
          before = groups
        }
      }),
    )
  })
})

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)
