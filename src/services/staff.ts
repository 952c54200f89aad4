import { sql } from 'kysely'
import type { Role } from '../domain/case.ts'
import { DomainError } from '../domain/errors.ts'
import { EXCLUSIVE_ROLES } from '../domain/roles.ts'
import { isMailAddress } from '../domain/mail-address.ts'
import { buildRules, checkRules } from '../domain/routing.ts'
import { askForNewKeys } from '../db/keys.ts'
import { storeRules } from '../db/plan.ts'
import { isRecipient } from '../sealing/age-identity.ts'
import { badKeys, toRow, type PassphraseRecord } from './account.ts'
import { recordAudit } from './audit.ts'
import { isExcluded, type Reader } from './case-access.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { Factors } from './factors.ts'
import type { Deps } from './ports.ts'
import { hashOf, newToken } from './tokens.ts'

/** Who is signed in. */
export interface StaffSession extends Reader {
  readonly username: string
  readonly displayName: string
  /** Names the session; form tokens are bound to it. */
  readonly sessionId: string
  /** When the second factor was last shown; null only in a demonstration, for a member who has none. */
  readonly factorAt: Date | null
}

export interface MemberSummary {
  readonly username: string
  readonly displayName: string
  readonly departmentId: string
  readonly roles: readonly Role[]
  readonly active: boolean
}

export interface AuditLine {
  readonly no: number
  readonly at: Date
  readonly who: string | null
  readonly role: string | null
  readonly action: string
  /** Null for a case that the reader must not meet. */
  readonly object: string | null
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
  /** @throws {DomainError} `invalid-input` */
  createEnrolment(member: NewMember): Promise<{ readonly token: string; readonly expiresAt: Date }>
  /** @throws {DomainError} `not-found` for a token that is unknown, used or late */
  enrolment(
    token: string,
  ): Promise<{ readonly username: string; readonly displayName: string; readonly departmentId: string }>
  /** Makes the member. Answers the link with which the second factor is set up. @throws {DomainError} `not-found` */
  enrol(keys: { token: string; recipient: string } & PassphraseRecord): Promise<string>
  members(reader: Reader): Promise<MemberSummary[]>
  /**
   * Ends somebody's membership: sessions, factors and grants go at once, and the keys that the member held are to be
   * replaced. @throws {DomainError} `not-found`
   */
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

const ENROLMENT_MS = 72 * 3_600_000
const AUDIT_PAGE = 100

/** What goes with a membership. */
const OF_A_MEMBER = [
  'session',
  'pending_sign_in',
  'key_grant',
  'totp',
  'passkey',
  'factor_link',
  'known_browser',
] as const

function isPrintable(text: string, max: number): boolean {
  return text.length <= max && !/\p{Cc}/u.test(text)
}

export function createStaff(deps: Deps, factors: Pick<Factors, 'createLink'>): Staff {
  const { db, clock, versions } = deps
  const allow = (reader: Reader, ...roles: Role[]): void => {
    if (!roles.some((role) => reader.roles.includes(role))) {
      throw new DomainError('forbidden', '您的角色没有这个权限。')
    }
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
      if (
        EXCLUSIVE_ROLES.some(([one, other]) => member.roles.includes(one) && member.roles.includes(other))
      ) {
        fields.push({ field: 'roles', message: '审批人不能同时是承办员、身份保管人或财务。' })
      }
      const taken = await db
        .selectFrom('member')
        .select('id')
        .where('username', '=', member.username)
        .executeTakeFirst()
      if (taken) fields.push({ field: 'username', message: '这个用户名已经有人用了。' })
      const [first] = fields
      if (first) throw new DomainError('invalid-input', first.message, fields)
      const value = newToken(deps.random)
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
      const record = toRow(keys)
      if (!isRecipient(keys.recipient)) throw badKeys()
      const id = deps.random.uuid()
      return db.transaction().execute(async (tx) => {
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
            ...record,
            recipient: keys.recipient,
            status: 'active',
            created_at: clock.now(),
          })
          .execute()
        await tx
          .insertInto('member_role')
          .values(found.roles.map((role) => ({ member_id: id, role })))
          .execute()
        const link = await factors.createLink(tx, id, found.created_by)
        await recordAudit(tx, {
          at: clock.now(),
          memberId: id,
          role: null,
          action: 'member.enrol',
          object: found.username,
        })
        return link
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
        // The member may have kept a copy of what could be opened: later tips need a key of which there is none.
        await askForNewKeys(tx, gone.id, clock.now())
        for (const table of OF_A_MEMBER) await tx.deleteFrom(table).where('member_id', '=', gone.id).execute()
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
        .leftJoin('case_file', 'case_file.case_no', 'staff_audit.object')
        .select(['no', 'at', 'display_name', 'role', 'action', 'object', 'accused_department_id'])
        .$if(before !== null, (query) => query.where('no', '<', before ?? 0))
        .orderBy('no', 'desc')
        .limit(AUDIT_PAGE + 1)
        .execute()
      const items = rows.slice(0, AUDIT_PAGE).map((row) => ({
        no: row.no,
        at: row.at,
        who: row.display_name,
        role: row.role,
        action: row.action,
        object: isExcluded(row, reader.departmentId) ? null : row.object,
      }))
      const last = rows.length > AUDIT_PAGE ? items.at(-1) : undefined
      return { items, next: last ? encodeCursor([String(last.no)]) : null }
    },
  }
}
