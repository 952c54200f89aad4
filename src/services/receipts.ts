import { loadCase, type CaseRow } from '../db/cases.ts'
import { proofsOf } from '../db/proofs.ts'
import { DomainError } from '../domain/errors.ts'
import type { RequestNews } from '../domain/identity.ts'
import { reporterView, type ReporterCase } from '../domain/privacy.ts'
import { parseReceiptCode } from '../domain/receipt.ts'
import type { Payee } from '../domain/payee.ts'
import { fromBase64Url, toBase64Url, utf8 } from '../sealing/bytes.ts'
import { openJson, sealJson } from '../sealing/draft-cipher.ts'
import { deriveReceipt } from '../sealing/receipt-keys.ts'
import { sealTwoLayer, type TwoLayerPart } from '../sealing/two-layer.ts'
import type { Cases } from './cases.ts'
import { createClaimPins, type PinState } from './claim-pins.ts'
import { namesOf, publicFacts } from './ledger-row.ts'
import { lookupOf } from './lookup.ts'
import type { Identity } from './identity.ts'
import type { Keys } from './keys.ts'
import type { Deps } from './ports.ts'
import type { Claimed, ReporterReward, Rewards } from './rewards.ts'
import type { Day } from '../domain/day.ts'
import type { CaseState } from '../domain/case.ts'

/** What the reporter sees of the case. */
export interface Followed extends ReporterCase {
  readonly rule: string
  readonly acceptDue: Day | null
  readonly hotline: string | null
  /** Holders one after another, with the day each got it. */
  readonly holders: readonly { readonly department: string; readonly since: Day }[]
  /** The number the reporter was given, when it was folded into another case. */
  readonly ownCaseNo: string
  readonly reward: ReporterReward
  /** Whether the reward is collected with a PIN of the reporter's own. */
  readonly claimPin: PinState
  /** The reporter gave a name. */
  readonly named: boolean
  /** Requests to learn it, and new receipt codes, oldest first. */
  readonly requests: readonly RequestNews[]
}

/** How a reward is to be collected. */
export interface ClaimRequest {
  /** Another code in place of one that was not written down. */
  readonly again: boolean
  /** As typed; '' where none is asked for. */
  readonly pin: string
  /** Where to pay; null for the desk. */
  readonly payee: Payee | null
}

export interface Receipts {
  /**
   * A cookie value for a code. Malformed, unknown and known codes do the same work and get a value of the same length;
   * which it was shows only when {@link Receipts.current} is asked.
   */
  open(code: string): Promise<string>
  /** The same for a program that derives `auth` itself. */
  openAuth(auth: string): Promise<string>
  /** Null when the cookie is missing, forged or late, or of a code that nobody has. */
  current(cookie: string | null): Promise<Followed | null>
  /** @throws {DomainError} `case-transition` when it is too late or was done before, `not-found` */
  dispute(cookie: string | null): Promise<void>
  /** See {@link Rewards.claim}. @throws {DomainError} `not-found` when the receipt is not open, `reward-transition`, `invalid-input` for the PIN */
  claim(cookie: string | null, seed: string, wanted: ClaimRequest): Promise<Claimed>
}

const PURPOSE = 'receipt.session'
const SESSION_MS = 20 * 60_000
// Any well-formed code will do: what is typed wrong costs what a wrong code costs.
const DECOY = '0'.repeat(24)

export function createReceipts(
  deps: Deps,
  cases: Cases,
  rewards: Rewards,
  identity: Identity,
  keys: Pick<Keys, 'twoRoles'>,
): Receipts {
  const { db, clock, secrets } = deps
  const pins = createClaimPins(deps)

  async function openAuth(auth: string): Promise<string> {
    const found = await db
      .selectFrom('tip')
      .select('id')
      .where('lookup', '=', lookupOf(secrets.lookup, auth))
      .executeTakeFirst()
    const value = { tipId: found?.id ?? deps.random.uuid(), until: clock.now().getTime() + SESSION_MS }
    return toBase64Url(await sealJson(secrets.cookie, PURPOSE, value, (n) => deps.random.bytes(n)))
  }

  async function tipOf(cookie: string | null): Promise<string | null> {
    const sealed = cookie === null ? null : fromBase64Url(cookie)
    if (!sealed) return null
    try {
      const value = (await openJson(secrets.cookie, PURPOSE, sealed)) as { tipId: string; until: number }
      return value.until > clock.now().getTime() ? value.tipId : null
    } catch {
      return null
    }
  }

  /** Sealed in memory, so that it takes finance and approver to open. */
  async function sealPayee(tip: string, payee: Payee): Promise<TwoLayerPart> {
    const roles = await keys.twoRoles('tip.payee')
    if (!roles) {
      throw new DomainError('reward-transition', '转账的密钥还没有准备好，请不填收款信息，到财务窗口领取。')
    }
    return sealTwoLayer({ purpose: 'tip.payee', tip }, utf8(JSON.stringify(payee)), roles)
  }

  return {
    async open(code) {
      const parsed = parseReceiptCode(code)
      const { auth } = await deriveReceipt(parsed ?? DECOY)
      // The decoy's own value is nobody's: what cannot be a code finds no tip, even one filed under the decoy.
      return openAuth(parsed === null ? `not/${auth}` : auth)
    },

    openAuth,

    async current(cookie) {
      const tipId = await tipOf(cookie)
      if (tipId === null) return null
      const own = await db
        .selectFrom('tip')
        .innerJoin('case_file', 'case_file.id', 'tip.case_id')
        .selectAll('case_file')
        .select('tip.named')
        .where('tip.id', '=', tipId)
        .executeTakeFirst()
      if (!own) return null
      const row: CaseRow = own.attached_to === null ? own : await loadCase(db, own.attached_to)
      const snapshot = await deps.plan.current()
      const { category } = namesOf(snapshot, row.category_id)
      const events = await db
        .selectFrom('case_event')
        .select(['day', 'action', 'data'])
        .where('case_id', '=', row.id)
        .where('action', 'in', ['route', 'route_again', 'hand_over', 'decide_arbitration'])
        .orderBy('ordinal')
        .execute()
      const holders = events
        .map(({ data: { department }, day }) => ({
          department: typeof department === 'string' ? department : '',
          since: day,
        }))
        .filter(
          (step, index, all) => step.department !== '' && step.department !== all[index - 1]?.department,
        )
      return {
        ...reporterView(publicFacts(row, await proofsOf(db, row.id), null), category, clock.now()),
        rule: row.rule_id,
        acceptDue: (row.state as CaseState) === 'routed' ? row.accept_due : null,
        hotline: snapshot.departments.get(row.holder_id)?.hotline ?? null,
        holders,
        ownCaseNo: own.case_no,
        reward: await rewards.ofTip(tipId),
        claimPin: await pins.stateOf(tipId),
        named: own.named,
        requests: own.named ? await identity.news(tipId) : [],
      }
    },

    async dispute(cookie) {
      const tipId = await tipOf(cookie)
      if (tipId !== null) await cases.dispute(tipId)
    },

    async claim(cookie, seed, { again, pin, payee }) {
      const tipId = await tipOf(cookie)
      if (tipId === null) throw new DomainError('not-found', '请先用查询码打开您的举报。')
      // Where there is nothing to collect no try is used up.
      const { stage } = await rewards.ofTip(tipId)
      if (stage === 'claimable' || stage === 'claimed') await pins.check(tipId, pin)
      return rewards.claim(tipId, seed, again, payee && (await sealPayee(tipId, payee)))
    },
  }
}
