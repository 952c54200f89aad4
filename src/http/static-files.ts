import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, sep } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { securityHeaders } from './headers.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.xml': 'application/xml; charset=utf-8',
}
const COMPRESSIBLE = /^(?:text\/|application\/(?:json|wasm|xml|manifest)|image\/svg)/
const SMALLEST_COMPRESSED_BYTES = 512

const brotli = promisify(brotliCompress)
const compress = promisify(gzip)

type Coding = 'br' | 'gzip' | 'identity'

interface StaticFile {
  readonly headers: Record<string, string>
  readonly etag: string
  readonly compressible: boolean
  /** Each coding is made once, when it is first asked for. */
  readonly bodies: Map<Coding, Promise<Buffer>>
}

/** Answers a request for a file, or `false` when the path names none: then the app answers. */
export type ServeStatic = (req: IncomingMessage, res: ServerResponse) => boolean

function toFile(path: string, urlPath: string, https: boolean): StaticFile {
  const body = readFileSync(path)
  const type = TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream'
  const compressible = COMPRESSIBLE.test(type) && body.length >= SMALLEST_COMPRESSED_BYTES
  return {
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    compressible,
    bodies: new Map([['identity', Promise.resolve(body)]]),
    headers: {
      ...securityHeaders(urlPath, https, null, type),
      'content-type': type,
      // A hashed name changes with its content; the others are asked for again after an hour.
      'cache-control': urlPath.startsWith('/assets/')
        ? 'public, max-age=31536000, immutable'
        : 'public, max-age=3600',
      ...(compressible ? { vary: 'accept-encoding' } : {}),
    },
  }
}

async function encode(body: Buffer, coding: Coding): Promise<Buffer> {
  if (coding === 'br') return brotli(body, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: body.length } })
  return coding === 'gzip' ? compress(body, { level: 9 }) : body
}

function bodyOf(file: StaticFile, coding: Coding): Promise<Buffer> {
  const made = file.bodies.get(coding)
  if (made) return made
  const body = (file.bodies.get('identity') ?? Promise.resolve(Buffer.alloc(0))).then((plain) =>
    encode(plain, coding),
  )
  file.bodies.set(coding, body)
  return body
}

function codingFor(file: StaticFile, accepted: string): Coding {
  if (!file.compressible) return 'identity'
  if (/\bbr\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(accepted)) return 'br'
  return /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(accepted) ? 'gzip' : 'identity'
}

async function send(file: StaticFile, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const coding = codingFor(file, req.headers['accept-encoding']?.toString() ?? '')
  const etag = coding === 'identity' ? file.etag : `${file.etag.slice(0, -1)}-${coding}"`
  if (req.headers['if-none-match'] === etag) {
    res.writeHead(304, { ...file.headers, etag }).end()
    return
  }
  const body = await bodyOf(file, coding)
  res.writeHead(200, {
    ...file.headers,
    etag,
    'content-length': body.length,
    ...(coding === 'identity' ? {} : { 'content-encoding': coding }),
  })
  res.end(req.method === 'HEAD' ? undefined : body)
}

/**
 * Reads a folder of built files once and serves exactly those: a path that is not in the list is not a file, so
 * nothing outside the folder can be asked for.
 */
export function createStaticFiles(dir: string, https: boolean): ServeStatic {
  const files = new Map<string, StaticFile>()
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const urlPath = path.slice(dir.length).split(sep).join('/')
    files.set(encodeURI(urlPath), toFile(path, urlPath, https))
  }
  return (req, res) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') return false
    const file = files.get((req.url ?? '/').replace(/\?.*$/s, ''))
    if (!file) return false
    send(file, req, res).catch(() => res.destroy())
    return true
  }
}
