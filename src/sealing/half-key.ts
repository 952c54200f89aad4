import { openJson, sealJson } from './draft-cipher.ts'
import type { RandomBytes } from './bytes.ts'
import { concat, fromBase64Url, toBase64Url } from './bytes.ts'
import { deriveKey } from './derive.ts'
import { EnvelopeError } from './envelope-error.ts'

/** A department's secret that a member has unlocked. */
export interface UnlockedKey {
  readonly department: string
  readonly epoch: number
  /** `AGE-SECRET-KEY-1…` */
  readonly identity: string
}

const HALF_BYTES = 32
const PURPOSE = 'member.rest'

/** A new half: 32 random bytes, base64url. The browser makes one, the server session another. */
export function createHalf(random: RandomBytes): string {
  return toBase64Url(random(HALF_BYTES))
}

/**
 * Between two pages the unlocked keys rest in the tab's sessionStorage under a key of which the tab holds one half
 * and the server session the other; when either goes (tab closed, idle, sign-out) they are gone.
 * @returns text for sessionStorage, base64url.
 * @throws {RangeError} when a half is not one made by {@link createHalf}.
 */
export async function restKeys({
  keys,
  clientHalf,
  serverHalf,
  random,
}: {
  readonly keys: readonly UnlockedKey[]
  readonly clientHalf: string
  readonly serverHalf: string
  readonly random: RandomBytes
}): Promise<string> {
  return toBase64Url(await sealJson(joinHalves(clientHalf, serverHalf), PURPOSE, keys, random))
}

/**
 * The keys that {@link restKeys} put to rest.
 * @throws {EnvelopeError} `wrong-key` or `damaged`: the member unlocks again.
 * @throws {RangeError} when a half is not one made by {@link createHalf}.
 */
export async function wakeKeys({
  rested,
  clientHalf,
  serverHalf,
}: {
  readonly rested: string
  readonly clientHalf: string
  readonly serverHalf: string
}): Promise<readonly UnlockedKey[]> {
  const sealed = fromBase64Url(rested)
  if (sealed === null) throw new EnvelopeError('damaged', 'Not keys at rest.')
  // Authenticated under a key that only this tab and its session make up, so the shape is what restKeys wrote.
  return (await openJson(joinHalves(clientHalf, serverHalf), PURPOSE, sealed)) as readonly UnlockedKey[]
}

function joinHalves(clientHalf: string, serverHalf: string): Uint8Array {
  const halves = [clientHalf, serverHalf].map((half) => {
    const bytes = fromBase64Url(half)
    if (bytes?.length !== HALF_BYTES) throw new RangeError('A half has 32 bytes.')
    return bytes
  })
  return deriveKey(concat(...halves), 'member/rest')
}
