import { beforeAll, describe, expect, it } from 'vitest'
import { createKeyPair, type KeyPair } from '../../src/sealing/age-identity.ts'
import {
  fingerprintOf,
  genesisOf,
  hashOf,
  headOf,
  RecipientListError,
  signEntry,
  verifierOf,
  verifyRecipientList,
  verifySignature,
  type RecipientEntry,
  type UnsignedEntry,
} from '../../src/sealing/recipient-list.ts'
import { verifyNatively } from '../../src/services/signatures.ts'

let escrow: KeyPair
let root: string
/** The generations of department `a`, then the only one of `b`. */
let a1: KeyPair
let a2: KeyPair
let a3: KeyPair
let b1: KeyPair
let thief: KeyPair
/** a1, b1 by the root; a2 by a1; a3 by a2. */
let list: RecipientEntry[]

const entryOf = (
  owner: string,
  epoch: number,
  pair: KeyPair,
  signedBy: UnsignedEntry['signedBy'],
  previous: string,
): UnsignedEntry => ({
  owner,
  epoch,
  recipient: pair.recipient,
  verifier: verifierOf(pair.identity),
  day: '2026-11-25',
  signedBy,
  previous,
})

/** The list with one more entry, signed with `signer`'s secret. */
function extend(
  before: readonly RecipientEntry[],
  owner: string,
  epoch: number,
  pair: KeyPair,
  signedBy: UnsignedEntry['signedBy'],
  signer: KeyPair,
): RecipientEntry[] {
  const { hash } = headOf(before, root)
  return [...before, signEntry(entryOf(owner, epoch, pair, signedBy, hash), signer.identity)]
}

beforeAll(async () => {
  ;[escrow, a1, a2, a3, b1, thief] = (await Promise.all(Array.from({ length: 6 }, createKeyPair))) as [
    KeyPair,
    KeyPair,
    KeyPair,
    KeyPair,
    KeyPair,
    KeyPair,
  ]
  root = verifierOf(escrow.identity)
  list = extend([], 'a', 1, a1, 'root', escrow)
  list = extend(list, 'b', 1, b1, 'root', escrow)
  list = extend(list, 'a', 2, a2, 'predecessor', a1)
  list = extend(list, 'a', 3, a3, 'predecessor', a2)
})

const refusal = (entries: readonly RecipientEntry[], under = root, known = {}): string => {
  // As browsers verify, and as the server does.
  const [first, second] = [verifySignature, verifyNatively].map((verify) => {
    try {
      verifyRecipientList(entries, under, known, verify)
    } catch (error) {
      if (error instanceof RecipientListError) return error.code
      throw error
    }
    return 'no refusal'
  })
  expect(first).toBe(second)
  return first ?? ''
}
const changed = (index: number, part: Partial<RecipientEntry>): RecipientEntry[] =>
  list.map((entry, at) => (at === index ? { ...entry, ...part } : entry))

describe('a list of recipients', () => {
  it('yields the newest key of every owner', () => {
    const current = verifyRecipientList(list, root)
    expect([...current].map(([owner, { epoch, recipient }]) => [owner, epoch, recipient])).toEqual([
      ['a', 3, a3.recipient],
      ['b', 1, b1.recipient],
    ])
    expect(verifyRecipientList([], root).size).toBe(0)
  })

  it('survives a journey as JSON, and needs no secret to be read', () => {
    expect(verifyRecipientList(JSON.parse(JSON.stringify(list)) as RecipientEntry[], root).size).toBe(2)
    expect(JSON.stringify(list)).not.toContain('SECRET')
  })

  it('is refused under a root from elsewhere', () => {
    expect(refusal(list, verifierOf(thief.identity))).toBe('broken-chain')
    // Also when the thief writes a list that fits their own root.
    const { identity } = thief
    const own = signEntry(entryOf('a', 1, thief, 'root', genesisOf(verifierOf(identity))), identity)
    expect(refusal([own])).toBe('broken-chain')
    expect(refusal([signEntry(entryOf('a', 1, thief, 'root', genesisOf(root)), identity)])).toBe(
      'bad-signature',
    )
    expect(refusal(list, 'no key')).toBe('malformed')
  })

  it('is refused when any field of any entry is another one', () => {
    const other: Readonly<Record<keyof RecipientEntry, RecipientEntry[keyof RecipientEntry]>> = {
      owner: 'c',
      epoch: 7,
      recipient: thief.recipient,
      verifier: verifierOf(thief.identity),
      day: '2026-11-26',
      signedBy: 'root',
      previous: genesisOf('x'),
      signature: list[1]?.signature ?? '',
    }
    for (const index of list.keys()) {
      for (const [field, value] of Object.entries(other)) {
        if (list[index]?.[field as keyof RecipientEntry] === value) continue
        expect(refusal(changed(index, { [field]: value })), `${field} of ${String(index)}`).toMatch(
          /^(?:broken-chain|wrong-epoch|bad-signature)$/,
        )
      }
    }
  })

  it('is refused when a single bit of a signature is another one', () => {
    for (const [index, { signature }] of list.entries()) {
      const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
      expect(refusal(changed(index, { signature: flipped }))).toMatch(/^(?:broken-chain|bad-signature)$/)
    }
  })

  it('is refused when an entry is not written as it must be', () => {
    const bad: readonly Partial<Record<keyof RecipientEntry, unknown>>[] = [
      { owner: 'A b' },
      { owner: 5 },
      { epoch: 0 },
      { epoch: 1.5 },
      { epoch: '1' },
      { recipient: 'age1x' },
      { verifier: 'AA' },
      { day: 'yesterday' },
      { signedBy: 'me' },
      { previous: '' },
      { signature: 'AA' },
    ]
    for (const part of bad) {
      expect(refusal(changed(3, part as Partial<RecipientEntry>)), JSON.stringify(part)).toBe('malformed')
    }
  })

  it('is refused in another order, with an entry left out, or twice', () => {
    const [first, second, third, fourth] = list as [
      RecipientEntry,
      RecipientEntry,
      RecipientEntry,
      RecipientEntry,
    ]
    expect(refusal([second, first, third, fourth])).toBe('broken-chain')
    expect(refusal([first, second, fourth])).toBe('broken-chain')
    expect(refusal([second, third, fourth])).toBe('broken-chain')
    expect(refusal([...list, fourth])).toBe('broken-chain')
  })

  it('takes a next entry from whoever holds the key before it, or the root, and nobody else', () => {
    const short = list.slice(0, 2)
    expect(refusal(extend(short, 'a', 2, thief, 'predecessor', thief))).toBe('bad-signature')
    expect(refusal(extend(short, 'a', 2, thief, 'predecessor', b1))).toBe('bad-signature')
    expect(refusal(extend(short, 'a', 2, thief, 'root', a1))).toBe('bad-signature')
    expect(refusal(extend(short, 'a', 2, a2, 'root', escrow))).toBe('no refusal')
    // A first key has nobody before it: only the root brings a new owner in.
    expect(refusal(extend(short, 'c', 1, thief, 'predecessor', a1))).toBe('bad-signature')
    expect(refusal(extend(short, 'role-custodian', 1, thief, 'root', escrow))).toBe('no refusal')
  })

  it('takes no second successor of an older key, nor a key that was replaced', () => {
    expect(refusal(extend(list, 'a', 2, thief, 'predecessor', a1))).toBe('wrong-epoch')
    expect(refusal(extend(list, 'a', 3, thief, 'predecessor', a2))).toBe('wrong-epoch')
    // A leaver who kept the key of two generations ago.
    expect(refusal(extend(list, 'a', 4, thief, 'predecessor', a2))).toBe('bad-signature')
    expect(refusal(extend(list, 'a', 5, a3, 'predecessor', a3))).toBe('wrong-epoch')
    expect(refusal(extend(list, 'a', 3, a3, 'root', escrow))).toBe('wrong-epoch')
    // The root may pass over a generation that was never written down.
    expect(refusal(extend(list, 'a', 5, a1, 'root', escrow))).toBe('no refusal')
  })

  it('is refused when it is shorter than seen before, or goes another way', () => {
    const pinned = headOf(list, root)
    expect(refusal(list, root, { pinned })).toBe('no refusal')
    expect(refusal(extend(list, 'b', 2, a1, 'predecessor', b1), root, { pinned })).toBe('no refusal')
    expect(refusal(list.slice(0, 3), root, { pinned })).toBe('rolled-back')
    expect(refusal([], root, { pinned })).toBe('rolled-back')
    // The second successor of a1, by somebody who kept a1 and hides the first.
    const fork = extend(list.slice(0, 2), 'a', 2, thief, 'predecessor', a1)
    expect(refusal(fork)).toBe('no refusal')
    expect(refusal(fork, root, { pinned: headOf(list.slice(0, 3), root) })).toBe('rolled-back')
  })

  it('checks no signature twice, and believes no head that is not of this list', () => {
    const forged = extend(list, 'b', 2, thief, 'predecessor', thief)
    expect(refusal(forged, root, { checked: headOf(forged, root) })).toBe('no refusal')
    expect(refusal(forged, root, { checked: headOf(list, root) })).toBe('bad-signature')
    expect(refusal(forged, root, { checked: { count: 5, hash: genesisOf(root) } })).toBe('bad-signature')
    expect(refusal(forged, root, { checked: { count: 99, hash: genesisOf(root) } })).toBe('bad-signature')
  })

  it('names a key in five groups, alike for the same key', () => {
    expect(fingerprintOf(a1.recipient)).toMatch(/^(?:[0-9a-f]{4} ){4}[0-9a-f]{4}$/)
    expect(fingerprintOf(a1.recipient)).not.toBe(fingerprintOf(a2.recipient))
    expect(hashOf(list[0] as RecipientEntry)).toBe(list[1]?.previous)
    expect(verifierOf(`${a1.identity.toLowerCase()}\n`)).toBe(verifierOf(a1.identity))
  })
})
