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
/** Each use has keys of its own. */
export type RestUse = 'member' | 'report'

/** A new half: 32 random bytes, base64url. The browser makes one, the server session another. */
export function createHalf(random: RandomBytes): string {
  return toBase64Url(random(HALF_BYTES))
}

/** A value at rest, and the two halves of its key. */
export interface Halves {
  readonly use: RestUse
  /** The tab's, made by {@link createHalf}. */
  readonly clientHalf: string
  /** The server's: the session's, or the draft's. */
  readonly serverHalf: string
}

/**
 * Between two pages what a tab holds rests in its sessionStorage under a key of which the tab holds one half and the
 * server the other; when either goes (tab closed, session or draft ended) it is gone.
 * @returns text for sessionStorage, base64url.
 * @throws {RangeError} when a half is not one made by {@link createHalf}.
 */
export async function rest(value: unknown, halves: Halves, random: RandomBytes): Promise<string> {
  return toBase64Url(await sealJson(joinHalves(halves), `${halves.use}.rest`, value, random))
}

/**
 * What {@link rest} put to rest. Authenticated under a key that only this tab and the server make up, so its shape is
 * what was put there.
 * @throws {EnvelopeError} `wrong-key` or `damaged`.
 * @throws {RangeError} when a half is not one made by {@link createHalf}.
 */
export async function wake(rested: string, halves: Halves): Promise<unknown> {
  const sealed = fromBase64Url(rested)
  if (sealed === null) throw new EnvelopeError('damaged', 'Nothing at rest.')
  return openJson(joinHalves(halves), `${halves.use}.rest`, sealed)
}

/** A member's unlocked keys to {@link rest}. */
export function restKeys({
  keys,
  random,
  ...halves
}: Omit<Halves, 'use'> & {
  readonly keys: readonly UnlockedKey[]
  readonly random: RandomBytes
}): Promise<string> {
  return rest(keys, { use: 'member', ...halves }, random)
}

/** The keys that {@link restKeys} put to rest. @throws as {@link wake}: the member unlocks again. */
export async function wakeKeys({
  rested,
  ...halves
}: Omit<Halves, 'use'> & { readonly rested: string }): Promise<readonly UnlockedKey[]> {
  return (await wake(rested, { use: 'member', ...halves })) as readonly UnlockedKey[]
}

function joinHalves({ use, clientHalf, serverHalf }: Halves): Uint8Array {
  const halves = [clientHalf, serverHalf].map((half) => {
    const bytes = fromBase64Url(half)
    if (bytes?.length !== HALF_BYTES) throw new RangeError('A half has 32 bytes.')
    return bytes
  })
  return deriveKey(concat(...halves), `${use}/rest`)
}
