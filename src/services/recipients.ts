import type { Tx } from '../db/connect.ts'
import { currentRecipients, type DepartmentRecipient } from '../db/keys.ts'
import { deleteRecipients, insertRecipients, loadRecipientList } from '../db/recipients.ts'
import { DomainError } from '../domain/errors.ts'
import {
  fingerprintOf,
  genesisOf,
  headOf,
  RecipientListError,
  signEntry,
  verifyRecipientList,
  type ListHead,
  type RecipientEntry,
  type UnsignedEntry,
} from '../sealing/recipient-list.ts'
import type { Deps, PinnedList } from './ports.ts'
import { verifyNatively } from './signatures.ts'

/** Owner id of the offline key to which every department's key is wrapped besides its holders. */
export const ESCROW_OWNER = 'escrow'
/** The other offline key, which opens the approvers' alone. */
export const APPROVER_ESCROW_OWNER = 'escrow-approver'

/**
 * Why nothing may be sealed:
 * - `unsigned`: there are keys from before there was a list;
 * - `unpinned`: this machine was never told the root;
 * - `refused`: the list is not what was signed, or older than it was;
 * - `keys-differ`: the table of keys says something else than the list.
 */
export type RecipientsFault = 'unsigned' | 'unpinned' | 'refused' | 'keys-differ'

const ADVICE: Readonly<Record<RecipientsFault, string>> = {
  unsigned: 'the keys are not signed yet; run: npm run keys -- sign --escrow FILE',
  unpinned:
    'this machine does not know the root of the list of keys; copy DATA_DIR/keys from another machine or run: npm run keys -- sign --escrow FILE',
  refused:
    'the list of keys in the database is not the one that was signed, or an older one; see "When the list of keys is refused" in SECURITY.md',
  'keys-differ':
    'the keys in the database are not those of the signed list; see "When the list of keys is refused" in SECURITY.md',
}

/** The keys in the database are not those that were signed. The message is the public's, the advice the operator's. */
export class RecipientsRefusedError extends DomainError {
  readonly fault: RecipientsFault
  /** One line: what is wrong and what to do. */
  readonly advice: string
  constructor(fault: RecipientsFault, cause?: unknown) {
    super('recipients-refused', '收件钥匙的名单没有通过核对。为了不让别人打开您的举报，暂时不接收。')
    this.fault = fault
    this.advice = ADVICE[fault]
    if (cause !== undefined) this.cause = cause
  }
}

/** A list of keys as anybody may check it. */
export interface SignedRecipients {
  /** Null before there are keys. */
  readonly root: string | null
  readonly head: ListHead | null
  readonly entries: readonly RecipientEntry[]
}

/** A key as people read of it. */
export interface PublishedKey {
  readonly owner: string
  readonly epoch: number
  readonly day: string
  readonly signedBy: RecipientEntry['signedBy']
  readonly fingerprint: string
}

/** The list for people. */
export interface PublishedKeys {
  /** Null before there are keys. */
  readonly root: { readonly key: string; readonly fingerprint: string } | null
  /** By owner. */
  readonly current: readonly PublishedKey[]
  /** Every entry, newest first. */
  readonly events: readonly PublishedKey[]
}

const publishedOf = ({ owner, epoch, day, signedBy, recipient }: RecipientEntry): PublishedKey => ({
  owner,
  epoch,
  day,
  signedBy,
  fingerprint: fingerprintOf(recipient),
})

/** A key to be signed: everything but its place in the list. */
export type NewRecipient = Omit<UnsignedEntry, 'previous' | 'signedBy'>

/**
 * To whom tips are sealed, never as the database alone says: the list is verified under the root that lies outside of
 * it, has to go on from where it was seen before, and the table of keys has to agree.
 */
export interface Recipients {
  /**
   * The newest key of every owner in the list: departments, roles, the escrow.
   * @throws {RecipientsRefusedError}
   */
  owners(tx?: Tx): Promise<ReadonlyMap<string, RecipientEntry>>
  /** Those of the departments that tips can be wrapped to. @throws {RecipientsRefusedError} */
  departments(tx?: Tx): Promise<ReadonlyMap<string, DepartmentRecipient>>
  /** The whole list, verified. @throws {RecipientsRefusedError} */
  list(): Promise<SignedRecipients>
  /** The same for people. @throws {RecipientsRefusedError} */
  published(): Promise<PublishedKeys>
  /** What the next entry follows. @throws {RecipientsRefusedError} */
  head(tx?: Tx): Promise<ListHead>
  /** What is wrong, in one line for the operator; null when nothing is. */
  trouble(): Promise<string | null>
  /**
   * Adds what the key before it signed. The caller bumps `keys` first, so that nobody else adds one meanwhile.
   * @throws {RecipientsRefusedError} for the list as it is
   * @throws {RecipientListError} for the new entry
   */
  append(tx: Tx, entry: RecipientEntry): Promise<void>
  /** The same for keys that the root signs. @throws {RecipientsRefusedError}, {@link RecipientListError} */
  appendAsRoot(tx: Tx, keys: readonly NewRecipient[], escrowIdentity: string): Promise<void>
  /**
   * Lets this machine believe the list that there is, when it holds under this root; `older` also when it was longer
   * before. Answers its length, 0 when there is none.
   * @throws {RecipientsRefusedError}
   */
  adopt(root: string, options: { readonly older: boolean }): Promise<number>
  /** A new list under a new or the same root, whatever there was before, and this machine believes it. */
  begin(tx: Tx, root: string, keys: readonly NewRecipient[], escrowIdentity: string): Promise<void>
}

type Held = {
  readonly root: string | null
  readonly entries: readonly RecipientEntry[]
  readonly owners: ReadonlyMap<string, RecipientEntry>
  readonly departments: ReadonlyMap<string, DepartmentRecipient>
}

function signAll(
  start: string,
  keys: readonly NewRecipient[],
  root: string,
  escrowIdentity: string,
): RecipientEntry[] {
  const signed: RecipientEntry[] = []
  for (const key of keys) {
    const previous = signed.length === 0 ? start : headOf(signed, root).hash
    signed.push(signEntry({ ...key, signedBy: 'root', previous }, escrowIdentity))
  }
  return signed
}

export function createRecipients(deps: Pick<Deps, 'db' | 'pin' | 'versions'>): Recipients {
  const { db, pin, versions } = deps
  // Ed25519 takes about a millisecond an entry: what was checked once is not checked again.
  let checked: { readonly root: string; readonly head: ListHead } | null = null
  let held: { readonly version: string; readonly value: Promise<Held> } | null = null

  function verify(entries: readonly RecipientEntry[], root: string, pinned: ListHead | null) {
    const known = {
      ...(pinned ? { pinned } : {}),
      ...(checked?.root === root ? { checked: checked.head } : {}),
    }
    const owners = verifyRecipientList(entries, root, known, verifyNatively)
    checked = { root, head: headOf(entries, root) }
    return owners
  }

  async function pinnedList(): Promise<PinnedList | null> {
    return pin.read().catch((error: unknown) => {
      throw new RecipientsRefusedError('unpinned', error)
    })
  }

  /** @throws {RecipientsRefusedError} */
  function agreed(
    entries: readonly RecipientEntry[],
    keys: ReadonlyMap<string, DepartmentRecipient>,
    root: string,
    pinned: ListHead | null,
  ): ReadonlyMap<string, RecipientEntry> {
    let owners: ReadonlyMap<string, RecipientEntry>
    try {
      owners = verify(entries, root, pinned)
    } catch (error) {
      throw error instanceof RecipientListError ? new RecipientsRefusedError('refused', error) : error
    }
    for (const [department, { epoch, recipient }] of keys) {
      const signed = owners.get(department)
      if (signed?.epoch !== epoch || signed.recipient !== recipient) {
        throw new RecipientsRefusedError('keys-differ')
      }
    }
    return owners
  }

  async function read(tx?: Tx): Promise<Held> {
    // Before the list: what another process adds meanwhile is then more than was pinned, not less.
    const pinned = await pinnedList()
    const entries = await loadRecipientList(tx ?? db)
    const keys = await currentRecipients(tx ?? db)
    if (entries.length === 0 && keys.size === 0) {
      return { root: null, entries, owners: new Map(), departments: new Map() }
    }
    if (entries.length === 0 && (pinned === null || pinned.head.count === 0)) {
      throw new RecipientsRefusedError('unsigned')
    }
    if (!pinned) throw new RecipientsRefusedError('unpinned')
    const { root } = pinned
    const owners = agreed(entries, keys, root, pinned.head)
    // What another transaction has not committed yet is not seen for good.
    if (!tx && entries.length > pinned.head.count) await pin.write({ root, head: headOf(entries, root) })
    return { root, entries, owners, departments: keys }
  }

  async function current(tx?: Tx): Promise<Held> {
    if (tx) return read(tx)
    const version = await versions.of('keys')
    if (held?.version === version) return held.value
    const value = read()
    held = { version, value }
    value.catch(() => {
      if (held?.value === value) held = null
    })
    return value
  }

  async function append(tx: Tx, make: (root: string, head: ListHead) => RecipientEntry[]): Promise<void> {
    const pinned = await pinnedList()
    if (!pinned) throw new RecipientsRefusedError('unpinned')
    const { root } = pinned
    const entries = await loadRecipientList(tx)
    agreed(entries, new Map(), root, pinned.head)
    const made = make(root, headOf(entries, root))
    verify([...entries, ...made], root, pinned.head)
    await insertRecipients(tx, entries.length, made)
  }

  return {
    owners: async (tx) => (await current(tx)).owners,
    departments: async (tx) => (await current(tx)).departments,
    async list() {
      const { root, entries } = await current()
      return { root, head: root === null ? null : headOf(entries, root), entries }
    },
    async published() {
      const { root, entries, owners } = await current()
      return {
        root: root === null ? null : { key: root, fingerprint: fingerprintOf(root) },
        current: [...owners.values()].map(publishedOf),
        events: entries.map(publishedOf).reverse(),
      }
    },
    async head(tx) {
      const { root, entries } = await current(tx)
      if (root === null) throw new RecipientsRefusedError('unsigned')
      return headOf(entries, root)
    },
    async trouble() {
      try {
        await current()
        return null
      } catch (error) {
        if (error instanceof RecipientsRefusedError) return error.advice
        throw error
      }
    },
    append: (tx, entry) => append(tx, () => [entry]),
    appendAsRoot: (tx, keys, escrowIdentity) =>
      append(tx, (root, { hash }) => signAll(hash, keys, root, escrowIdentity)),
    async adopt(root, { older }) {
      // A damaged file is what this mends.
      const pinned = await pin.read().catch(() => null)
      const entries = await loadRecipientList(db)
      const seen = pinned !== null && pinned.head.count > 0
      if (entries.length === 0) {
        if (seen && !older) throw new RecipientsRefusedError('refused')
        return 0
      }
      const follows = seen && !older
      if (follows && pinned.root !== root) throw new RecipientsRefusedError('refused')
      agreed(entries, await currentRecipients(db), root, follows ? pinned.head : null)
      await pin.write({ root, head: headOf(entries, root) })
      held = null
      return entries.length
    },
    async begin(tx, root, keys, escrowIdentity) {
      const entries = signAll(genesisOf(root), keys, root, escrowIdentity)
      verify(entries, root, null)
      await deleteRecipients(tx)
      await insertRecipients(tx, 0, entries)
      // Last, and before the commit: keys that this machine does not believe would be of no use.
      await pin.write({ root, head: headOf(entries, root) })
    },
  }
}
