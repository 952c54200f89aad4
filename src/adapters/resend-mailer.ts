import { assertMailKey, MailError, type Mailer } from '../services/mailer.ts'
import { abortFault, AUTOMATIC, type Sender } from './mail-envelope.ts'

export interface ResendAccount {
  readonly apiKey: string
  /** Address of the API without a trailing slash. */
  readonly baseUrl: string
}

/**
 * An error of the API as a fault. A mail that is refused for what it is will be refused again.
 * @source https://resend.com/docs/api-reference/errors and …/dashboard/emails/idempotency-keys, as of resend 6.38.0
 */
function faultOf({ name, statusCode }: { name: string; statusCode: number | null }): MailError {
  if (statusCode === null) return new MailError('unreachable')
  if (statusCode === 401 || statusCode === 403) return new MailError('credentials')
  // The same mail is being taken at this moment; or the account's limit is reached for now.
  if (name === 'concurrent_idempotent_requests' || statusCode === 429) return new MailError('busy')
  return statusCode >= 500 ? new MailError('busy') : new MailError('refused', true)
}

/** Sends through Resend. It keeps an idempotency key for 24 hours, longer than all tries of a mail. */
export function createResendMailer(account: ResendAccount, sender: Sender): Mailer {
  return {
    kind: 'resend',
    async send(message, signal) {
      assertMailKey(message.key)
      const { Resend } = await import('resend')
      const client = new Resend(account.apiKey, { baseUrl: account.baseUrl })
      const { error } = await client.emails.send(
        {
          from: sender.name === '' ? sender.address : `${sender.name} <${sender.address}>`,
          to: [message.to],
          subject: message.subject,
          text: message.text,
          html: message.html,
          headers: { ...AUTOMATIC },
        },
        { idempotencyKey: message.key, signal },
      )
      if (!error) return
      throw signal.aborted ? abortFault(signal) : faultOf(error)
    },
    written: () => Promise.resolve(null),
  }
}
