import { ed25519 } from '@noble/curves/ed25519.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { isRecipient } from './age-identity.ts'
import { fromBase64Url, toBase64Url, utf8 } from './bytes.ts'
import { deriveKey } from './derive.ts'

/**
 * To whom tips are sealed, as a signed list that is only ever added to. Every entry names the hash of the one before
 * it, so none can be left out or moved, and is signed either by the root, whose secret lies in the escrow's envelope,
 * or by the key that it replaces: whoever holds a key vouches for the next one. Somebody who can write the database,
 * and nothing else, can add no entry of their own.
 *
 * What the list alone cannot tell is whether its newest entries were taken away. For that the reader brings a
 * {@link ListHead} of their own.
 */
export interface RecipientEntry {
  /** Whose key it is: a department's slug, `escrow`, or a role's id. */
  readonly owner: string
  /** Counted from 1 for each owner. */
  readonly epoch: number
  /** The age recipient. */
  readonly recipient: string
  /** Ed25519 public key, base64url, that signs the owner's next entry; see {@link verifierOf}. */
  readonly verifier: string
  /** Since when, `YYYY-MM-DD`; as the signer's side of it says, for people to read. */
  readonly day: string
  readonly signedBy: 'root' | 'predecessor'
  /** {@link hashOf} the entry before it; of the first one {@link genesisOf} the root. */
  readonly previous: string
  /** Ed25519, base64url. */
  readonly signature: string
}

/** How far a list was seen: the number of its entries and the hash of the last one. */
export interface ListHead {
  readonly count: number
  readonly hash: string
}

/**
 * Why a list is refused:
 * - `malformed`: an entry is not written as it must be;
 * - `broken-chain`: an entry was changed, left out or moved, or the list begins under another root;
 * - `wrong-epoch`: an owner's entries do not follow each other (an old key's second successor);
 * - `bad-signature`: neither the root nor the key before it signed the entry;
 * - `rolled-back`: the list is not what was seen before, with or without something added.
 */
export type RecipientListErrorCode =
  'malformed' | 'broken-chain' | 'wrong-epoch' | 'bad-signature' | 'rolled-back'

/** A list of recipients was refused; nothing may be sealed to any of them. */
export class RecipientListError extends Error {
  readonly code: RecipientListErrorCode
  /** Counted from 0; the length of the list when it concerns the end. */
  readonly index: number
  constructor(code: RecipientListErrorCode, index: number) {
    super(`The list of recipients is refused: ${code} at entry ${String(index)}.`)
    this.name = 'RecipientListError'
    this.code = code
    this.index = index
  }
}

/** Whether an Ed25519 signature is that of the message under the public key (32 bytes), by the letter of RFC 8032. */
export type VerifySignature = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => boolean

/** What an entry says besides its signature. */
export type UnsignedEntry = Omit<RecipientEntry, 'signature'>

const HASH_BYTES = 32
const OWNER = /^[a-z][a-z0-9-]{0,63}$/
const DAY = /^\d{4}-\d{2}-\d{2}$/

/** The seed of the signing key that belongs to an age secret. Whoever holds the one has the other. */
const seedOf = (identity: string): Uint8Array =>
  deriveKey(utf8(identity.trim().toUpperCase()), 'recipients/sign')

/** The public half of the signing key that belongs to an age secret; the escrow's is the root of the list. */
export function verifierOf(identity: string): string {
  return toBase64Url(ed25519.getPublicKey(seedOf(identity)))
}

/** Ed25519, base64url, by the signing key that belongs to an age secret. */
export function signLine(line: Uint8Array, identity: string): string {
  return toBase64Url(ed25519.sign(line, seedOf(identity)))
}

/** The one that browsers have too; where there is a quicker one, it is passed in. */
export const verifySignature: VerifySignature = (signature, message, key) => {
  try {
    return ed25519.verify(signature, message, key, { zip215: false })
  } catch {
    return false
  }
}

/** Whether {@link signLine} made a signature, for the key that a verifier is the public half of. */
export function isSignedLine(
  line: Uint8Array,
  signature: string,
  verifier: string,
  verify = verifySignature,
): boolean {
  const [bytes, key] = [fromBase64Url(signature), publicKey(verifier)]
  return bytes !== null && key !== null && verify(bytes, line, key)
}

/**
 * Signs an entry.
 * @param identity the age secret of the escrow for `root`, of the owner's key before this one for `predecessor`
 */
export function signEntry(entry: UnsignedEntry, identity: string): RecipientEntry {
  return { ...entry, signature: signLine(canonical(entry), identity) }
}

/** What the first entry of a list follows. */
export function genesisOf(root: string): string {
  return toBase64Url(sha256(utf8(`lantian/v1/recipient-list\n${root}\n`)))
}

/** An entry's name in the entry after it; covers its signature too. */
export function hashOf(entry: RecipientEntry): string {
  return toBase64Url(sha256(utf8(`${text(entry)}\n${entry.signature}\n`)))
}

/** How far a list goes. It says nothing about whether the list holds. */
export function headOf(list: readonly RecipientEntry[], root: string): ListHead {
  const last = list.at(-1)
  return { count: list.length, hash: last ? hashOf(last) : genesisOf(root) }
}

/**
 * The newest key of every owner, once every entry was checked.
 * @param root the public key that the reader trusts: from the page, a paper or a file, never from where the list is
 * @param known how far the reader saw the list before (`pinned`: it must go on from there), and how far it was checked
 *   before by this very function under the same root (`checked`: those signatures are not checked again)
 * @throws {RecipientListError} see its codes
 */
export function verifyRecipientList(
  list: readonly RecipientEntry[],
  root: string,
  known: { readonly pinned?: ListHead; readonly checked?: ListHead } = {},
  verify = verifySignature,
): ReadonlyMap<string, RecipientEntry> {
  if (!publicKey(root)) throw new RecipientListError('malformed', 0)
  const heads = [genesisOf(root)]
  for (const [index, entry] of list.entries()) {
    if (!isWellFormed(entry)) throw new RecipientListError('malformed', index)
    if (entry.previous !== heads[index]) throw new RecipientListError('broken-chain', index)
    heads.push(hashOf(entry))
  }
  const { pinned, checked } = known
  if (pinned && heads[pinned.count] !== pinned.hash) throw new RecipientListError('rolled-back', list.length)
  const alreadyChecked = checked && heads[checked.count] === checked.hash ? checked.count : 0

  const current = new Map<string, RecipientEntry>()
  for (const [index, entry] of list.entries()) {
    const before = current.get(entry.owner)
    const follows =
      entry.signedBy === 'root'
        ? entry.epoch > (before?.epoch ?? 0)
        : entry.epoch === (before?.epoch ?? 0) + 1
    if (!follows) throw new RecipientListError('wrong-epoch', index)
    const signer = entry.signedBy === 'root' ? root : before?.verifier
    const isSigned = (by: string) => isSignedLine(canonical(entry), entry.signature, by, verify)
    if (signer === undefined || (index >= alreadyChecked && !isSigned(signer))) {
      throw new RecipientListError('bad-signature', index)
    }
    current.set(entry.owner, entry)
  }
  return current
}

/** A key as people compare it: 80 bits of its SHA-256 in five groups of four hexadecimal digits. */
export function fingerprintOf(publicText: string): string {
  const digits = Array.from(sha256(utf8(publicText)).subarray(0, 10), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
  return (digits.match(/.{4}/g) ?? []).join(' ')
}

/** The order of the fields is part of the format. */
function text({ owner, epoch, recipient, verifier, day, signedBy, previous }: UnsignedEntry): string {
  return JSON.stringify({
    v: 1,
    purpose: 'recipient',
    owner,
    epoch,
    recipient,
    verifier,
    day,
    signedBy,
    previous,
  })
}

function canonical(entry: UnsignedEntry): Uint8Array {
  return utf8(`lantian/v1/recipient\n${text(entry)}\n`)
}

function publicKey(encoded: string): Uint8Array | null {
  const bytes = fromBase64Url(encoded)
  return bytes?.length === HASH_BYTES ? bytes : null
}

/** Lists come from outside: nothing about an entry is taken for granted. */
function isWellFormed(entry: RecipientEntry): boolean {
  const found: Readonly<Record<string, unknown>> = { ...entry }
  const texts = ['owner', 'recipient', 'verifier', 'day', 'previous', 'signature']
  if (!texts.every((name) => typeof found[name] === 'string')) return false
  return (
    OWNER.test(entry.owner) &&
    Number.isSafeInteger(entry.epoch) &&
    entry.epoch >= 1 &&
    isRecipient(entry.recipient) &&
    publicKey(entry.verifier) !== null &&
    DAY.test(entry.day) &&
    ['root', 'predecessor'].includes(entry.signedBy) &&
    publicKey(entry.previous) !== null &&
    fromBase64Url(entry.signature)?.length === 64
  )
}
