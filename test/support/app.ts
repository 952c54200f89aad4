import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { serve, type ServerType } from '@hono/node-server'
import { Hono } from 'hono'
import { createAltcha } from '../../src/adapters/altcha.ts'
import { createLog } from '../../src/adapters/log.ts'
import { createMemoryFiles } from '../../src/adapters/memory-files.ts'
import { createPhotoDecoder } from '../../src/adapters/photo-decoder.ts'
import { createMemoryPin } from '../../src/adapters/recipient-pin.ts'
import { systemRandom } from '../../src/adapters/system.ts'
import type { ApiEnv } from '../../src/api/check.ts'
import { createApi } from '../../src/api/index.ts'
import { readConfig } from '../../src/config.ts'
import { SESSION_COOKIE } from '../../src/http/session-cookie.ts'
import type { Role } from '../../src/domain/case.ts'
import type { Runtime } from '../../src/runtime.ts'
import { MEMBER_KDF } from '../../src/sealing/member-keys.ts'
import { createTipKeys } from '../../src/sealing/tip-keys.ts'
import type { FileStore } from '../../src/services/file-store.ts'
import { createServices, type Services } from '../../src/services/index.ts'
import { createPlanStore } from '../../src/services/plan-store.ts'
import type { Clock, Deps, ProofOfWork, ThirdPartyGate } from '../../src/services/ports.ts'
import type { StaffSession } from '../../src/services/staff.ts'
import { createDataVersions } from '../../src/services/versions.ts'
import { createAuthenticator, type Authenticator } from './authenticator.ts'
import { openTestDatabase, type TestDatabase } from './database.ts'
import { quiet } from './notices.ts'
import { createOpener, type Opener } from './opener.ts'

const WORKER = fileURLToPath(new URL('../../src/adapters/photo-worker.ts', import.meta.url))

export interface TestApp extends Opener {
  readonly database: TestDatabase
  readonly services: Services
  readonly deps: Deps
  readonly files: FileStore
  /** The offline key that opens every department's. */
  readonly escrowIdentity: string
  /** The one that opens the approvers' key. */
  readonly approverEscrowIdentity: string
  /** Without a trailing slash; the API answers below `/api/v1`. */
  readonly url: string
  readonly port: number
  /** Every route of the API as the router knows it, below `/api/v1`. */
  readonly routes: readonly { readonly method: string; readonly path: string }[]
  close(): Promise<void>
}

/** The API over a database of its own, with real keys, a real photo decoder and files in memory. */
export async function openTestApp(
  options: {
    readonly now?: () => Date
    readonly files?: FileStore
    readonly thirdPartyGate?: ThirdPartyGate
    /** Makes the gate; the real one unless told. */
    readonly gate?: (deps: { readonly clock: Clock; readonly secret: Uint8Array }) => ProofOfWork
    /** Whose request it is, as the front door would tell; nobody's unless told. */
    readonly client?: (request: Request) => string | null
    /** What the services use for jobs and mail, over the same database. */
    readonly notices?: (database: TestDatabase) => Pick<Deps, 'jobs' | 'mailer' | 'site'>
  } = {},
): Promise<TestApp> {
  const database = await openTestDatabase()
  const { db } = database
  const clock = { now: options.now ?? (() => new Date()) }
  const versions = createDataVersions(db, clock, 0)
  const files = options.files ?? createMemoryFiles()
  const photos = createPhotoDecoder({ workerPath: WORKER })
  const secrets = {
    lookup: systemRandom.bytes(32),
    form: systemRandom.bytes(32),
    salt: systemRandom.bytes(32),
    cookie: systemRandom.bytes(32),
  }
  const deps: Deps = {
    db,
    clock,
    random: systemRandom,
    files,
    photos,
    secrets,
    pin: createMemoryPin(),
    gate: (options.gate ?? createAltcha)({ clock, secret: secrets.form }),
    thirdPartyGate: options.thirdPartyGate ?? null,
    plan: createPlanStore(db, versions),
    versions,
    ...(options.notices?.(database) ?? quiet),
    demo: false,
  }
  const services = createServices(deps)
  const { escrowIdentity, approverEscrowIdentity } = await services.keys.init()
  const runtime: Runtime = {
    config: readConfig({ DATA_DIR: join('/nonexistent', 'lantian'), DEMO: 'off' }),
    services,
    deps,
    clock,
    random: systemRandom,
    log: createLog(),
    engine: database.engine,
    demoLogins: [],
    demoReceipt: null,
    keepUp: () => {},
    close: () => Promise.resolve(),
  }
  const app = new Hono<ApiEnv>()
  app.use(async (c, next) => {
    c.set('requestId', 'test')
    c.set('client', services.limits.keyOf(options.client?.(c.req.raw) ?? null))
    const token = SESSION_COOKIE.read(c.req.raw)
    c.set('staff', token ? await services.sessions.find(token) : null)
    await next()
  })
  const api = createApi(runtime)
  app.route('/api/v1', api)
  let server: ServerType | undefined
  const port = await new Promise<number>((resolve) => {
    server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, (info) => {
      resolve(info.port)
    })
  })

  return {
    database,
    services,
    deps,
    files,
    escrowIdentity,
    approverEscrowIdentity,
    port,
    routes: api.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => ({ method, path })),
    url: `http://127.0.0.1:${port}`,
    ...createOpener({ db, files, escrowIdentity }),
    close: async () => {
      await new Promise<void>((resolve) => {
        server?.close(() => {
          resolve()
        })
        if (server && 'closeAllConnections' in server) server.closeAllConnections()
      })
      await photos.close()
      await database.close()
    },
  }
}

/** A tip without anything optional; `part` replaces or adds fields. */
export const plainTip = (part: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({
  category: 'boiler-coal',
  area: '410102001',
  when: 'now',
  description: '锅炉冒黑烟，气味很大，从早上开始。',
  ...part,
})

/** A tip as a form, each photo under a name that means nothing. */
export function tipForm(plain: Readonly<Record<string, unknown>>, photos: readonly Uint8Array[]): FormData {
  const form = new FormData()
  form.append('plain', JSON.stringify(plain))
  for (const photo of photos)
    form.append('photos', new File([photo.slice()], 'photo.jpg', { type: 'image/jpeg' }))
  return form
}

/** Sends the head of a request and a part of its body, then cuts the connection. */
export function cutConnection(
  port: number,
  head: readonly string[],
  body: string | Uint8Array,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`${head.join('\r\n')}\r\n\r\n`)
      socket.write(body, () => {
        setTimeout(() => socket.destroy(), 50)
      })
    })
    socket.on('data', () => {})
    socket.on('close', () => {
      resolve()
    })
    socket.on('error', reject)
  })
}

/** Somebody enrolled and signed in; `cookie` and `token` are what their browser would send. */
export interface TestMember {
  readonly session: StaffSession
  readonly cookie: string
  readonly token: string
  /** The member's own age secret. */
  readonly identity: string
  readonly authenticator: Authenticator
}

let members = 0

/** Enrols and signs in a member of a department, the way the console does it, without a key of theirs. */
export async function signInAs(
  { services, deps }: { readonly services: Services; readonly deps?: Pick<Deps, 'clock'> },
  departmentId: string,
  roles: readonly Role[],
): Promise<TestMember> {
  members += 1
  const username = `member-${members}`
  const { token: enrolment } = await services.staff.createEnrolment({
    username,
    displayName: `成员 ${members}`,
    departmentId,
    roles,
    createdBy: null,
  })
  const { recipient, identity } = await createTipKeys()
  const auth = authOf(username)
  const link = await services.staff.enrol({
    token: enrolment,
    salt: systemRandom.bytes(16),
    kdf: MEMBER_KDF,
    auth,
    recipient,
    wrappedIdentity: systemRandom.bytes(64),
  })
  const offer = await services.factors.offerTotp({ link }, { name: '蓝天' })
  const authenticator = createAuthenticator(offer.secret, deps?.clock)
  await services.factors.confirmTotp({ link }, offer.sealed, authenticator.code())
  const begun = await services.signIn.begin(username, auth, null)
  if (!('ticket' in begun)) throw new Error('let in without a second factor')
  const { token } = await services.signIn.withCode(begun.ticket, authenticator.code(), null)
  const session = await services.sessions.find(token)
  if (!session) throw new Error('just signed in')
  return {
    session,
    cookie: `${SESSION_COOKIE.name}=${token}`,
    token: services.formTokens.issue('staff', session.sessionId),
    identity,
    authenticator,
  }
}

/** What the browser of a member of {@link signInAs} makes of the passphrase. */
export const authOf = (username: string): string => username.repeat(3)
