import { existsSync } from 'node:fs'
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { getRequestListener, RequestError } from '@hono/node-server'
import { describeFailure, StartError } from './cli/failure.ts'
import { readConfig } from './config.ts'
import { securityHeaders } from './http/headers.ts'
import { createStaticFiles } from './http/static-files.ts'
import { brokenReply, closingReply } from './http/unavailable.ts'
import type { Runtime } from './runtime.ts'

interface App {
  readonly fetch: (request: Request) => Response | Promise<Response>
  readonly runtime: Runtime
}

export interface RunningServer {
  /** Where it answers, without a trailing slash. */
  readonly url: string
  /** Stops accepting, lets running requests end (5 s at most), closes the database and frees the data directory. */
  stop(): Promise<void>
}

const DIST = fileURLToPath(new URL('../dist/', import.meta.url))
const DRAIN_MS = 5_000
/** Sooner than the end, so that the refusal is read before the connection is cut. */
const UPLOAD_MS = 4_000
const MINUTE_MS = 60_000
const MALFORMED: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

/** A line of ours for the operator; the console is guarded by then. */
const complain = (text: string): void => void process.stderr.write(`${text}\n`)

function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve(server.address() as AddressInfo)
    })
  })
}

interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

/** Answers in the app's place; what the app comes to later is dropped. */
function refuse({ req, res }: Exchange, https: boolean): void {
  const { headers, body } = closingReply(req.url ?? '/')
  res.writeHead(503, { ...headers, ...securityHeaders(req.url ?? '/', https) })
  res.end(body)
  Object.assign(res, { writeHead: () => res, write: () => true, end: () => res })
}

/** Answers what is not HTTP, or more of it than is taken; Node would do so without our headers. */
function refuseMalformed(code: string | undefined, socket: Duplex, https: boolean): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const status = MALFORMED[code ?? ''] ?? 400
  const { headers, body } = brokenReply(status)
  const lines = Object.entries({
    ...headers,
    ...securityHeaders('/', https),
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
}

/**
 * Lets requests under way come to their end: a connection serves no second one, an upload that has not arrived by
 * `UPLOAD_MS` is refused (nobody has filed it: filing begins with the last byte), and what is left is cut.
 */
function drain(server: Server, open: ReadonlySet<Exchange>, https: boolean): Promise<void> {
  return new Promise((resolve) => {
    for (const { res } of open) res.shouldKeepAlive = false
    const lastUpload = setTimeout(() => {
      for (const exchange of open)
        if (!exchange.req.complete && !exchange.res.headersSent) refuse(exchange, https)
    }, UPLOAD_MS)
    const cut = setTimeout(() => {
      server.closeAllConnections()
    }, DRAIN_MS)
    server.close(() => {
      clearTimeout(lastUpload)
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}

/**
 * Serves the built program. The adapter's bundle does not listen: it leaves the app where this finds it, so that
 * there is one copy of every module and one database handle.
 * @throws {Error} with one line for the operator: wrong setting, directory in use, no build, port taken
 */
export async function startServer(
  env: Record<string, string | undefined> = process.env,
): Promise<RunningServer> {
  const config = readConfig(env)
  if (!existsSync(`${DIST}server/entry.mjs`)) throw new StartError('dist/ is missing; run: npm run build')
  await import(pathToFileURL(`${DIST}server/entry.mjs`).href)
  const app = (globalThis as { [key: symbol]: unknown })[Symbol.for('lantian.app')] as App
  app.runtime.guardStreams()
  const https = config.publicUrl?.startsWith('https://') ?? false
  const serveStatic = createStaticFiles(`${DIST}client`, https)
  const answer = getRequestListener(app.fetch, {
    // What the app did not handle. Hono would answer with the error's message.
    errorHandler: (error) => {
      const isRequest = error instanceof RequestError
      if (!isRequest) app.runtime.log.error(error)
      const status = isRequest ? 400 : 500
      const { headers, body } = brokenReply(status)
      return new Response(body, { status, headers: { ...headers, ...securityHeaders('/', https) } })
    },
  })
  const open = new Set<Exchange>()
  let draining = false
  const server = createServer(
    {
      maxHeaderSize: 16 * 1024,
      headersTimeout: 20_000,
      // 60 MB of photos over 3 Mbit/s of weak mobile network take under three minutes; a stalled one must end.
      requestTimeout: 15 * MINUTE_MS,
      // Longer than a proxy keeps its connections (60 s), so that the proxy ends them first.
      keepAliveTimeout: 65_000,
    },
    (req, res) => {
      const exchange = { req, res }
      open.add(exchange)
      res.once('close', () => open.delete(exchange))
      if (draining) res.shouldKeepAlive = false
      if (!serveStatic(req, res)) void answer(req, res)
    },
  )
  server.maxHeadersCount = 100
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    refuseMalformed(error.code, socket, https)
  })
  try {
    const { port } = await listen(server, config.port, config.host)
    if (config.publicUrl?.startsWith('https://') && config.trustedProxy === null) {
      complain('TRUSTED_PROXY: not set, so clients cannot be told apart and none is rate-limited')
    }
    void app.runtime.services.recipients.trouble().then(
      (trouble) => {
        if (trouble !== null) complain(`No tips are taken: ${trouble}`)
      },
      // The database went away: whoever asks for a page is told.
      () => undefined,
    )
    const host = config.host.includes(':') ? `[${config.host}]` : config.host
    return {
      url: `http://${host === '127.0.0.1' ? 'localhost' : host}:${String(port)}`,
      stop: async () => {
        draining = true
        await drain(server, open, https)
        await app.runtime.close()
      },
    }
  } catch (error) {
    await app.runtime.close()
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      throw new StartError(`PORT: ${String(config.port)} is taken by another program; set another PORT`)
    }
    throw error
  }
}

/** Runs until the process is told to end. */
export function stopOnSignal(server: Pick<RunningServer, 'stop'>): void {
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second signal means: at once.
      if (stopping) process.exit(1)
      stopping = true
      server.stop().then(
        () => process.exit(0),
        () => process.exit(1),
      )
    })
  }
}

if (import.meta.main) {
  try {
    const server = await startServer()
    stopOnSignal(server)
    process.stdout.write(`Listening on ${server.url}\n`)
  } catch (error) {
    complain(describeFailure(error))
    process.exit(1)
  }
}
