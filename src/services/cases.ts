import {
  appendEvent,
  countSimilar,
  findCase,
  lockCase,
  proofsOf,
  queueCounts,
  queuePage,
  storeLedgerRow,
  tipIdsOf,
  updateCase,
} from '../db/cases.ts'
import type { CaseRow, CountedBucket, ProofRow, QueueBucket, Tx } from '../db/cases.ts'
import {
  allowedActions,
  mustTransition,
  nextDue,
  transition,
  type ActionInput,
  type Actor,
  type CaseAction,
  type CaseState,
  type NextDue,
  type Outcome,
  type ProofKind,
  type Role,
  type Transition,
  type TransitionFacts,
} from '../domain/case.ts'
import { normalizeCaseNumber } from '../domain/case-number.ts'
import { addDays, dayOf, daysBetween, type Day } from '../domain/day.ts'
import { dueDay, termEnd } from '../domain/deadline.ts'
import { DomainError } from '../domain/errors.ts'
import { DISPATCHER_DEPARTMENT, SUPERVISION_DEPARTMENT } from '../domain/plan.ts'
import { coarsen, type CaseFacts } from '../domain/privacy.ts'
import { recordAudit } from './audit.ts'
import { mayOpen, rolesFor, scopeOf, type Reader } from './case-access.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { Keys } from './keys.ts'
import { ledgerRow, namesOf, type CompleteRow } from './ledger-row.ts'
import type { PlanSnapshot } from './plan-store.ts'
import type { Deps } from './ports.ts'

/** A tip's secret wrapped anew by somebody's browser for the department that shall hold the case. */
export interface NewWrap {
  readonly tipId: string
  readonly epoch: number
  readonly wrapped: Uint8Array
}

/** Free text sealed in the browser to a tip's own recipient. */
export interface NewNote {
  readonly tipId: string
  readonly purpose: 'tip.note' | 'tip.reason'
  readonly sealed: Uint8Array
}

/** What a member asks for. Each action reads only its own part. */
export interface ActRequest {
  readonly version: number
  readonly action: CaseAction
  /** The closed-list reason of a return; other reasons are sealed notes. */
  readonly reason?: string
  readonly target?: string
  readonly attachTo?: string
  readonly outcome?: Outcome
  readonly statement?: string
  readonly competentBody?: string
  readonly wraps?: readonly NewWrap[]
  readonly note?: NewNote
  /** The publisher shows less than the rule would. */
  readonly hideCategory?: boolean
  readonly hideArea?: boolean
}

export interface QueueFilter {
  readonly bucket: QueueBucket
  readonly department?: string | null
  readonly category?: string | null
  readonly area?: string | null
  readonly lane?: 'normal' | 'unverified' | null
  readonly sort?: 'due' | 'received'
}

export interface QueueItem {
  readonly caseNo: string
  readonly state: CaseState
  readonly category: string
  readonly area: string
  readonly holder: string
  readonly urgency: string
  readonly receivedDay: Day
  readonly acceptDue: Day | null
  readonly concludeDue: Day | null
  /** While the dispatcher has to decide. */
  readonly arbitrateDue: Day | null
  /** What the holder owes next; null when nothing is owed any more. */
  readonly due: NextDue | null
  readonly overdue: boolean
  readonly photoCount: number
  readonly callback: boolean
  readonly tipCount: number
  readonly lane: 'normal' | 'unverified'
  readonly version: number
}

export interface CaseTip {
  readonly id: string
  readonly caseNo: string
  readonly ordinal: number
  readonly day: Day
  readonly recipient: string
  readonly callback: boolean
  readonly photoCount: number
  /** Null for readers who may not open it, or while the wrap for their department is missing. */
  readonly wrap: { readonly department: string; readonly epoch: number; readonly wrapped: Uint8Array } | null
  readonly narrative: Uint8Array | null
  readonly notes: readonly {
    readonly purpose: string
    readonly sealed: Uint8Array
    readonly author: string
    readonly at: Date
  }[]
}

export interface CaseEvent {
  readonly day: Day
  readonly at: Date | null
  readonly actor: string | null
  readonly role: string
  readonly action: string
  readonly to: string
  readonly data: Readonly<Record<string, unknown>>
}

export interface CaseDetail {
  readonly item: QueueItem
  readonly roles: readonly Role[]
  readonly allowed: Readonly<Partial<Record<CaseAction, Role>>>
  readonly answer: string | null
  readonly when: string
  readonly accused: string | null
  readonly rule: string
  readonly measureRefs: readonly string[]
  readonly coDepartments: readonly string[]
  readonly derived: boolean
  readonly proposedHolder: string | null
  readonly returnedBy: readonly string[]
  readonly handOvers: number
  readonly complex: boolean
  readonly extended: boolean
  readonly outcome: Outcome | null
  readonly statement: string | null
  readonly competentBody: string | null
  readonly publishedDay: Day | null
  readonly disputeUntil: Day | null
  readonly disputed: boolean
  readonly attachedTo: string | null
  readonly tips: readonly CaseTip[]
  readonly proofs: readonly {
    readonly id: string
    readonly kind: ProofKind
    readonly caption: string
    readonly photo: boolean
  }[]
  readonly events: readonly CaseEvent[]
  /** The holder cannot open some tip until the dispatcher's browser wraps it anew. */
  readonly wrapMissing: boolean
}

export interface Cases {
  /** @throws {DomainError} `forbidden`, `bad-cursor` */
  queue(
    reader: Reader,
    filter: QueueFilter,
    cursor: string | null,
    limit: number,
  ): Promise<{ items: QueueItem[]; next: string | null }>
  /** Numbers beside the queue's tabs. */
  counts(reader: Reader): Promise<Record<CountedBucket, number>>
  /** @throws {DomainError} `not-found` also when it is not the reader's to see */
  detail(reader: Reader, caseNo: string): Promise<CaseDetail>
  /** The sealed bytes of a photo. @throws {DomainError} `not-found` */
  photo(
    reader: Reader,
    caseNo: string,
    tipId: string,
    purpose: 'tip.photo' | 'tip.original',
    part: number,
  ): Promise<Uint8Array>
  /**
   * One step of the state machine with all that follows from it, in one transaction.
   * @throws {DomainError} `stale-version` and whatever the rules refuse
   */
  act(reader: Reader, caseNo: string, request: ActRequest): Promise<{ state: CaseState; version: number }>
  /** Wraps for a holder that has none (after a case was reopened to 区政府督查室). */
  rewrap(reader: Reader, caseNo: string, wraps: readonly NewWrap[]): Promise<void>
  addProof(
    reader: Reader,
    caseNo: string,
    proof: { kind: ProofKind; caption: string; blobKey: string | null },
  ): Promise<string>
  removeProof(reader: Reader, caseNo: string, proofId: string): Promise<void>
  /** The ledger's row as publishing now would make it; `reading.asPublic` shows it. */
  preview(
    reader: Reader,
    caseNo: string,
    hide: { hideCategory: boolean; hideArea: boolean },
  ): Promise<CompleteRow>
  /** The picture of a proof: of a published case for everybody, else for those who may see the case. */
  proofPhoto(reader: Reader | null, proofId: string): Promise<Uint8Array | null>
  /** The reporter's one dispute; the caller has checked the receipt. */
  dispute(tipId: string): Promise<void>
  /** What time alone does: pauses and dispute windows end. Answers how many cases moved. */
  tick(): Promise<number>
}

const SOON_DAYS = 3
const SIMILAR_DAYS = 90
// What PostgreSQL takes as one; anything else would be an error of the query instead of an unknown id.
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const AGE_HEADER = 'age-encryption.org/v1'
// Needs two-way messages, which come with the sealing of the browser.
const NOT_YET = new Set<CaseAction>(['ask_reporter'])

const notFound = (): DomainError => new DomainError('not-found', '没有这件举报，或者它不归您办理。')

function factsOf(row: CaseRow, today: Day, reader: Reader | null, input: ActionInput): TransitionFacts {
  return {
    holder: row.holder_id,
    accused: row.accused_department_id,
    member: reader?.memberId ?? null,
    memberDepartment: reader?.departmentId ?? null,
    returnedBy: row.returned_by,
    arbitrated: row.arbitrated,
    pauseUsed: row.pause_used,
    extended: row.extended,
    complex: row.complex,
    disputed: row.disputed,
    workedBy: row.worked_by,
    concludedBy: row.concluded_by,
    barred: row.barred,
    today,
    disputeUntil: row.dispute_until,
    input,
  }
}

/** A row as the one allow-list reads it. */
export function publicFacts(
  row: CaseRow,
  proofs: readonly ProofRow[],
  attachedToState: CaseState | null,
): CaseFacts {
  return {
    caseNo: row.case_no,
    holder: row.holder_id,
    state: row.state as CaseState,
    area: row.area_id,
    receivedDay: row.received_day,
    dueDay: row.conclude_due,
    dueCount: row.due_count,
    dueUnit: row.due_unit,
    handOvers: row.hand_overs,
    outcome: row.outcome as Outcome | null,
    statement: row.statement,
    competentBody: row.competent_body,
    proof: proofs.map((proof) => ({
      id: proof.id,
      kind: proof.kind as ProofKind,
      caption: proof.caption,
      photo: proof.blob_key !== null,
    })),
    concludedDay: row.concluded_day,
    publishedDay: row.published_day,
    disputeUntil: row.dispute_until,
    disputed: row.disputed,
    attachedToState,
    hideCategory: row.hide_category,
    hideArea: row.hide_area,
  }
}

export function createCases(deps: Deps, keys: Keys): Cases {
  const { db, clock, random, plan, versions, files } = deps

  function toItem(
    row: CaseRow,
    today: Day,
    tips: { photos: number; callback: boolean; count: number },
  ): QueueItem {
    const due = nextDue(row.state as CaseState, {
      accept: row.accept_due,
      conclude: row.conclude_due,
      arbitrate: row.arbitrate_due,
    })
    return {
      caseNo: row.case_no,
      state: row.state as CaseState,
      category: row.category_id,
      area: row.area_id,
      holder: row.holder_id,
      urgency: row.urgency,
      receivedDay: row.received_day,
      acceptDue: row.accept_due,
      concludeDue: row.conclude_due,
      arbitrateDue: row.arbitrate_due,
      due,
      overdue: due !== null && due.day !== null && due.day < today,
      photoCount: tips.photos,
      callback: tips.callback,
      tipCount: tips.count,
      lane: row.lane,
      version: row.version,
    }
  }

  async function project(tx: Tx, snapshot: PlanSnapshot, row: CaseRow): Promise<void> {
    const parent =
      row.attached_to === null
        ? null
        : await tx
            .selectFrom('case_file')
            .select('state')
            .where('id', '=', row.attached_to)
            .executeTakeFirst()
    const { category, group } = namesOf(snapshot, row.category_id)
    const facts = publicFacts(
      row,
      await proofsOf(tx, row.id),
      (parent?.state as CaseState | undefined) ?? null,
    )
    await storeLedgerRow(tx, ledgerRow(facts, category, group, row.measure_refs))
  }

  /** The row as it stands, its ledger row, and those of the cases folded into it. */
  async function publishChange(tx: Tx, snapshot: PlanSnapshot, caseId: string): Promise<CaseRow> {
    const row = await tx
      .selectFrom('case_file')
      .selectAll()
      .where('id', '=', caseId)
      .executeTakeFirstOrThrow()
    await project(tx, snapshot, row)
    const attached = await tx.selectFrom('case_file').selectAll().where('attached_to', '=', caseId).execute()
    for (const child of attached) await project(tx, snapshot, child)
    await versions.bump(tx, 'cases')
    return row
  }

  /** Replaces the wraps of the old holder by those for the new one. */
  async function moveWraps(tx: Tx, row: CaseRow, target: string, wraps: readonly NewWrap[]): Promise<void> {
    const tipIds = await tipIdsOf(tx, row.id)
    const recipients = await keys.recipients(tx)
    const held = await tx
      .selectFrom('tip_wrap')
      .select('tip_id')
      .where('tip_id', 'in', tipIds)
      .where('department_id', '=', target)
      .execute()
    const missing = new Set(tipIds.filter((id) => !held.some((wrap) => wrap.tip_id === id)))
    for (const wrap of wraps) {
      if (!missing.delete(wrap.tipId)) continue
      const current = recipients.get(target)
      const isAge = Buffer.from(wrap.wrapped.subarray(0, AGE_HEADER.length)).toString('latin1') === AGE_HEADER
      if (!isAge || wrap.wrapped.length > 4096 || current?.epoch !== wrap.epoch) {
        throw new DomainError('invalid-input', '转交的钥匙无效，请刷新页面后重试。', [
          { field: 'wraps', message: '钥匙与接收单位不符。' },
        ])
      }
      await tx
        .insertInto('tip_wrap')
        .values({
          tip_id: wrap.tipId,
          department_id: target,
          epoch: wrap.epoch,
          wrapped: Buffer.from(wrap.wrapped),
        })
        .execute()
    }
    if (missing.size > 0) {
      throw new DomainError('invalid-input', '请先解锁，再把密封内容的钥匙交给接收单位。', [
        { field: 'wraps', message: `还有 ${missing.size} 份没有转交。` },
      ])
    }
    await dropWraps(tx, row, target, tipIds)
  }

  /** The dispatcher keeps its wrap; of an inaction case, which it must not read, 区政府督查室 does. */
  async function dropWraps(tx: Tx, row: CaseRow, target: string, tipIds: readonly string[]): Promise<void> {
    const keeper = row.accused_department_id === null ? DISPATCHER_DEPARTMENT : SUPERVISION_DEPARTMENT
    const keep = [target, keeper]
    await tx
      .deleteFrom('tip_wrap')
      .where('tip_id', 'in', tipIds)
      .where('department_id', 'not in', keep)
      .execute()
  }

  interface Step {
    readonly tx: Tx
    readonly row: CaseRow
    readonly snapshot: PlanSnapshot
    readonly today: Day
    readonly reader: Reader | null
    readonly request: Partial<ActRequest>
    readonly actor: Actor
  }

  async function record(step: Step, event: Transition, data: Record<string, unknown>): Promise<void> {
    const byStaff = step.reader !== null
    await appendEvent(step.tx, {
      caseId: step.row.id,
      day: step.today,
      at: byStaff ? clock.now() : null,
      actorId: step.reader?.memberId ?? null,
      role: event.actor,
      action: event.action,
      from: event.from,
      to: event.to,
      data,
    })
  }

  async function routeTo(
    step: Step,
    action: 'route' | 'route_again',
    from: CaseState,
    target: string,
  ): Promise<void> {
    const facts = factsOf({ ...step.row, state: from }, step.today, null, { target })
    const event = mustTransition(from, action, 'system', facts)
    await record({ ...step, reader: null }, event, { department: target })
    await arrive(step, target)
  }

  /** The case comes to a department: a new term to accept it, and a notice. The term to conclude runs on. */
  async function arrive(step: Step, target: string): Promise<void> {
    const accept = dueDay(
      step.snapshot.deadlineRules,
      step.snapshot.calendar,
      step.row.category_id,
      'accept',
      step.today,
    )
    await updateCase(step.tx, step.row.id, {
      state: 'routed',
      holder_id: target,
      accept_due: accept.day,
      accepted_day: null,
      proposed_holder_id: null,
      arbitrate_due: null,
      ...(target === step.row.holder_id ? {} : { hand_overs: step.row.hand_overs + 1, worked_by: [] }),
    })
    // What was folded into it goes along.
    await step.tx
      .updateTable('case_file')
      .set({ holder_id: target })
      .where('attached_to', '=', step.row.id)
      .execute()
    await step.tx
      .insertInto('notice')
      .values({ department_id: target, case_no: step.row.case_no, kind: 'arrival', day: step.today })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }

  /** After a dispute or an audit: another officer of the holder, or 区政府督查室 when there is none. */
  async function reopen(step: Step): Promise<void> {
    const { tx, row } = step
    const barred = [
      ...new Set([...row.barred, ...row.worked_by, ...(row.concluded_by ? [row.concluded_by] : [])]),
    ]
    const others = await tx
      .selectFrom('member')
      .innerJoin('member_role', 'member_role.member_id', 'member.id')
      .select('member.id')
      .where('member.department_id', '=', row.holder_id)
      .where('member.status', '=', 'active')
      .where('member_role.role', '=', 'officer')
      .$if(barred.length > 0, (query) => query.where('member.id', 'not in', barred))
      .execute()
    const stays = others.length > 0 || row.holder_id === SUPERVISION_DEPARTMENT
    const target = stays ? row.holder_id : SUPERVISION_DEPARTMENT
    // Nobody else is left at 区政府督查室 itself: then the same officer looks again.
    const nobody = others.length === 0 && row.holder_id === SUPERVISION_DEPARTMENT
    const due = dueDay(
      step.snapshot.deadlineRules,
      step.snapshot.calendar,
      row.category_id,
      'conclude',
      step.today,
    )
    await updateCase(tx, row.id, {
      state: 'reopened',
      barred: nobody ? [] : barred,
      worked_by: [],
      concluded_by: null,
      concluded_day: null,
      published_by: null,
      dispute_until: null,
      conclude_due: due.day,
    })
    await routeTo(step, 'route_again', 'reopened', target)
    if (target !== row.holder_id) await dropWraps(tx, row, target, await tipIdsOf(tx, row.id))
  }

  async function storeNote(step: Step, note: NewNote): Promise<void> {
    const tipIds = await tipIdsOf(step.tx, step.row.id)
    const isAge = Buffer.from(note.sealed.subarray(0, AGE_HEADER.length)).toString('latin1') === AGE_HEADER
    if (!tipIds.includes(note.tipId) || !isAge || note.sealed.length > 200_000 || !step.reader) {
      throw new DomainError('invalid-input', '记录没有封好，请重试。', [
        { field: 'note', message: '无法保存。' },
      ])
    }
    await step.tx
      .insertInto('case_note')
      .values({
        id: random.uuid(),
        case_id: step.row.id,
        tip_id: note.tipId,
        purpose: note.purpose,
        sealed: Buffer.from(note.sealed),
        author_id: step.reader.memberId,
        at: clock.now(),
      })
      .execute()
  }

  /** What an accepted transition does to the rows. */
  async function apply(step: Step, event: Transition): Promise<void> {
    const { tx, row, today, snapshot, request, reader } = step
    const member = reader?.memberId ?? ''
    const worked = [...new Set([...row.worked_by, member])]
    const rule = (name: Parameters<typeof dueDay>[3], from: Day) =>
      dueDay(snapshot.deadlineRules, snapshot.calendar, row.category_id, name, from)
    const change = (changes: Parameters<typeof updateCase>[2]): Promise<void> =>
      updateCase(tx, row.id, { state: event.to, ...changes })

    switch (event.action) {
      case 'accept':
        return change({ accepted_day: today, worked_by: worked })
      case 'work':
      case 'note':
        return change({ worked_by: worked })
      case 'return': {
        const target = request.target ?? ''
        const returnedBy = [...row.returned_by, row.holder_id]
        if (event.to === 'arbitration') {
          return change({
            returned_by: returnedBy,
            proposed_holder_id: target,
            arbitrate_due: rule('arbitrate', today).day,
          })
        }
        await moveWraps(tx, row, target, request.wraps ?? [])
        await change({ returned_by: returnedBy })
        return routeTo(step, 'route', 'returned', target)
      }
      case 'decide_arbitration': {
        const target = request.target ?? ''
        if (target !== row.holder_id) await moveWraps(tx, row, target, request.wraps ?? [])
        await change({ arbitrated: true })
        return arrive(step, target)
      }
      case 'hand_over': {
        const target = request.target ?? ''
        await moveWraps(tx, row, target, request.wraps ?? [])
        return arrive(step, target)
      }
      case 'attach': {
        const parent = await findCase(tx, normalizeCaseNumber(request.attachTo ?? '') ?? '')
        await tx
          .updateTable('case_file')
          .set({ attached_to: parent?.id ?? null })
          .where('attached_to', '=', row.id)
          .execute()
        return change({ attached_to: parent?.id ?? null })
      }
      case 'ask_reporter':
        return change({ pause_used: true, paused_until: rule('reporter-answer', today).day })
      case 'resume': {
        const { paused_until: until, conclude_due: due } = row
        const late = until !== null && due !== null ? Math.max(0, daysBetween(today, until)) : 0
        return change({ paused_until: null, conclude_due: due === null ? null : addDays(due, late) })
      }
      case 'extend': {
        const { count, unit } = rule('conclude', today)
        const end =
          row.conclude_due === null ? null : termEnd(snapshot.calendar, row.conclude_due, count, unit)
        return change({ extended: true, conclude_due: end })
      }
      case 'mark_complex': {
        const due = rule('conclude-complex', row.received_day)
        return change({ complex: true, conclude_due: due.day, due_count: due.count, due_unit: due.unit })
      }
      case 'conclude':
        return change({
          outcome: request.outcome ?? null,
          statement: (request.statement ?? '').trim(),
          competent_body: request.outcome === 'outside' ? (request.competentBody ?? '').trim() : null,
          concluded_by: member,
          concluded_day: today,
          worked_by: worked,
        })
      case 'send_back':
        return change({ concluded_by: null, concluded_day: null })
      case 'publish': {
        const hide = coarsen(
          await countSimilar(tx, row.category_id, row.area_id, addDays(today, -SIMILAR_DAYS)),
        )
        return change({
          published_by: member,
          published_day: today,
          dispute_until: rule('dispute', today).day,
          hide_area: hide.hideArea || request.hideArea === true,
          hide_category: hide.hideCategory || request.hideCategory === true,
        })
      }
      case 'dispute':
        await change({ disputed: true })
        return reopen(step)
      case 'audit_reopen':
        return reopen(step)
      case 'close':
        return change({})
      case 'route':
      case 'route_again':
        throw new Error('routing follows from another action')
    }
  }

  /** Words for the history: values from closed lists only, never what somebody wrote. */
  function dataOf(request: Partial<ActRequest>, event: Transition): Record<string, unknown> {
    return {
      ...(event.action === 'return' ? { reason: request.reason, proposed: request.target } : {}),
      ...(event.action === 'hand_over' || event.action === 'decide_arbitration'
        ? { department: request.target }
        : {}),
      ...(event.action === 'conclude' ? { outcome: request.outcome } : {}),
      ...(event.action === 'attach' ? { caseNo: normalizeCaseNumber(request.attachTo ?? '') } : {}),
    }
  }

  function inputOf(
    row: CaseRow,
    request: Partial<ActRequest>,
    proofCount: number,
    parent: CaseRow | undefined,
  ): ActionInput {
    return {
      // A free-text reason is sealed: for the rules it is enough that there is one.
      ...(request.reason !== undefined
        ? { reason: request.reason }
        : request.note
          ? { reason: 'sealed' }
          : {}),
      ...(request.target !== undefined ? { target: request.target } : {}),
      rewrapped: request.wraps !== undefined,
      ...(parent
        ? {
            attachTo: {
              holder: parent.holder_id,
              state: parent.state as CaseState,
              accused: parent.accused_department_id,
              earlier:
                parent.received_day < row.received_day ||
                (parent.received_day === row.received_day && parent.case_no < row.case_no),
            },
          }
        : {}),
      ...(request.outcome !== undefined ? { outcome: request.outcome } : {}),
      ...(request.statement !== undefined ? { statement: request.statement } : {}),
      ...(request.competentBody !== undefined ? { competentBody: request.competentBody } : {}),
      proofCount,
    }
  }

  async function visible(reader: Reader, caseNo: string): Promise<{ row: CaseRow; roles: Role[] }> {
    const row = await findCase(db, caseNo)
    const roles = row ? rolesFor(row, reader) : []
    if (!row || roles.length === 0) throw notFound()
    return { row, roles }
  }

  /** The role in which the reader may do it, if any: the rules are asked once for each role. */
  function allowedFor(
    row: CaseRow,
    reader: Reader,
    roles: readonly Role[],
    today: Day,
  ): Partial<Record<CaseAction, Role>> {
    const facts = factsOf(row, today, reader, {})
    const allowed: Partial<Record<CaseAction, Role>> = {}
    for (const role of roles) {
      for (const action of allowedActions(row.state as CaseState, role, facts)) {
        if (!NOT_YET.has(action)) allowed[action] ??= role
      }
    }
    return allowed
  }

  async function tipTotals(
    ids: readonly string[],
  ): Promise<Map<string, { photos: number; callback: boolean; count: number }>> {
    if (ids.length === 0) return new Map()
    const rows = await db
      .selectFrom('tip')
      .innerJoin('case_file', 'case_file.id', 'tip.case_id')
      .select((eb) => [
        // Not "id": GROUP BY would take that for a column of either table.
        eb.fn.coalesce('case_file.attached_to', 'case_file.id').as('whole'),
        eb.fn.sum<number>('tip.photo_count').as('photos'),
        eb.fn<boolean>('bool_or', ['tip.callback']).as('callback'),
        eb.fn.countAll<number>().as('count'),
      ])
      .where((eb) => eb.or([eb('case_file.id', 'in', ids), eb('case_file.attached_to', 'in', ids)]))
      .groupBy('whole')
      .execute()
    return new Map(
      rows.map((row) => [
        row.whole,
        { photos: Number(row.photos), callback: row.callback, count: row.count },
      ]),
    )
  }
  const auditProof = (tx: Tx, reader: Reader, action: string, caseNo: string): Promise<void> =>
    recordAudit(tx, { at: clock.now(), memberId: reader.memberId, role: 'officer', action, object: caseNo })

  const NO_TIPS = { photos: 0, callback: false, count: 0 }

  return {
    async queue(reader, filter, cursor, limit) {
      const today = dayOf(clock.now())
      const after = cursor === null ? null : (decodeCursor(cursor, 2) as unknown as [string, string])
      const rows = await queuePage(db, {
        scope: scopeOf(reader),
        department: filter.department ?? null,
        bucket: filter.bucket,
        category: filter.category ?? null,
        area: filter.area ?? null,
        lane: filter.lane ?? null,
        sort: filter.sort ?? 'due',
        today,
        soon: addDays(today, SOON_DAYS),
        after,
        limit: limit + 1,
      })
      const page = rows.slice(0, limit)
      const totals = await tipTotals(page.map((row) => row.id))
      const last = rows.length > limit ? page.at(-1) : undefined
      return {
        items: page.map((row) => toItem(row, today, totals.get(row.id) ?? NO_TIPS)),
        next: last ? encodeCursor([last.position, last.case_no]) : null,
      }
    },

    async counts(reader) {
      const today = dayOf(clock.now())
      return queueCounts(db, scopeOf(reader), today, addDays(today, SOON_DAYS))
    },

    async detail(reader, caseNo) {
      const { row, roles } = await visible(reader, caseNo)
      const today = dayOf(clock.now())
      const open = mayOpen(row, reader)
      const tips = await db
        .selectFrom('tip')
        .innerJoin('case_file', 'case_file.id', 'tip.case_id')
        .selectAll('tip')
        .select('case_file.case_no')
        .where((eb) => eb.or([eb('case_file.id', '=', row.id), eb('case_file.attached_to', '=', row.id)]))
        .orderBy('tip.day')
        .orderBy('tip.id')
        .execute()
      const tipIds = tips.map((tip) => tip.id)
      const wraps = await db.selectFrom('tip_wrap').selectAll().where('tip_id', 'in', tipIds).execute()
      const narratives = open
        ? await db
            .selectFrom('tip_part')
            .selectAll()
            .where('tip_id', 'in', tipIds)
            .where('purpose', '=', 'tip.narrative')
            .execute()
        : []
      const notes = open
        ? await db
            .selectFrom('case_note')
            .innerJoin('member', 'member.id', 'case_note.author_id')
            .selectAll('case_note')
            .select('member.display_name')
            .where('case_note.tip_id', 'in', tipIds)
            .orderBy('case_note.at')
            .execute()
        : []
      const proofs = await proofsOf(db, row.id)
      const events = await db
        .selectFrom('case_event')
        .leftJoin('member', 'member.id', 'case_event.actor_id')
        .selectAll('case_event')
        .select('member.display_name')
        .where('case_id', '=', row.id)
        .orderBy('ordinal')
        .execute()
      const parent = row.attached_to
        ? await db
            .selectFrom('case_file')
            .select('case_no')
            .where('id', '=', row.attached_to)
            .executeTakeFirst()
        : undefined
      return {
        item: toItem(row, today, {
          photos: tips.reduce((sum, tip) => sum + tip.photo_count, 0),
          callback: tips.some((tip) => tip.callback),
          count: tips.length,
        }),
        roles,
        allowed: allowedFor(row, reader, roles, today),
        answer: row.answer,
        when: row.when_bucket,
        accused: row.accused_department_id,
        rule: row.rule_id,
        measureRefs: row.measure_refs,
        coDepartments: row.co_departments,
        derived: row.derived,
        proposedHolder: row.proposed_holder_id,
        returnedBy: row.returned_by,
        handOvers: row.hand_overs,
        complex: row.complex,
        extended: row.extended,
        outcome: row.outcome as Outcome | null,
        statement: row.statement,
        competentBody: row.competent_body,
        publishedDay: row.published_day,
        disputeUntil: row.dispute_until,
        disputed: row.disputed,
        attachedTo: parent?.case_no ?? null,
        tips: tips.map((tip) => {
          const wrap = wraps.find((one) => one.tip_id === tip.id && one.department_id === reader.departmentId)
          return {
            id: tip.id,
            caseNo: tip.case_no,
            ordinal: tip.ordinal,
            day: tip.day,
            recipient: tip.recipient,
            callback: tip.callback,
            photoCount: tip.photo_count,
            wrap:
              open && wrap
                ? { department: wrap.department_id, epoch: wrap.epoch, wrapped: wrap.wrapped }
                : null,
            narrative: narratives.find((part) => part.tip_id === tip.id)?.sealed ?? null,
            notes: notes
              .filter((note) => note.tip_id === tip.id)
              .map((note) => ({
                purpose: note.purpose,
                sealed: note.sealed,
                author: note.display_name,
                at: note.at,
              })),
          }
        }),
        proofs: proofs.map((proof) => ({
          id: proof.id,
          kind: proof.kind as ProofKind,
          caption: proof.caption,
          photo: proof.blob_key !== null,
        })),
        events: events.map((event) => ({
          day: event.day,
          at: event.at,
          actor: event.display_name,
          role: event.role,
          action: event.action,
          to: event.to_state,
          data: event.data,
        })),
        wrapMissing: tipIds.some(
          (id) => !wraps.some((wrap) => wrap.tip_id === id && wrap.department_id === row.holder_id),
        ),
      }
    },

    async photo(reader, caseNo, tipId, purpose, part) {
      const { row } = await visible(reader, caseNo)
      if (!mayOpen(row, reader) || !(await tipIdsOf(db, row.id)).includes(tipId)) throw notFound()
      const found = await db
        .selectFrom('tip_part')
        .select('blob_key')
        .where('tip_id', '=', tipId)
        .where('purpose', '=', purpose)
        .where('part', '=', part)
        .executeTakeFirst()
      const bytes = found?.blob_key ? await files.get(found.blob_key) : null
      if (!bytes) throw notFound()
      return bytes
    },

    async act(reader, caseNo, request) {
      const { row: before, roles } = await visible(reader, caseNo)
      const snapshot = await plan.current()
      if (request.target !== undefined && !snapshot.departments.has(request.target)) {
        throw new DomainError('invalid-input', '没有这个单位。', [
          { field: 'target', message: '请从列表里选择。' },
        ])
      }
      const today = dayOf(clock.now())
      const result = await db.transaction().execute(async (tx) => {
        const row = await lockCase(tx, caseNo)
        if (!row || rolesFor(row, reader).length === 0) throw notFound()
        if (row.version !== request.version) {
          throw new DomainError('stale-version', '这件举报刚刚被别人更新过，请刷新后再操作。')
        }
        const proofCount = (await proofsOf(tx, row.id)).length
        const parent =
          request.attachTo === undefined
            ? undefined
            : await findCase(tx, normalizeCaseNumber(request.attachTo) ?? '')
        const input = inputOf(row, request, proofCount, parent)
        const facts = factsOf(row, today, reader, input)
        const actor =
          allowedFor(row, reader, roles, today)[request.action] ??
          roles.find((role) => isRefusedFor(row.state as CaseState, request.action, role, facts)) ??
          roles[0] ??
          'officer'
        if (NOT_YET.has(request.action)) throw new DomainError('case-transition', '站内留言尚未开通。')
        if (request.action === 'note' && !request.note) {
          throw new DomainError('invalid-input', '请写下记录。', [{ field: 'note', message: '请写下记录。' }])
        }
        const event = mustTransition(row.state as CaseState, request.action, actor, facts)
        const step: Step = { tx, row, snapshot, today, reader, request, actor }
        await record(step, event, dataOf(request, event))
        if (request.note) await storeNote(step, request.note)
        await apply(step, event)
        return publishChange(tx, snapshot, row.id)
      })
      versions.expire()
      return { state: result.state as CaseState, version: Math.max(result.version, before.version + 1) }
    },

    async rewrap(reader, caseNo, wraps) {
      const { row: seen } = await visible(reader, caseNo)
      if (!mayOpen(seen, reader)) throw notFound()
      await db.transaction().execute(async (tx) => {
        const row = await lockCase(tx, caseNo)
        if (!row) throw notFound()
        await moveWraps(tx, row, row.holder_id, wraps)
      })
    },

    async addProof(reader, caseNo, proof) {
      const id = random.uuid()
      await db.transaction().execute(async (tx) => {
        const row = await lockCase(tx, caseNo)
        if (!row || !rolesFor(row, reader).includes('officer')) throw notFound()
        mayEditProof(row)
        await tx
          .insertInto('proof')
          .values({
            id,
            case_id: row.id,
            kind: proof.kind,
            caption: proof.caption,
            blob_key: proof.blobKey,
            added_by: reader.memberId,
            added_at: clock.now(),
          })
          .execute()
        // Whoever proves has investigated. Not a new version: a colleague's open page stays good.
        await tx
          .updateTable('case_file')
          .set({ worked_by: [...new Set([...row.worked_by, reader.memberId])] })
          .where('id', '=', row.id)
          .execute()
        await auditProof(tx, reader, 'proof.add', caseNo)
      })
      return id
    },

    async removeProof(reader, caseNo, proofId) {
      if (!UUID.test(proofId)) throw notFound()
      const blob = await db.transaction().execute(async (tx) => {
        const row = await lockCase(tx, caseNo)
        if (!row || !rolesFor(row, reader).includes('officer')) throw notFound()
        mayEditProof(row)
        const gone = await tx
          .deleteFrom('proof')
          .where('id', '=', proofId)
          .where('case_id', '=', row.id)
          .returning('blob_key')
          .executeTakeFirst()
        if (!gone) throw notFound()
        await auditProof(tx, reader, 'proof.remove', caseNo)
        return gone.blob_key
      })
      if (blob) await files.delete(blob)
    },

    async preview(reader, caseNo, hide) {
      const { row } = await visible(reader, caseNo)
      const snapshot = await plan.current()
      const names = namesOf(snapshot, row.category_id)
      const proofs = await proofsOf(db, row.id)
      const today = dayOf(clock.now())
      return db.transaction().execute(async (tx) => {
        const similar = coarsen(
          await countSimilar(tx, row.category_id, row.area_id, addDays(today, -SIMILAR_DAYS)),
        )
        const facts: CaseFacts = {
          ...publicFacts(row, proofs, null),
          state: 'published',
          publishedDay: row.published_day ?? today,
          hideArea: similar.hideArea || hide.hideArea,
          hideCategory: similar.hideCategory || hide.hideCategory,
        }
        return ledgerRow(facts, names.category, names.group, row.measure_refs)
      })
    },

    async proofPhoto(reader, proofId) {
      if (!UUID.test(proofId)) return null
      const found = await db
        .selectFrom('proof')
        .innerJoin('case_file', 'case_file.id', 'proof.case_id')
        .selectAll('case_file')
        .select('proof.blob_key')
        .where('proof.id', '=', proofId)
        .executeTakeFirst()
      if (!found?.blob_key) return null
      const isPublic = found.state === 'published' || found.state === 'closed'
      if (!isPublic && !(reader && rolesFor(found, reader).length > 0)) return null
      return files.get(found.blob_key)
    },

    async dispute(tipId) {
      const snapshot = await plan.current()
      const today = dayOf(clock.now())
      await db.transaction().execute(async (tx) => {
        const own = await tx
          .selectFrom('tip')
          .innerJoin('case_file', 'case_file.id', 'tip.case_id')
          .leftJoin('case_file as parent', 'parent.id', 'case_file.attached_to')
          .select((eb) => eb.fn.coalesce('parent.case_no', 'case_file.case_no').as('case_no'))
          .where('tip.id', '=', tipId)
          .executeTakeFirst()
        const row = own && (await lockCase(tx, own.case_no))
        if (!row) throw notFound()
        const event = mustTransition(
          row.state as CaseState,
          'dispute',
          'reporter',
          factsOf(row, today, null, {}),
        )
        const step: Step = { tx, row, snapshot, today, reader: null, request: {}, actor: 'reporter' }
        await record(step, event, {})
        await apply(step, event)
        await publishChange(tx, snapshot, row.id)
      })
      versions.expire()
    },

    async tick() {
      const snapshot = await plan.current()
      const today = dayOf(clock.now())
      const due = await db
        .selectFrom('case_file')
        .select(['case_no', 'state'])
        .where((eb) =>
          eb.or([
            eb.and([eb('state', '=', 'published'), eb('dispute_until', '<', today)]),
            eb.and([eb('state', '=', 'awaiting_reporter'), eb('paused_until', '<', today)]),
          ]),
        )
        .execute()
      for (const { case_no: caseNo } of due) {
        await db.transaction().execute(async (tx) => {
          const row = await lockCase(tx, caseNo)
          if (!row) return
          const action =
            row.state === 'published' ? 'close' : row.state === 'awaiting_reporter' ? 'resume' : null
          if (action === null) return
          const event = mustTransition(
            row.state as CaseState,
            action,
            'system',
            factsOf(row, today, null, {}),
          )
          const step: Step = { tx, row, snapshot, today, reader: null, request: {}, actor: 'system' }
          await record(step, event, {})
          await apply(step, event)
          await publishChange(tx, snapshot, row.id)
        })
      }
      if (due.length > 0) versions.expire()
      return due.length
    },
  }
}

/** The role could do it, were it not for something else: the reason worth telling whoever has several roles. */
function isRefusedFor(state: CaseState, action: CaseAction, role: Role, facts: TransitionFacts): boolean {
  const result = transition(state, action, role, facts)
  return !result.ok && result.code !== 'forbidden'
}

function mayEditProof(row: CaseRow): void {
  if (!['accepted', 'working'].includes(row.state)) {
    throw new DomainError('case-transition', '只有受理后、办结前可以增减佐证。')
  }
}
