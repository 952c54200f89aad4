import type { CaseRow } from '../../db/cases.ts'
import { queueCounts, queuePage, type CountedBucket, type QueueBucket } from '../../db/queue.ts'
import { unansweredAmong } from '../../db/messages.ts'
import { tipTotals, type TipTotals } from '../../db/tips.ts'
import { nextDue, type CaseState, type NextDue } from '../../domain/case.ts'
import { addDays, dayOf, type Day } from '../../domain/day.ts'
import { scopeOf, type Reader } from '../case-access.ts'
import { decodeCursor, encodeCursor } from '../cursor.ts'
import type { Deps } from '../ports.ts'

export interface QueueFilter {
  readonly bucket: QueueBucket
  readonly department?: string | null
  readonly category?: string | null
  readonly area?: string | null
  readonly lane?: 'normal' | 'unverified' | null
  readonly sort?: 'due' | 'received'
}

/** A case in a line: nothing of it is sealed. */
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
  /** A reporter wrote last. */
  readonly unanswered: boolean
  readonly lane: 'normal' | 'unverified'
  readonly version: number
}

export interface CaseQueue {
  /** @throws {DomainError} `forbidden`, `bad-cursor` */
  queue(
    reader: Reader,
    filter: QueueFilter,
    cursor: string | null,
    limit: number,
  ): Promise<{ items: QueueItem[]; next: string | null }>
  /** Numbers beside the queue's tabs. */
  counts(reader: Reader): Promise<Record<CountedBucket, number>>
}

const SOON_DAYS = 3
const NO_TIPS: TipTotals = { photos: 0, callback: false, count: 0 }

/** What a queue tells of a case's tips. */
interface ItemTotals extends TipTotals {
  readonly unanswered: boolean
}

/** A case as the queue shows it on a day. */
export function toItem(row: CaseRow, today: Day, tips: ItemTotals): QueueItem {
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
    unanswered: tips.unanswered,
    lane: row.lane,
    version: row.version,
  }
}

export function createCaseQueue({ db, clock }: Pick<Deps, 'db' | 'clock'>): CaseQueue {
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
      const ids = page.map((row) => row.id)
      const totals = await tipTotals(db, ids)
      const unanswered = await unansweredAmong(db, ids)
      const last = rows.length > limit ? page.at(-1) : undefined
      return {
        items: page.map((row) =>
          toItem(row, today, { ...(totals.get(row.id) ?? NO_TIPS), unanswered: unanswered.has(row.id) }),
        ),
        next: last ? encodeCursor([last.position, last.case_no]) : null,
      }
    },

    async counts(reader) {
      const today = dayOf(clock.now())
      return queueCounts(db, scopeOf(reader), today, addDays(today, SOON_DAYS))
    },
  }
}
