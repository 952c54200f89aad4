import { brotliDecompressSync } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import { createPageCache, nextTurn, replyFrom, type PageCache } from '../../src/http/page-cache.ts'

const NOON = new Date('2026-11-25T04:00:00Z')
const page = (size: number) => new Uint8Array(size).fill(65)
const put = (cache: PageCache, key: string, size = 1000) => cache.put(key, {}, page(size), 'v1', NOON)
const get = (cache: PageCache, key: string, version = 'v1', now = NOON) =>
  cache.get(key, version, now.getTime())
const asking = (coding: string) =>
  new Request('http://localhost/', { headers: { 'accept-encoding': coding } })

describe('the page cache', () => {
  it('holds a page for its data version and until it turns with time', () => {
    const cache = createPageCache()
    put(cache, '/')
    expect(get(cache, '/')).toBeDefined()
    expect(get(cache, '/', 'v2')).toBeUndefined()
    expect(get(cache, '/', 'v1', new Date('2026-11-25T15:59:59Z'))).toBeDefined()
    expect(get(cache, '/', 'v1', new Date('2026-11-25T16:00:00Z'))).toBeUndefined()
    expect(cache.getStale('/')).toBeDefined()
  })

  it('turns at 06:00 of +08:00, when yesterday’s batch becomes public, and at midnight', () => {
    expect(new Date(nextTurn(new Date('2026-11-24T21:59:59Z')))).toEqual(new Date('2026-11-24T22:00:00Z'))
    expect(new Date(nextTurn(new Date('2026-11-24T22:00:00Z')))).toEqual(new Date('2026-11-25T16:00:00Z'))
  })

  it('drops what was not read for longest, so made-up addresses do not push out the home page', () => {
    const cache = createPageCache(3500)
    put(cache, '/')
    for (let made = 0; made < 50; made += 1) {
      put(cache, `/?n=${made}`)
      expect(get(cache, '/'), `after ${made}`).toBeDefined()
    }
    expect(get(cache, '/?n=0')).toBeUndefined()
    expect(get(cache, '/?n=49')).toBeDefined()
  })

  it('packs a page that is asked for again, and no other', async () => {
    const cache = createPageCache()
    const once = put(cache, '/?n=1', 10_000)
    const reply = put(cache, '/', 10_000)
    expect(replyFrom(reply, asking('br')).headers.get('content-encoding')).toBeNull()
    get(cache, '/')
    await vi.waitFor(() => {
      expect(reply.brotli).not.toBeNull()
    })
    const packed = replyFrom(reply, asking('gzip, br'))
    expect(packed.headers.get('content-encoding')).toBe('br')
    expect(brotliDecompressSync(Buffer.from(await packed.arrayBuffer()))).toEqual(Buffer.from(page(10_000)))
    expect(replyFrom(reply, asking('gzip')).headers.get('content-encoding')).toBe('gzip')
    expect(once.brotli).toBeNull()
  })

  it('answers 304 to a client that has the page', () => {
    const reply = put(createPageCache(), '/')
    const again = new Request('http://localhost/', { headers: { 'if-none-match': reply.etag } })
    expect(replyFrom(reply, again).status).toBe(304)
  })
})
