import { ownerOf } from '../../domain/roles.ts'
import { utf8 } from '../../sealing/bytes.ts'
import { sealPart } from '../../sealing/envelope.ts'
import { getJson } from './session.ts'

/** Free text for custodians and approvers, and whoever else is named. */
export async function sealForRoles(
  tip: string,
  text: string,
  others: readonly string[],
): Promise<Uint8Array> {
  const known = await getJson<Record<string, { recipient: string }>>('/api/v1/staff/recipients')
  const roles = (['custodian', 'approver'] as const).map((role) => known[ownerOf(role)]?.recipient)
  const recipients = roles.filter((one) => one !== undefined)
  if (recipients.length < roles.length) throw new Error('身份保管人和审批人还没有钥匙，请告诉管理员。')
  return sealPart({
    recipients: [...recipients, ...others],
    purpose: 'tip.request',
    tip,
    part: 0,
    bytes: utf8(text),
  })
}
