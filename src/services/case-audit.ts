import { createHash } from 'node:crypto'
import {
  countStaffEvents,
  eventsAt,
  firstEventLine,
  unlistedEvents,
  type EventPlace,
  type StoredEvent,
} from '../db/cases.ts'
import type { Db, Tx } from '../db/connect.ts'
import { recordAudit, sorted } from './audit.ts'

/** What is wrong with a step by staff: it is gone, says something else than was written, or the audit knows none. */
export type EventFault = 'missing' | 'changed' | 'unlisted'

export interface FaultyEvent extends EventPlace {
  readonly fault: EventFault
}

/**
 * The hash of a step, hexadecimal: SHA-256 over one line of JSON of all that is stored of it. All of that stays for
 * ever and comes from closed lists; notes and words, which retention takes, are no part of it.
 */
export function eventHash(caseNo: string, event: StoredEvent): string {
  const line = [
    'case-event-1',
    caseNo,
    event.ordinal,
    event.day,
    event.at?.toISOString() ?? null,
    event.actor_id,
    event.role,
    event.action,
    event.from_state,
    event.to_state,
    sorted(event.data),
  ]
  return createHash('sha256').update(JSON.stringify(line)).digest('hex')
}

/** Notes a member's step in the audit: which one, and its hash. Last in the transaction, see {@link recordAudit}. */
export async function recordCaseEvent(tx: Tx, caseNo: string, event: StoredEvent): Promise<void> {
  if (event.at === null) throw new Error('a step by staff has its time')
  await recordAudit(tx, {
    at: event.at,
    memberId: event.actor_id,
    role: event.role,
    action: `case.${event.action}`,
    object: caseNo,
    data: { event: event.ordinal, sha256: eventHash(caseNo, event) },
  })
}

/** The greatest that the database's type holds. */
const MAX_ORDINAL = 2 ** 31 - 1

/** A line of the audit, as far as it tells of a step. */
export interface EventLine {
  readonly no: number
  readonly object: string
  readonly data: Readonly<Record<string, unknown>>
}

/** What comparing the steps of cases with their lines finds. */
export interface EventState {
  /** From when on every step by staff must have a line; null while none has. */
  readonly since: Date | null
  /** Steps that are as they were written. */
  readonly same: number
  /** The first that are not. */
  readonly faults: readonly FaultyEvent[]
}

const FAULTS_TOLD = 20

/** Which step a line tells of; null for a line of something else. */
function placeOf({ object, data }: EventLine): EventPlace | null {
  const ordinal = 'sha256' in data ? Number(data.event) : Number.NaN
  return Number.isInteger(ordinal) && ordinal > 0 && ordinal <= MAX_ORDINAL
    ? { caseNo: object, ordinal }
    : null
}

/** Begins to compare steps with lines: all lines in their order go through `read`, then `end` looks for steps that have none. */
export async function beginEventCheck(db: Db): Promise<{
  read(lines: readonly EventLine[]): Promise<void>
  /** @param whole the lines were all there are */
  end(whole: boolean): Promise<EventState>
}> {
  const since = await firstEventLine(db)
  // At one moment: every step that is counted has its line before that end.
  const counted = since ? await countStaffEvents(db, since) : { events: 0, lines: 0 }
  const faults: FaultyEvent[] = []
  let same = 0
  let listed = 0
  const tell = (found: readonly FaultyEvent[]): void => {
    faults.push(...found.slice(0, FAULTS_TOLD - faults.length))
  }

  return {
    async read(lines) {
      const told = lines.flatMap((line) => {
        const place = placeOf(line)
        return place ? [{ ...place, no: line.no, sha256: line.data.sha256 }] : []
      })
      if (told.length === 0) return
      const found = await eventsAt(db, told)
      const events = new Map(found.map((event) => [`${event.case_no} ${event.ordinal}`, event]))
      for (const { caseNo, ordinal, no, sha256 } of told) {
        const event = events.get(`${caseNo} ${ordinal}`)
        if (!event) tell([{ caseNo, ordinal, fault: 'missing' }])
        else if (eventHash(caseNo, event) !== sha256) tell([{ caseNo, ordinal, fault: 'changed' }])
        else {
          same += 1
          if (since && event.at && event.at >= since && no <= counted.lines) listed += 1
        }
      }
    },

    async end(whole) {
      if (since && whole && listed !== counted.events) {
        const unlisted = await unlistedEvents(db, since, FAULTS_TOLD)
        tell(unlisted.map((place) => ({ ...place, fault: 'unlisted' })))
      }
      return { since, same, faults }
    },
  }
}
