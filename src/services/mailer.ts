import type { MailFault } from '../domain/notice.ts'

export interface MailMessage {
  /** One plain address (see domain/mail-address.ts). */
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
  /** `[0-9a-f-]`, the same at every try of the same content: by it the provider knows a repeat. */
  readonly key: string
}

/** Hands mails to whoever carries them. */
export interface Mailer {
  readonly kind: 'resend' | 'smtp' | 'outbox'
  /**
   * Answers once the provider has accepted the mail. A repeat with the same key is delivered once.
   * @param signal ends the try
   * @throws {MailError}
   */
  send(message: MailMessage, signal: AbortSignal): Promise<void>
  /** A mail as it was written to the folder; null when there is none, and always where mails leave the house. */
  written(key: string): Promise<Uint8Array | null>
}

/** A try that failed. The code says why: what the other side said may name an address. */
export class MailError extends Error {
  readonly code: MailFault
  /** Another try would fail alike. */
  readonly final: boolean
  constructor(code: MailFault, final = false) {
    super(code)
    this.name = 'MailError'
    this.code = code
    this.final = final
  }
}

const KEY = /^[0-9a-f][0-9a-f-]{7,99}$/

/** Refuses a key that is not of the agreed shape, before it becomes part of a header or a path. */
export function assertMailKey(key: string): void {
  if (!KEY.test(key)) throw new TypeError('A mail key must match [0-9a-f-]{8,100}.')
}
