import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { addDays, dayOf, startOfDay } from '../domain/day.ts'

/** One finished reply, with every variant a client may want. */
export interface CachedReply {
  /** As they are sent. A plain record: the server writes it without a `Headers` object in between. */
  readonly headers: Readonly<Record<string, string>>
  readonly etag: string
  readonly plain: Uint8Array<ArrayBuffer>
  gzip: Uint8Array<ArrayBuffer> | null
  brotli: Uint8Array<ArrayBuffer> | null
  readonly version: string
  /** The moment the page turns with time, in ms since 1970. */
  readonly until: number
  /** Asked for again, so worth packing. */
  wanted: boolean
}

const MAX_BYTES = 64 * 2 ** 20

const zip = promisify(gzip)
const brotli = promisify(brotliCompress)

const HOUR_MS = 3_600_000

/**
 * The next moment at which a public page may change by time alone: midnight at +08:00 (deadlines, effective dates)
 * or 06:00, when the batch of the day before becomes public (D§5.1).
 */
export function nextTurn(now: Date): number {
  const today = startOfDay(dayOf(now)).getTime()
  const batch = today + 6 * HOUR_MS
  return now.getTime() < batch ? batch : startOfDay(addDays(dayOf(now), 1)).getTime()
}

/** Finished replies of anonymous reading pages, the oldest dropped first. */
export interface PageCache {
  /** The reply when it still holds at `version` and `now`. */
  get(key: string, version: string, now: number): CachedReply | undefined
  /** The last reply whatever its age: better than nothing while the database is away. */
  getStale(key: string): CachedReply | undefined
  put(
    key: string,
    headers: Record<string, string>,
    body: Uint8Array<ArrayBuffer>,
    version: string,
    now: Date,
  ): CachedReply
}

export function createPageCache(maxBytes = MAX_BYTES): PageCache {
  const entries = new Map<string, CachedReply>()
  let bytes = 0

  const size = (reply: CachedReply): number =>
    reply.plain.length + (reply.gzip?.length ?? 0) + (reply.brotli?.length ?? 0)

  function drop(key: string): void {
    const old = entries.get(key)
    if (!old) return
    entries.delete(key)
    bytes -= size(old)
  }

  async function compress(key: string, reply: CachedReply): Promise<void> {
    const zipped = await zip(reply.plain)
    const packed = await brotli(reply.plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } })
    if (entries.get(key) !== reply) return
    reply.gzip = new Uint8Array(zipped)
    reply.brotli = new Uint8Array(packed)
    bytes += zipped.length + packed.length
  }

  return {
    get(key, version, now) {
      const reply = entries.get(key)
      if (reply?.version !== version || now >= reply.until) return undefined
      // Back to the end of the queue: made-up addresses push out each other, not the pages that people read.
      entries.delete(key)
      entries.set(key, reply)
      if (!reply.wanted) {
        reply.wanted = true
        // Beside the answer, not before it; and not for a page that nobody asks for twice.
        void compress(key, reply)
      }
      return reply
    },
    getStale: (key) => entries.get(key),
    put(key, headers, body, version, now) {
      drop(key)
      const etag = `W/"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
      const reply: CachedReply = {
        headers: { ...headers, etag, vary: 'accept-encoding', 'cache-control': 'no-cache' },
        etag,
        plain: body,
        gzip: null,
        brotli: null,
        version,
        until: nextTurn(now),
        wanted: false,
      }
      entries.set(key, reply)
      bytes += body.length
      for (const oldest of entries.keys()) {
        if (bytes <= maxBytes) break
        drop(oldest)
      }
      return reply
    },
  }
}

/** The HTTP reply for a cached one: 304 when the client has it, else the smallest variant it accepts. */
export function replyFrom(cached: CachedReply, request: Request): Response {
  const { headers, etag } = cached
  if (request.headers.get('if-none-match')?.includes(etag))
    return new Response(null, { status: 304, headers })
  const accepted = request.headers.get('accept-encoding') ?? ''
  if (cached.brotli && /\bbr\b/.test(accepted)) {
    return new Response(cached.brotli, { headers: { ...headers, 'content-encoding': 'br' } })
  }
  if (cached.gzip && /\bgzip\b/.test(accepted)) {
    return new Response(cached.gzip, { headers: { ...headers, 'content-encoding': 'gzip' } })
  }
  return new Response(cached.plain, { headers })
}
