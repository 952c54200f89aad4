import type { Tx } from '../db/connect.ts'
import type { FollowMail } from './follow-mail.ts'
import type { Notices } from './notices.ts'
import type { Upkeep } from './upkeep.ts'

/** What runs by itself, and when (minute, hour, day of month, month, weekday at +08:00). */
export const CHORES = {
  upkeep: '*/10 * * * *',
  arrivals: '*/15 * * * *',
  // When the offices open. A morning that nobody was up for is made good at the next start.
  due: '0 8 * * *',
  // In the evening, when nobody can tell any more what happened at which hour.
  changes: '0 18 * * *',
} as const
export type Chore = keyof typeof CHORES

/** Tries of one mail before it is given up; with a wait that doubles up to four hours they take half a day. */
export const MAIL_TRIES = 11

/** The way to the queue of jobs, open. */
export interface OpenJobs {
  /** Puts the job into the transaction that makes it necessary: neither is there without the other. */
  sendMail(tx: Tx, mailId: string, delaySeconds?: number): Promise<void>
}

export interface Jobs {
  /**
   * Opens the queue, once. To be awaited before a transaction begins: the embedded database has one connection, and
   * opening inside would wait for itself.
   */
  open(): Promise<OpenJobs>
}

/** What a worker does with each kind of job. */
export interface JobHandlers {
  /** @param stop the process ends: what is left is done next time */
  readonly chores: Readonly<Record<Chore, (stop: AbortSignal) => Promise<unknown>>>
  /** @throws when the mail is to be tried again */
  mail(mailId: string, signal: AbortSignal): Promise<void>
  /** All tries of the mail are used up. */
  deadMail(mailId: string): Promise<void>
}

export function jobHandlers(services: {
  readonly upkeep: Upkeep
  readonly notices: Notices
  readonly followMail: FollowMail
}): JobHandlers {
  const { upkeep, notices, followMail } = services
  return {
    chores: {
      upkeep: (stop) => upkeep.run(stop),
      arrivals: () => notices.collectArrivals(),
      due: () => notices.collectDue(),
      changes: () => followMail.collect(),
    },
    mail: async (mailId, signal) => {
      if (!(await followMail.deliver(mailId, signal))) await notices.deliver(mailId, signal)
    },
    deadMail: (mailId) => notices.giveUp(mailId),
  }
}
