import { sql } from 'kysely'
import type { Tx } from '../db/connect.ts'
import type { Role } from '../domain/case.ts'
import { DomainError } from '../domain/errors.ts'
import { recordAudit } from './audit.ts'
import type { Reader } from './case-access.ts'
import type { Deps } from './ports.ts'
import type { StaffSession } from './staff.ts'
import { hashOf, newToken } from './tokens.ts'

/** One sign-in of a member, as the member sees it. There is no address and no name of a browser to show. */
export interface SessionLine {
  readonly id: string
  readonly since: Date
  readonly seenAt: Date
  readonly current: boolean
}

/** What a member did about signing in. */
export interface SignInLine {
  readonly at: Date
  readonly action: string
}

export interface Sessions {
  /** A session for a member whose factors have been shown. Answers the token for the cookie. */
  open(tx: Tx, memberId: string, factorAt: Date | null): Promise<string>
  find(token: string): Promise<StaffSession | null>
  /** The half of the resting key that the server holds. */
  half(session: StaffSession): Promise<Uint8Array>
  end(session: StaffSession): Promise<void>
  /** The member's own, the latest first. */
  list(session: StaffSession): Promise<SessionLine[]>
  /** The member's own sign-ins and refused second factors, the latest first. */
  history(session: StaffSession): Promise<SignInLine[]>
  /** Ends one of the member's own. @throws {DomainError} `not-found` */
  endOne(session: StaffSession, id: string): Promise<void>
  /** Ends all of the member's own but this one, as after a change of passphrase or factor. */
  endOthers(tx: Tx, session: StaffSession): Promise<void>
  /** How many each member has open. */
  counts(admin: Reader): Promise<ReadonlyMap<string, number>>
  /** An administrator ends all of somebody's. @throws {DomainError} `forbidden`, `not-found` */
  endAll(admin: Reader, username: string): Promise<void>
  /**
   * Lets through who has shown the second factor within ten minutes: publishing, approving, and changes of keys and
   * members ask for this first.
   * @throws {DomainError} `factor-required`; the console then asks and tries again
   */
  requireRecent(session: StaffSession): Promise<void>
  isRecent(session: StaffSession): Promise<boolean>
  /** The second factor was shown again. Answers the new token: the one before is worth nothing. */
  renew(session: StaffSession): Promise<string>
}

const IDLE_MS = 15 * 60_000
const ABSOLUTE_MS = 8 * 3_600_000
const TOUCH_MS = 60_000
const RECENT_MS = 10 * 60_000
const HISTORY_LINES = 20
export const SIGN_IN_ACTIONS = ['sign-in', 'sign-in.refused', 'sign-out', 'factor.prove', 'factor.refused']

export function createSessions(deps: Pick<Deps, 'db' | 'clock' | 'random' | 'demo'>): Sessions {
  const { db, clock, random, demo } = deps

  async function hasFactor(memberId: string): Promise<boolean> {
    const found = await db
      .selectFrom('totp')
      .select('member_id')
      .where('member_id', '=', memberId)
      .unionAll(db.selectFrom('passkey').select('member_id').where('member_id', '=', memberId))
      .limit(1)
      .executeTakeFirst()
    return found !== undefined
  }

  async function isRecent(session: StaffSession): Promise<boolean> {
    const { factorAt } = session
    if (factorAt !== null) return clock.now().getTime() - factorAt.getTime() <= RECENT_MS
    // A demonstration lets members in without one: there is nothing to ask for.
    return demo && !(await hasFactor(session.memberId))
  }

  return {
    async open(tx, memberId, factorAt) {
      const now = clock.now()
      const token = newToken(random)
      await tx.deleteFrom('session').where('expires_at', '<', now).execute()
      await tx
        .insertInto('session')
        .values({
          id: random.uuid(),
          token_hash: hashOf(token),
          member_id: memberId,
          half: Buffer.from(random.bytes(32)),
          created_at: now,
          seen_at: now,
          expires_at: new Date(now.getTime() + ABSOLUTE_MS),
          factor_at: factorAt,
        })
        .execute()
      return token
    },

    async find(token) {
      const now = clock.now()
      const hash = hashOf(token)
      const found = await db
        .selectFrom('session')
        .innerJoin('member', 'member.id', 'session.member_id')
        .select((eb) => [
          'session.id as session_id',
          'member.id',
          'member.username',
          'member.display_name',
          'member.department_id',
          'session.seen_at',
          'session.expires_at',
          'session.factor_at',
          eb
            .selectFrom('member_role')
            .select(sql<string[]>`array_agg(role order by role)`.as('roles'))
            .whereRef('member_role.member_id', '=', 'member.id')
            .as('roles'),
        ])
        .where('session.token_hash', '=', hash)
        .where('member.status', '=', 'active')
        .executeTakeFirst()
      if (!found) return null
      const idle = now.getTime() - found.seen_at.getTime()
      if (found.expires_at <= now || idle > IDLE_MS) {
        await db.deleteFrom('session').where('token_hash', '=', hash).execute()
        return null
      }
      if (idle > TOUCH_MS) {
        await db.updateTable('session').set({ seen_at: now }).where('token_hash', '=', hash).execute()
      }
      return {
        memberId: found.id,
        username: found.username,
        displayName: found.display_name,
        departmentId: found.department_id,
        roles: (found.roles ?? []) as Role[],
        sessionId: found.session_id,
        factorAt: found.factor_at,
      }
    },

    async half(session) {
      const row = await db
        .selectFrom('session')
        .select('half')
        .where('id', '=', session.sessionId)
        .executeTakeFirstOrThrow()
      return row.half
    },

    async end(session) {
      await db.transaction().execute(async (tx) => {
        await tx.deleteFrom('session').where('id', '=', session.sessionId).execute()
        await recordAudit(tx, {
          at: clock.now(),
          memberId: session.memberId,
          role: null,
          action: 'sign-out',
          object: session.username,
        })
      })
    },

    async list(session) {
      const now = clock.now()
      const rows = await db
        .selectFrom('session')
        .select(['id', 'created_at', 'seen_at'])
        .where('member_id', '=', session.memberId)
        .where('expires_at', '>', now)
        .where('seen_at', '>=', new Date(now.getTime() - IDLE_MS))
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .execute()
      return rows.map((row) => ({
        id: row.id,
        since: row.created_at,
        seenAt: row.seen_at,
        current: row.id === session.sessionId,
      }))
    },

    async history(session) {
      return db
        .selectFrom('staff_audit')
        .select(['at', 'action'])
        .where('member_id', '=', session.memberId)
        .where('action', 'in', SIGN_IN_ACTIONS)
        .orderBy('id', 'desc')
        .limit(HISTORY_LINES)
        .execute()
    },

    async endOne(session, id) {
      await db.transaction().execute(async (tx) => {
        const gone = await tx
          .deleteFrom('session')
          .where(sql<string>`id::text`, '=', id)
          .where('member_id', '=', session.memberId)
          .returning('id')
          .executeTakeFirst()
        if (!gone) throw new DomainError('not-found', '这次登录已经结束了。')
        await recordAudit(tx, {
          at: clock.now(),
          memberId: session.memberId,
          role: null,
          action: 'session.end',
          object: session.username,
        })
      })
    },

    async endOthers(tx, session) {
      await tx
        .deleteFrom('session')
        .where('member_id', '=', session.memberId)
        .where('id', '<>', session.sessionId)
        .execute()
    },

    async counts(admin) {
      if (!admin.roles.includes('admin')) throw new DomainError('forbidden', '只有管理员可以看登录情况。')
      const now = clock.now()
      const rows = await db
        .selectFrom('session')
        .innerJoin('member', 'member.id', 'session.member_id')
        .select((eb) => ['member.username', eb.fn.countAll<number>().as('count')])
        .where('session.expires_at', '>', now)
        .where('session.seen_at', '>=', new Date(now.getTime() - IDLE_MS))
        .groupBy('member.username')
        .execute()
      return new Map(rows.map((row) => [row.username, row.count]))
    },

    async endAll(admin, username) {
      if (!admin.roles.includes('admin')) throw new DomainError('forbidden', '只有管理员可以结束别人的登录。')
      await db.transaction().execute(async (tx) => {
        const member = await tx
          .selectFrom('member')
          .select('id')
          .where('username', '=', username)
          .executeTakeFirst()
        if (!member) throw new DomainError('not-found', `没有成员 ${username}。`)
        await tx.deleteFrom('session').where('member_id', '=', member.id).execute()
        await recordAudit(tx, {
          at: clock.now(),
          memberId: admin.memberId,
          role: 'admin',
          action: 'session.end-all',
          object: username,
        })
      })
    },

    isRecent,

    async requireRecent(session) {
      if (!(await isRecent(session))) {
        throw new DomainError('factor-required', '这一步需要再验证一次第二因素（10 分钟内有效）。')
      }
    },

    async renew(session) {
      const token = newToken(random)
      const now = clock.now()
      await db.transaction().execute(async (tx) => {
        await tx
          .updateTable('session')
          .set({ token_hash: hashOf(token), factor_at: now, seen_at: now })
          .where('id', '=', session.sessionId)
          .execute()
        await recordAudit(tx, {
          at: now,
          memberId: session.memberId,
          role: null,
          action: 'factor.prove',
          object: session.username,
        })
      })
      return token
    },
  }
}
