import { verifyRecipientList, type RecipientEntry } from '../../sealing/recipient-list.ts'
import { loadRecipients } from '../recipients.ts'

export interface SignedKeys {
  /** The newest key of every owner. */
  readonly newest: ReadonlyMap<string, RecipientEntry>
  /** All that ever were. */
  readonly entries: readonly RecipientEntry[]
}

/**
 * The signed list of keys, checked as the report form checks it: under the root and from the head that the page names.
 * @throws {Error} for the person to read
 */
export async function signedKeys(): Promise<SignedKeys> {
  const pin = document.querySelector<HTMLElement>('[data-recipient-root]')
  try {
    if (!pin) throw new Error('the page names no list of keys')
    const { entries, root, pinned } = await loadRecipients(pin)
    return { newest: verifyRecipientList(entries, root, { pinned }), entries }
  } catch (cause) {
    throw new Error('收件钥匙的名单没有通过核对，已停止。请刷新页面；还是这样，请告诉管理员。', { cause })
  }
}
