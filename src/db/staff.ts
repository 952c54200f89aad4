import type { Tx } from './connect.ts'

/** Whether a department has an active officer who is none of those given. */
export async function hasOtherOfficer(
  tx: Tx,
  departmentId: string,
  memberIds: readonly string[],
): Promise<boolean> {
  const row = await tx
    .selectFrom('member')
    .innerJoin('member_role', 'member_role.member_id', 'member.id')
    .select('member.id')
    .where('member.department_id', '=', departmentId)
    .where('member.status', '=', 'active')
    .where('member_role.role', '=', 'officer')
    .$if(memberIds.length > 0, (query) => query.where('member.id', 'not in', memberIds))
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
