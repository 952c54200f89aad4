import type { Db, Tx } from '../db/connect.ts'
import {
  expireRequests,
  findRequest,
  findTwoLayer,
  insertRequest,
  lockRequest,
  requestsAbout,
  requestsBy,
  requestsIn,
  updateRequest,
  type RequestRow,
  type TwoLayerRow,
} from '../db/identity.ts'
import { voucherOf } from '../db/keys.ts'
import { tipIdsOf, tipsOf } from '../db/tips.ts'
import type { CaseState, Role } from '../domain/case.ts'
import { addDays, dayOf, startOfDay, type Day } from '../domain/day.ts'
import { DomainError } from '../domain/errors.ts'
import {
  readableUntil,
  stepRefusal,
  WAITING_DAYS,
  type RequestKind,
  type RequestNews,
  type RequestReason,
  type RequestState,
} from '../domain/identity.ts'
import { ownerOf } from '../domain/roles.ts'
import { isRecipient } from '../sealing/age-identity.ts'
import { fromBase64Url } from '../sealing/bytes.ts'
import { isVouched, type Vouched } from '../sealing/member-voucher.ts'
import { isReissued } from '../sealing/reissued.ts'
import { recordAudit } from './audit.ts'
import { findVisible, isExcluded, type Reader } from './case-access.ts'
import { isAge } from './cases/wraps.ts'
import { boundLookupOf, lookupOf } from './lookup.ts'
import type { Deps } from './ports.ts'
import type { Recipients } from './recipients.ts'
import type { Sessions } from './sessions.ts'
import { unlockLayers } from './two-layer-locks.ts'
import type { WrapLocks } from './wrap-locks.ts'
import type { StaffSession } from './staff.ts'

/** A request as those see it who have to do with it. */
export interface RequestSummary {
  readonly id: string
  readonly caseNo: string
  readonly kind: RequestKind
  readonly reason: RequestReason
  readonly state: RequestState
  readonly department: string
  readonly askedBy: string
  readonly askedAt: Date
  readonly readableUntil: Day | null
}

export interface RequestDetail extends RequestSummary {
  readonly tip: string
  readonly category: string
  readonly area: string
  readonly caseState: CaseState
  readonly holder: string
  readonly receivedDay: Day
  /** Sealed to custodians and approvers. */
  readonly sealedReason: Uint8Array
  /** What the reader may do now, and in which role. */
  readonly may: 'strip' | 'pass' | 'reissue' | 'open' | null
  readonly mayRefuse: boolean
  /** Of the pair the identity is sealed to. */
  readonly recipient: string
  /** For the approver: both layers, and under which key the outer one is. */
  readonly wrapped: { readonly epoch: number; readonly bytes: Uint8Array } | null
  /** For the custodian: the inner one, and to whom it is passed on. */
  readonly inner: { readonly epoch: number; readonly bytes: Uint8Array } | null
  readonly askedFor: Vouched | null
  /** For the custodian who makes out a person. */
  readonly sealed: Uint8Array | null
}

/** A named tip of a case, and what was asked about it. */
export interface NamedTip {
  readonly tip: string
  readonly caseNo: string
  readonly requests: readonly (RequestSummary & {
    /** The reader asked and can read it now. */
    readonly mayOpen: boolean
  })[]
}

export interface CaseIdentity {
  readonly tips: readonly NamedTip[]
  /** Kinds of request that the reader may make. */
  readonly mayAsk: readonly RequestKind[]
}

/** What was passed on to whoever asked. */
export interface Passed {
  readonly tip: string
  readonly memberId: string
  readonly passed: Uint8Array
  readonly recipient: string
  readonly sealed: Uint8Array
}

export interface WaitingRequests {
  readonly toApprove: readonly RequestSummary[]
  readonly toPass: readonly RequestSummary[]
  readonly own: readonly RequestSummary[]
}

/**
 * Who a named reporter is. An officer asks with a reason, an approver takes the outer layer off without seeing
 * anything, a custodian opens the inner one and passes it on to the officer alone, for some days; or, for somebody who
 * lost the receipt code, makes out the person and makes a new one. Three people, each step in the audit, and the
 * reporter is told of each request.
 */
export interface Identity {
  /** @throws {DomainError} `not-found` */
  ofCase(reader: Reader, caseNo: string): Promise<CaseIdentity>
  /**
   * Answers the request's id.
   * @throws {DomainError} `factor-required`, `not-found`, `forbidden`, `invalid-input`, `case-transition` while another
   *   one is open
   */
  ask(
    session: StaffSession,
    caseNo: string,
    request: {
      readonly tipId: string
      readonly kind: RequestKind
      readonly reason: RequestReason
      readonly sealedReason: Uint8Array
    },
  ): Promise<string>
  /** @throws {DomainError} `forbidden` */
  waiting(reader: Reader): Promise<WaitingRequests>
  /** @throws {DomainError} `not-found` also when it is not the reader's to see */
  detail(reader: Reader, id: string): Promise<RequestDetail>
  /** The approver's step. @throws {DomainError} `factor-required`, `not-found`, `two-people`, `case-transition` */
  strip(session: StaffSession, id: string, inner: Uint8Array): Promise<void>
  /**
   * The custodian's step of reading. @throws {DomainError} as {@link Identity.strip}, and `forbidden` when nobody of the
   * officer's department vouched for the officer's recipient
   */
  pass(session: StaffSession, id: string, passed: Uint8Array): Promise<void>
  /**
   * The custodian's step for a new receipt code, made in the custodian's browser: the one before opens nothing more.
   * @param receipt its `auth` value and recipient, as derived from the code; the code itself never comes here. The MAC
   *   of the tip's recipient (null when the custodian has nothing to compare that with), and the custodian's signature
   *   of the new one
   * @throws {DomainError} as {@link Identity.strip}
   */
  reissue(
    session: StaffSession,
    id: string,
    receipt: {
      readonly auth: string
      readonly recipient: string
      readonly recipientMac: string | null
      readonly signature: string
      readonly sealedNote: Uint8Array
    },
  ): Promise<void>
  /** @throws {DomainError} `factor-required`, `not-found`, `two-people`, `case-transition` */
  refuse(session: StaffSession, id: string): Promise<void>
  /** For who asked, while it is readable. @throws {DomainError} `factor-required`, `not-found` */
  open(session: StaffSession, id: string): Promise<Passed>
  /** What the reporter is told, oldest first. */
  news(tipId: string): Promise<RequestNews[]>
  /** What time alone does. Answers how many ran out. */
  tick(): Promise<number>
}

const WAITING_LIMIT = 200
const MAX_WRAP_BYTES = 4096
const MAX_TEXT_BYTES = 20_000
/** Of an `auth` value, and of a MAC. */
const AUTH_BYTES = 32
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/
const UNIQUE_VIOLATION = '23505'
const CUSTODIANS = ownerOf('custodian')

const UNVOUCHED =
  '申请人的钥匙没有经过其单位的同事核对，没有转交。请申请人让同事在“成员”页核对指纹，之后再转交。'

const notFound = (): DomainError => new DomainError('not-found', '没有这个申请，或者它不归您办理。')
const invalid = (): DomainError => new DomainError('invalid-input', '密封的内容格式不对，请刷新页面重试。')

export function createIdentity(
  deps: Deps,
  sessions: Sessions,
  recipients: Recipients,
  locks: WrapLocks,
): Identity {
  const { db, clock, random, secrets } = deps

  const audit = (
    tx: Tx,
    reader: Reader,
    role: Role,
    action: string,
    row: { readonly id: string; readonly case_no: string },
  ) =>
    recordAudit(tx, {
      at: clock.now(),
      memberId: reader.memberId,
      role,
      action: `identity.${action}`,
      object: row.case_no,
      data: { request: row.id },
    })

  /** The deciding roles in which somebody may look at a request; never one about their own department. */
  const decidingRoles = (row: RequestRow, reader: Reader): ('approver' | 'custodian')[] =>
    isExcluded(row, reader.departmentId)
      ? []
      : (['approver', 'custodian'] as const).filter((role) => reader.roles.includes(role))

  function mayDo(row: RequestRow, reader: Reader, role: 'approver' | 'custodian'): boolean {
    const at = { state: row.state, askedBy: row.asked_by, approverId: row.approver_id }
    return decidingRoles(row, reader).includes(role) && stepRefusal(at, role, reader.memberId) === null
  }

  const isReadable = (row: RequestRow, reader: Reader): boolean =>
    row.state === 'passed' &&
    row.asked_by === reader.memberId &&
    row.readable_until !== null &&
    row.readable_until >= dayOf(clock.now())

  function summary(row: RequestRow): RequestSummary {
    return {
      id: row.id,
      caseNo: row.case_no,
      kind: row.kind,
      reason: row.reason,
      state: row.state,
      department: row.department_id,
      askedBy: row.asker_name,
      askedAt: row.asked_at,
      readableUntil: row.readable_until,
    }
  }

  /** One step of a deciding role: locked, seen, by another person than the steps before, in one transaction. */
  async function step(
    session: StaffSession,
    id: string,
    role: 'approver' | 'custodian',
    act: (tx: Tx, row: RequestRow) => Promise<void>,
  ): Promise<void> {
    await sessions.requireRecent(session)
    if (!UUID.test(id)) throw notFound()
    await db.transaction().execute(async (tx) => {
      const row = await lockRequest(tx, id)
      if (!row || !decidingRoles(row, session).includes(role)) throw notFound()
      const at = { state: row.state, askedBy: row.asked_by, approverId: row.approver_id }
      const refusal = stepRefusal(at, role, session.memberId)
      if (refusal) throw new DomainError(refusal.code, refusal.message)
      await act(tx, row)
    })
  }

  const askerOf = async (at: Tx | Db, row: RequestRow): Promise<Vouched> => ({
    memberId: row.asked_by,
    recipient: row.asker_recipient,
    voucher: await voucherOf(at, row.department_id, row.asked_by),
  })

  async function partOf(tipId: string): Promise<TwoLayerRow> {
    const part = await findTwoLayer(db, tipId, 'tip.identity')
    if (!part) throw notFound()
    return part
  }

  /** @throws {DomainError} `not-found` for what was destroyed */
  async function sealedOf(part: TwoLayerRow): Promise<Uint8Array> {
    const sealed = await unlockLayers(locks, { purpose: 'tip.identity', tip: part.tip_id }, part)
    if (sealed === null) throw notFound()
    return sealed
  }

  function kindsFor(roles: readonly Role[]): RequestKind[] {
    if (roles.includes('officer')) return ['read', 'reissue']
    return roles.includes('dispatcher') ? ['reissue'] : []
  }

  return {
    async ofCase(reader, caseNo) {
      const { row, roles } = await findVisible(db, reader, caseNo)
      const mayAsk = kindsFor(roles)
      if (mayAsk.length === 0) return { tips: [], mayAsk }
      const named = (await tipsOf(db, row.id)).filter((tip) => tip.named)
      const about = await requestsAbout(
        db,
        named.map(({ id }) => id),
      )
      return {
        mayAsk,
        tips: named.map((tip) => ({
          tip: tip.id,
          caseNo: tip.case_no,
          requests: about
            .filter((request) => request.tip_id === tip.id)
            .map((request) => ({ ...summary(request), mayOpen: isReadable(request, reader) })),
        })),
      }
    },

    async ask(session, caseNo, { tipId, kind, reason, sealedReason }) {
      await sessions.requireRecent(session)
      const { row, roles } = await findVisible(db, session, caseNo)
      if (!kindsFor(roles).includes(kind)) {
        throw new DomainError('forbidden', '只有承办员可以申请查看身份；补办查询码，调度员也可以申请。')
      }
      if ((kind === 'reissue') !== (reason === 'lost-code')) {
        const message = '请从列表里选择理由。'
        throw new DomainError('invalid-input', message, [{ field: 'reason', message }])
      }
      if (!isAge(sealedReason) || sealedReason.length > MAX_TEXT_BYTES) throw invalid()
      if (!(await tipIdsOf(db, row.id)).includes(tipId)) throw notFound()
      if (!(await findTwoLayer(db, tipId, 'tip.identity'))) {
        throw new DomainError('invalid-input', '这件举报是匿名的，没有可以查看的身份。')
      }
      const id = random.uuid()
      try {
        await db.transaction().execute(async (tx) => {
          await insertRequest(tx, {
            id,
            tip_id: tipId,
            case_id: row.id,
            kind,
            reason,
            sealed_reason: Buffer.from(sealedReason),
            department_id: session.departmentId,
            state: 'asked',
            asked_by: session.memberId,
            asked_at: clock.now(),
          })
          const role = roles.includes('officer') ? 'officer' : 'dispatcher'
          await audit(tx, session, role, `ask.${kind}`, { id, case_no: caseNo })
        })
      } catch (error) {
        if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error
        throw new DomainError('case-transition', '已经有一个同样的申请在等答复。')
      }
      return id
    },

    async waiting(reader) {
      const asks = reader.roles.some((role) => role === 'officer' || role === 'dispatcher')
      const decides = reader.roles.some((role) => role === 'approver' || role === 'custodian')
      if (!asks && !decides) throw new DomainError('forbidden', '您的角色没有这个权限。')
      const open = decides ? await requestsIn(db, ['asked', 'stripped'], WAITING_LIMIT) : []
      return {
        toApprove: open.filter((row) => mayDo(row, reader, 'approver')).map(summary),
        toPass: open.filter((row) => mayDo(row, reader, 'custodian')).map(summary),
        own: asks ? (await requestsBy(db, reader.memberId, WAITING_LIMIT)).map(summary) : [],
      }
    },

    async detail(reader, id) {
      const row = UUID.test(id) ? await findRequest(db, id) : undefined
      if (!row) throw notFound()
      const own = row.asked_by === reader.memberId
      if (!own && decidingRoles(row, reader).length === 0) throw notFound()
      const part = await partOf(row.tip_id)
      const approves = mayDo(row, reader, 'approver')
      const keeps = mayDo(row, reader, 'custodian')
      return {
        ...summary(row),
        tip: row.tip_id,
        category: row.category_id,
        area: row.area_id,
        caseState: row.case_state as CaseState,
        holder: row.holder_id,
        receivedDay: row.received_day,
        sealedReason: row.sealed_reason,
        may: approves
          ? 'strip'
          : keeps
            ? row.kind === 'read'
              ? 'pass'
              : 'reissue'
            : isReadable(row, reader)
              ? 'open'
              : null,
        mayRefuse: approves || keeps,
        recipient: part.recipient,
        wrapped: approves ? { epoch: part.approver_epoch, bytes: part.wrapped } : null,
        inner:
          keeps && row.inner_layer !== null ? { epoch: part.keeper_epoch, bytes: row.inner_layer } : null,
        askedFor: keeps ? await askerOf(db, row) : null,
        sealed: keeps && row.kind === 'reissue' ? await sealedOf(part) : null,
      }
    },

    async strip(session, id, inner) {
      if (!isAge(inner) || inner.length > MAX_WRAP_BYTES) throw invalid()
      await step(session, id, 'approver', async (tx, row) => {
        await updateRequest(tx, id, {
          state: 'stripped',
          approver_id: session.memberId,
          approved_at: clock.now(),
          inner_layer: Buffer.from(inner),
        })
        await audit(tx, session, 'approver', 'strip', row)
      })
    },

    async pass(session, id, passed) {
      if (!isAge(passed) || passed.length > MAX_WRAP_BYTES) throw invalid()
      await step(session, id, 'custodian', async (tx, row) => {
        if (row.kind !== 'read') throw notFound()
        const present = (await recipients.owners(tx)).get(row.department_id)
        if (!present || !isVouched(present, await askerOf(tx, row))) {
          throw new DomainError('forbidden', UNVOUCHED)
        }
        await updateRequest(tx, id, {
          state: 'passed',
          custodian_id: session.memberId,
          passed_at: clock.now(),
          inner_layer: null,
          passed: Buffer.from(passed),
          readable_until: readableUntil(dayOf(clock.now())),
        })
        await audit(tx, session, 'custodian', 'pass', row)
      })
    },

    async reissue(session, id, { auth, recipient, recipientMac: mac, signature, sealedNote }) {
      if (fromBase64Url(auth)?.length !== AUTH_BYTES || !isRecipient(recipient)) throw invalid()
      if (mac !== null && fromBase64Url(mac)?.length !== AUTH_BYTES) throw invalid()
      if (!isAge(sealedNote) || sealedNote.length > MAX_TEXT_BYTES) throw invalid()
      const { entries } = await recipients.list()
      const custodians = entries.filter(({ owner }) => owner === CUSTODIANS)
      await step(session, id, 'custodian', async (tx, row) => {
        if (row.kind !== 'reissue') throw notFound()
        if (!isReissued({ tip: row.tip_id, recipient }, signature, custodians)) throw invalid()
        await tx
          .updateTable('tip')
          .set({
            lookup: (mac === null ? lookupOf : boundLookupOf)(secrets.lookup, auth),
            reporter_recipient: recipient,
            reporter_signature: signature,
            recipient_mac: mac,
            // Whoever used up the tries of the claim PIN had the old code.
            pin_tries: 0,
          })
          .where('id', '=', row.tip_id)
          .execute()
        await updateRequest(tx, id, {
          state: 'reissued',
          custodian_id: session.memberId,
          passed_at: clock.now(),
          inner_layer: null,
          sealed_note: Buffer.from(sealedNote),
        })
        await audit(tx, session, 'custodian', 'reissue', row)
      })
    },

    async refuse(session, id) {
      const found = UUID.test(id) ? await findRequest(db, id) : undefined
      const role = found?.state === 'stripped' ? 'custodian' : 'approver'
      await step(session, id, role, async (tx, row) => {
        await updateRequest(tx, id, {
          state: 'refused',
          refused_by: session.memberId,
          refused_at: clock.now(),
          inner_layer: null,
        })
        await audit(tx, session, role, 'refuse', row)
      })
    },

    async open(session, id) {
      await sessions.requireRecent(session)
      const row = UUID.test(id) ? await findRequest(db, id) : undefined
      if (!row || !isReadable(row, session) || row.passed === null) throw notFound()
      // Whoever no longer works the case no longer reads who told.
      const { roles } = await findVisible(db, session, row.case_no)
      if (!roles.includes('officer')) throw notFound()
      const part = await partOf(row.tip_id)
      await db.transaction().execute((tx) => audit(tx, session, 'officer', 'read', row))
      return {
        tip: row.tip_id,
        memberId: session.memberId,
        passed: row.passed,
        recipient: part.recipient,
        sealed: await sealedOf(part),
      }
    },

    async news(tipId) {
      const rows = await requestsAbout(db, [tipId])
      return rows.reverse().map((row) => {
        const decided = row.passed_at ?? row.refused_at
        const open = row.state === 'asked' || row.state === 'stripped'
        return {
          day: dayOf(row.asked_at),
          department: row.department_id,
          kind: row.kind,
          reason: row.reason,
          agreed: open ? null : row.custodian_id !== null,
          decidedDay: decided && dayOf(decided),
        }
      })
    },

    async tick() {
      const today = dayOf(clock.now())
      return db
        .transaction()
        .execute((tx) => expireRequests(tx, startOfDay(addDays(today, -WAITING_DAYS)), today))
    },
  }
}
