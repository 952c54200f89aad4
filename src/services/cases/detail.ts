import { eventsOf, loadCase, type EventRow } from '../../db/cases.ts'
import { messagesOf, unansweredAmong, type MessageRow } from '../../db/messages.ts'
import { proofsOf } from '../../db/proofs.ts'
import {
  narrativesOf,
  notesOf,
  partBlobKey,
  photoPartsOf,
  tipIdsOf,
  tipsOf,
  type NoteRow,
} from '../../db/tips.ts'
import type { CaseAction, CaseState, Outcome, Role } from '../../domain/case.ts'
import { dayOf, type Day } from '../../domain/day.ts'
import { mayWrite } from '../../domain/message.ts'
import type { CaseProof } from '../../domain/privacy.ts'
import { findVisible, mayOpen, noSuchCase, type Reader } from '../case-access.ts'
import { toProof } from '../ledger-row.ts'
import type { Deps } from '../ports.ts'
import type { SealedMessage } from './messages.ts'
import type { CaseRetention, Retention } from '../retention.ts'
import type { TipWrap, TipWraps } from '../tip-wraps.ts'
import { toItem, type QueueItem } from './queue.ts'
import { allowedFor } from './rules.ts'

export interface CaseTip {
  readonly id: string
  readonly caseNo: string
  readonly ordinal: number
  readonly day: Day
  readonly recipient: string
  readonly callback: boolean
  /** The reporter gave a name; whoever needs it asks for it. */
  readonly named: boolean
  /** Numbers of its photos within the tip, in the order they were added. */
  readonly photoParts: readonly number[]
  /** When its content was destroyed: what is left are the plain facts. */
  readonly destroyedDay: Day | null
  /** Null for readers who may not open it, or while the wrap for their department is missing. */
  readonly wrap: { readonly department: string; readonly epoch: number; readonly wrapped: Uint8Array } | null
  readonly narrative: Uint8Array | null
  readonly notes: readonly {
    readonly purpose: string
    readonly sealed: Uint8Array
    readonly author: string
    readonly at: Date
  }[]
  /** Of whoever reported it; messages are sealed to both. */
  readonly reporterRecipient: string
  /** A custodian's word for it, when it came with a new receipt code; see sealing/reissued.ts. */
  readonly reporterSignature: string | null
  /** Empty for readers who may not open it. */
  readonly messages: readonly (SealedMessage & { readonly author: string | null; readonly at: Date | null })[]
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
  readonly proofs: readonly CaseProof[]
  readonly events: readonly CaseEvent[]
  /** Of the case as it is worked: what of it is still there. */
  readonly retention: CaseRetention
  /** The reader may write to the reporters, as an officer of the department that holds the case. */
  readonly mayWrite: boolean
  /** Last day of the pause for the reporter's answer. */
  readonly pausedUntil: Day | null
  /** The holder cannot open some tip until the dispatcher's browser wraps it anew. */
  readonly wrapMissing: boolean
}

export interface CaseDetails {
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
}

export function createCaseDetails(
  { db, clock, files }: Pick<Deps, 'db' | 'clock' | 'files'>,
  tipWraps: TipWraps,
  retention: Retention,
): CaseDetails {
  return {
    async detail(reader, caseNo) {
      const { row, roles } = await findVisible(db, reader, caseNo)
      const today = dayOf(clock.now())
      const open = mayOpen(row, reader)
      const tips = await tipsOf(db, row.id)
      const tipIds = tips.map((tip) => tip.id)
      const wraps = await tipWraps.of(tipIds)
      const photos = await photoPartsOf(db, tipIds)
      const narratives = open ? await narrativesOf(db, tipIds) : []
      const messages = open ? await messagesOf(db, tipIds) : []
      const notes = open ? await notesOf(db, tipIds) : []
      const proofs = await proofsOf(db, row.id)
      const events = await eventsOf(db, row.id)
      const parent = row.attached_to === null ? null : await loadCase(db, row.attached_to)
      return {
        item: toItem(row, today, {
          photos: tips.reduce((sum, tip) => sum + tip.photo_count, 0),
          callback: tips.some((tip) => tip.callback),
          count: tips.length,
          unanswered: (await unansweredAmong(db, [row.id])).size > 0,
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
        tips: tips.map((tip) => ({
          id: tip.id,
          caseNo: tip.case_no,
          ordinal: tip.ordinal,
          day: tip.day,
          recipient: tip.recipient,
          callback: tip.callback,
          named: tip.named,
          destroyedDay: tip.destroyed_day,
          photoParts: photos.filter((photo) => photo.tip_id === tip.id).map(({ part }) => part),
          wrap: open ? wrapFor(reader.departmentId, tip.id, wraps) : null,
          narrative: narratives.find((part) => part.tip_id === tip.id)?.sealed ?? null,
          notes: notes.filter((note) => note.tip_id === tip.id).map(toNote),
          reporterRecipient: tip.reporter_recipient,
          reporterSignature: tip.reporter_signature,
          messages: messages.filter((message) => message.tip_id === tip.id).map(toMessage),
        })),
        retention: await retention.ofCase(
          parent ?? row,
          tips.every((tip) => tip.destroyed_day !== null) ? (tips[0]?.destroyed_day ?? null) : null,
        ),
        proofs: proofs.map(toProof),
        events: events.map(toEvent),
        mayWrite:
          roles.includes('officer') &&
          mayWrite(row.state as CaseState, 'officer') &&
          !row.barred.includes(reader.memberId),
        pausedUntil: row.paused_until,
        wrapMissing: tips.some(
          ({ id, destroyed_day: destroyed }) =>
            destroyed === null &&
            !wraps.some((wrap) => wrap.tipId === id && wrap.department === row.holder_id),
        ),
      }
    },

    async photo(reader, caseNo, tipId, purpose, part) {
      const { row } = await findVisible(db, reader, caseNo)
      if (!mayOpen(row, reader) || !(await tipIdsOf(db, row.id)).includes(tipId)) throw noSuchCase()
      const blobKey = await partBlobKey(db, tipId, purpose, part)
      const bytes = blobKey === null ? null : await files.get(blobKey)
      if (!bytes) throw noSuchCase()
      return bytes
    },
  }
}

function wrapFor(departmentId: string, tipId: string, wraps: readonly TipWrap[]): CaseTip['wrap'] {
  const wrap = wraps.find((one) => one.tipId === tipId && one.department === departmentId)
  return wrap ? { department: wrap.department, epoch: wrap.epoch, wrapped: wrap.wrapped } : null
}

function toNote(row: NoteRow): CaseTip['notes'][number] {
  return { purpose: row.purpose, sealed: row.sealed, author: row.display_name, at: row.at }
}

function toMessage(row: MessageRow): CaseTip['messages'][number] {
  const { number, side: from, asks, day, sealed, at } = row
  return { number, from, asks, day, sealed, author: row.display_name, at }
}

function toEvent(row: EventRow): CaseEvent {
  return {
    day: row.day,
    at: row.at,
    actor: row.display_name,
    role: row.role,
    action: row.action,
    to: row.to_state,
    data: row.data,
  }
}
