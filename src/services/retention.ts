import { loadCase, lockCase, type CaseRow } from '../db/cases.ts'
import type { Db, Tx } from '../db/connect.ts'
import {
  blobKeysOf,
  casesWithLayers,
  deleteAuditBefore,
  deleteContent,
  deleteLayers,
  emptyTips,
  endedCases,
  forgetReceipt,
  holdsOf,
  insertHold,
  insertRule,
  liftHold,
  lockLiveTips,
  operatorRules,
  rewardDaysOf,
  slottedTips,
  standingHolds,
  tipIdsOf,
  type StandingHold,
} from '../db/retention.ts'
import { isTaken } from '../db/reward-rules.ts'
import { normalizeCaseNumber } from '../domain/case-number.ts'
import type { CaseState, Role } from '../domain/case.ts'
import { addDays, dayOf, startOfDay, type Day } from '../domain/day.ts'
import { DomainError, type FieldError } from '../domain/errors.ts'
import {
  AHEAD_DAYS,
  CHANGEABLE,
  daysOn,
  fatesOf,
  HOLD_REASONS,
  isDue,
  RETENTION_CLASSES,
  SHIPPED_SCHEDULE,
  WARNING_DAYS,
  warningOf,
  type ChangeableClass,
  type Fates,
  type HoldReason,
  type RetentionClass,
  type RetentionRule,
} from '../domain/retention.ts'
import { recordAudit } from './audit.ts'
import { findVisible, isExcluded, noSuchCase, type Reader } from './case-access.ts'
import type { Deps } from './ports.ts'
import type { Sessions } from './sessions.ts'
import type { StaffSession } from './staff.ts'
import type { WrapLocks } from './wrap-locks.ts'

/** How long what is sealed in a case is still there, for its reporter and for who works it. */
export interface CaseRetention {
  /** When its content goes; told from two weeks before. */
  readonly destroyOn: Day | null
  /** An auditor keeps it for the time being. */
  readonly held: boolean
  readonly destroyedDay: Day | null
  /** Once the content is gone: from this day on the receipt code opens nothing; null while it is not known. */
  readonly receiptUntil: Day | null
}

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

/** What is kept, how long, and its end. */
export interface Retention {
  /**
   * Destroys what is due, once a day: the keys of the wraps first, so that nothing of a tip opens from that moment on,
   * then blobs and rows. Whatever a crash leaves half-done opens already nowhere and is finished the next time. A case
   * that fails keeps no other waiting. Answers how many cases.
   * @param stop what is left is done next time
   */
  run(stop?: AbortSignal): Promise<number>
  /** How long each class is kept, by the rules that hold today: for everybody to read. */
  terms(): Promise<readonly { readonly class: RetentionClass; readonly days: number }[]>
  /** The days of a class by the rule that holds today. */
  days(name: RetentionClass): Promise<number>
  /**
   * After the store of slot keys was lost with its backups: counts as destroyed what its missing files would have opened,
   * so that tips can be taken again. Answers how many tips.
   */
  acceptLoss(): Promise<number>
  /** @param destroyedDay of the tip that is asked about */
  ofCase(row: CaseRow, destroyedDay: Day | null): Promise<CaseRetention>
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

const BATCH = 50
const LISTED = 100
const READERS: readonly Role[] = ['auditor', 'admin']
const DAY = /^\d{4}-\d{2}-\d{2}$/

export function createRetention(deps: Deps, locks: WrapLocks, sessions: Sessions): Retention {
  const { db, clock, files, random } = deps
  let ranOn: Day | null = null

  const schedule = async (on: Db | Tx = db): Promise<RetentionRule[]> => [
    ...SHIPPED_SCHEDULE,
    ...(await operatorRules(on)),
  ]

  const shortest = (rules: readonly RetentionRule[], name: RetentionClass): number =>
    Math.min(...rules.filter((rule) => rule.class === name).map(({ days }) => days))

  /** What becomes of each of some cases. */
  async function fates(
    on: Db | Tx,
    rows: readonly CaseRow[],
    rules: readonly RetentionRule[],
    destroyedDay: Day | null = null,
  ): Promise<Map<string, Fates>> {
    const ids = rows.map(({ id }) => id)
    const rewards = await rewardDaysOf(on, ids)
    const holds = await holdsOf(on, ids)
    const today = dayOf(clock.now())
    return new Map(
      rows.map((row) => {
        const reward = rewards.get(row.id)
        const facts = {
          receivedDay: row.received_day,
          closedDay: row.closed_day,
          unproven: row.lane === 'unverified' && row.state === 'routed' && row.published_day === null,
          outside: row.outcome === 'outside',
          rewardOpen: reward?.open ?? false,
          rewardDay: reward?.lastDay ?? null,
          paidDay: reward?.paidDay ?? null,
          destroyedDay,
        }
        return [row.id, fatesOf(facts, rules, holds.get(row.id) ?? [], today)]
      }),
    )
  }

  /** Cases whose content may be over by a day, batch by batch, with what becomes of them. */
  async function* endedBy(
    by: Day,
    rules: readonly RetentionRule[],
  ): AsyncGenerator<{ row: CaseRow; fate: Fates }> {
    const closedBy = addDays(by, -shortest(rules, 'case'))
    const unverifiedBy = addDays(by, -shortest(rules, 'unverified'))
    let after: string | null = null
    for (;;) {
      const rows: CaseRow[] = await endedCases(db, { closedBy, unverifiedBy, after, limit: BATCH })
      const found = await fates(db, rows, rules)
      for (const row of rows) {
        const fate = found.get(row.id)
        if (fate) yield { row, fate }
      }
      if (rows.length < BATCH) return
      after = rows.at(-1)?.id ?? null
    }
  }

  /** Cases in which a name or an account is still sealed, batch by batch, with what becomes of it. */
  async function* layersOf(
    name: 'identity' | 'payee',
    rules: readonly RetentionRule[],
  ): AsyncGenerator<{ row: CaseRow; fate: Fates }> {
    let after: string | null = null
    for (;;) {
      const rows: CaseRow[] = await casesWithLayers(db, `tip.${name}`, after, BATCH)
      const found = await fates(db, rows, rules)
      for (const row of rows) {
        const fate = found.get(row.id)
        if (fate) yield { row, fate }
      }
      if (rows.length < BATCH) return
      after = rows.at(-1)?.id ?? null
    }
  }

  async function destroyLayers(
    caseNo: string,
    name: 'identity' | 'payee',
    rules: readonly RetentionRule[],
    today: Day,
  ): Promise<void> {
    await db.transaction().execute(async (tx) => {
      const row = await lockCase(tx, caseNo)
      const fate = row && (await fates(tx, [row], rules)).get(row.id)
      if (!row || !fate || !isDue(fate[name], today)) return
      await deleteLayers(tx, await tipIdsOf(tx, row.id), `tip.${name}`)
      await recordAudit(tx, {
        at: startOfDay(today),
        memberId: null,
        role: null,
        action: 'retention',
        object: row.case_no,
        data: { class: name },
      })
    })
  }

  /** Answers whether it was still due, with the case held so that no hold, hand-over or reward comes between. */
  async function destroyContent(
    caseNo: string,
    rules: readonly RetentionRule[],
    today: Day,
  ): Promise<boolean> {
    return db.transaction().execute(async (tx) => {
      const row = await lockCase(tx, caseNo)
      const fate = row && (await fates(tx, [row], rules)).get(row.id)
      if (!row || !fate || row.attached_to !== null || !isDue(fate.content, today)) return false
      const tips = await lockLiveTips(tx, row.id)
      if (tips.length === 0) return false
      const tipIds = tips.map(({ id }) => id)
      // From here on nothing opens any more, whatever becomes of the transaction.
      await locks.destroy(tips.flatMap(({ slot }) => slot ?? []))
      for (const key of await blobKeysOf(tx, tipIds)) await files.delete(key)
      await deleteContent(tx, tipIds, today)
      await recordAudit(tx, {
        // The day only: when a citizen's words went is nobody's business to the minute.
        at: startOfDay(today),
        memberId: null,
        role: null,
        action: 'retention',
        object: row.case_no,
        data: { class: fate.contentClass, tips: tips.length },
      })
      return true
    })
  }

  /** Tips without content, with what becomes of their receipts. */
  async function* receiptsBy(
    by: Day,
    rules: readonly RetentionRule[],
  ): AsyncGenerator<{ tipId: string; fate: Fates }> {
    const destroyedBy = addDays(by, -shortest(rules, 'receipt'))
    let after: string | null = null
    for (;;) {
      const tips: Awaited<ReturnType<typeof emptyTips>> = await emptyTips(db, destroyedBy, after, BATCH)
      for (const tip of tips) {
        const fate = (await fates(db, [await loadCase(db, tip.whole)], rules, tip.destroyed_day)).get(
          tip.whole,
        )
        if (fate) yield { tipId: tip.id, fate }
      }
      if (tips.length < BATCH) return
      after = tips.at(-1)?.id ?? null
    }
  }

  async function run(stop?: AbortSignal): Promise<number> {
    const today = dayOf(clock.now())
    if (ranOn === today) return 0
    const rules = await schedule()
    let cases = 0
    const failures: unknown[] = []
    for await (const { row, fate } of endedBy(today, rules)) {
      if (stop?.aborted) return cases
      if (!isDue(fate.content, today)) continue
      try {
        if (await destroyContent(row.case_no, rules, today)) cases += 1
      } catch (error) {
        failures.push(error)
      }
    }
    for (const name of ['identity', 'payee'] as const) {
      for await (const { row, fate } of layersOf(name, rules)) {
        if (stop?.aborted) return cases
        if (!isDue(fate[name], today)) continue
        try {
          await destroyLayers(row.case_no, name, rules, today)
        } catch (error) {
          failures.push(error)
        }
      }
    }
    let receipts = 0
    for await (const { tipId, fate } of receiptsBy(today, rules)) {
      if (stop?.aborted) return cases
      if (!isDue(fate.receipt, today)) continue
      await db.transaction().execute((tx) => forgetReceipt(tx, tipId, Buffer.from(random.bytes(32)), today))
      receipts += 1
    }
    await locks.sweep()
    const audit = await deleteAuditBefore(db, startOfDay(addDays(today, -daysOn(rules, 'audit', today))))
    for (const [name, count] of Object.entries({ receipt: receipts, audit })) {
      if (count === 0) continue
      await recordAudit(db, {
        at: startOfDay(today),
        memberId: null,
        role: null,
        action: 'retention',
        object: name,
        data: { class: name, count },
      })
    }
    if (failures.length > 0) throw failures[0]
    ranOn = today
    return cases
  }

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
    run,

    async terms() {
      const rules = await schedule()
      const today = dayOf(clock.now())
      return RETENTION_CLASSES.map((name) => ({ class: name, days: daysOn(rules, name, today) }))
    },

    async days(name) {
      return daysOn(await schedule(), name, dayOf(clock.now()))
    },

    async acceptLoss() {
      const lost: string[] = []
      for (const { id, slot } of await slottedTips(db)) if (!(await deps.shredKeys.has(slot))) lost.push(id)
      const today = dayOf(clock.now())
      for (const tipId of lost) {
        await db.transaction().execute(async (tx) => {
          for (const key of await blobKeysOf(tx, [tipId])) await files.delete(key)
          await deleteContent(tx, [tipId], today)
        })
      }
      await recordAudit(db, {
        at: clock.now(),
        memberId: null,
        role: 'admin',
        action: 'retention.loss',
        object: 'wraps',
        data: { tips: lost.length },
      })
      return lost.length
    },

    async ofCase(row, destroyedDay) {
      const today = dayOf(clock.now())
      const fate = (await fates(db, [row], await schedule(), destroyedDay)).get(row.id)
      if (!fate) throw new Error('asked about one case')
      const { content, receipt } = fate
      return {
        destroyOn: destroyedDay === null ? warningOf(content, today) : null,
        held: 'kept' in content && content.kept === 'held',
        destroyedDay,
        receiptUntil: destroyedDay !== null && 'due' in receipt ? receipt.due : null,
      }
    },

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
