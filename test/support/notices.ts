import type { Jobs } from '../../src/services/jobs.ts'
import type { Mailer, MailError, MailMessage } from '../../src/services/mailer.ts'

/** A mailer that keeps what it is given, and fails as often as it is told to. */
export interface MemoryMailer extends Mailer {
  readonly sent: MailMessage[]
  readonly tried: MailMessage[]
  /** Thrown at the next try, once. */
  failNext(error: MailError): void
}

export function createMemoryMailer(kind: Mailer['kind'] = 'smtp'): MemoryMailer {
  const sent: MailMessage[] = []
  const tried: MailMessage[] = []
  const failures: MailError[] = []
  return {
    kind,
    sent,
    tried,
    failNext: (error) => failures.push(error),
    async send(message) {
      tried.push(message)
      const failure = failures.shift()
      if (failure) throw failure
      sent.push(message)
    },
    written: () => Promise.resolve(null),
  }
}

/** A queue that takes everything and works nothing. */
export const idleJobs: Jobs = { open: () => Promise.resolve({ sendMail: () => Promise.resolve() }) }

/** What services need for notices in tests that are about something else. */
export const quiet = {
  jobs: idleJobs,
  mailer: createMemoryMailer(),
  site: { name: '蓝天', url: 'https://lantian.example.gov.cn' },
} as const
