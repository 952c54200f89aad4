import { argon2id } from 'hash-wasm'
import { openBytes, sealBytes } from './aes.ts'
import { createKeyPair } from './age-identity.ts'
import type { RandomBytes } from './bytes.ts'
import { fromUtf8, toBase64Url, utf8 } from './bytes.ts'
import { deriveKey } from './derive.ts'
import { foldPassphrase } from './passphrase.ts'

/** Parameters of Argon2id, kept with each member so that they can grow. */
export interface KdfParams {
  readonly memoryKiB: number
  readonly iterations: number
  readonly parallelism: number
}

/** What new members get: about half a second in a browser. */
export const MEMBER_KDF: KdfParams = { memoryKiB: 65_536, iterations: 3, parallelism: 1 }
export const SALT_BYTES = 16

/**
 * Whether the browser may run these parameters when a server names them: a server that was taken over could else
 * ask for a cheap hash and guess the passphrase from what it receives.
 * @source OWASP ASVS 5.0, appendix C: Argon2id with at least 46 MiB and one pass.
 */
export function isAcceptableKdf({ memoryKiB, iterations, parallelism }: KdfParams): boolean {
  return (
    memoryKiB >= 47_104 && memoryKiB <= 1_048_576 && iterations >= 1 && iterations <= 20 && parallelism === 1
  )
}

/** What a passphrase yields: `auth` signs in and goes to the server, `wrapKey` never leaves the browser. */
export interface PassphraseKeys {
  /** 32 bytes, base64url. */
  readonly auth: string
  /** 32 bytes. */
  readonly wrapKey: Uint8Array
}

/**
 * Stretches a passphrase and splits the result into two independent keys. Takes about half a second with
 * {@link MEMBER_KDF}.
 * @throws {RangeError} when the salt has not 16 bytes.
 */
export async function stretchPassphrase(
  passphrase: string,
  salt: Uint8Array,
  params: KdfParams,
): Promise<PassphraseKeys> {
  if (salt.length !== SALT_BYTES) throw new RangeError('The salt must have 16 bytes.')
  const secret = await argon2id({
    password: foldPassphrase(passphrase),
    salt,
    memorySize: params.memoryKiB,
    iterations: params.iterations,
    parallelism: params.parallelism,
    hashLength: 32,
    outputType: 'binary',
  })
  return {
    auth: toBase64Url(deriveKey(secret, 'member/auth')),
    wrapKey: deriveKey(secret, 'member/wrap'),
  }
}

/** What goes into a passkey's pseudo-random function (WebAuthn `prf`), the same for every passkey. */
export const PASSKEY_INPUT = utf8('lantian/v1/member/passkey')

/** The wrap key that a passkey yields: a second way to the member's identity, beside the passphrase. */
export function passkeyWrapKey(prfOutput: Uint8Array): Uint8Array {
  if (prfOutput.length !== 32) throw new RangeError('A passkey yields 32 bytes.')
  return deriveKey(prfOutput, 'member/passkey')
}

/** A new member's keys. All but the identity goes to the server, beside salt and parameters. */
export interface MemberKeys {
  /** Stays in the browser. */
  readonly identity: string
  /** `age1…`, to which department keys are granted. */
  readonly recipient: string
  /** The member's secret under the wrap key; opens with {@link unlockMember}. */
  readonly wrappedIdentity: Uint8Array<ArrayBuffer>
  /** Signs in; the server keeps a hash. */
  readonly auth: string
}

/** Makes a member's own identity and locks it with the passphrase. Runs in the member's browser. */
export async function createMemberKeys({
  username,
  passphrase,
  salt,
  params,
  random,
}: {
  readonly username: string
  readonly passphrase: string
  readonly salt: Uint8Array
  readonly params: KdfParams
  readonly random: RandomBytes
}): Promise<MemberKeys> {
  const [{ identity, recipient }, { auth, wrapKey }] = await Promise.all([
    createKeyPair(),
    stretchPassphrase(passphrase, salt, params),
  ])
  return {
    identity,
    recipient,
    auth,
    wrappedIdentity: await lockMember({ username, identity, wrapKey, random }),
  }
}

/** Locks an existing identity under a new wrap key: how a member changes the passphrase. */
export function lockMember({
  username,
  identity,
  wrapKey,
  random,
}: {
  readonly username: string
  readonly identity: string
  readonly wrapKey: Uint8Array
  readonly random: RandomBytes
}): Promise<Uint8Array<ArrayBuffer>> {
  return sealBytes(wrapKey, purposeOf(username), utf8(identity), random)
}

/**
 * The member's own age identity.
 * @throws {EnvelopeError} `wrong-key` for a wrong passphrase or another member's record; `damaged`.
 */
export async function unlockMember({
  username,
  wrapKey,
  wrappedIdentity,
}: {
  readonly username: string
  readonly wrapKey: Uint8Array
  readonly wrappedIdentity: Uint8Array
}): Promise<string> {
  return fromUtf8(await openBytes(wrapKey, purposeOf(username), wrappedIdentity))
}

function purposeOf(username: string): string {
  return `member.identity:${username}`
}
