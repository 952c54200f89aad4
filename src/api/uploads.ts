import { Hono, type Context } from 'hono'
import { DomainError } from '../domain/errors.ts'
import { gateRefused } from '../domain/gate.ts'
import { DRAFT_COOKIE } from '../http/session-cookie.ts'
import type { Runtime } from '../runtime.ts'
import { uploadBody } from '../schemas/tip.ts'
import { MAX_PIECE_BYTES, type UploadState } from '../services/uploads.ts'
import { check, type ApiEnv } from './check.ts'
import { readJson } from './json.ts'
import { problemResponse } from './problem.ts'

const OFFSET = /^\d{1,9}$/

const headersOf = ({ offset, size }: UploadState): Record<string, string> => ({
  'upload-offset': String(offset),
  'upload-length': String(size),
  'cache-control': 'no-store',
})

/** Sealed photos, piece by piece: what broke off goes on where the server says it stands. */
export function createUploadsApi({ services }: Pick<Runtime, 'services'>): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>()

  /** Whose upload it is: of the form's draft, or of a proof that is not spent yet. */
  async function holderOf(c: Context<ApiEnv>, gate: string | undefined): Promise<string> {
    const draft = await services.drafts.open(DRAFT_COOKIE.read(c.req.raw))
    if (draft) return `draft:${draft.id}`
    const { state, spend } = await services.gate.examine(gate, { purpose: 'tip', holder: '' })
    if (spend === null) throw gateRefused(state === 'expired' ? 'expired' : 'refused')
    if (await services.gate.isSpent(spend)) throw gateRefused('used')
    return `proof:${spend.hash.toString('hex')}`
  }

  api.post('/', async (c) => {
    const { size, gate } = check(uploadBody, await readJson(c.req.raw))
    services.limits.take('sealed-uploads', c.get('client'))
    const id = await services.uploads.begin(await holderOf(c, gate), size)
    return c.json({ id, offset: 0, size }, 201, { 'cache-control': 'no-store' })
  })

  // Hono answers HEAD out of this one.
  api.get('/:upload', async (c) => {
    const state = await services.uploads.state(c.req.param('upload'))
    return c.json(state, 200, headersOf(state))
  })

  api.patch('/:upload', async (c) => {
    const id = c.req.param('upload')
    const given = c.req.header('upload-offset') ?? ''
    if (!OFFSET.test(given)) {
      throw new DomainError('invalid-input', '请带上 Upload-Offset 请求头。', [
        { field: 'Upload-Offset', message: '从哪个字节接着传。' },
      ])
    }
    const state = await services.uploads.add(id, Number(given), await readPiece(c.req.raw))
    if (state) return c.json(state, 200, headersOf(state))
    const now = await services.uploads.state(id)
    return problemResponse(
      new DomainError('stale-version', `已经收到 ${now.offset} 字节，请从那里接着传。`),
      headersOf(now),
    )
  })

  api.delete('/:upload', async (c) => {
    await services.uploads.remove(c.req.param('upload'))
    return c.json({ removed: true }, 200, { 'cache-control': 'no-store' })
  })

  return api
}

/** @throws {DomainError} `too-large` past 1 MiB */
async function readPiece(request: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > MAX_PIECE_BYTES) throw new DomainError('too-large', '每段最多 1 MiB。')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
