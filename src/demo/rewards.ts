import { EXAMPLE_TERMS } from '../../db/seed/rewards.ts'
import type { Outcome } from '../domain/case.ts'
import { addDays, type Day } from '../domain/day.ts'
import { createReceiptCode } from '../domain/receipt.ts'
import type { Findings } from '../domain/reward.ts'
import { createTipKeys } from '../sealing/tip-keys.ts'
import type { Reader } from '../services/case-access.ts'
import type { ActRequest } from '../services/cases.ts'
import type { Services } from '../services/index.ts'
import type { Deps } from '../services/ports.ts'

/** The people and the clock of a demonstration, as far as rewards need them. */
export interface RewardCast {
  readonly readers: ReadonlyMap<string, Reader>
  readonly services: Services
  readonly deps: Deps
  setDay(day: Day): void
}

/** What one fictional reward is about. */
interface RewardStory {
  readonly category: string
  readonly answer: string | null
  readonly area: string
  readonly description: string
  readonly outcome: Outcome
  readonly statement: string
  readonly penalty: Findings['penalty']
}

const DUST: RewardStory = {
  category: 'demolition-dust',
  answer: 'demolition',
  area: '410102011',
  description: '（演示）拆迁工地没有洒水，渣土没有盖，风一吹全是土。',
  outcome: 'substantiated',
  statement: '经查，拆除作业没有洒水，部分渣土没有覆盖。已责令当日整改并处罚款，复查合格。',
  penalty: { kind: 'fine', fineFen: 3_000_000 },
}
const EMISSION: RewardStory = {
  category: 'industrial-emission',
  answer: null,
  area: '410102012',
  description: '（演示）夜里烟囱冒黄烟。',
  outcome: 'substantiated',
  statement: '经查，治污设施夜间停用。已责令停产整改并立案处罚。',
  penalty: { kind: 'correction', fineFen: 0 },
}
const FUME: RewardStory = {
  category: 'cooking-fume',
  answer: 'open',
  area: '410102004',
  description: '（演示）楼下饭店的油烟没有经过净化。',
  outcome: 'partly',
  statement: '净化设施在用，但滤网没有按期清洗。已责令当日清洗并公示记录。',
  penalty: { kind: 'correction', fineFen: 0 },
}

const times = (count: number, story: RewardStory): RewardStory[] => Array.from({ length: count }, () => story)

/** What was paid in each month, three months ago first; the current month has too few to be shown. */
const PAID: readonly (readonly RewardStory[])[] = [
  times(5, DUST),
  [...times(3, EMISSION), ...times(2, FUME)],
  [...times(5, DUST), ...times(3, EMISSION), ...times(2, FUME)],
  [...times(2, DUST), ...times(2, EMISSION)],
]

/** Days from the tip to the publication of what was found. */
const HANDLING_DAYS = 5

/** The first day of the month `count` months away. */
function firstOfMonth(day: Day, count: number): Day {
  const month = new Date(`${day.slice(0, 7)}-01T00:00:00Z`)
  month.setUTCMonth(month.getUTCMonth() + count)
  return month.toISOString().slice(0, 10)
}

interface Played {
  readonly caseNo: string
  readonly tipId: string
  readonly receiptCode: string
  readonly officer: Reader
}

/** Files a tip and has it found true and published, {@link HANDLING_DAYS} later. */
async function publish(cast: RewardCast, story: RewardStory, day: Day): Promise<Played> {
  const { services, deps } = cast
  cast.setDay(day)
  const keys = await createTipKeys()
  const tipId = deps.random.uuid()
  const receiptCode = createReceiptCode((n) => deps.random.bytes(n))
  const { caseNo, promise } = await services.tips.file({
    id: tipId,
    keys,
    facts: {
      category: story.category,
      answer: story.answer,
      area: story.area,
      when: 'this-week',
      urgency: 'normal',
      accused: null,
    },
    narrative: { description: story.description, place: '（演示）示例路', callback: null, checklist: [] },
    photos: [],
    receiptCode,
    idempotencyKey: deps.random.uuid(),
    fingerprint: tipId,
    lane: 'normal',
    draftId: null,
  })
  const officer = personOf(cast, 'officer', promise.department)
  const publisher = personOf(cast, 'publisher')
  let version = 1
  const act = async (reader: Reader, request: Omit<ActRequest, 'version'>): Promise<void> => {
    version = (await services.cases.act(reader, caseNo, { ...request, version })).version
  }
  cast.setDay(addDays(day, 1))
  await act(officer, { action: 'accept' })
  await act(officer, { action: 'work' })
  cast.setDay(addDays(day, HANDLING_DAYS - 1))
  await services.cases.addProof(officer, caseNo, {
    kind: 'decision-number',
    caption: `演示罚〔${day.slice(0, 4)}〕${caseNo.slice(-5)}号`,
    blobKey: null,
  })
  await act(officer, { action: 'conclude', outcome: story.outcome, statement: story.statement })
  cast.setDay(addDays(day, HANDLING_DAYS))
  await act(publisher, { action: 'publish' })
  return { caseNo, tipId, receiptCode, officer }
}

function personOf({ readers }: RewardCast, role: Reader['roles'][number], department?: string): Reader {
  const found = [...readers.values()].find(
    (reader) =>
      reader.roles.includes(role) && (department === undefined || reader.departmentId === department),
  )
  if (!found) throw new Error(`the demonstration has no ${role} of ${department ?? 'any department'}`)
  return found
}

const propose = ({ services }: RewardCast, { officer, caseNo }: Played, penalty: Findings['penalty']) =>
  services.rewards.propose(officer, caseNo, { knownBefore: 'new', evidence: 'led', penalty })

async function approved(cast: RewardCast, story: RewardStory, day: Day): Promise<Played> {
  const played = await publish(cast, story, addDays(day, -HANDLING_DAYS))
  cast.setDay(day)
  await cast.services.rewards.approve(personOf(cast, 'approver'), await propose(cast, played, story.penalty))
  return played
}

/**
 * A confirmed example schedule, three months of payments and a fourth begun, one reward to claim and one to approve:
 * all through the same verbs as real work.
 * @returns the receipt code that opens the reward to claim
 */
export async function playRewards(cast: RewardCast, today: Day): Promise<string> {
  const { services } = cast
  const begin = firstOfMonth(today, -PAID.length)
  cast.setDay(begin)
  const schedule = await services.rewardRules.proposeSchedule(personOf(cast, 'admin'), {
    title: '大气污染举报奖励标准（示例）',
    basis: '演示数据，没有文件依据',
    validFrom: begin,
    validUntil: null,
    terms: EXAMPLE_TERMS,
  })
  await services.rewardRules.decide(personOf(cast, 'approver'), 'schedule', schedule, true)

  let voucher = 0
  for (const [index, stories] of PAID.entries()) {
    const month = firstOfMonth(today, index + 1 - PAID.length)
    for (const [nth, story] of stories.entries()) {
      // From the third of the month on; in the current one not later than today.
      const day = [addDays(month, 2 + 2 * nth), today].sort()[0] ?? today
      const { tipId } = await approved(cast, story, day)
      const { code } = await services.rewards.claim(tipId, cast.deps.random.uuid(), false)
      voucher += 1
      await services.rewards.pay(personOf(cast, 'finance'), {
        code,
        voucherNo: `演示凭证${String(voucher).padStart(3, '0')}`,
        identityChecked: true,
      })
    }
  }
  const { receiptCode } = await approved(cast, DUST, addDays(today, -2))
  const waiting = await publish(cast, EMISSION, addDays(today, -HANDLING_DAYS - 1))
  cast.setDay(addDays(today, -1))
  await propose(cast, waiting, EMISSION.penalty)
  return receiptCode
}
