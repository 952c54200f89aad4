import { findCase, lockCase, setWorkers, workedCaseNo, type CaseRow } from '../../db/cases.ts'
import type { Db, Tx } from '../../db/connect.ts'
import { askedTip, messagePhoto, messagesOf } from '../../db/messages.ts'
import { markFollowers } from '../../db/follow-mail.ts'
import { tipIdsOf } from '../../db/tips.ts'
import type { CaseState } from '../../domain/case.ts'
import { mayOfficer } from '../../domain/case-refusals.ts'
import { dayOf, type Day } from '../../domain/day.ts'
import { DomainError } from '../../domain/errors.ts'
import { isPhotoId, mayWrite, type Side } from '../../domain/message.ts'
import { sealMessage } from '../../sealing/message.ts'
import { recordAudit } from '../audit.ts'
import { findVisible, mayOpen, noSuchCase, rolesFor, type Reader } from '../case-access.ts'
import type { Deps } from '../ports.ts'
import { isUuid } from '../uuid.ts'
import type { CaseMoves } from './moves.ts'
import type { NewMessage, StoredPhoto } from './request.ts'
import { factsOf } from './rules.ts'
import { nextNumber, storeMessage } from './thread.ts'

/** A message as the server has it: who, when, and bytes it cannot open. */
export interface SealedMessage {
  readonly number: number
  readonly from: Side
  readonly asks: boolean
  readonly day: Day
  readonly sealed: Uint8Array
}

/** The reporter's side of a thread. */
export interface ReporterThread {
  readonly tipId: string
  /** What a message is sealed to: the tip's and the reporter's. */
  readonly recipients: readonly string[]
  /** The reporter's word for the tip's; see sealing/receipt-keys.ts. */
  readonly recipientMac: string | null
  readonly messages: readonly SealedMessage[]
  readonly open: boolean
  /** Set while the case waits for this reporter: the day of the question, and the last day to answer. */
  readonly asked: { readonly day: Day; readonly until: Day } | null
}

/** An answer that the server seals at once, in memory. */
export interface PlainMessage {
  readonly key: string
  readonly text: string
  /** Sealed and stored already. */
  readonly photos: readonly StoredPhoto[]
  /** To whom; the caller has checked them. */
  readonly recipients: readonly string[]
}

export interface CaseMessages {
  /**
   * An officer of the department that holds the case writes to one of its reporters. It counts as work on the case.
   * @returns as {@link CaseMessages.answer}
   * @throws {DomainError} `not-found`, `case-transition`, `two-people`, `stale-version`, `invalid-input`
   */
  write(reader: Reader, caseNo: string, message: NewMessage): Promise<boolean>
  /** The sealed bytes of a photo. @throws {DomainError} `not-found` */
  messagePhoto(reader: Reader, caseNo: string, tipId: string, photo: string): Promise<Uint8Array>
  /** The caller has checked the receipt, here and below. Null when the tip is gone. */
  threadOf(tipId: string): Promise<ReporterThread | null>
  /** The sealed bytes of a photo of the tip's thread; null when there is none. */
  photoOf(tipId: string, photo: string): Promise<Uint8Array | null>
  /**
   * The reporter writes; whoever was asked and answers ends the pause.
   * @returns true when it is stored, false when the same form has sent it before: then its photos are nobody's
   * @throws {DomainError} `not-found`, `case-transition`, `stale-version`, `invalid-input`
   */
  answer(tipId: string, message: PlainMessage | Omit<NewMessage, 'tipId'>): Promise<boolean>
}

export function createCaseMessages(deps: Deps, moves: CaseMoves): CaseMessages {
  const { db, clock, files, plan, versions } = deps

  function mustBeOpen(row: CaseRow, side: Side): void {
    if (mayWrite(row.state as CaseState, side)) return
    throw new DomainError(
      'case-transition',
      side === 'reporter'
        ? '这件举报已经归档，不能再留言。如有新的情况，请重新举报。'
        : '受理以后、归档以前才能给举报人留言。',
    )
  }

  async function blobOf(tipId: string, photo: string): Promise<Uint8Array | null> {
    if (!isPhotoId(photo)) return null
    const found = await messagePhoto(db, tipId, photo)
    return found ? files.get(found.blob_key) : null
  }

  async function workedCase(from: Db | Tx, tipId: string): Promise<CaseRow | undefined> {
    const caseNo = await workedCaseNo(from, tipId)
    return caseNo === undefined ? undefined : findCase(from, caseNo)
  }

  async function sealPlain(tx: Tx, tipId: string, plain: PlainMessage): Promise<NewMessage> {
    const number = await nextNumber(tx, tipId, plain.photos.length)
    const content = { text: plain.text, photos: plain.photos.map(({ id }) => id) }
    const address = { tip: tipId, number, from: 'reporter' } as const
    const sealed = await sealMessage(address, plain.recipients, content)
    return { tipId, number, key: plain.key, sealed, photos: plain.photos }
  }

  return {
    async write(reader, caseNo, message) {
      const { row: seen } = await findVisible(db, reader, caseNo)
      if (!rolesFor(seen, reader).includes('officer')) throw noSuchCase()
      return db.transaction().execute(async (tx) => {
        const row = await lockCase(tx, caseNo)
        if (!row || !rolesFor(row, reader).includes('officer')) throw noSuchCase()
        mustBeOpen(row, 'officer')
        const now = clock.now()
        const today = dayOf(now)
        const refused = mayOfficer(factsOf(row, today, reader, {}))
        if (refused) throw new DomainError(refused.code, refused.message)
        const isNew = await storeMessage(tx, message, { row, now, today, reader, asks: false })
        if (!isNew) return false
        await markFollowers(tx, row.id, message.tipId)
        await setWorkers(tx, row.id, [...new Set([...row.worked_by, reader.memberId])])
        await recordAudit(tx, {
          at: now,
          memberId: reader.memberId,
          role: 'officer',
          action: 'message.send',
          object: caseNo,
        })
        return true
      })
    },

    async messagePhoto(reader, caseNo, tipId, photo) {
      const { row } = await findVisible(db, reader, caseNo)
      const mine = mayOpen(row, reader) && isUuid(tipId) && (await tipIdsOf(db, row.id)).includes(tipId)
      const bytes = mine ? await blobOf(tipId, photo) : null
      if (!bytes) throw noSuchCase()
      return bytes
    },

    async threadOf(tipId) {
      const row = await workedCase(db, tipId)
      if (!row) return null
      const rows = await messagesOf(db, [tipId])
      const question = rows.findLast((message) => message.asks)
      const waits = row.state === 'awaiting_reporter' && row.paused_until !== null
      const keys = await db
        .selectFrom('tip')
        .select(['recipient', 'reporter_recipient', 'recipient_mac'])
        .where('id', '=', tipId)
        .executeTakeFirstOrThrow()
      const asked = waits && question && (await askedTip(db, await tipIdsOf(db, row.id))) === tipId
      return {
        tipId,
        recipients: [keys.recipient, keys.reporter_recipient],
        recipientMac: keys.recipient_mac,
        messages: rows.map((one) => ({
          number: one.number,
          from: one.side,
          asks: one.asks,
          day: one.day,
          sealed: one.sealed,
        })),
        open: mayWrite(row.state as CaseState, 'reporter'),
        asked: asked && row.paused_until ? { day: question.day, until: row.paused_until } : null,
      }
    },

    photoOf: blobOf,

    async answer(tipId, message) {
      const snapshot = await plan.current()
      const isNew = await db.transaction().execute(async (tx) => {
        const caseNo = await workedCaseNo(tx, tipId)
        const row = caseNo === undefined ? undefined : await lockCase(tx, caseNo)
        if (!row) throw noSuchCase()
        mustBeOpen(row, 'reporter')
        const sealed = 'text' in message ? await sealPlain(tx, tipId, message) : { ...message, tipId }
        const now = clock.now()
        const stored = await storeMessage(tx, sealed, {
          row,
          now,
          today: dayOf(now),
          reader: null,
          asks: false,
        })
        if (
          stored &&
          row.state === 'awaiting_reporter' &&
          (await askedTip(tx, await tipIdsOf(tx, row.id))) === tipId
        ) {
          await moves.answered(tx, row, snapshot)
        }
        return stored
      })
      versions.expire()
      return isNew
    },
  }
}
