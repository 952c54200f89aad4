import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** What a stand-in does with the next mails. */
export type Mood =
  | 'accept'
  /** Takes the mail and drops the connection before it says so. */
  | 'accept-then-drop'
  | 'hang'
  /** Refuses for good. */
  | 'refuse'
  /** Refuses for now. */
  | 'busy'
  | 'credentials'

interface StandIn {
  mood: Mood
  /** Answers when somebody has been kept waiting since the mood was set. */
  someoneWaits(): Promise<void>
  /** Ends connections that hang, and stops. */
  close(): Promise<void>
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

/** A mood, and who is being kept waiting since it was set. */
function temper() {
  let current: Mood = 'accept'
  let waits = 0
  let told: (() => void)[] = []
  return {
    get mood(): Mood {
      return current
    },
    set mood(next: Mood) {
      current = next
      waits = 0
    },
    wait(): void {
      waits += 1
      for (const tell of told) tell()
      told = []
    },
    someoneWaits: (): Promise<void> =>
      waits > 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            told.push(resolve)
          }),
  }
}

function track(server: Server): () => Promise<void> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  return () =>
    new Promise((resolve) => {
      for (const socket of sockets) socket.destroy()
      server.close(() => resolve())
    })
}

export interface ResendMail {
  readonly from: string
  readonly to: readonly string[]
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly headers: Readonly<Record<string, string>>
}

export interface ResendStandIn extends StandIn {
  readonly url: string
  /** Mails taken, one for each idempotency key, as the provider delivers them. */
  readonly delivered: ReadonlyMap<string, ResendMail>
  /** Requests for mails that came at all. */
  readonly requests: number
}

const API_KEY = 're_test_key'
export const RESEND_KEY = API_KEY

/**
 * Stands in for `POST /emails` of Resend's API.
 * @source https://resend.com/docs/api-reference/emails/send-email, …/errors, …/idempotency-keys
 */
export async function startResend(): Promise<ResendStandIn> {
  const delivered = new Map<string, ResendMail>()
  const own = temper()
  let requests = 0
  const answer = (res: ServerResponse, status: number, body: unknown): void => {
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  const refuse = (res: ServerResponse, statusCode: number, name: string): void =>
    answer(res, statusCode, { statusCode, name, message: `no: ${name}` })

  function take(req: IncomingMessage, res: ServerResponse, body: string): void {
    if (req.method !== 'POST' || req.url !== '/emails') return refuse(res, 404, 'not_found')
    requests += 1
    const { mood } = own
    if (mood === 'hang') return own.wait()
    if (mood === 'credentials' || req.headers.authorization !== `Bearer ${API_KEY}`) {
      return refuse(res, 401, 'invalid_api_key')
    }
    if (mood === 'busy') return refuse(res, 429, 'rate_limit_exceeded')
    if (mood === 'refuse') return refuse(res, 422, 'validation_error')
    const key = String(req.headers['idempotency-key'])
    const mail = JSON.parse(body) as ResendMail
    const earlier = delivered.get(key)
    if (earlier && JSON.stringify(earlier) !== JSON.stringify(mail)) {
      return refuse(res, 409, 'invalid_idempotent_request')
    }
    delivered.set(key, mail)
    if (mood === 'accept-then-drop') {
      req.socket.destroy()
      return
    }
    answer(res, 200, { id: '49a3999c-0ce1-4ea6-ab68-afcd6dc2e794' })
  }

  const server = createHttpServer((req, res) => {
    let body = ''
    req.on('data', (chunk: Buffer) => (body += chunk.toString()))
    req.on('end', () => take(req, res, body))
  })
  const close = track(server)
  const port = await listen(server)
  return {
    get mood() {
      return own.mood
    },
    set mood(next) {
      own.mood = next
    },
    url: `http://127.0.0.1:${port}`,
    delivered,
    get requests() {
      return requests
    },
    someoneWaits: own.someoneWaits,
    close,
  }
}

export interface SmtpMail {
  readonly from: string
  readonly to: readonly string[]
  /** The message as it came, dots unstuffed. */
  readonly data: string
}

export interface SmtpStandIn extends StandIn {
  readonly port: number
  /** Every message taken, repeats as well. */
  readonly taken: readonly SmtpMail[]
  /** Message-IDs of what was taken: as many as a mailbox shows mails. */
  readonly ids: () => string[]
}

/** One header of a message, unfolded; null when there is none. @throws when there are several */
export function headerOf(data: string, name: string): string | null {
  const head = data.slice(0, data.indexOf('\r\n\r\n')).replace(/\r\n[ \t]+/g, ' ')
  const found = head.split('\r\n').filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
  if (found.length > 1) throw new Error(`${found.length} headers ${name}`)
  return found[0]?.slice(name.length + 1).trim() ?? null
}

/** Stands in for an SMTP server without TLS or accounts. */
export async function startSmtp(): Promise<SmtpStandIn> {
  const taken: SmtpMail[] = []
  const own = temper()

  const server = createServer((socket) => {
    let from = ''
    let to: string[] = []
    let inData = false
    let buffer = ''
    const say = (line: string): void => {
      socket.write(`${line}\r\n`)
    }
    const command = (line: string): void => {
      const verb = line.slice(0, 4).toUpperCase()
      if (verb === 'EHLO' || verb === 'HELO') say('250 stand-in')
      else if (verb === 'MAIL') {
        if (own.mood === 'credentials') return say('530 5.7.0 Authentication required')
        from = /<(.*)>/.exec(line)?.[1] ?? ''
        to = []
        say('250 ok')
      } else if (verb === 'RCPT') {
        if (own.mood === 'busy') return say('451 4.3.0 try later')
        if (own.mood === 'refuse') return say('550 5.1.1 no such mailbox')
        to.push(/<(.*)>/.exec(line)?.[1] ?? '')
        say('250 ok')
      } else if (verb === 'DATA') {
        inData = true
        say('354 go on')
      } else if (verb === 'QUIT') {
        say('221 bye')
        socket.end()
      } else say('502 5.5.1 not here')
    }
    const message = (data: string): void => {
      inData = false
      const { mood } = own
      if (mood === 'hang') return own.wait()
      taken.push({ from, to, data: data.replace(/\r\n\.\./g, '\r\n.') })
      if (mood === 'accept-then-drop') socket.destroy()
      else say('250 2.0.0 taken')
    }
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      buffer += chunk
      for (;;) {
        const end = buffer.indexOf(inData ? '\r\n.\r\n' : '\r\n')
        if (end < 0) return
        const part = buffer.slice(0, end)
        buffer = buffer.slice(end + (inData ? 5 : 2))
        if (inData) message(`${part}\r\n`)
        else command(part)
      }
    })
    say('220 stand-in')
  })
  const close = track(server)
  const port = await listen(server)
  return {
    get mood() {
      return own.mood
    },
    set mood(next) {
      own.mood = next
    },
    port,
    taken,
    ids: () => [...new Set(taken.map(({ data }) => headerOf(data, 'Message-ID') ?? ''))],
    someoneWaits: own.someoneWaits,
    close,
  }
}
