import { setImmediate } from 'node:timers/promises'
import { addDays, dayOf, startOfDay } from '../domain/day.ts'
import { DomainError } from '../domain/errors.ts'
import { daysOn, SHIPPED_SCHEDULE } from '../domain/retention.ts'
import { auditHash, NO_ROW } from './audit.ts'
import { beginEventCheck, type EventState } from './case-audit.ts'
import type { AuditMark, Deps } from './ports.ts'
import type { Reader } from './case-access.ts'

/** What is wrong with a row: it is gone, says something else than was written, or follows another one. */
export type AuditFault = 'missing' | 'changed' | 'order'

/** What a walk along the whole chain finds. */
export interface AuditState {
  /** Rows that ought to be there. */
  readonly count: number
  /** Last row up to which all is as it was written. */
  readonly unbrokenTo: number
  /** At row `unbrokenTo + 1`; null when the chain holds to its end. */
  readonly fault: AuditFault | null
  /** Notes made outside the database. */
  readonly marks: number
  readonly lastMark: AuditMark | null
  /** The first note that the table does not agree with: the trail was cut or written anew. Null when all agree. */
  readonly contradicted: AuditMark | null
  /** Lines of the notes that are no notes. */
  readonly unreadable: number
  readonly events: EventState
  readonly intact: boolean
}

/** The chain of staff actions, seen from outside the database that holds it. */
export interface AuditTrail {
  /**
   * Walks the whole chain and compares it with every note, and the steps of cases by staff with their lines.
   * @throws {DomainError} `forbidden` for whoever is not auditor or administrator
   */
  check(reader: Pick<Reader, 'roles'> | null): Promise<AuditState>
  /** Notes where the chain ends, outside the database; nothing when it ends where it did. */
  mark(): Promise<void>
}

const BATCH = 1000

export function createAuditTrail(deps: Pick<Deps, 'db' | 'clock' | 'auditMarks'>): AuditTrail {
  const { db, clock, auditMarks } = deps
  let marked: number | null = null
  // Of a long table it takes seconds: whoever asks meanwhile is told the same.
  let walking: Promise<AuditState> | null = null

  const head = () =>
    db.selectFrom('audit_head').select(['count', 'hash', 'gone', 'gone_hash']).executeTakeFirst()

  async function walk(): Promise<AuditState> {
    const { marks, unreadable } = await auditMarks.read()
    // What ought to be there is read first: rows that are added meanwhile are more, never fewer.
    const begin = await head()
    const count = marks.reduce((most, mark) => Math.max(most, mark.count), begin?.count ?? 0)
    const expected = Map.groupBy(marks, (mark) => mark.count)
    let contradicted: AuditMark | null = null
    const contradict = (mark: AuditMark | undefined): void => {
      if (mark && (contradicted === null || mark.count < contradicted.count)) contradicted = mark
    }
    // A row that was added after a note is younger than it: as long as the note is, it cannot have been old enough to go.
    const gone = begin?.gone ?? 0
    const today = dayOf(clock.now())
    const oldest = startOfDay(addDays(today, 1 - daysOn(SHIPPED_SCHEDULE, 'audit', today)))
    for (const mark of marks) if (mark.count < gone && mark.at > oldest) contradict(mark)
    const events = await beginEventCheck(db)
    let fault: AuditFault | null = null
    // What is older than the audit is kept is gone, and notes about it with it.
    let no = gone
    let previous = begin?.gone_hash ?? NO_ROW
    for (;;) {
      const rows = await db
        .selectFrom('staff_audit')
        .select(['no', 'previous', 'hash', 'at', 'member_id', 'role', 'action', 'object', 'data'])
        .where('no', '>', no)
        .orderBy('no')
        .limit(BATCH)
        .execute()
      for (const row of rows) {
        if (row.no !== no + 1) fault = 'missing'
        else if (!row.previous.equals(previous)) fault = 'order'
        else if (!row.hash.equals(auditHash(row.no, previous, { ...row, memberId: row.member_id })))
          fault = 'changed'
        if (fault !== null) break
        no = row.no
        previous = row.hash
        const hash = previous.toString('hex')
        contradict(expected.get(no)?.find((mark) => mark.hash !== hash))
      }
      // Beyond a break a line says nothing.
      await events.read(rows.filter((row) => row.no <= no))
      if (fault !== null || rows.length < BATCH) break
      // The embedded database answers without letting anybody else have a turn.
      await setImmediate()
    }
    // Retention took the beginning away meanwhile.
    if (fault !== null && (await head())?.gone !== begin?.gone) return walk()
    const eventState = await events.end(fault === null)
    if (fault === null && no < count) fault = 'missing'
    if (fault === null) {
      // The end as the database knows it: rows that were added past it are nobody's.
      const end = await head()
      if ((end?.count ?? 0) < no) fault = 'order'
      else if (end?.count === no && !end.hash.equals(previous)) fault = 'changed'
    }
    // Beyond a break nothing agrees with anything.
    for (const mark of marks) if (mark.count > no) contradict(mark)
    return {
      count: Math.max(count, no),
      unbrokenTo: no,
      fault,
      marks: marks.length,
      lastMark: marks.at(-1) ?? null,
      contradicted,
      unreadable,
      events: eventState,
      intact: fault === null && contradicted === null && unreadable === 0 && eventState.faults.length === 0,
    }
  }

  return {
    async check(reader) {
      if (reader && !reader.roles.some((role) => role === 'auditor' || role === 'admin')) {
        throw new DomainError('forbidden', '您的角色没有这个权限。')
      }
      walking ??= walk().finally(() => {
        walking = null
      })
      return walking
    },

    async mark() {
      const end = await head()
      if (!end || end.count === 0) return
      marked ??= (await auditMarks.read()).marks.at(-1)?.count ?? 0
      if (end.count === marked) return
      await auditMarks.append({ at: clock.now(), count: end.count, hash: end.hash.toString('hex') })
      marked = end.count
    },
  }
}
