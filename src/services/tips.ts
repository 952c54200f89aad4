import { dayOf, type Day } from '../domain/day.ts'
import { caseNumber } from '../domain/case-number.ts'
import { dueDay, type Due } from '../domain/deadline.ts'
import { DomainError } from '../domain/errors.ts'
import { gateRefused, type Lane } from '../domain/gate.ts'
import { DISPATCHER_DEPARTMENT, INACTION_CATEGORY } from '../domain/plan.ts'
import type { CaseFacts } from '../domain/privacy.ts'
import { ownerOf } from '../domain/roles.ts'
import { route, type Route } from '../domain/routing.ts'
import type { NamedReporter } from '../domain/identity.ts'
import type { Narrative, TipFacts } from '../domain/tip.ts'
import { insertTip, type NewTip } from '../db/tips.ts'
import { identityBytes, sealNarrative } from '../sealing/outgoing.ts'
import { deriveReceipt, tipRecipientMac } from '../sealing/receipt-keys.ts'
import type { KeyPair } from '../sealing/age-identity.ts'
import { wrapTipKey } from '../sealing/tip-keys.ts'
import { hashClaimPin } from './claim-pins.ts'
import { sealTwoLayer, type TwoLayerPart } from '../sealing/two-layer.ts'
import { filingKeys } from './filing-keys.ts'
import type { Spend } from './gate.ts'
import type { Keys } from './keys.ts'
import { ledgerRow, namesOf, UNDECIDED } from './ledger-row.ts'
import { boundLookupOf, lookupOf } from './lookup.ts'
import type { ReadyUpload, Uploads } from './uploads.ts'
import type { Deps } from './ports.ts'
import type { TipWrap, TipWraps } from './tip-wraps.ts'
import { lockLayers } from './two-layer-locks.ts'
import type { WrapLocks } from './wrap-locks.ts'

/** A photo already sealed to the tip's own recipient and put into the file store. */
export interface SealedPhoto {
  /** Its number within the tip, which its envelopes are bound to; a photo that was taken back leaves a gap. */
  readonly part: number
  readonly workingKey: string
  readonly originalKey: string
}

/** What a filing says beside the tip itself. */
export interface Filing {
  readonly facts: TipFacts
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

/** A tip about to be filed; its parts are sealed in memory and nothing of them is kept in plain. */
export interface TipInput extends Filing {
  readonly id: string
  readonly keys: KeyPair
  readonly narrative: Narrative
  /** Null or left out: anonymous. */
  readonly named?: NamedReporter | null
  readonly photos: readonly SealedPhoto[]
  /** Canonical, 24 symbols. */
  readonly receiptCode: string
}

/** A tip that was sealed before it came: whose form was checked, whose content nobody here can read. */
export interface SealedTipInput extends Filing {
  readonly id: string
  readonly recipient: string
  readonly reporterRecipient: string
  /** See receipt-keys.ts. */
  readonly auth: string
  /** Of the recipient; see receipt-keys.ts. Null from a program that makes none. */
  readonly recipientMac: string | null
  readonly callback: boolean
  readonly narrative: Uint8Array
  /** Who a named reporter is; null for an anonymous one. */
  readonly identity:
    | (Omit<TwoLayerPart, 'purpose' | 'tip' | 'keeper' | 'sealed' | 'wrapped'> & {
        readonly sealed: Uint8Array
        readonly wrapped: Uint8Array
      })
    | null
  readonly wraps: readonly {
    readonly department: string
    readonly epoch: number
    readonly wrapped: Uint8Array
  }[]
  /** Ids of their uploads; an original may be left out. */
  readonly photos: readonly {
    readonly part: number
    readonly copy: string
    readonly original: string | null
  }[]
}

/** The draft was changed or forgotten since it was read, or an upload is gone; nothing was filed. */
export class DraftChangedError extends Error {}

/** What the district promises, as told before and after filing. */
export interface FilingPromise {
  readonly department: string
  readonly hotline: string | null
  readonly rule: string
  readonly reason: string
  readonly measureRefs: readonly string[]
  readonly coDepartments: readonly string[]
  /** The queues whose keys open the tip. */
  readonly readers: readonly string[]
  readonly derived: boolean
  readonly ambiguityNote: string | null
  readonly category: string
  readonly accept: Due
  readonly conclude: Due
}

export interface FiledTip {
  readonly caseNo: string
  /** Null when the reporter's browser made it: then nobody here has ever seen it. */
  readonly receiptCode: string | null
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
  /**
   * The same for a tip that came sealed.
   * @throws {DomainError} as {@link file}, and `stale-recipients` when it is not wrapped to its readers' present keys;
   *   `invalid-input` also when a photo has not come whole
   * @throws {DraftChangedError} when draft or uploads are gone
   */
  fileSealed(input: SealedTipInput): Promise<FileResult>
  /** The reply to an earlier filing with this key, if there was one. */
  earlier(idempotencyKey: string): Promise<FiledTip | null>
}

const CASE_NUMBER_TRIES = 4

/** The queues that may open a tip: the owner, and the dispatcher unless inaction is reported. */
function readersOf(category: string, department: string): string[] {
  return category === INACTION_CATEGORY ? [department] : [...new Set([department, DISPATCHER_DEPARTMENT])]
}

/** What filing needs of the other services. */
interface Means {
  readonly keys: Keys
  readonly locks: WrapLocks
  readonly tipWraps: TipWraps
  readonly uploads: Pick<Uploads, 'ready'>
}

export function createTips(deps: Deps, { keys, locks, tipWraps, uploads }: Means): Tips {
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
        readers: readersOf(facts.category, found.department),
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

  /** The tip's secret for each of its readers. */
  async function wraps(input: TipInput, department: string): Promise<TipWrap[]> {
    const recipients = await keys.recipients()
    return Promise.all(
      readersOf(input.facts.category, department).map(async (reader) => {
        const key = recipients.get(reader)
        if (!key)
          throw new DomainError(
            'intake-closed',
            '承办单位的密钥还没有准备好，暂时不能接收举报，请先拨打热线。',
          )
        const address = { tip: input.id, department: reader, epoch: key.epoch }
        return {
          tipId: input.id,
          department: reader,
          epoch: key.epoch,
          wrapped: await wrapTipKey(address, input.keys.identity, key.recipient),
        }
      }),
    )
  }

  /** Who a named reporter is, sealed so that it takes custodian and approver to open. */
  async function sealIdentity({ id, keys: tipKeys, named }: TipInput): Promise<TwoLayerPart | null> {
    if (!named) return null
    const roles = await keys.twoRoles('tip.identity')
    if (!roles) {
      throw new DomainError('intake-closed', '实名举报的密钥还没有准备好，请选“匿名”，或者先拨打热线。')
    }
    return sealTwoLayer({ purpose: 'tip.identity', tip: id }, identityBytes(tipKeys, named), roles)
  }

  /** Writes what is sealed already. @throws {DraftChangedError} also when an upload is not there (any more) */
  async function store(
    input: Filing,
    { found, promise, today }: { found: Route; promise: FilingPromise; today: Day },
    sealed: Pick<NewTip, 'parts' | 'uploads'> & {
      /** Who a named reporter is, not locked yet. */
      readonly identity: Omit<NonNullable<NewTip['identity']>, 'slot'> | null
      readonly receiptCode: string | null
      readonly tip: Omit<NewTip['tip'], 'slot'>
      readonly wraps: readonly TipWrap[]
    },
  ): Promise<FileResult> {
    const slot = await locks.draw()
    const wraps = (await tipWraps.lock(slot, sealed.wraps)).map((wrap) => ({
      ...wrap,
      wrapped: Buffer.from(wrap.wrapped),
    }))
    const filing = filingKeys(input.idempotencyKey, random)
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
    const { receiptCode, identity: named, ...written } = sealed
    const address = { purpose: 'tip.identity', tip: written.tip.id } as const
    const identity = named && { ...named, ...(await lockLayers(locks, address, named.sealed)) }
    const tip = { ...written.tip, slot: slot.slot }

    for (let attempt = 1; ; attempt += 1) {
      const caseNo = caseNumber(today, random.bytes(5))
      const filed: FiledTip = { caseNo, receiptCode, receivedDay: today, promise }
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
        ...written,
        tip,
        wraps,
        identity,
        ledger: ledgerRow(ledgerFacts(caseNo), category, group, found.measureRefs),
        draft: input.draftId === null ? null : { id: input.draftId, digest: input.draftDigest ?? null },
        spend: input.spend ?? null,
      })
      if (outcome === 'stored') return { ...filed, repeated: false }
      if (outcome === 'tip-taken') {
        throw new DomainError('idempotency-conflict', '这一份已经收下了，是用另一个 Idempotency-Key 交的。')
      }
      if (outcome === 'repeated' || outcome === 'draft-changed') {
        const winner = await earlier(input.idempotencyKey, input.fingerprint)
        if (winner) return { ...winner, repeated: true }
        if (outcome === 'draft-changed') throw new DraftChangedError()
        if (input.spend) throw gateRefused('used')
      }
      // The five random symbols were taken this month: draw again.
      if (attempt === CASE_NUMBER_TRIES) throw new Error('no free case number')
    }
  }

  /** @throws {DomainError} `stale-recipients` when the wraps are not those of the present readers and keys */
  async function mustFit(
    { wraps, identity }: Pick<SealedTipInput, 'wraps' | 'identity'>,
    readers: readonly string[],
  ): Promise<void> {
    const recipients = await keys.recipients()
    const roles = identity && (await keys.twoRoles('tip.identity'))
    const fitsRoles =
      identity === null ||
      (roles?.keeper.epoch === identity.keeperEpoch && roles.approver.epoch === identity.approverEpoch)
    const fits = readers.every((reader) =>
      wraps.some(({ department, epoch }) => department === reader && epoch === recipients.get(reader)?.epoch),
    )
    if (!fits || !fitsRoles || wraps.length !== readers.length) {
      throw new DomainError(
        'stale-recipients',
        '承办单位或它的钥匙刚刚变了，请按现在的钥匙重新密封后再交。',
        [{ field: 'sealed.wraps', message: `现在应当封给：${readers.join('、')}。` }],
      )
    }
  }

  const pinOf = ({ id, claimPin }: TipInput | SealedTipInput): Promise<Buffer | null> =>
    claimPin ? hashClaimPin(deps, id, claimPin) : Promise.resolve(null)

  return {
    async promise(facts) {
      return (await routed(facts, dayOf(clock.now()))).promise
    },

    earlier: (idempotencyKey) => earlier(idempotencyKey, null),

    async file(input) {
      const today = dayOf(clock.now())
      const { route: found, promise } = await routed(input.facts, today)
      const receipt = await deriveReceipt(input.receiptCode)
      const narrative = await sealNarrative(
        { ...input.keys, tip: input.id, reporterRecipient: receipt.recipient },
        input.narrative,
      )
      return store(
        input,
        { found, promise, today },
        {
          receiptCode: input.receiptCode,
          tip: {
            id: input.id,
            lookup: boundLookupOf(secrets.lookup, receipt.auth),
            reporterRecipient: receipt.recipient,
            recipient: input.keys.recipient,
            recipientMac: tipRecipientMac(receipt.macKey, input.id, input.keys.recipient),
            callback: input.narrative.callback !== null,
            photoCount: input.photos.length,
            sealedBy: 'server',
            claimPin: await pinOf(input),
          },
          parts: partsOf(Buffer.from(narrative), input.photos),
          identity: await sealIdentity(input),
          wraps: await wraps(input, found.department),
          uploads: [],
        },
      )
    },

    async fileSealed(input) {
      const today = dayOf(clock.now())
      const { route: found, promise } = await routed(input.facts, today)
      let ready: readonly ReadyUpload[]
      try {
        await mustFit(input, promise.readers)
        ready = await uploads.ready(
          input.photos.flatMap(({ copy, original }) => (original === null ? [copy] : [copy, original])),
        )
      } catch (error) {
        // A repeat comes after its uploads were taken, and maybe after the keys have changed.
        const before = await earlier(input.idempotencyKey, input.fingerprint)
        if (!before) throw error
        return { ...before, repeated: true }
      }
      const blobKeys = ready.map(({ blobKey }) => blobKey)
      const photos = input.photos.map(({ part, original }) => ({
        part,
        workingKey: blobKeys.shift() ?? '',
        originalKey: original === null ? null : (blobKeys.shift() ?? ''),
      }))
      return store(
        input,
        { found, promise, today },
        {
          receiptCode: null,
          tip: {
            id: input.id,
            lookup: (input.recipientMac === null ? lookupOf : boundLookupOf)(secrets.lookup, input.auth),
            reporterRecipient: input.reporterRecipient,
            recipient: input.recipient,
            recipientMac: input.recipientMac,
            callback: input.callback,
            photoCount: input.photos.length,
            sealedBy: 'browser',
            claimPin: await pinOf(input),
          },
          parts: partsOf(Buffer.from(input.narrative), photos),
          identity: input.identity && { ...input.identity, keeper: ownerOf('custodian') },
          wraps: input.wraps.map((wrap) => ({ ...wrap, tipId: input.id })),
          uploads: ready.map(({ hash }) => hash),
        },
      )
    },
  }
}

function partsOf(
  narrative: Buffer,
  photos: readonly (Omit<SealedPhoto, 'originalKey'> & { originalKey: string | null })[],
): NewTip['parts'] {
  return [
    { purpose: 'tip.narrative', part: 0, sealed: narrative, blobKey: null },
    ...photos.flatMap(({ part, workingKey, originalKey }) => [
      { purpose: 'tip.photo', part, sealed: null, blobKey: workingKey },
      ...(originalKey === null
        ? []
        : [{ purpose: 'tip.original', part, sealed: null, blobKey: originalKey }]),
    ]),
  ]
}
