import { loadCase, type CaseRow } from '../db/cases.ts'
import { proofsOf } from '../db/proofs.ts'
import { DomainError } from '../domain/errors.ts'
import type { RequestNews } from '../domain/identity.ts'
import { reporterView, type ReporterCase } from '../domain/privacy.ts'
import { parseReceiptCode } from '../domain/receipt.ts'
import type { Payee } from '../domain/payee.ts'
import { pairOf } from '../sealing/age-identity.ts'
import { fromBase64Url, toBase64Url, utf8 } from '../sealing/bytes.ts'
import { openJson, sealJson } from '../sealing/draft-cipher.ts'
import { EnvelopeError } from '../sealing/envelope-error.ts'
import { openMessage, openMessagePhoto } from '../sealing/message.ts'
import { areOwnRecipients, deriveReceipt } from '../sealing/receipt-keys.ts'
import { sealTwoLayer, type TwoLayerPart } from '../sealing/two-layer.ts'
import type { Cases, NewMessage, ReporterThread, SealedMessage } from './cases.ts'
import type { PlainMessage } from './cases/messages.ts'
import { createClaimPins, type PinState } from './claim-pins.ts'
import { namesOf, publicFacts } from './ledger-row.ts'
import type { FollowMail } from './follow-mail.ts'
import type { RateLimits } from './limits.ts'
import { boundLookupOf, lookupOf } from './lookup.ts'
import type { Identity } from './identity.ts'
import type { Keys } from './keys.ts'
import type { Deps } from './ports.ts'
import type { CaseRetention, Retention } from './retention.ts'
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
  readonly retention: CaseRetention
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

/** A message as the reporter reads it. */
export interface ReporterMessage extends SealedMessage {
  /** Null where the receipt was opened without its code: then the reader's own program opens it. */
  readonly text: string | null
  /** Ids of its photos; known with the text. */
  readonly photos: readonly string[]
  /** It was changed on its way or in the store, and does not open. */
  readonly damaged: boolean
}

export interface OpenedThread extends Omit<ReporterThread, 'messages'> {
  /** The cookie carries the key, so the texts are here. */
  readonly readable: boolean
  readonly messages: readonly ReporterMessage[]
}

export interface Receipts {
  /**
   * A cookie value for a code. Malformed, unknown and known codes do the same work and get a value of the same length;
   * which it was shows only when {@link Receipts.current} is asked. It carries the reporter's key, sealed, so that
   * messages can be opened in memory until it ends; nothing of it is stored.
   */
  open(code: string): Promise<string>
  /** The same for a program that derives `auth` itself, and opens messages itself. */
  openAuth(auth: string): Promise<string>
  /** Null when the cookie is missing, forged or late, or of a code that nobody has. */
  current(cookie: string | null): Promise<Followed | null>
  /** @throws {DomainError} `case-transition` when it is too late or was done before, `not-found` */
  dispute(cookie: string | null): Promise<void>
  /** Null when the receipt is not open. */
  thread(cookie: string | null): Promise<OpenedThread | null>
  /**
   * To whom a message is sealed here; null when the receipt is not open.
   * @throws {DomainError} `recipients-refused` when the tip's key is not the one that its reporter vouched for, or when
   *   that cannot be checked because the receipt was opened without its code
   */
  sealsTo(
    cookie: string | null,
  ): Promise<{ readonly tipId: string; readonly recipients: readonly string[] } | null>
  /** A photo of a message: opened when the cookie carries the key, else sealed. Null when there is none. */
  photo(
    cookie: string | null,
    photo: string,
  ): Promise<{ readonly bytes: Uint8Array; readonly sealed: boolean } | null>
  /**
   * Writes to the department.
   * @returns as {@link Cases.answer}
   * @throws {DomainError} as that and as {@link Receipts.sealsTo}, and `rate-limited`
   */
  answer(
    cookie: string | null,
    message: Omit<PlainMessage, 'recipients'> | Omit<NewMessage, 'tipId'>,
  ): Promise<boolean>
  /** Whether an address is kept for this receipt; null when it is not open, or no mail leaves this house. */
  followed(cookie: string | null): Promise<boolean | null>
  /**
   * Keeps an address to write to when something changes, in the place of the one before; null forgets it.
   * @throws {DomainError} `not-found`, `invalid-input` with the field `mail`, `rate-limited`
   */
  follow(cookie: string | null, address: string | null): Promise<void>
  /** See {@link Rewards.claim}. @throws {DomainError} `not-found` when the receipt is not open, `reward-transition`, `invalid-input` for the PIN */
  claim(cookie: string | null, seed: string, wanted: ClaimRequest): Promise<Claimed>
}

const PURPOSE = 'receipt.session'
const SESSION_MS = 20 * 60_000
// Any well-formed code will do: what is typed wrong costs what a wrong code costs.
const DECOY = '0'.repeat(24)

/** What the verbs of a receipt lead to. */
interface Verbs {
  readonly cases: Cases
  readonly rewards: Rewards
  readonly identity: Identity
  readonly keys: Pick<Keys, 'twoRoles'>
  readonly retention: Retention
  readonly limits: RateLimits
  readonly followMail: FollowMail
}

/** What the cookie holds. */
interface Session {
  readonly tipId: string
  /** In ms since 1970. */
  readonly until: number
  /** Whether its tip's recipient is vouched for. A number, so that cookies are of one length. */
  readonly bound: 0 | 1
  /** The reporter's secrets; only where they came through this server. */
  readonly own?: { readonly identity: string; readonly macKey: string }
}

const notOpen = (): DomainError => new DomainError('not-found', '请先用查询码打开您的举报。')

export function createReceipts(
  deps: Deps,
  { cases, rewards, identity, keys, retention, limits, followMail }: Verbs,
): Receipts {
  const { db, clock, secrets } = deps
  const pins = createClaimPins(deps)

  async function openSession(auth: string, own?: Session['own']): Promise<string> {
    const bound = boundLookupOf(secrets.lookup, auth)
    const found = await db
      .selectFrom('tip')
      .select(['id', 'lookup'])
      .where('lookup', 'in', [bound, lookupOf(secrets.lookup, auth)])
      .executeTakeFirst()
    const value: Session = {
      tipId: found?.id ?? deps.random.uuid(),
      until: clock.now().getTime() + SESSION_MS,
      bound: found?.lookup.equals(bound) ? 1 : 0,
      ...(own ? { own } : {}),
    }
    return toBase64Url(await sealJson(secrets.cookie, PURPOSE, value, (n) => deps.random.bytes(n)))
  }

  async function sessionOf(cookie: string | null): Promise<Session | null> {
    const sealed = cookie === null ? null : fromBase64Url(cookie)
    if (!sealed) return null
    try {
      const value = (await openJson(secrets.cookie, PURPOSE, sealed)) as Session
      return value.until > clock.now().getTime() ? value : null
    } catch {
      return null
    }
  }

  const tipOf = async (cookie: string | null): Promise<string | null> =>
    (await sessionOf(cookie))?.tipId ?? null

  async function opened(session: Session, message: SealedMessage): Promise<ReporterMessage> {
    const { tipId, own } = session
    if (!own) return { ...message, text: null, photos: [], damaged: false }
    const { number, from, sealed } = message
    try {
      return {
        ...message,
        ...(await openMessage({ tip: tipId, number, from }, own.identity, sealed)),
        damaged: false,
      }
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error
      return { ...message, text: null, photos: [], damaged: true }
    }
  }

  /**
   * What the database has. The MAC is null where there is nothing left to check: the tip is from before there were
   * any, or this server has the reporter's keys and found it right. Where one has to be and is not, none passes.
   */
  async function threadOf({ tipId, bound, own }: Session): Promise<ReporterThread | null> {
    const thread = await cases.threadOf(tipId)
    if (!thread) return null
    const recipientMac = bound === 1 ? (thread.recipientMac ?? '') : null
    if (!own) return { ...thread, recipientMac }
    const keys = { ...(await pairOf(own.identity)), macKey: own.macKey }
    const named = { tip: tipId, recipients: thread.recipients, recipientMac }
    return { ...thread, recipientMac: areOwnRecipients(keys, named) ? null : '' }
  }

  async function sealsTo(cookie: string | null): ReturnType<Receipts['sealsTo']> {
    const session = await sessionOf(cookie)
    const thread = session && (await threadOf(session))
    if (!session || !thread) return null
    const { tipId, recipients, recipientMac } = thread
    if (recipientMac === null) return { tipId, recipients }
    throw new DomainError(
      'recipients-refused',
      session.own
        ? '这件举报的收件钥匙没有通过核对，可能被人换过，没有发出。请拨打承办单位的热线。'
        : '打开时没有把查询码交给本站，本站不能核对收件的钥匙，没有发出。请先复制您写的，再输入一次查询码。',
    )
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
      const { auth, identity, macKey } = await deriveReceipt(parsed ?? DECOY)
      // The decoy's own value is nobody's: what cannot be a code finds no tip, even one filed under the decoy.
      return openSession(parsed === null ? `not/${auth}` : auth, { identity, macKey })
    },

    openAuth: (auth) => openSession(auth),

    async current(cookie) {
      const tipId = await tipOf(cookie)
      if (tipId === null) return null
      const own = await db
        .selectFrom('tip')
        .innerJoin('case_file', 'case_file.id', 'tip.case_id')
        .selectAll('case_file')
        .select(['tip.named', 'tip.destroyed_day'])
        .where('tip.id', '=', tipId)
        // Also for who had it open when it was forgotten.
        .where('tip.forgotten_day', 'is', null)
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
        retention: await retention.ofCase(row, own.destroyed_day),
        claimPin: await pins.stateOf(tipId),
        named: own.named,
        requests: own.named ? await identity.news(tipId) : [],
      }
    },

    async dispute(cookie) {
      const tipId = await tipOf(cookie)
      if (tipId !== null) await cases.dispute(tipId)
    },

    async thread(cookie) {
      const session = await sessionOf(cookie)
      const thread = session && (await threadOf(session))
      if (!session || !thread) return null
      return {
        ...thread,
        readable: session.own !== undefined,
        messages: await Promise.all(thread.messages.map((message) => opened(session, message))),
      }
    },

    sealsTo,

    async photo(cookie, photo) {
      const session = await sessionOf(cookie)
      const bytes = session && (await cases.photoOf(session.tipId, photo))
      if (!session || !bytes) return null
      if (!session.own) return { bytes, sealed: true }
      const address = { tip: session.tipId, photo }
      try {
        return { bytes: await openMessagePhoto(address, session.own.identity, bytes), sealed: false }
      } catch (error) {
        // Somebody has changed it: not shown as if it were what was sent.
        if (error instanceof EnvelopeError) return null
        throw error
      }
    },

    async answer(cookie, message) {
      const tipId = await tipOf(cookie)
      if (tipId === null) throw notOpen()
      limits.take('messages', limits.keyOf(tipId))
      if (!('text' in message)) return cases.answer(tipId, message)
      const to = await sealsTo(cookie)
      if (!to) throw notOpen()
      return cases.answer(tipId, { ...message, recipients: to.recipients })
    },

    async followed(cookie) {
      const tipId = followMail.offered ? await tipOf(cookie) : null
      return tipId === null ? null : followMail.has(tipId)
    },

    async follow(cookie, address) {
      const tipId = await tipOf(cookie)
      if (tipId === null) throw notOpen()
      if (address === null) return followMail.forget(tipId)
      limits.take('messages', limits.keyOf(tipId))
      await followMail.keep(tipId, address)
    },

    async claim(cookie, seed, { again, pin, payee }) {
      const tipId = await tipOf(cookie)
      if (tipId === null) throw notOpen()
      // Where there is nothing to collect no try is used up.
      const { stage } = await rewards.ofTip(tipId)
      if (stage === 'claimable' || stage === 'claimed') await pins.check(tipId, pin)
      return rewards.claim(tipId, seed, again, payee && (await sealPayee(tipId, payee)))
    },
  }
}
