import type { Problem } from '../../api/problem.ts'

/** One sealed file on its way; what broke off goes on where the server says it stands. */
export interface Upload {
  /**
   * Sends what is missing; may be called again after it failed.
   * @param onSent told the share that has certainly arrived
   * @returns the id
   * @throws {UploadRefusedError} when the site will not have it, and others when it cannot be reached
   */
  run(onSent: (share: number) => void): Promise<string>
}

/** The site's own words for why it takes no more. */
export class UploadRefusedError extends Error {}

const PIECE_BYTES = 1024 * 1024
const PIECE_MS = 60_000
/** Tries without anything getting through; the pauses between them add up to some seconds. */
const TRIES = 4
const PAUSE_MS = 400
const BASE = '/api/v1/uploads'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function mustTake(reply: Response): Promise<Response> {
  if (reply.ok || reply.status === 404 || reply.status === 409) return reply
  if (reply.status >= 500 || reply.status === 408) throw new Error(`uploads answered ${reply.status}`)
  const { detail, title } = (await reply.json()) as Problem
  throw new UploadRefusedError(detail ?? title)
}

const ask = async (path: string, init: RequestInit): Promise<Response> =>
  mustTake(await fetch(BASE + path, { ...init, signal: AbortSignal.timeout(PIECE_MS) }))

const offsetOf = (reply: Response): number => Number(reply.headers.get('upload-offset'))

/** Takes one back; whether that succeeds matters little, since upkeep forgets what no tip names. */
export async function removeUpload(id: string): Promise<void> {
  await ask(`/${id}`, { method: 'DELETE' }).catch(() => null)
}

export function createUpload(sealed: Uint8Array<ArrayBuffer>): Upload {
  let id: string | null = null

  async function begin(): Promise<string> {
    const reply = await ask('', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ size: sealed.length }),
    })
    return ((await reply.json()) as { id: string }).id
  }

  /** Answers how far it came before it broke off; throws away the id of an upload that is gone. */
  async function goOn(from: string, onOffset: (offset: number) => void): Promise<number> {
    const state = await ask(`/${from}`, { method: 'HEAD' })
    let offset = offsetOf(state)
    while (state.ok && offset < sealed.length) {
      const reply = await ask(`/${from}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/offset+octet-stream', 'upload-offset': String(offset) },
        body: sealed.subarray(offset, offset + PIECE_BYTES),
      })
      if (reply.status === 404) break
      offset = offsetOf(reply)
      onOffset(offset)
    }
    if (offset < sealed.length || !state.ok) id = null
    return state.ok ? offset : 0
  }

  return {
    async run(onSent) {
      let failures = 0
      const onOffset = (offset: number): void => {
        failures = 0
        onSent(offset / sealed.length)
      }
      for (;;) {
        try {
          id ??= await begin()
          const at = id
          if ((await goOn(at, onOffset)) === sealed.length && id !== null) return at
        } catch (error) {
          if (error instanceof UploadRefusedError) throw error
        }
        failures += 1
        if (failures >= TRIES) throw new Error('the upload did not get through')
        await pause(PAUSE_MS * 2 ** failures)
      }
    },
  }
}
