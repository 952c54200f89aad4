import { dayOf, type Day } from '../domain/day.ts'
import { caseNumber } from '../domain/case-number.ts'
import { dueDay, type Due } from '../domain/deadline.ts'
import { DomainError } from '../domain/errors.ts'
import { gateRefused, type Lane } from '../domain/gate.ts'
import { DISPATCHER_DEPARTMENT, INACTION_CATEGORY } from '../domain/plan.ts'
import type { CaseFacts } from '../domain/privacy.ts'
import { route, type Route } from '../domain/routing.ts'
import type { NamedReporter } from '../domain/identity.ts'
import type { Narrative, TipFacts } from '../domain/tip.ts'
import { insertTip } from '../db/tips.ts'
import { sealPart } from '../sealing/envelope.ts'
import { utf8 } from '../sealing/bytes.ts'
import { deriveReceipt } from '../sealing/receipt-keys.ts'
import type { KeyPair } from '../sealing/age-identity.ts'
import { wrapTipKey } from '../sealing/tip-keys.ts'
import { hashClaimPin } from './claim-pins.ts'
import { sealTwoLayer, type TwoLayerPart } from '../sealing/two-layer.ts'
import { filingKeys } from './filing-keys.ts'
import type { Spend } from './gate.ts'
import type { Keys } from './keys.ts'
import { ledgerRow, namesOf, UNDECIDED } from './ledger-row.ts'
import { lookupOf } from './lookup.ts'
import type { Deps } from './ports.ts'

/** A photo already sealed to the tip's own recipient and put into the file store. */
export interface SealedPhoto {
  /** Its number within the tip, which its envelopes are bound to; a photo that was taken back leaves a gap. */
  readonly part: number
  readonly workingKey: string
  readonly originalKey: string
}

/** A tip about to be filed; its parts are sealed in memory and nothing of them is kept in plain. */
export interface TipInput {
  readonly id: string
  readonly keys: KeyPair
  readonly facts: TipFacts
  readonly narrative: Narrative
  /** Null or left out: anonymous. */
  readonly named?: NamedReporter | null
  readonly photos: readonly SealedPhoto[]
  /** Canonical, 24 symbols. */
  readonly receiptCode: string
  /** See {@link filingKeys}. */
  readonly idempotencyKey: string
  /** The caller's request in one string; a repeat of the key with another one is refused. */
  readonly fingerprint: string
  readonly lane: Lane
  /** A proof of the bot gate, used up by this filing; none when it is left out. */
  readonly spend?: Spend | null
  /** Six digits without which the reward is not collected at `/track/`; none when it is left out. */
  readonly claimPin?: string | null
  /** A draft to be forgotten in the same breath. */
  readonly draftId: string | null
  /** SHA-256 of that draft as it was read: when it is another one by now, nothing is filed. */
  readonly draftDigest?: Buffer
}

/** The draft was changed or forgotten since it was read; nothing was filed. */
export class DraftChangedError extends Error {}

/** What the district promises, as told before and after filing. */
export interface FilingPromise {
  readonly department: string
  readonly hotline: string | null
  readonly rule: string
  readonly reason: string
  readonly measureRefs: readonly string[]
  readonly coDepartments: readonly string[]
  readonly derived: boolean
  readonly ambiguityNote: string | null
  readonly category: string
  readonly accept: Due
  readonly conclude: Due
}

export interface FiledTip {
  readonly caseNo: string
  readonly receiptCode: string
  readonly receivedDay: Day
  readonly promise: FilingPromise
}

export interface FileResult extends FiledTip {
  /** True when the key had been used before and nothing new was stored. */
  readonly repeated: boolean
}

export interface Tips {
  /** Who would get it, by which rule, and the dates it must keep. @throws {DomainError} `invalid-input` */
  promise(facts: Pick<TipFacts, 'category' | 'answer' | 'area' | 'accused'>): Promise<FilingPromise>
  /**
   * Seals, routes and stores a tip in one statement: all of it or nothing.
   * @throws {DomainError} `invalid-input`, `intake-closed`, `idempotency-conflict`, `gate-refused` when the
   *   proof was used for another tip
   * @throws {DraftChangedError} only with a draft
   */
  file(input: TipInput): Promise<FileResult>
  /** The reply to an earlier filing with this key, if there was one. */
  earlier(idempotencyKey: string): Promise<FiledTip | null>
}

const CASE_NUMBER_TRIES = 4

export function createTips(deps: Deps, keys: Keys): Tips {
  const { db, clock, random, plan, secrets } = deps

  async function routed(
    facts: Pick<TipFacts, 'category' | 'answer' | 'area' | 'accused'>,
    today: Day,
  ): Promise<{ route: Route; promise: FilingPromise }> {
    const snapshot = await plan.current()
    const found = route(snapshot.plan, snapshot.rules, facts)
    const due = (step: 'accept' | 'conclude'): Due =>
      dueDay(snapshot.deadlineRules, snapshot.calendar, found.category, step, today)
    return {
      route: found,
      promise: {
        department: found.department,
        hotline: snapshot.departments.get(found.department)?.hotline ?? null,
        rule: found.rule,
        reason: found.reason,
        measureRefs: found.measureRefs,
        coDepartments: found.coDepartments,
        derived: found.derived,
        ambiguityNote: found.ambiguityNote,
        category: found.category,
        accept: due('accept'),
        conclude: due('conclude'),
      },
    }
  }

  async function earlier(idempotencyKey: string, fingerprint: string | null): Promise<FiledTip | null> {
    const filing = filingKeys(idempotencyKey, random)
    const found = await db
      .selectFrom('filing')
      .select(['request_hash', 'reply'])
      .where('key_hash', '=', filing.hash)
      .executeTakeFirst()
    if (!found) return null
    if (fingerprint !== null && !found.request_hash.equals(filing.digest(fingerprint))) {
      throw new DomainError('idempotency-conflict', '同一个 Idempotency-Key 已用于另一份内容，请换一个新的。')
    }
    return (await filing.open(found.reply)) as FiledTip
  }

  /** The tip's secret for each queue that may open it: the owner, and the dispatcher unless inaction is reported. */
  async function wraps(
    input: TipInput,
    department: string,
  ): Promise<{ department: string; epoch: number; wrapped: Buffer }[]> {
    const recipients = await keys.recipients()
    const readers =
      input.facts.category === INACTION_CATEGORY
        ? [department]
        : [...new Set([department, DISPATCHER_DEPARTMENT])]
    return Promise.all(
      readers.map(async (reader) => {
        const key = recipients.get(reader)
        if (!key)
          throw new DomainError(
            'intake-closed',
            '承办单位的密钥还没有准备好，暂时不能接收举报，请先拨打热线。',
          )
        const address = { tip: input.id, department: reader, epoch: key.epoch }
        return {
          department: reader,
          epoch: key.epoch,
          wrapped: Buffer.from(await wrapTipKey(address, input.keys.identity, key.recipient)),
        }
      }),
    )
  }

  /** Who a named reporter is, sealed so that it takes custodian and approver to open. */
  async function sealIdentity({ id, named }: TipInput): Promise<TwoLayerPart | null> {
    if (!named) return null
    const roles = await keys.twoRoles('tip.identity')
    if (!roles) {
      throw new DomainError('intake-closed', '实名举报的密钥还没有准备好，请选“匿名”，或者先拨打热线。')
    }
    return sealTwoLayer({ purpose: 'tip.identity', tip: id }, utf8(JSON.stringify(named)), roles)
  }

  return {
    async promise(facts) {
      return (await routed(facts, dayOf(clock.now()))).promise
    },

    earlier: (idempotencyKey) => earlier(idempotencyKey, null),

    async file(input) {
      const today = dayOf(clock.now())
      const { route: found, promise } = await routed(input.facts, today)
      const filing = filingKeys(input.idempotencyKey, random)
      const receipt = await deriveReceipt(input.receiptCode)
      const narrative = await sealPart({
        recipients: [input.keys.recipient],
        purpose: 'tip.narrative',
        tip: input.id,
        part: 0,
        bytes: utf8(JSON.stringify(input.narrative)),
      })
      const claimPin = input.claimPin ? await hashClaimPin(deps, input.id, input.claimPin) : null
      const wrapped = await wraps(input, found.department)
      const identity = await sealIdentity(input)
      const snapshot = await plan.current()
      const { category, group } = namesOf(snapshot, found.category)
      const ledgerFacts = (caseNo: string): CaseFacts => ({
        ...UNDECIDED,
        caseNo,
        holder: found.department,
        area: input.facts.area,
        receivedDay: today,
        dueDay: promise.conclude.day,
        dueCount: promise.conclude.count,
        dueUnit: promise.conclude.unit,
      })

      for (let attempt = 1; ; attempt += 1) {
        const caseNo = caseNumber(today, random.bytes(5))
        const filed: FiledTip = { caseNo, receiptCode: input.receiptCode, receivedDay: today, promise }
        const outcome = await insertTip(db, {
          filing: {
            keyHash: filing.hash,
            requestHash: filing.digest(input.fingerprint),
            reply: await filing.seal(filed),
          },
          caseId: random.uuid(),
          caseNo,
          day: today,
          category: found.category,
          answer: input.facts.answer,
          area: input.facts.area,
          when: input.facts.when,
          urgency: input.facts.urgency,
          accused: input.facts.accused,
          holder: found.department,
          coDepartments: found.coDepartments,
          rule: found.rule,
          measureRefs: found.measureRefs,
          derived: found.derived,
          lane: input.lane,
          acceptDue: promise.accept.day,
          concludeDue: promise.conclude.day,
          dueCount: promise.conclude.count,
          dueUnit: promise.conclude.unit,
          tip: {
            id: input.id,
            lookup: lookupOf(secrets.lookup, receipt.auth),
            reporterRecipient: receipt.recipient,
            recipient: input.keys.recipient,
            callback: input.narrative.callback !== null,
            photoCount: input.photos.length,
            claimPin,
          },
          parts: [
            { purpose: 'tip.narrative', part: 0, sealed: Buffer.from(narrative), blobKey: null },
            ...input.photos.flatMap(({ part, workingKey, originalKey }) => [
              { purpose: 'tip.photo', part, sealed: null, blobKey: workingKey },
              { purpose: 'tip.original', part, sealed: null, blobKey: originalKey },
            ]),
          ],
          wraps: wrapped,
          identity,
          ledger: ledgerRow(ledgerFacts(caseNo), category, group, found.measureRefs),
          draft: input.draftId === null ? null : { id: input.draftId, digest: input.draftDigest ?? null },
          spend: input.spend ?? null,
        })
        if (outcome === 'stored') return { ...filed, repeated: false }
        if (outcome === 'repeated' || outcome === 'draft-changed') {
          const winner = await earlier(input.idempotencyKey, input.fingerprint)
          if (winner) return { ...winner, repeated: true }
          if (outcome === 'draft-changed') throw new DraftChangedError()
          if (input.spend) throw gateRefused('used')
        }
        // The five random symbols were taken this month: draw again.
        if (attempt === CASE_NUMBER_TRIES) throw new Error('no free case number')
      }
    },
  }
}
