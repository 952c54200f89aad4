import { verifyRecipientList, type RecipientEntry } from '../../sealing/recipient-list.ts'
import { loadRecipients } from '../report/recipients.ts'

/**
 * The newest key of every owner out of the signed list, checked as the report form checks it: under the root and from
 * the head that the page names.
 * @throws {Error} for the person to read
 */
export async function signedKeys(): Promise<ReadonlyMap<string, RecipientEntry>> {
  const pin = document.querySelector<HTMLElement>('[data-recipient-root]')
  try {
    if (!pin) throw new Error('the page names no list of keys')
    const { entries, root, pinned } = await loadRecipients(pin)
    return verifyRecipientList(entries, root, { pinned })
  } catch (cause) {
    throw new Error('收件钥匙的名单没有通过核对，已停止。请刷新页面；还是这样，请告诉管理员。', { cause })
  }
}
