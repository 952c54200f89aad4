import type { ListHead, RecipientEntry } from '../sealing/recipient-list.ts'

/** The signed list of keys, and what the page says it must be. */
export interface GivenRecipients {
  readonly entries: readonly RecipientEntry[]
  readonly root: string
  /** How far the list went when the page was made; it may go on from there. */
  readonly pinned: ListHead
}

const FETCH_MS = 20_000

/**
 * The list of keys to which tips may be sealed; to be checked before one of them is used.
 * @param page of the form or the case: it names the root, and how far the list goes
 * @throws {Error} when no list came back, or the page names none
 */
export async function loadRecipients({ dataset }: HTMLElement): Promise<GivenRecipients> {
  const { recipientRoot: root, recipientCount: count, recipientHash: hash } = dataset
  if (root === undefined || count === undefined || hash === undefined) {
    throw new Error('the page names no list of keys')
  }
  const reply = await fetch('/api/v1/recipients', { signal: AbortSignal.timeout(FETCH_MS) })
  if (!reply.ok) throw new Error(`recipients answered ${reply.status}`)
  const { items: entries } = (await reply.json()) as { readonly items: readonly RecipientEntry[] }
  return { entries, root, pinned: { count: Number(count), hash } }
}
