import { assertMailKey, MailError, type Mailer } from '../services/mailer.ts'
import { abortFault, envelopeOf, type Sender } from './mail-envelope.ts'

export interface SmtpServer {
  readonly host: string
  readonly port: number
  /** `implicit`: TLS from the first byte; `starttls`: refused where the server does not offer it; `none`: as it comes. */
  readonly tls: 'implicit' | 'starttls' | 'none'
  readonly user: string | null
  readonly password: string | null
}

const CONNECT_MS = 10_000

/**
 * What nodemailer says of a failure, as a fault. Final is only what the server answers for good (5yz) about this
 * recipient or this content; everything else may be mended meanwhile.
 */
function faultOf(error: unknown): MailError {
  const { code, command, responseCode } = error as { code?: string; command?: string; responseCode?: number }
  if (code === 'EAUTH' || code === 'ENOAUTH' || responseCode === 530) return new MailError('credentials')
  if (code === 'ETLS') return new MailError('tls')
  if (code === 'ETIMEDOUT') return new MailError('timeout')
  if (responseCode === undefined || code === 'ECONNECTION') return new MailError('unreachable')
  if (responseCode < 500) return new MailError('busy')
  return new MailError('refused', command === 'RCPT TO' || command === 'DATA')
}

/** Sends over SMTP, one connection a mail. */
export function createSmtpMailer(server: SmtpServer, sender: Sender): Mailer {
  return {
    kind: 'smtp',
    async send(message, signal) {
      assertMailKey(message.key)
      const { createTransport } = await import('nodemailer')
      const transport = createTransport({
        host: server.host,
        port: server.port,
        secure: server.tls === 'implicit',
        requireTLS: server.tls === 'starttls',
        ignoreTLS: server.tls === 'none',
        ...(server.user === null ? {} : { auth: { user: server.user, pass: server.password ?? '' } }),
        connectionTimeout: CONNECT_MS,
        greetingTimeout: CONNECT_MS,
      })
      try {
        await transport.sendMail({ ...envelopeOf(message, sender), signal })
      } catch (error) {
        throw signal.aborted ? abortFault(signal) : faultOf(error)
      }
    },
    written: () => Promise.resolve(null),
  }
}
