import { createHmac } from 'node:crypto'
import { RateLimitedError } from '../domain/errors.ts'
import { countTry, FACTOR_TRIES, PASSPHRASE_TRIES, type SlowDown } from '../domain/slow-down.ts'
import { deriveKey } from '../sealing/derive.ts'
import type { Deps } from './ports.ts'

export type TryKind = 'passphrase' | 'factor'

/** Whose try it is and from where. */
export interface Attempt {
  readonly username: string
  readonly kind: TryKind
  /** Hash of the browser's own token when the account has signed in from it before, else null. */
  readonly browser: Buffer | null
}

/**
 * Slows guessing down without a way to lock somebody out. Wrong tries are counted for each account and, within it,
 * for each browser that has signed in to it before; all other browsers share one count. Whoever guesses from
 * elsewhere fills that shared count only: the member goes on signing in from the browsers at hand. A member at a new
 * browser during an attack waits at most the longest delay, or uses a link from the administrator.
 * Addresses play no part: an office, or a carrier, is one address for many people.
 * @source OWASP Authentication Cheat Sheet, "Device cookies"
 */
export interface SlowDowns {
  /** Counts a try. @throws {DomainError} `rate-limited` while the account has to wait, whatever was tried */
  take(attempt: Attempt): Promise<void>
  /** It was right: what went before is forgotten. */
  succeed(attempt: Attempt): Promise<void>
}

const POLICIES: Readonly<Record<TryKind, SlowDown>> = { passphrase: PASSPHRASE_TRIES, factor: FACTOR_TRIES }
const NO_BROWSER = Buffer.alloc(0)

export function createSlowDowns({ db, clock, secrets }: Pick<Deps, 'db' | 'clock' | 'secrets'>): SlowDowns {
  const accountKey = deriveKey(secrets.salt, 'server/sign-in-account')
  // Names that nobody has are counted like all others, so that a wait does not tell which exist.
  const account = (username: string): Buffer => createHmac('sha256', accountKey).update(username).digest()

  return {
    async take({ username, kind, browser }) {
      const now = clock.now()
      const key = { account: account(username), browser: browser ?? NO_BROWSER, kind }
      const result = await db.transaction().execute(async (tx) => {
        // Locks the row, and makes it when there is none.
        const row = await tx
          .insertInto('sign_in_failure')
          .values({ ...key, failures: 0, last_at: now, retry_after: null })
          .onConflict((conflict) =>
            conflict
              .columns(['account', 'browser', 'kind'])
              .doUpdateSet((eb) => ({ failures: eb.ref('sign_in_failure.failures') })),
          )
          .returningAll()
          .executeTakeFirstOrThrow()
        const counted = countTry(
          POLICIES[kind],
          { count: row.failures, lastAt: row.last_at, retryAfter: row.retry_after },
          now,
        )
        if (counted.allowed) {
          const { count, lastAt, retryAfter } = counted.after
          await tx
            .updateTable('sign_in_failure')
            .set({ failures: count, last_at: lastAt, retry_after: retryAfter })
            .where('account', '=', key.account)
            .where('browser', '=', key.browser)
            .where('kind', '=', kind)
            .execute()
        }
        return counted
      })
      await db
        .deleteFrom('sign_in_failure')
        .where('last_at', '<', new Date(now.getTime() - FACTOR_TRIES.forgetMs))
        .execute()
      if (!result.allowed) {
        const seconds = Math.ceil((result.wait.getTime() - now.getTime()) / 1000)
        throw new RateLimitedError(`连续输错多次，请过 ${seconds} 秒再试。`, seconds)
      }
    },

    async succeed({ username, kind, browser }) {
      await db
        .deleteFrom('sign_in_failure')
        .where('account', '=', account(username))
        .where('browser', '=', browser ?? NO_BROWSER)
        .where('kind', '=', kind)
        .execute()
    },
  }
}
