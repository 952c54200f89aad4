import { pairOf } from '../../sealing/age-identity.ts'
import { fromBase64Url, toBase64Url } from '../../sealing/bytes.ts'
import { openGrant } from '../../sealing/department-keys.ts'
import { createHalf, restKeys, wakeKeys, type UnlockedKey } from '../../sealing/half-key.ts'
import {
  isAcceptableKdf,
  stretchPassphrase,
  unlockMember,
  type KdfParams,
} from '../../sealing/member-keys.ts'

/**
 * The member's keys in this tab. Between pages they rest in sessionStorage under a key whose other half only the
 * server's session holds: signing out, or the session's end, makes them worthless.
 */
const RESTED = 'lantian.keys'
const HALF = 'lantian.half'
/** Under this name the member's own key rests beside those it opened; no department and no role is called so. */
const OWN = '-own'
const IDLE_MS = 15 * 60_000
const ALIVE_MS = 4 * 60_000

export const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))

const bytes = (text: string): Uint8Array<ArrayBuffer> => {
  const decoded = fromBase64Url(text)
  if (!decoded) throw new Error('服务器的回答无法识别。')
  return decoded
}

/** One refused field. */
export interface Problem {
  readonly field: string
  readonly message: string
}

/** Refused, by the server or before asking it; the message is for the person. */
export class Refused extends Error {
  readonly status: number
  readonly fields: readonly Problem[]
  /** The reason's code, as in `/problems/{code}/`. */
  readonly code: string | null
  constructor(status: number, message: string, fields: readonly Problem[] = [], code: string | null = null) {
    super(message)
    this.status = status
    this.fields = fields
    this.code = code
  }
}

async function answer<T>(response: Response): Promise<T> {
  if (response.ok) return (await response.json()) as T
  const problem = (await response.json().catch(() => ({}))) as {
    type?: string
    detail?: string
    title?: string
    errors?: Problem[]
  }
  const lines = [
    problem.detail ?? problem.title ?? '操作没有成功。',
    ...(problem.errors ?? []).map(({ message }) => message),
  ]
  const code = /^\/problems\/([a-z-]+)\/$/.exec(problem.type ?? '')?.[1] ?? null
  throw new Refused(response.status, [...new Set(lines)].join(' '), problem.errors, code)
}

export const formToken = (): string =>
  document.querySelector<HTMLMetaElement>('meta[name="form-token"]')?.content ?? ''

export const getJson = async <T>(path: string): Promise<T> => answer<T>(await fetch(path))

let askForFactor: (() => Promise<void>) | null = null

/** What to do when the server wants to see the second factor again: the frame's dialog says. */
export function whenFactorIsRequired(ask: () => Promise<void>): void {
  askForFactor = ask
}

/** Sends a change; once more after the second factor was shown, when that is what it lacked. */
export async function post<T>(
  path: string,
  body: BodyInit,
  headers: Record<string, string> = {},
): Promise<T> {
  const send = async (): Promise<T> =>
    answer<T>(
      await fetch(path, { method: 'POST', body, headers: { 'x-form-token': formToken(), ...headers } }),
    )
  try {
    return await send()
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== 'factor-required' || !askForFactor) throw error
    await askForFactor()
    return send()
  }
}

export const postJson = <T>(path: string, body: unknown): Promise<T> =>
  post<T>(path, JSON.stringify(body), { 'content-type': 'application/json' })

interface KeysReply {
  readonly username: string
  readonly half: string
  readonly wrappedIdentity: string
  /** The same identity under what some of the member's passkeys yield. */
  readonly passkeys: readonly { readonly credentialId: string; readonly wrappedIdentity: string }[]
  readonly grants: readonly {
    readonly departmentId: string
    readonly epoch: number
    readonly wrapped: string
    readonly recipient: string
  }[]
}

export const fetchKeys = (): Promise<KeysReply> => getJson<KeysReply>('/api/v1/staff/keys')

/** Stretches a passphrase as the account's record says. */
export async function stretch(username: string, passphrase: string): ReturnType<typeof stretchPassphrase> {
  const { salt, params } = await postJson<{ salt: string; params: KdfParams }>('/api/v1/staff/kdf', {
    username,
  })
  // A server in wrong hands could ask for a cheap hash and then guess the passphrase from it.
  if (!isAcceptableKdf(params)) throw new Error('服务器给的参数不安全，已停止。请告诉管理员。')
  return stretchPassphrase(passphrase, bytes(salt), params)
}

/** The member's own identity, by the passphrase. */
export async function ownIdentity(username: string, passphrase: string): Promise<string> {
  const { wrapKey } = await stretch(username, passphrase)
  const { wrappedIdentity } = await fetchKeys()
  return unlockMember({ username, wrapKey, wrappedIdentity: bytes(wrappedIdentity) })
}

/** Lays the department keys to rest in this tab. */
async function rest(keys: readonly UnlockedKey[], serverHalf: string): Promise<void> {
  const clientHalf = createHalf(random)
  sessionStorage.setItem(HALF, clientHalf)
  sessionStorage.setItem(RESTED, await restKeys({ keys, clientHalf, serverHalf, random }))
}

/** Opens every key that the member was granted. */
export async function openKeys(identity: string, reply: KeysReply): Promise<void> {
  const keys: UnlockedKey[] = []
  for (const { departmentId: department, epoch, wrapped, recipient } of reply.grants) {
    const secret = await openGrant({ department, epoch }, bytes(wrapped), identity)
    // Whoever made the key could have granted another one than tips are sealed to.
    if ((await pairOf(secret)).recipient !== recipient) {
      throw new Error('给您的钥匙和公布的不一致，已停止。请立即告诉管理员。')
    }
    keys.push({ department, epoch, identity: secret })
  }
  await rest([...keys, { department: OWN, epoch: 1, identity }], reply.half)
}

async function openWithPassphrase(wrapKey: Uint8Array): Promise<void> {
  const reply = await fetchKeys()
  const { username } = reply
  await openKeys(
    await unlockMember({ username, wrapKey, wrappedIdentity: bytes(reply.wrappedIdentity) }),
    reply,
  )
}

/** What may be shown beside the passphrase, with the ticket that the passphrase gave. */
export interface FactorWanted {
  readonly ticket: string
  readonly totp: boolean
  readonly passkey: boolean
}

export interface BegunSignIn {
  /** Null when the passphrase was enough (a demonstration). */
  readonly wanted: FactorWanted | null
  /** Opens the keys, once the member is signed in. */
  open(): Promise<void>
}

/** The first half of signing in. */
export async function signIn(username: string, passphrase: string): Promise<BegunSignIn> {
  const { auth, wrapKey } = await stretch(username, passphrase)
  const reply = await postJson<FactorWanted | { signedIn: true }>('/api/v1/staff/sign-in', { username, auth })
  return { wanted: 'ticket' in reply ? reply : null, open: () => openWithPassphrase(wrapKey) }
}

/** Opens the keys again in a tab that has none. */
export async function unlock(username: string, passphrase: string): Promise<void> {
  await openWithPassphrase((await stretch(username, passphrase)).wrapKey)
}

/** The member's own identity at hand in this tab. @throws when the passphrase is needed */
export async function wakeOwnIdentity(): Promise<string> {
  const own = (await wakeDepartmentKeys())?.find(({ department }) => department === OWN)
  if (!own) throw new Error('这个标签页里没有钥匙，请退出后重新登录。')
  return own.identity
}

/** Adds a key that was made here to those at rest. */
export async function keepKey(key: UnlockedKey): Promise<void> {
  const keys = await wakeDepartmentKeys()
  if (keys) await rest([...keys, key], (await fetchKeys()).half)
}

/** The department keys at hand in this tab; null when the passphrase is needed. */
export async function wakeDepartmentKeys(): Promise<readonly UnlockedKey[] | null> {
  const rested = sessionStorage.getItem(RESTED)
  const clientHalf = sessionStorage.getItem(HALF)
  if (rested === null || clientHalf === null) return null
  try {
    const { half } = await fetchKeys()
    return await wakeKeys({ rested, clientHalf, serverHalf: half })
  } catch {
    sessionStorage.clear()
    return null
  }
}

export async function signOut(): Promise<void> {
  sessionStorage.clear()
  await postJson('/api/v1/staff/sign-out', {}).catch(() => undefined)
  location.assign('/staff/sign-in/')
}

/**
 * Forgets the keys after a quarter of an hour without a touch. Who types for long asks the server nothing: a sign of
 * life now and then keeps its session, and with it what is being written.
 */
export function watchIdle(): void {
  let timer = 0
  let toldAt = performance.now()
  const restart = (): void => {
    clearTimeout(timer)
    if (performance.now() - toldAt > ALIVE_MS) {
      toldAt = performance.now()
      void fetch('/api/v1/staff/keys', { method: 'HEAD' }).catch(() => undefined)
    }
    timer = window.setTimeout(() => {
      sessionStorage.clear()
      location.assign('/staff/sign-in/')
    }, IDLE_MS)
  }
  for (const event of ['keydown', 'pointerdown', 'scroll'])
    addEventListener(event, restart, { passive: true })
  restart()
}

export { bytes, toBase64Url }
