import { createHash, timingSafeEqual } from 'node:crypto'
import { sql } from 'kysely'
import type { Role } from '../domain/case.ts'
import { DomainError, RateLimitedError } from '../domain/errors.ts'
import { isMailAddress } from '../domain/mail-address.ts'
import { buildRules, checkRules } from '../domain/routing.ts'
import { storeRules } from '../db/plan.ts'
import { MEMBER_KDF, type KdfParams } from '../sealing/member-keys.ts'
import { recordAudit } from './audit.ts'
import type { Reader } from './case-access.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { fakeSaltOf } from './lookup.ts'
import type { Deps } from './ports.ts'

/** Who is signed in. */
export interface StaffSession extends Reader {
  readonly username: string
  readonly displayName: string
  readonly tokenHash: string
}

export interface SignedIn {
  /** For the cookie; the database keeps its hash. */
  readonly token: string
  readonly wrappedIdentity: Uint8Array
}

export interface MemberSummary {
  readonly username: string
  readonly displayName: string
  readonly departmentId: string
  readonly roles: readonly Role[]
  readonly active: boolean
}

export interface AuditLine {
  readonly id: number
  readonly at: Date
  readonly who: string | null
  readonly role: string | null
  readonly action: string
  readonly object: string
}

export interface AuditPage {
  readonly items: readonly AuditLine[]
  readonly next: string | null
}

export interface NewMember {
  readonly username: string
  readonly displayName: string
  readonly departmentId: string
  readonly roles: readonly Role[]
  readonly createdBy: string | null
}

export interface Staff {
  /** How the browser must stretch a passphrase. An unknown name gets a salt that stays the same. */
  kdf(username: string): Promise<{ readonly salt: Uint8Array; readonly params: KdfParams }>
  /** @throws {DomainError} `forbidden` alike for an unknown name and a wrong passphrase, `rate-limited` */
  signIn(username: string, auth: string): Promise<SignedIn>
  session(token: string): Promise<StaffSession | null>
  /** The half of the resting key that the server holds. */
  half(session: StaffSession): Promise<Uint8Array>
  wrappedIdentity(session: StaffSession): Promise<Uint8Array>
  signOut(session: StaffSession): Promise<void>
  /** @throws {DomainError} `invalid-input` */
  createEnrolment(member: NewMember): Promise<{ readonly token: string; readonly expiresAt: Date }>
  /** @throws {DomainError} `not-found` for a token that is unknown, used or late */
  enrolment(
    token: string,
  ): Promise<{ readonly username: string; readonly displayName: string; readonly departmentId: string }>
  enrol(keys: {
    token: string
    salt: Uint8Array
    kdf: KdfParams
    auth: string
    recipient: string
    wrappedIdentity: Uint8Array
  }): Promise<void>
  members(reader: Reader): Promise<MemberSummary[]>
  /** Ends somebody's membership: sessions and grants go at once. @throws {DomainError} `not-found` */
  remove(username: string, by?: Reader): Promise<void>
  /** @throws {DomainError} `forbidden`, `stale-version`, `invalid-input` */
  editDepartment(
    reader: Reader,
    id: string,
    edit: { hotline: string; mailbox: string; version: number },
  ): Promise<void>
  /** Version of each department's editable part. */
  departmentVersions(): Promise<ReadonlyMap<string, number>>
  /** Which police branch answers for an area (fireworks); rebuilds the routing rules. */
  setPolice(reader: Reader, areaId: string, departmentId: string | null): Promise<void>
  audit(reader: Reader, cursor: string | null): Promise<AuditPage>
}

const IDLE_MS = 15 * 60_000
const ABSOLUTE_MS = 8 * 3_600_000
const TOUCH_MS = 60_000
const ENROLMENT_MS = 72 * 3_600_000
const FREE_TRIES = 5
const MAX_DELAY_MS = 30_000
const AUDIT_PAGE = 100

/** Roles that one person may not have together: who proposes or keeps must not approve. */
const EXCLUSIVE: readonly (readonly [Role, Role])[] = [
  ['officer', 'approver'],
  ['custodian', 'approver'],
]

const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()
const token = (deps: Deps): string => Buffer.from(deps.random.bytes(32)).toString('base64url')

function isPrintable(text: string, max: number): boolean {
  return text.length <= max && !/\p{Cc}/u.test(text)
}

export function createStaff(deps: Deps): Staff {
  const { db, clock, versions } = deps
  const refused = (): DomainError => new DomainError('forbidden', '用户名或口令不对。')

  const allow = (reader: Reader, ...roles: Role[]): void => {
    if (!roles.some((role) => reader.roles.includes(role))) {
      throw new DomainError('forbidden', '您的角色没有这个权限。')
    }
  }

  async function sessionRow(session: StaffSession): Promise<{ half: Buffer }> {
    return db
      .selectFrom('session')
      .select('half')
      .where('token_hash', '=', Buffer.from(session.tokenHash, 'hex'))
      .executeTakeFirstOrThrow()
  }

  async function openEnrolment(given: string) {
    const found = await db
      .selectFrom('enrolment')
      .selectAll()
      .where('token_hash', '=', hashOf(given))
      .executeTakeFirst()
    if (!found || found.expires_at <= clock.now()) {
      throw new DomainError('not-found', '这个注册链接已失效，请让管理员重新发一个。')
    }
    return found
  }

  return {
    async kdf(username) {
      const found = await db
        .selectFrom('member')
        .select(['salt', 'kdf'])
        .where('username', '=', username)
        .executeTakeFirst()
      return found
        ? { salt: found.salt, params: found.kdf }
        : { salt: fakeSaltOf(deps.secrets.salt, username), params: MEMBER_KDF }
    },

    async signIn(username, auth) {
      const now = clock.now()
      const found = await db
        .selectFrom('member')
        .selectAll()
        .where('username', '=', username)
        .where('status', '=', 'active')
        .executeTakeFirst()
      const given = hashOf(auth)
      const right = timingSafeEqual(given, found?.auth_hash ?? hashOf('nobody')) && found !== undefined
      if (found?.retry_after && found.retry_after > now && !right) {
        const seconds = Math.ceil((found.retry_after.getTime() - now.getTime()) / 1000)
        throw new RateLimitedError('连续输错多次，请过半分钟再试。', seconds)
      }
      if (!found || !right) {
        if (found) {
          const failures = found.failed_sign_ins + 1
          const delay =
            failures < FREE_TRIES ? 0 : Math.min(MAX_DELAY_MS, 1000 * 2 ** (failures - FREE_TRIES))
          // Only wrong passphrases wait: whoever knows the right one is never locked out by somebody else's guesses.
          await db
            .updateTable('member')
            .set({
              failed_sign_ins: failures,
              retry_after: delay === 0 ? null : new Date(now.getTime() + delay),
            })
            .where('id', '=', found.id)
            .execute()
        }
        throw refused()
      }
      const value = token(deps)
      await db.transaction().execute(async (tx) => {
        await tx.deleteFrom('session').where('expires_at', '<', now).execute()
        await tx
          .updateTable('member')
          .set({ failed_sign_ins: 0, retry_after: null })
          .where('id', '=', found.id)
          .execute()
        await tx
          .insertInto('session')
          .values({
            token_hash: hashOf(value),
            member_id: found.id,
            half: Buffer.from(deps.random.bytes(32)),
            created_at: now,
            seen_at: now,
            expires_at: new Date(now.getTime() + ABSOLUTE_MS),
          })
          .execute()
        await recordAudit(tx, {
          at: now,
          memberId: found.id,
          role: null,
          action: 'sign-in',
          object: found.username,
        })
      })
      return { token: value, wrappedIdentity: found.wrapped_identity }
    },

    async session(value) {
      const now = clock.now()
      const hash = hashOf(value)
      const found = await db
        .selectFrom('session')
        .innerJoin('member', 'member.id', 'session.member_id')
        .select((eb) => [
          'member.id',
          'member.username',
          'member.display_name',
          'member.department_id',
          'session.seen_at',
          'session.expires_at',
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
        tokenHash: hash.toString('hex'),
      }
    },

    half: async (session) => (await sessionRow(session)).half,

    async wrappedIdentity(session) {
      const row = await db
        .selectFrom('member')
        .select('wrapped_identity')
        .where('id', '=', session.memberId)
        .executeTakeFirstOrThrow()
      return row.wrapped_identity
    },

    async signOut(session) {
      await db.transaction().execute(async (tx) => {
        await tx
          .deleteFrom('session')
          .where('token_hash', '=', Buffer.from(session.tokenHash, 'hex'))
          .execute()
        await recordAudit(tx, {
          at: clock.now(),
          memberId: session.memberId,
          role: null,
          action: 'sign-out',
          object: session.username,
        })
      })
    },

    async createEnrolment(member) {
      const fields = []
      if (!/^[a-z0-9][a-z0-9-]{2,31}$/.test(member.username)) {
        fields.push({ field: 'username', message: '用户名用 3 到 32 个小写字母、数字或短横线。' })
      }
      if (member.displayName.trim() === '' || !isPrintable(member.displayName, 40)) {
        fields.push({ field: 'displayName', message: '请填写姓名，最多 40 个字。' })
      }
      if (!(await deps.plan.current()).departments.has(member.departmentId)) {
        fields.push({ field: 'departmentId', message: '请从列表里选择单位。' })
      }
      if (member.roles.length === 0) fields.push({ field: 'roles', message: '至少选择一个角色。' })
      if (EXCLUSIVE.some(([one, other]) => member.roles.includes(one) && member.roles.includes(other))) {
        fields.push({ field: 'roles', message: '审批人不能同时是承办员或身份保管人。' })
      }
      const taken = await db
        .selectFrom('member')
        .select('id')
        .where('username', '=', member.username)
        .executeTakeFirst()
      if (taken) fields.push({ field: 'username', message: '这个用户名已经有人用了。' })
      const [first] = fields
      if (first) throw new DomainError('invalid-input', first.message, fields)
      const value = token(deps)
      const expiresAt = new Date(clock.now().getTime() + ENROLMENT_MS)
      await db.transaction().execute(async (tx) => {
        await tx.deleteFrom('enrolment').where('username', '=', member.username).execute()
        await tx
          .insertInto('enrolment')
          .values({
            token_hash: hashOf(value),
            username: member.username,
            display_name: member.displayName.trim(),
            department_id: member.departmentId,
            roles: [...member.roles],
            created_by: member.createdBy,
            expires_at: expiresAt,
          })
          .execute()
        await recordAudit(tx, {
          at: clock.now(),
          memberId: member.createdBy,
          role: 'admin',
          action: 'member.invite',
          object: member.username,
        })
      })
      return { token: value, expiresAt }
    },

    async enrolment(given) {
      const found = await openEnrolment(given)
      return { username: found.username, displayName: found.display_name, departmentId: found.department_id }
    },

    async enrol(keys) {
      const found = await openEnrolment(keys.token)
      if (
        !/^age1[0-9a-z]{20,100}$/.test(keys.recipient) ||
        keys.salt.length !== 16 ||
        keys.wrappedIdentity.length > 1000
      ) {
        throw new DomainError('invalid-input', '密钥格式不对，请刷新页面重试。')
      }
      const id = deps.random.uuid()
      await db.transaction().execute(async (tx) => {
        const used = await tx
          .deleteFrom('enrolment')
          .where('token_hash', '=', hashOf(keys.token))
          .returning('username')
          .executeTakeFirst()
        if (!used) throw new DomainError('not-found', '这个注册链接已经用过了。')
        await tx
          .insertInto('member')
          .values({
            id,
            username: found.username,
            display_name: found.display_name,
            department_id: found.department_id,
            salt: Buffer.from(keys.salt),
            kdf: JSON.stringify(keys.kdf),
            auth_hash: hashOf(keys.auth),
            recipient: keys.recipient,
            wrapped_identity: Buffer.from(keys.wrappedIdentity),
            status: 'active',
            retry_after: null,
            created_at: clock.now(),
          })
          .execute()
        await tx
          .insertInto('member_role')
          .values(found.roles.map((role) => ({ member_id: id, role })))
          .execute()
        await recordAudit(tx, {
          at: clock.now(),
          memberId: id,
          role: null,
          action: 'member.enrol',
          object: found.username,
        })
      })
    },

    async members(reader) {
      allow(reader, 'admin', 'auditor')
      const rows = await db
        .selectFrom('member')
        .select((eb) => [
          'username',
          'display_name',
          'department_id',
          'status',
          eb
            .selectFrom('member_role')
            .select(sql<string[]>`array_agg(role order by role)`.as('roles'))
            .whereRef('member_role.member_id', '=', 'member.id')
            .as('roles'),
        ])
        .orderBy('department_id')
        .orderBy('username')
        .execute()
      return rows.map((row) => ({
        username: row.username,
        displayName: row.display_name,
        departmentId: row.department_id,
        roles: (row.roles ?? []) as Role[],
        active: row.status === 'active',
      }))
    },

    async remove(username, by) {
      if (by) allow(by, 'admin')
      await db.transaction().execute(async (tx) => {
        const gone = await tx
          .updateTable('member')
          .set({ status: 'removed' })
          .where('username', '=', username)
          .where('status', '=', 'active')
          .returning('id')
          .executeTakeFirst()
        if (!gone) throw new DomainError('not-found', `没有在职成员 ${username}。`)
        await tx.deleteFrom('session').where('member_id', '=', gone.id).execute()
        await tx.deleteFrom('key_grant').where('member_id', '=', gone.id).execute()
        await recordAudit(tx, {
          at: clock.now(),
          memberId: by?.memberId ?? null,
          role: 'admin',
          action: 'member.remove',
          object: username,
        })
      })
    },

    async editDepartment(reader, id, edit) {
      const own = reader.roles.includes('officer') && reader.departmentId === id
      if (!own) allow(reader, 'admin')
      const hotline = edit.hotline.trim()
      const mailbox = edit.mailbox.trim()
      const fields = []
      if (hotline !== '' && !/^[0-9+()（） \-、；;一-鿿]{3,60}$/.test(hotline)) {
        fields.push({ field: 'hotline', message: '热线只能写号码，最多 60 个字。' })
      }
      if (mailbox !== '' && !isMailAddress(mailbox)) {
        fields.push({ field: 'mailbox', message: '信箱写成 name@example.gov.cn 的样子。' })
      }
      if (fields[0]) throw new DomainError('invalid-input', fields[0].message, fields)
      await db.transaction().execute(async (tx) => {
        const stored = await tx
          .updateTable('department')
          .set({
            hotline: hotline === '' ? null : hotline,
            mailbox: mailbox === '' ? null : mailbox,
            version: sql<number>`version + 1`,
          })
          .where('id', '=', id)
          .where('version', '=', edit.version)
          .returning('id')
          .executeTakeFirst()
        if (!stored) throw new DomainError('stale-version', '这个单位的信息刚刚被别人改过，请刷新后再改。')
        await versions.bump(tx, 'plan')
        await recordAudit(tx, {
          at: clock.now(),
          memberId: reader.memberId,
          role: own ? 'officer' : 'admin',
          action: 'department.edit',
          object: id,
        })
      })
      versions.expire()
    },

    async departmentVersions() {
      const rows = await db.selectFrom('department').select(['id', 'version']).execute()
      return new Map(rows.map((row) => [row.id, row.version]))
    },

    async setPolice(reader, areaId, departmentId) {
      allow(reader, 'admin', 'dispatcher')
      const { plan, policeByArea } = await deps.plan.current()
      const branch = plan.departments.find(({ id, kind }) => id === departmentId && kind === 'police')
      if (
        (departmentId !== null && !branch) ||
        !plan.areas.some(({ id, department }) => id === areaId && department)
      ) {
        throw new DomainError('invalid-input', '请从列表里选择街道和公安分局。')
      }
      const table = new Map(policeByArea)
      if (departmentId === null) table.delete(areaId)
      else table.set(areaId, departmentId)
      const rules = buildRules(plan, table)
      const violations = checkRules(plan, rules)
      if (violations.length > 0)
        throw new Error(`routing rules are not total: ${violations.slice(0, 3).join('; ')}`)
      await db.transaction().execute(async (tx) => {
        await tx
          .updateTable('area')
          .set({ police_department_id: departmentId })
          .where('id', '=', areaId)
          .execute()
        await tx.deleteFrom('routing_rule').execute()
        await storeRules(tx, rules)
        await versions.bump(tx, 'plan')
        await recordAudit(tx, {
          at: clock.now(),
          memberId: reader.memberId,
          role: reader.roles.includes('admin') ? 'admin' : 'dispatcher',
          action: 'area.police',
          object: areaId,
          data: { department: departmentId },
        })
      })
      versions.expire()
    },

    async audit(reader, cursor) {
      allow(reader, 'auditor', 'admin')
      const before = cursor === null ? null : Number(decodeCursor(cursor, 1)[0])
      if (before !== null && !Number.isSafeInteger(before)) {
        throw new DomainError('bad-cursor', '这个翻页位置无效，请回到第一页重新翻。')
      }
      const rows = await db
        .selectFrom('staff_audit')
        .leftJoin('member', 'member.id', 'staff_audit.member_id')
        .select(['staff_audit.id', 'at', 'display_name', 'role', 'action', 'object'])
        .$if(before !== null, (query) => query.where('staff_audit.id', '<', before ?? 0))
        .orderBy('staff_audit.id', 'desc')
        .limit(AUDIT_PAGE + 1)
        .execute()
      const items = rows.slice(0, AUDIT_PAGE).map((row) => ({
        id: row.id,
        at: row.at,
        who: row.display_name,
        role: row.role,
        action: row.action,
        object: row.object,
      }))
      const last = rows.length > AUDIT_PAGE ? items.at(-1) : undefined
      return { items, next: last ? encodeCursor([String(last.id)]) : null }
    },
  }
}
