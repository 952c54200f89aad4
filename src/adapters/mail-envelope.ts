import { MailError, type MailMessage } from '../services/mailer.ts'

/** Who the mails come from. */
export interface Sender {
  /** Empty for none. */
  readonly name: string
  readonly address: string
}

/** Nobody answers a machine that nobody wrote to. */
export const AUTOMATIC = { 'Auto-Submitted': 'auto-generated' } as const

/**
 * A message as nodemailer takes it. Addresses are given as objects, which it never parses, and it may open no file and
 * no address. The Message-ID follows from the key: a mail that had to be handed over twice is one mail to its reader.
 */
export function envelopeOf(message: MailMessage, sender: Sender) {
  return {
    from: sender,
    to: { name: '', address: message.to },
    subject: message.subject,
    text: message.text,
    html: message.html,
    messageId: `<${message.key}@${sender.address.slice(sender.address.lastIndexOf('@') + 1)}>`,
    headers: AUTOMATIC,
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

/** Why a try was ended from outside: the provider took too long, or the program stops. */
export function abortFault(signal: AbortSignal): MailError {
  const timeout = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError'
  return new MailError(timeout ? 'timeout' : 'interrupted')
}
