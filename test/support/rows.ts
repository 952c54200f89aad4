import { randomUUID } from 'node:crypto'
import type { Db } from '../../src/db/connect.ts'
import type { PublicCaseRow } from '../../src/db/public-cases.ts'
import type { Role } from '../../src/domain/case.ts'

/** A member who never signed in and has no key: enough to act where nothing is opened. */
export async function insertMember(
  db: Db,
  member: {
    readonly id: string
    readonly departmentId: string
    readonly roles: readonly Role[]
    readonly displayName: string
    readonly createdAt: Date
  },
): Promise<void> {
  await db
    .insertInto('member')
    .values({
      id: member.id,
      username: `test-${member.id}`,
      display_name: member.displayName,
      department_id: member.departmentId,
      salt: Buffer.alloc(16),
      kdf: '{}',
      auth_hash: Buffer.alloc(32),
      recipient: `age1test${member.id}`,
      wrapped_identity: Buffer.alloc(1),
      status: 'active',
      created_at: member.createdAt,
    })
    .execute()
  await db
    .insertInto('member_role')
    .values(member.roles.map((role) => ({ member_id: member.id, role })))
    .execute()
}

/** A row of the public ledger with the case it belongs to: guarded, worked and three weeks old unless said otherwise. */
export async function insertPublicCase(
  db: Db,
  { case_no: caseNo, proof = [], ...part }: Partial<PublicCaseRow> & Pick<PublicCaseRow, 'case_no'>,
): Promise<void> {
  await db
    .insertInto('case_file')
    .values({
      id: randomUUID(),
      case_no: caseNo,
      category_id: 'boiler-coal',
      area_id: '410102001',
      when_bucket: 'now',
      urgency: 'normal',
      holder_id: 'qu-huanbao',
      co_departments: [],
      rule_id: 'boiler-coal',
      measure_refs: ['2017-5'],
      derived: false,
      state: 'working',
      lane: 'normal',
      received_day: '2026-11-02',
      due_count: 15,
      due_unit: 'working',
    })
    .execute()
  await db
    .insertInto('public_case')
    .values({
      case_no: caseNo,
      visible_from: '2026-11-03',
      holder_id: 'qu-huanbao',
      received_week: '2026-11-02',
      due_week: '2026-11-23',
      due_text: '2026-11-23起的一周内',
      overdue_from: '2026-11-30',
      hand_overs: 0,
      state: 'working',
      category_id: null,
      group_id: null,
      area_id: null,
      measure_refs: [],
      outcome: null,
      statement: null,
      competent_body: null,
      published_day: null,
      concluded_week: null,
      on_time: null,
      ...part,
      proof: JSON.stringify(proof),
    })
    .execute()
}

/** What publishing adds to such a row. */
export const PUBLISHED = {
  state: 'published',
  category_id: 'boiler-coal',
  group_id: 'coal',
  area_id: '410102001',
  measure_refs: ['2017-5'],
  outcome: 'substantiated',
  statement: '已拆除。',
  published_day: '2026-11-20',
  concluded_week: '2026-11-16',
  on_time: true,
} as const satisfies Partial<PublicCaseRow>
