import { loadCase, lockCase, type CaseRow } from '../../db/cases.ts'
import type { Tx } from '../../db/connect.ts'
import {
  insertHold,
  insertRule,
  liftHold,
  lockLiveTips,
  standingHolds,
  type StandingHold,
} from '../../db/retention.ts'
import { isTaken } from '../../db/reward-rules.ts'
import { normalizeCaseNumber } from '../../domain/case-number.ts'
import type { CaseState, Role } from '../../domain/case.ts'
import { addDays, dayOf, startOfDay, type Day } from '../../domain/day.ts'
import { DomainError, type FieldError } from '../../domain/errors.ts'
import {
  AHEAD_DAYS,
  CHANGEABLE,
  daysOn,
  HOLD_REASONS,
  RETENTION_CLASSES,
  WARNING_DAYS,
  type ChangeableClass,
  type HoldReason,
  type RetentionClass,
} from '../../domain/retention.ts'
import { recordAudit } from '../audit.ts'
import { findVisible, isExcluded, noSuchCase, type Reader } from '../case-access.ts'
import type { Deps } from '../ports.ts'
import type { Sessions } from '../sessions.ts'
import type { StaffSession } from '../staff.ts'
import type { RetentionFates } from './fates.ts'

export interface ClassOverview {
  readonly class: RetentionClass
  readonly days: number
  /** What holds after it. */
  readonly next: { readonly days: number; readonly from: Day } | null
  /** How many go within the time looked ahead; null where it is not counted. */
  readonly soon: number | null
  readonly bounds: { readonly min: number; readonly max: number } | null
}

export interface DueCase {
  readonly caseNo: string
  readonly holder: string
  readonly state: CaseState
  readonly class: 'unverified' | 'case'
  readonly due: Day
}

export interface RetentionOverview {
  readonly classes: readonly ClassOverview[]
  /** The first to go, for who may place a hold; empty for others. */
  readonly due: readonly DueCase[]
  readonly holds: readonly StandingHold[]
  readonly mayHold: boolean
  readonly maySet: boolean
}

/** What the console shows and decides of it: the rules, what goes next, what is kept longer. */
export interface RetentionKeeping {
  /** @throws {DomainError} `forbidden` */
  overview(reader: Reader): Promise<RetentionOverview>
  /**
   * Keeps everything of a case, and of what is folded into it.
   * @throws {DomainError} `forbidden`, `not-found`, `invalid-input`, `case-transition` when it is held, or destroyed
   */
  hold(reader: Reader, caseNo: string, reason: string): Promise<void>
  /** @throws {DomainError} `forbidden`, `not-found` */
  lift(reader: Reader, caseNo: string): Promise<void>
  /**
   * Changes a term from a day on, which is far enough for everybody to be warned.
   * @throws {DomainError} `factor-required`, `forbidden`, `invalid-input`
   */
  setRule(session: StaffSession, rule: { class: string; days: number; from: string }): Promise<void>
}

const LISTED = 100
const READERS: readonly Role[] = ['auditor', 'admin']
const DAY = /^\d{4}-\d{2}-\d{2}$/

export function createRetentionKeeping(
  deps: Deps,
  { schedule, endedBy, receiptsBy }: RetentionFates,
  sessions: Sessions,
): RetentionKeeping {
  const { db, clock, random } = deps

  function allow(reader: Reader, roles: readonly Role[], what: string): void {
    if (!reader.roles.some((role) => roles.includes(role))) {
      throw new DomainError('forbidden', `您的角色不能${what}。`)
    }
  }

  /** The case as it is worked, when the auditor may meet it. @throws {DomainError} `not-found` */
  async function worked(reader: Reader, caseNo: string): Promise<CaseRow> {
    const number = normalizeCaseNumber(caseNo)
    if (number === null) throw noSuchCase()
    const { row } = await findVisible(db, reader, number)
    const whole = row.attached_to === null ? row : await loadCase(db, row.attached_to)
    if (isExcluded(whole, reader.departmentId)) throw noSuchCase()
    return whole
  }

  const audit = (tx: Tx, reader: Reader, role: Role, action: string, object: string, data = {}) =>
    recordAudit(tx, { at: clock.now(), memberId: reader.memberId, role, action, object, data })

  return {
    async overview(reader) {
      allow(reader, READERS, '查看保存期限')
      const today = dayOf(clock.now())
      const until = addDays(today, AHEAD_DAYS)
      const rules = await schedule()
      const mayHold = reader.roles.includes('auditor')
      const soon: Partial<Record<RetentionClass, number>> = { unverified: 0, case: 0, receipt: 0 }
      const count = (name: RetentionClass): void => {
        soon[name] = (soon[name] ?? 0) + 1
      }
      const due: DueCase[] = []
      for await (const { row, fate } of endedBy(until, rules)) {
        if (!('due' in fate.content) || fate.content.due > until) continue
        count(fate.contentClass)
        if (!mayHold || isExcluded(row, reader.departmentId)) continue
        due.push({
          caseNo: row.case_no,
          holder: row.holder_id,
          state: row.state as CaseState,
          class: fate.contentClass,
          due: fate.content.due,
        })
      }
      for await (const { fate } of receiptsBy(until, rules)) {
        if ('due' in fate.receipt && fate.receipt.due <= until) count('receipt')
      }
      due.sort((one, other) => (`${one.due} ${one.caseNo}` < `${other.due} ${other.caseNo}` ? -1 : 1))
      return {
        classes: RETENTION_CLASSES.map((name) => {
          const next = rules.findLast((rule) => rule.class === name && rule.from > today)
          return {
            class: name,
            days: daysOn(rules, name, today),
            next: next ? { days: next.days, from: next.from } : null,
            soon: soon[name] ?? null,
            bounds: name in CHANGEABLE ? CHANGEABLE[name as ChangeableClass] : null,
          }
        }),
        due: due.slice(0, LISTED),
        holds: mayHold ? await standingHolds(db, reader.departmentId) : [],
        mayHold,
        maySet: reader.roles.includes('admin'),
      }
    },

    async hold(reader, caseNo, reason) {
      allow(reader, ['auditor'], '暂缓销毁')
      if (!HOLD_REASONS.includes(reason as HoldReason)) {
        throw new DomainError('invalid-input', '请选择暂缓的理由。', [
          { field: 'reason', message: '请选择暂缓的理由。' },
        ])
      }
      const { id, case_no: number } = await worked(reader, caseNo)
      try {
        await db.transaction().execute(async (tx) => {
          await lockCase(tx, number)
          if ((await lockLiveTips(tx, id)).length === 0) {
            throw new DomainError('case-transition', '这件举报的内容已经按期销毁，没有可以暂缓的。')
          }
          await insertHold(tx, {
            id: random.uuid(),
            case_id: id,
            reason: reason as HoldReason,
            placed_by: reader.memberId,
            placed_day: dayOf(clock.now()),
          })
          await audit(tx, reader, 'auditor', 'retention.hold', number, { reason })
        })
      } catch (error) {
        if (isTaken(error)) throw new DomainError('case-transition', '这件举报已经暂缓销毁了。')
        throw error
      }
    },

    async lift(reader, caseNo) {
      allow(reader, ['auditor'], '解除暂缓')
      const { id, case_no: number } = await worked(reader, caseNo)
      await db.transaction().execute(async (tx) => {
        await lockCase(tx, number)
        if (!(await liftHold(tx, id, reader.memberId, dayOf(clock.now())))) throw noSuchCase()
        await audit(tx, reader, 'auditor', 'retention.lift', number)
      })
    },

    async setRule(session, { class: name, days, from }) {
      allow(session, ['admin'], '更改保存期限')
      await sessions.requireRecent(session)
      const today = dayOf(clock.now())
      const earliest = addDays(today, WARNING_DAYS)
      const problems: FieldError[] = []
      const bounds = name in CHANGEABLE ? CHANGEABLE[name as ChangeableClass] : null
      if (!bounds) problems.push({ field: 'class', message: '请选择一类。' })
      else if (!Number.isInteger(days) || days < bounds.min || days > bounds.max)
        problems.push({ field: 'days', message: `请填 ${bounds.min} 到 ${bounds.max} 之间的整数。` })
      if (!DAY.test(from) || Number.isNaN(startOfDay(from).getTime()) || dayOf(startOfDay(from)) !== from)
        problems.push({ field: 'from', message: '请填写有效的日期。' })
      else if (from < earliest)
        problems.push({ field: 'from', message: `最早 ${earliest}：举报人要提前 ${WARNING_DAYS} 天知道。` })
      if (problems.length > 0) throw new DomainError('invalid-input', '有几处需要修改。', problems)
      await db.transaction().execute(async (tx) => {
        await insertRule(tx, {
          class: name as ChangeableClass,
          days,
          valid_from: from,
          set_by: session.memberId,
          set_at: clock.now(),
        })
        // It stands on a public page.
        await deps.versions.bump(tx, 'plan')
        await audit(tx, session, 'admin', 'retention.rule', name, { days, from })
      })
      deps.versions.expire()
    },
  }
}
