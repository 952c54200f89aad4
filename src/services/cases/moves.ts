import { elapsedCaseNos, findCase, lockCase, workedCaseNo, type CaseRow } from '../../db/cases.ts'
import type { Tx } from '../../db/connect.ts'
import { forgetFollowers, markFollowers } from '../../db/follow-mail.ts'
import { proofsOf } from '../../db/proofs.ts'
import { insertNote, liveTipIdsOf } from '../../db/tips.ts'
import type { CaseAction, CaseState } from '../../domain/case.ts'
import { normalizeCaseNumber } from '../../domain/case-number.ts'
import { mustTransition, type Transition } from '../../domain/case-transition.ts'
import { dayOf } from '../../domain/day.ts'
import { DomainError } from '../../domain/errors.ts'
import { recordAudit } from '../audit.ts'
import { findVisible, mayOpen, noSuchCase, rolesFor, type Reader } from '../case-access.ts'
import { recordCaseEvent } from '../case-audit.ts'
import type { Keys } from '../keys.ts'
import type { PlanSnapshot } from '../plan-store.ts'
import type { Deps } from '../ports.ts'
import type { TipWraps } from '../tip-wraps.ts'
import { applyEvent, record, type Step } from './effects.ts'
import { project } from './ledger.ts'
import type { ActRequest, NewNote, NewWrap } from './request.ts'
import { actorFor, factsOf, inputOf, isEarlier } from './rules.ts'
import { storeMessage } from './thread.ts'
import { isAge, moveWraps } from './wraps.ts'

export interface CaseMoves {
  /**
   * One step of the state machine with all that follows from it, in one transaction.
   * @throws {DomainError} `stale-version` and whatever the rules refuse
   */
  act(reader: Reader, caseNo: string, request: ActRequest): Promise<{ state: CaseState; version: number }>
  /** Wraps for a holder that has none (after a case was reopened to 区政府督查室). */
  rewrap(reader: Reader, caseNo: string, wraps: readonly NewWrap[]): Promise<void>
  /** Ends the pause of a locked case, since its reporter has answered. */
  answered(tx: Tx, row: CaseRow, snapshot: PlanSnapshot): Promise<void>
  /** The reporter's one dispute; the caller has checked the receipt. */
  dispute(tipId: string): Promise<void>
  /** What time alone does: pauses and dispute windows end. Answers how many cases moved. */
  tick(): Promise<number>
}

const MAX_NOTE_BYTES = 200_000

export function createCaseMoves(deps: Deps, keys: Keys, tipWraps: TipWraps): CaseMoves {
  const { db, clock, random, plan, versions } = deps
  const means = { keys, tipWraps }

  /** Writes an accepted transition: the history, a note, what follows for the rows, the ledger; a member's the audit. */
  async function take(step: Step, event: Transition): Promise<CaseRow> {
    const stored = await record(step, event, dataOf(step.request, event))
    if (step.request.note) await storeNote(step, step.request.note)
    if (step.request.message && event.action === 'ask_reporter') {
      await storeMessage(step.tx, step.request.message, { ...step, asks: true })
    }
    await applyEvent(means, step, event)
    if (event.to === 'closed') await forgetFollowers(step.tx, step.row.id)
    else if (event.actor !== 'reporter' && event.action !== 'note') await markFollowers(step.tx, step.row.id)
    const row = await project(step.tx, step.snapshot, step.row.id)
    await versions.bump(step.tx, 'cases')
    if (step.reader) await recordCaseEvent(step.tx, row.case_no, stored)
    return row
  }

  /**
   * The case into which another is to be folded, locked, so that it stays what it is until that is done. The earlier of
   * two cases is always locked first: whoever works on it goes on to what is folded into it.
   */
  async function parentOf(
    tx: Tx,
    child: CaseRow,
    attachTo: string | undefined,
  ): Promise<CaseRow | undefined> {
    const caseNo = attachTo === undefined ? null : normalizeCaseNumber(attachTo)
    const parent = caseNo === null ? undefined : await findCase(tx, caseNo)
    // What is not earlier is refused anyway.
    return parent && isEarlier(parent, child) ? lockCase(tx, parent.case_no) : parent
  }

  async function storeNote({ tx, row, reader, now }: Step, note: NewNote): Promise<void> {
    const tipIds = await liveTipIdsOf(tx, row.id)
    if (
      !tipIds.includes(note.tipId) ||
      !isAge(note.sealed) ||
      note.sealed.length > MAX_NOTE_BYTES ||
      !reader
    ) {
      throw new DomainError('invalid-input', '记录没有封好，请重试。', [
        { field: 'note', message: '无法保存。' },
      ])
    }
    await insertNote(tx, {
      id: random.uuid(),
      case_id: row.id,
      tip_id: note.tipId,
      purpose: note.purpose,
      sealed: Buffer.from(note.sealed),
      author_id: reader.memberId,
      at: now,
    })
  }

  /** A step that no member takes. */
  async function takeAlone(
    tx: Tx,
    row: CaseRow,
    snapshot: PlanSnapshot,
    action: CaseAction,
    actor: 'reporter' | 'system',
  ): Promise<void> {
    const now = clock.now()
    const today = dayOf(now)
    const facts = factsOf(row, today, null, {})
    const event = mustTransition(row.state as CaseState, action, actor, facts)
    await take({ tx, row, snapshot, now, today, reader: null, request: {} }, event)
  }

  return {
    async act(reader, caseNo, request) {
      const { row: before, roles } = await findVisible(db, reader, caseNo)
      const snapshot = await plan.current()
      if (request.target !== undefined && !snapshot.departments.has(request.target)) {
        throw new DomainError('invalid-input', '没有这个单位。', [
          { field: 'target', message: '请从列表里选择。' },
        ])
      }
      const result = await db.transaction().execute(async (tx) => {
        const parent = await parentOf(tx, before, request.attachTo)
        const row = await lockCase(tx, caseNo)
        if (!row || rolesFor(row, reader).length === 0) throw noSuchCase()
        if (row.version !== request.version) {
          throw new DomainError('stale-version', '这件举报刚刚被别人更新过，请刷新后再操作。')
        }
        const proofCount = (await proofsOf(tx, row.id)).length
        const now = clock.now()
        const today = dayOf(now)
        const facts = factsOf(row, today, reader, inputOf(row, request, proofCount, parent))
        const actor = actorFor(row, reader, roles, request.action, facts)
        if (request.action === 'note' && !request.note) {
          throw new DomainError('invalid-input', '请写下记录。', [{ field: 'note', message: '请写下记录。' }])
        }
        const event = mustTransition(row.state as CaseState, request.action, actor, facts)
        if (request.action === 'ask_reporter' && !request.message) {
          throw new DomainError('invalid-input', '请写下要问的问题。', [
            { field: 'text', message: '请写下要问的问题。' },
          ])
        }
        return take({ tx, row, snapshot, now, today, reader, request }, event)
      })
      versions.expire()
      return { state: result.state as CaseState, version: Math.max(result.version, before.version + 1) }
    },

    async rewrap(reader, caseNo, wraps) {
      const { row: seen } = await findVisible(db, reader, caseNo)
      if (!mayOpen(seen, reader)) throw noSuchCase()
      await db.transaction().execute(async (tx) => {
        const row = await lockCase(tx, caseNo)
        const roles = row ? rolesFor(row, reader) : []
        if (!row || !mayOpen(row, reader)) throw noSuchCase()
        await moveWraps(tx, means, row, row.holder_id, wraps)
        await recordAudit(tx, {
          at: clock.now(),
          memberId: reader.memberId,
          role: roles.includes('officer') ? 'officer' : 'dispatcher',
          action: 'case.rewrap',
          object: row.case_no,
          data: { department: row.holder_id },
        })
      })
    },

    answered: (tx, row, snapshot) => takeAlone(tx, row, snapshot, 'resume', 'reporter'),

    async dispute(tipId) {
      const snapshot = await plan.current()
      await db.transaction().execute(async (tx) => {
        const caseNo = await workedCaseNo(tx, tipId)
        const row = caseNo === undefined ? undefined : await lockCase(tx, caseNo)
        if (!row) throw noSuchCase()
        await takeAlone(tx, row, snapshot, 'dispute', 'reporter')
      })
      versions.expire()
    },

    async tick() {
      const snapshot = await plan.current()
      const due = await elapsedCaseNos(db, dayOf(clock.now()))
      for (const caseNo of due) {
        await db.transaction().execute(async (tx) => {
          const row = await lockCase(tx, caseNo)
          if (row?.state === 'published') await takeAlone(tx, row, snapshot, 'close', 'system')
          if (row?.state === 'awaiting_reporter') await takeAlone(tx, row, snapshot, 'resume', 'system')
        })
      }
      if (due.length > 0) versions.expire()
      return due.length
    },
  }
}

/** Words for the history: values from closed lists only, never what somebody wrote. */
function dataOf(request: Partial<ActRequest>, { action }: Transition): Record<string, unknown> {
  switch (action) {
    case 'return':
      return { reason: request.reason, proposed: request.target }
    case 'hand_over':
    case 'decide_arbitration':
      return { department: request.target }
    case 'conclude':
      return { outcome: request.outcome }
    case 'attach':
      return { caseNo: normalizeCaseNumber(request.attachTo ?? '') }
    default:
      return {}
  }
}
