import { createHash } from 'node:crypto'
import { noticeText } from '../content/notice-mail.ts'
import {
  countArrivals,
  countMails,
  forgetDue,
  insertMail,
  mailPage,
  openCases,
  takeArrivals,
  takeDue,
  type DueNotice,
  type MailRow,
  type MailTab,
  type OpenCase,
} from '../db/notices.ts'
import type { Tx } from '../db/connect.ts'
import { dayOf, type Day } from '../domain/day.ts'
import { dueDay } from '../domain/deadline.ts'
import { DomainError } from '../domain/errors.ts'
import { isMailAddress } from '../domain/mail-address.ts'
import {
  OVERDUE,
  runningSteps,
  stageOf,
  toldOf,
  type MailFault,
  type NoticeItem,
  type NoticeKind,
} from '../domain/notice.ts'
import { mayVisit } from '../domain/roles.ts'
import { recordAudit } from './audit.ts'
import type { Reader } from './case-access.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { MAIL_TRIES } from './jobs.ts'
import { MailError, type Mailer } from './mailer.ts'
import type { PlanSnapshot } from './plan-store.ts'
import type { Deps } from './ports.ts'

/** A mail as the console shows it. */
export interface MailLine {
  readonly id: string
  readonly kind: NoticeKind
  readonly department: string
  readonly day: Day
  readonly cases: number
  readonly state: MailRow['state']
  readonly attempts: number
  readonly fault: MailFault | null
  readonly subject: string
  readonly text: string
  /** There is a file to look at: mails are written to a folder, and this one has been. */
  readonly written: boolean
}

export interface NoticesOverview {
  readonly carrier: Mailer['kind']
  readonly tries: number
  readonly counts: Readonly<Record<Exclude<MailTab, 'all'>, number>>
  /** Departments that cannot be written to, and how many arrivals they are still to be told of. */
  readonly unreachable: readonly { readonly department: string; readonly waiting: number }[]
  readonly items: readonly MailLine[]
  readonly next: string | null
}

export interface Notices {
  /** One mail to each department about everything that came since the last. Answers how many mails. */
  collectArrivals(): Promise<number>
  /** One mail to each department about the terms that have reached a new stage. Answers how many mails. */
  collectDue(): Promise<number>
  /**
   * Hands one mail to the mailer. One that waits no more is left alone.
   * @throws {MailError} when it is to be tried again
   */
  deliver(mailId: string, signal: AbortSignal): Promise<void>
  /** All tries are used up: the mail waits in the console for a person. */
  giveUp(mailId: string): Promise<void>
  /** @throws {DomainError} `forbidden`, `bad-cursor` */
  overview(reader: Reader, tab: MailTab, cursor: string | null): Promise<NoticesOverview>
  /** Sends a mail that was given up once more. @throws {DomainError} `forbidden`, `not-found` */
  replay(reader: Reader, mailId: string): Promise<void>
  /** The file of a mail that was written to the folder. @throws {DomainError} `forbidden`, `not-found` */
  written(reader: Reader, mailId: string): Promise<Uint8Array>
}

const PAGE = 50
const BATCH = 1000
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const ROUTE = '/staff/notices/'

const DAY = /^\d{4}-\d{2}-\d{2}$/

const notFound = (): DomainError => new DomainError('not-found', '没有这封邮件，或者它已经发出。')

function positionOf(cursor: string | null): [Day, string] | null {
  if (cursor === null) return null
  const [day = '', id = ''] = decodeCursor(cursor, 2)
  if (!DAY.test(day) || !UUID.test(id))
    throw new DomainError('bad-cursor', '这个翻页位置无效，请回到第一页重新翻。')
  return [day, id]
}

export function createNotices(deps: Deps): Notices {
  const { db, clock, random, plan, jobs, mailer, site } = deps

  const mailboxOf = (snapshot: PlanSnapshot, department: string): string | null => {
    const mailbox = snapshot.departments.get(department)?.mailbox ?? null
    return mailbox !== null && isMailAddress(mailbox) ? mailbox : null
  }

  /** The whole mail; its key changes with its content, as when a mailbox was corrected. */
  function compose(snapshot: PlanSnapshot, row: MailRow) {
    const words = noticeText({
      kind: row.kind,
      department: snapshot.departments.get(row.department_id)?.name ?? row.department_id,
      items: row.items,
      siteName: site.name,
      siteUrl: site.url,
    })
    const to = mailboxOf(snapshot, row.department_id)
    const digest = createHash('sha256')
      .update(JSON.stringify([to, words]))
      .digest('hex')
      .slice(0, 16)
    return { ...words, to, key: `${row.id}-${digest}` }
  }

  /** Writes a mail and its job for each department, in the transaction that takes what it tells. */
  async function post(
    tx: Tx,
    kind: NoticeKind,
    told: readonly (NoticeItem & { readonly department: string })[],
  ): Promise<number> {
    // Opened before the transaction, so this asks nothing of the database.
    const open = await jobs.open()
    const groups = Map.groupBy(told, ({ department }) => department)
    for (const [department, group] of groups) {
      const id = random.uuid()
      const items = group.map(({ caseNo, step, stage }) => ({ caseNo, step, stage }))
      await insertMail(tx, { id, kind, department, day: dayOf(clock.now()), items })
      await open.sendMail(tx, id)
    }
    return groups.size
  }

  /** What is to be said about the terms of one case today. */
  function duesOf(snapshot: PlanSnapshot, found: OpenCase, today: Day): DueNotice[] {
    return runningSteps(found.state).flatMap((step) => {
      const { since, due } = found.terms[step]
      // Without a calendar there is no day yet, so nothing can be said of it.
      if (due === null) return []
      const unit =
        step === 'conclude'
          ? found.unit
          : dueDay(snapshot.deadlineRules, snapshot.calendar, found.category, step, since).unit
      const stage = stageOf(snapshot.calendar, { since, due, unit }, today)
      if (stage === null) return []
      return toldOf(step, stage, found).map((told) => ({ ...told, caseNo: found.caseNo, step, due }))
    })
  }

  async function settle(mailId: string, change: Partial<Pick<MailRow, 'state' | 'fault' | 'message_key'>>) {
    await db
      .updateTable('mail')
      .set((eb) => ({ ...change, attempts: eb('attempts', '+', 1) }))
      .where('id', '=', mailId)
      .where('state', '=', 'waiting')
      .execute()
  }

  const allow = (reader: Reader): void => {
    if (!mayVisit(ROUTE, reader.roles)) throw new DomainError('forbidden', '您的角色没有这个权限。')
  }

  return {
    async collectArrivals() {
      await jobs.open()
      const snapshot = await plan.current()
      const reachable = [...snapshot.departments.keys()].filter((id) => mailboxOf(snapshot, id) !== null)
      return db.transaction().execute(async (tx) => {
        const taken = await takeArrivals(tx, reachable)
        return post(
          tx,
          'arrivals',
          taken.map((arrival) => ({ ...arrival, step: null, stage: null })),
        )
      })
    },

    async collectDue() {
      await jobs.open()
      const snapshot = await plan.current()
      const today = dayOf(clock.now())
      const dues: DueNotice[] = []
      for (let after = ''; ;) {
        const page = await openCases(db, after, BATCH)
        dues.push(...page.flatMap((found) => duesOf(snapshot, found, today)))
        const last = page.at(-1)
        if (!last || page.length < BATCH) break
        after = last.caseNo
      }
      // Whoever has no mailbox is told once there is one: it is not noted as told.
      const sayable = dues.filter(({ department }) => mailboxOf(snapshot, department) !== null)
      return db.transaction().execute(async (tx) => {
        await forgetDue(tx)
        const told = await takeDue(tx, sayable)
        const late = told.filter(({ stage }) => stage === OVERDUE)
        const soon = told.filter(({ stage }) => stage !== OVERDUE)
        return (await post(tx, 'due', soon)) + (await post(tx, 'overdue', late))
      })
    },

    async deliver(mailId, signal) {
      const row = await db.selectFrom('mail').selectAll().where('id', '=', mailId).executeTakeFirst()
      if (row?.state !== 'waiting') return
      const { to, key, ...words } = compose(await plan.current(), row)
      if (to === null) return settle(mailId, { state: 'dead', fault: 'no-mailbox' })
      try {
        await mailer.send({ to, key, ...words }, signal)
      } catch (error) {
        const { code, final } = error instanceof MailError ? error : new MailError('interrupted')
        await settle(mailId, { fault: code, message_key: key, ...(final ? { state: 'dead' } : {}) })
        if (!final) throw error
        return
      }
      await settle(mailId, { state: 'sent', fault: null, message_key: key })
    },

    async giveUp(mailId) {
      await db
        .updateTable('mail')
        .set((eb) => ({ state: 'dead', fault: eb.fn.coalesce('fault', eb.val<MailFault>('interrupted')) }))
        .where('id', '=', mailId)
        .where('state', '=', 'waiting')
        .execute()
    },

    async overview(reader, tab, cursor) {
      allow(reader)
      const snapshot = await plan.current()
      const rows = await mailPage(db, tab, positionOf(cursor), PAGE + 1)
      const page = rows.slice(0, PAGE)
      const last = rows.length > PAGE ? page.at(-1) : undefined
      const waiting = await countArrivals(db)
      return {
        carrier: mailer.kind,
        tries: MAIL_TRIES,
        counts: await countMails(db),
        unreachable: [...snapshot.departments.keys()]
          .filter((id) => mailboxOf(snapshot, id) === null)
          .map((department) => ({ department, waiting: waiting.get(department) ?? 0 })),
        items: page.map((row) => {
          const { subject, text } = compose(snapshot, row)
          return {
            id: row.id,
            kind: row.kind,
            department: row.department_id,
            day: row.day,
            cases: new Set(row.items.map(({ caseNo }) => caseNo)).size,
            state: row.state,
            attempts: row.attempts,
            fault: row.fault,
            subject,
            text,
            written: mailer.kind === 'outbox' && row.state === 'sent',
          }
        }),
        next: last ? encodeCursor([last.day, last.id]) : null,
      }
    },

    async replay(reader, mailId) {
      if (!reader.roles.includes('admin')) throw new DomainError('forbidden', '只有管理员可以重发邮件。')
      if (!UUID.test(mailId)) throw notFound()
      const open = await jobs.open()
      await db.transaction().execute(async (tx) => {
        const found = await tx
          .updateTable('mail')
          .set({ state: 'waiting', attempts: 0, fault: null })
          .where('id', '=', mailId)
          .where('state', '=', 'dead')
          .returning(['department_id'])
          .executeTakeFirst()
        if (!found) throw notFound()
        await open.sendMail(tx, mailId)
        await recordAudit(tx, {
          at: clock.now(),
          memberId: reader.memberId,
          role: 'admin',
          action: 'mail.replay',
          object: mailId,
          data: { department: found.department_id },
        })
      })
    },

    async written(reader, mailId) {
      allow(reader)
      const row = UUID.test(mailId)
        ? await db.selectFrom('mail').select('message_key').where('id', '=', mailId).executeTakeFirst()
        : undefined
      const bytes = row?.message_key ? await mailer.written(row.message_key) : null
      if (!bytes) throw notFound()
      return bytes
    },
  }
}
