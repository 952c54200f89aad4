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
  constructor(status: number, message: string, fields: readonly Problem[] = []) {
    super(message)
    this.status = status
    this.fields = fields
  }
}

async function answer<T>(response: Response): Promise<T> {
  if (response.ok) return (await response.json()) as T
  const problem = (await response.json().catch(() => ({}))) as {
    detail?: string
    title?: string
    errors?: Problem[]
  }
  const lines = [
    problem.detail ?? problem.title ?? '操作没有成功。',
    ...(problem.errors ?? []).map(({ message }) => message),
  ]
  throw new Refused(response.status, [...new Set(lines)].join(' '), problem.errors)
}

export const formToken = (): string =>
  document.querySelector<HTMLMetaElement>('meta[name="form-token"]')?.content ?? ''

export const getJson = async <T>(path: string): Promise<T> => answer<T>(await fetch(path))

export async function post<T>(
  path: string,
  body: BodyInit,
  headers: Record<string, string> = {},
): Promise<T> {
  return answer<T>(
    await fetch(path, { method: 'POST', body, headers: { 'x-form-token': formToken(), ...headers } }),
  )
}

export const postJson = <T>(path: string, body: unknown): Promise<T> =>
  post<T>(path, JSON.stringify(body), { 'content-type': 'application/json' })

interface KeysReply {
  readonly username: string
  readonly half: string
  readonly wrappedIdentity: string
  readonly grants: readonly {
    readonly departmentId: string
    readonly epoch: number
    readonly wrapped: string
  }[]
}

async function stretch(username: string, passphrase: string): ReturnType<typeof stretchPassphrase> {
  const { salt, params } = await postJson<{ salt: string; params: KdfParams }>('/api/v1/staff/kdf', {
    username,
  })
  // A server in wrong hands could ask for a cheap hash and then guess the passphrase from it.
  if (!isAcceptableKdf(params)) throw new Error('服务器给的参数不安全，已停止。请告诉管理员。')
  return stretchPassphrase(passphrase, bytes(salt), params)
}

async function openKeys(wrapKey: Uint8Array): Promise<void> {
  const reply = await getJson<KeysReply>('/api/v1/staff/keys')
  const identity = await unlockMember({
    username: reply.username,
    wrapKey,
    wrappedIdentity: bytes(reply.wrappedIdentity),
  })
  const keys: UnlockedKey[] = []
  for (const { departmentId: department, epoch, wrapped } of reply.grants) {
    keys.push({
      department,
      epoch,
      identity: await openGrant({ department, epoch }, bytes(wrapped), identity),
    })
  }
  const clientHalf = createHalf(random)
  sessionStorage.setItem(HALF, clientHalf)
  sessionStorage.setItem(RESTED, await restKeys({ keys, clientHalf, serverHalf: reply.half, random }))
}

/** Signs in and opens what the member may open. */
export async function signIn(username: string, passphrase: string): Promise<void> {
  const { auth, wrapKey } = await stretch(username, passphrase)
  await postJson('/api/v1/staff/sign-in', { username, auth })
  await openKeys(wrapKey)
}

/** Opens the keys again in a tab that has none. */
export async function unlock(username: string, passphrase: string): Promise<void> {
  await openKeys((await stretch(username, passphrase)).wrapKey)
}

/** The department keys at hand in this tab; null when the passphrase is needed. */
export async function wakeDepartmentKeys(): Promise<readonly UnlockedKey[] | null> {
  const rested = sessionStorage.getItem(RESTED)
  const clientHalf = sessionStorage.getItem(HALF)
  if (rested === null || clientHalf === null) return null
  try {
    const { half } = await getJson<KeysReply>('/api/v1/staff/keys')
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
