/**
 * The books of the rewards: double entry in integer fen, one set of accounts for each budget year. A debit is positive,
 * a credit negative, so every entry adds up to nothing, and so do all accounts of a year:
 * appropriation (credit) = available + committed + paid.
 */
export const REWARD_ACCOUNTS = ['appropriation', 'available', 'committed', 'paid'] as const
export type RewardAccount = (typeof REWARD_ACCOUNTS)[number]

export const ACCOUNT_LABELS: Readonly<Record<RewardAccount, string>> = {
  appropriation: '预算安排',
  available: '可用',
  committed: '已批准未发放',
  paid: '已发放',
}

export const ENTRY_KINDS = [
  'appropriate',
  'approve',
  'pay',
  'lapse',
  'release',
  'recover',
  'voucher',
] as const
export type EntryKind = (typeof ENTRY_KINDS)[number]

export const ENTRY_LABELS: Readonly<Record<EntryKind, string>> = {
  appropriate: '安排预算',
  approve: '批准奖励',
  pay: '发放',
  lapse: '逾期未领，退回预算',
  release: '撤销，退回预算',
  recover: '撤销，款项收回',
  voucher: '更正凭证号',
}

export interface Posting {
  readonly year: number
  readonly account: RewardAccount
  readonly amountFen: number
}

/** From which account an entry takes, and to which it gives. */
const MOVES: Readonly<Record<EntryKind, readonly [from: RewardAccount, to: RewardAccount]>> = {
  appropriate: ['appropriation', 'available'],
  approve: ['available', 'committed'],
  pay: ['committed', 'paid'],
  lapse: ['committed', 'available'],
  release: ['committed', 'available'],
  recover: ['paid', 'available'],
  // Taken back under the wrong number and paid again under the right one.
  voucher: ['paid', 'paid'],
}

/**
 * The two lines of an entry, in the order of {@link REWARD_ACCOUNTS}: whoever writes them takes the accounts' locks in
 * one order, so that no two payments wait for each other. A negative amount is the same move backwards.
 */
export function postingsOf(kind: EntryKind, year: number, amountFen: number): readonly Posting[] {
  if (!Number.isSafeInteger(amountFen) || amountFen === 0)
    throw new RangeError(`${amountFen} is no amount of an entry`)
  const [from, to] = MOVES[kind]
  const lines = [
    { year, account: from, amountFen: -amountFen },
    { year, account: to, amountFen },
  ]
  return lines.sort((a, b) => REWARD_ACCOUNTS.indexOf(a.account) - REWARD_ACCOUNTS.indexOf(b.account))
}

/** Balances of one year; an account without a posting stands at 0. */
export type Balances = Readonly<Record<RewardAccount, number>>

export const NO_BALANCES: Balances = { appropriation: 0, available: 0, committed: 0, paid: 0 }

export function balancesOf(postings: readonly Posting[], year: number): Balances {
  const balances: Record<RewardAccount, number> = { ...NO_BALANCES }
  for (const posting of postings) {
    if (posting.year === year) balances[posting.account] += posting.amountFen
  }
  return balances
}

/**
 * What has to be appropriated (negative: given back) for the year's budget to be `targetFen`. What is approved or paid
 * stays covered, whatever a later schedule says.
 */
export function appropriationChange(targetFen: number, balances: Balances): number {
  const spoken = balances.committed + balances.paid
  const change = Math.max(targetFen, spoken) + balances.appropriation
  // The account is a credit; 0 - 0 must not become -0.
  return change === 0 ? 0 : change
}

/** What was paid by one department in one month: `payments` of them, `amountFen` net of what was recovered. */
export interface PaidCell {
  /** `YYYY-MM` */
  readonly month: string
  readonly department: string
  readonly payments: number
  readonly amountFen: number
}

/** A published sum: one department or, null, several together, over one month or several. */
export interface PaidGroup {
  readonly from: string
  readonly until: string
  readonly department: string | null
  readonly payments: number
  readonly amountFen: number
}

/** No sum over fewer payments is shown (D§5.1). */
export const MIN_PAYMENTS = 5

interface Share {
  readonly department: string
  readonly payments: number
  readonly amountFen: number
}

const paymentsIn = (shares: readonly Share[]): number =>
  shares.reduce((sum, { payments }) => sum + payments, 0)
const amountIn = (shares: readonly Share[]): number =>
  shares.reduce((sum, { amountFen }) => sum + amountFen, 0)

/** One closed period: departments with enough payments by name, the rest together, nobody to be found by subtraction. */
function groupsOf(from: string, until: string, shares: readonly Share[], min: number): PaidGroup[] {
  const named = shares
    .filter(({ payments }) => payments >= min)
    .sort((a, b) => b.payments - a.payments || (a.department < b.department ? -1 : 1))
  const rest = shares.filter(({ payments }) => payments < min)
  while (rest.length > 0 && paymentsIn(rest) < min) {
    const smallest = named.pop()
    if (!smallest) break
    rest.push(smallest)
  }
  const groups: PaidGroup[] = named.map((share) => ({ from, until, ...share }))
  if (rest.length > 0)
    groups.push({
      from,
      until,
      department: null,
      payments: paymentsIn(rest),
      amountFen: amountIn(rest),
    })
  return groups
}

/**
 * The sums that may be published, oldest first: disjoint groups of at least `min` payments each. Months before `before`
 * (the current one) only, since a sum that grows day by day tells each payment by the difference; a month with too few
 * waits for the next. What is published once never changes: entries are only ever added to the current month.
 */
export function publishable(
  cells: readonly PaidCell[],
  before: string,
  min: number = MIN_PAYMENTS,
): readonly PaidGroup[] {
  const months = [...new Set(cells.map(({ month }) => month))].filter((month) => month < before).sort()
  const groups: PaidGroup[] = []
  let from: string | null = null
  let open = new Map<string, Share>()
  for (const month of months) {
    from ??= month
    for (const cell of cells) {
      if (cell.month !== month) continue
      const share = open.get(cell.department)
      open.set(cell.department, {
        department: cell.department,
        payments: (share?.payments ?? 0) + cell.payments,
        amountFen: (share?.amountFen ?? 0) + cell.amountFen,
      })
    }
    const shares = [...open.values()]
    if (paymentsIn(shares) < min) continue
    groups.push(...groupsOf(from, month, shares, min))
    from = null
    open = new Map()
  }
  return groups
}

export interface PaidSum {
  readonly payments: number
  readonly amountFen: number
}

/** Adds up the groups with the same key, in the order in which the keys first come: how every total is made. */
export function sumBy<T>(
  groups: readonly PaidGroup[],
  keyOf: (group: PaidGroup) => T,
): readonly (readonly [T, PaidSum])[] {
  const found = new Map<string, readonly [T, PaidSum]>()
  for (const group of groups) {
    const key = keyOf(group)
    const name = JSON.stringify(key)
    const before = found.get(name)?.[1] ?? { payments: 0, amountFen: 0 }
    found.set(name, [
      key,
      { payments: before.payments + group.payments, amountFen: before.amountFen + group.amountFen },
    ])
  }
  return [...found.values()]
}
