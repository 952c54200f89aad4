import { astro, getFetchState } from 'astro/hono'
import { Hono, type Context } from 'hono'
import { createApi } from './api/index.ts'
import { problemResponse } from './api/problem.ts'
import { DomainError, RateLimitedError } from './domain/errors.ts'
import { DISPATCHER_DEPARTMENT } from './domain/plan.ts'
import { clientAddress } from './http/client-address.ts'
import { isCrossSite, isOwnHost } from './http/cross-site.ts'
import { createRequestCounters } from './http/counters.ts'
import { securityHeaders } from './http/headers.ts'
import { createPageCache, replyFrom } from './http/page-cache.ts'
import { SESSION_COOKIE } from './http/session-cookie.ts'
import { createTarpit } from './http/tarpit.ts'
import { createTurns } from './http/turns.ts'
import { unavailablePage, type Hotlines } from './http/unavailable.ts'
import { currentRuntime } from './runtime.ts'
import type { ClientKey } from './services/limits.ts'
import type { StaffSession } from './services/staff.ts'

/** What the door knows of a request by the time a router sees it. */
export interface DoorVariables {
  requestId: string
  staff: StaffSession | null
  /** For the rate limits; the address itself goes no further than this door. */
  client: ClientKey
  /** Set when the reply was made with all its headers: one that is kept. */
  finished: true
}

/** What stands beside a request: the connection, when a socket brought it. */
interface DoorBindings {
  readonly incoming?: { readonly socket: { readonly remoteAddress?: string } }
}

/** How often it is looked whether a period of the counters is over. */
const COUNT_MS = 60_000

const runtime = await currentRuntime(process.env)
const { services, config, clock, random } = runtime
const https = config.publicUrl?.startsWith('https://') ?? false
// Something else speaks TLS for us, so every connection comes from it and tells nobody apart.
const isProxyUnknown = https && config.trustedProxy === null
const thirdParty = config.turnstile?.url ?? null
const cache = createPageCache()
const tarpit = createTarpit()
const turns = createTurns()
const counters = createRequestCounters((period, counts) => {
  runtime.log.info('requests', { period, ...counts })
})
setInterval(() => {
  counters.turn(clock.now())
}, COUNT_MS).unref()

// Kept for the page that is shown when the database is away.
let hotlines: Hotlines = { district: null }
async function refreshHotlines(): Promise<void> {
  const { departments } = await services.plan.current()
  hotlines = { district: departments.get(DISPATCHER_DEPARTMENT)?.hotline ?? null }
}
await refreshHotlines()
runtime.keepUp()

// Answered for anybody alike: may be kept. Everything else is somebody's own.
const PRIVATE =
  /^\/(?:report|track|staff|proof|healthz|readyz|api\/v1\/(?:tips|uploads|receipts|staff|challenges))(?:\/|$)/

// As long as a list: passed on as it comes, never gathered in memory.
const STREAMED = /^\/lists\/[^/]+\/entries\.csv$/

const isAsset = (path: string): boolean => path.startsWith('/assets/')

/** A page when a person asks, a problem document when a program does. */
function refuse(path: string, error: DomainError): Response {
  if (path.startsWith('/api/')) return problemResponse(error)
  const headers = new Headers({ location: `/problems/${error.code}/` })
  if (error instanceof RateLimitedError) headers.set('retry-after', String(error.retryAfterSeconds))
  return new Response(null, { status: 303, headers })
}

/** The database is away: the hotline for a person, a problem document for a program. */
function unavailable(path: string): Response {
  return path.startsWith('/api/')
    ? problemResponse(new DomainError('database-unavailable', '系统暂时无法读写数据，请稍后再试或拨打热线。'))
    : unavailablePage(hotlines)
}

interface DoorEnv {
  Bindings: DoorBindings
  Variables: DoorVariables
}

/** Whose request it is, as the rate limits know them. */
function clientOf(c: Context<DoorEnv>): ClientKey {
  const remote = isProxyUnknown ? undefined : c.env?.incoming?.socket.remoteAddress
  const forwardedFor = c.req.header('x-forwarded-for') ?? null
  return services.limits.keyOf(clientAddress(remote, forwardedFor, config.trustedProxy))
}

export const app = new Hono<DoorEnv>()

// Outermost, so that no reply leaves without them: refusals, redirects and failures of the door itself included.
app.use(async (c, next) => {
  const begun = performance.now()
  await next()
  counters.count(c.req.path, c.res.status, performance.now() - begun, clock.now())
  if (c.get('finished')) return
  const headers = c.res.headers
  const own = securityHeaders(c.req.path, https, thirdParty, headers.get('content-type'))
  for (const [name, value] of Object.entries(own)) headers.set(name, value)
  if (!headers.has('cache-control') || headers.has('set-cookie')) headers.set('cache-control', 'no-store')
})

app.use(async (c, next) => {
  await next()
  // “Too often” is what says when to come again; an outage does so too, and is nobody's fault.
  if (!c.get('finished') && c.res.headers.has('retry-after') && c.res.status !== 503) await tarpit.hold()
})

app.use(async (c, next) => {
  const path = c.req.path
  if (isAsset(path)) return next()
  const headers = c.req.raw.headers
  if (!isOwnHost(headers.get('host'), config.publicUrl)) return c.text('unknown host', 421)
  const crossSite = isCrossSite(
    {
      method: c.req.method,
      host: headers.get('host'),
      origin: headers.get('origin'),
      fetchSite: headers.get('sec-fetch-site'),
    },
    config.publicUrl,
  )
  if (crossSite) {
    return refuse(
      path,
      new DomainError('cross-site', '这个请求来自别的网站，已拒绝。请在本站页面上重新操作。'),
    )
  }
  return next()
})

app.get('/healthz', (c) => c.text('ok'))
app.get('/readyz', async (c) => {
  const state = await services.readiness.check()
  return c.json(state, state.ready ? 200 : 503, { 'cache-control': 'no-store' })
})

// The cache stands before everything that costs: a hit is a look-up and a copy.
app.use(async (c, next) => {
  const path = c.req.path
  if (isAsset(path)) return next()
  if (c.req.method !== 'GET' || PRIVATE.test(path) || STREAMED.test(path)) {
    return next()
  }
  const url = c.req.url
  const key = url.slice(url.indexOf('/', 8))
  let version: string
  try {
    version = await services.versions.current()
  } catch {
    const stale = cache.getStale(key)
    if (!stale) return unavailable(path)
    c.set('finished', true)
    return replyFrom(stale, c.req.raw)
  }
  const now = clock.now()
  const hit = cache.get(key, version, now.getTime())
  if (hit) {
    c.set('finished', true)
    return replyFrom(hit, c.req.raw)
  }
  services.limits.take('pages', clientOf(c))
  await next()
  const res = c.res
  if (res.status !== 200 || res.headers.has('set-cookie')) return
  const own = securityHeaders(path, https, null, res.headers.get('content-type'))
  const body = new Uint8Array(await res.arrayBuffer())
  for (const name of [
    'content-type',
    'link',
    'content-disposition',
    'access-control-allow-origin',
    'content-language',
  ]) {
    const value = res.headers.get(name)
    if (value !== null) own[name] = value
  }
  c.set('finished', true)
  c.res = undefined
  c.res = replyFrom(cache.put(key, own, body, version, now), c.req.raw)
})

app.use(async (c, next) => {
  c.set('requestId', Buffer.from(random.bytes(9)).toString('base64url'))
  c.set('staff', null)
  c.set('client', clientOf(c))
  const path = c.req.path
  if (path.startsWith('/staff/') || path.startsWith('/api/v1/staff/') || path.startsWith('/proof/')) {
    const token = SESSION_COOKIE.read(c.req.raw)
    if (token) c.set('staff', await services.sessions.find(token))
  }
  // An upload takes as long as the sender's network does, and little of ours at a time.
  if (c.req.header('content-type')?.startsWith('multipart/')) return next()
  await turns.run(c.get('client'), next)
})

app.route('/api/v1', createApi(runtime))

app.use(async (c, next) => {
  Object.assign(getFetchState(c).locals, {
    services,
    config,
    requestId: c.get('requestId'),
    now: clock.now().getTime(),
    staff: c.get('staff'),
    client: c.get('client'),
    demoLogins: runtime.demoLogins,
    demoReceipt: runtime.demoReceipt,
    demoAsked: runtime.demoAsked,
  } satisfies App.Locals)
  await next()
  // Without the adapter, cookies set by a page are ours to send.
  for (const value of getFetchState(c).cookies.headers()) c.res.headers.append('set-cookie', value)
})
app.use(async (c, next) => {
  const reply = await astro()(c, next)
  if (reply instanceof Response && reply.status === 500) {
    const { failure } = getFetchState(c).locals as App.Locals
    if (await services.readiness.isOutage(failure)) return unavailable(c.req.path)
    // The page names this number, so that who is told it can be helped.
    runtime.log.error(failure, { requestId: c.get('requestId') })
  }
  return reply
})

app.onError(async (error, c) => {
  if (error instanceof DomainError) return refuse(c.req.path, error)
  if (await services.readiness.isOutage(error)) return unavailable(c.req.path)
  runtime.log.error(error, { requestId: c.get('requestId') })
  return c.text('error', 500)
})

// The server that listens is not in the bundle; it finds the app here (one bundle, one database handle).
Object.assign(globalThis, { [Symbol.for('lantian.app')]: { fetch: app.fetch, runtime } })

export default app
