import { timingSafeEqual } from 'node:crypto'
import { DomainError } from '../domain/errors.ts'
import { SALT_BYTES, type KdfParams } from '../sealing/member-keys.ts'
import { recordAudit } from './audit.ts'
import type { Deps } from './ports.ts'
import type { Sessions } from './sessions.ts'
import type { SlowDowns } from './slow-down.ts'
import type { StaffSession } from './staff.ts'
import { hashOf } from './tokens.ts'

/** What a passphrase leaves on the server. */
export interface PassphraseRecord {
  readonly salt: Uint8Array
  readonly kdf: KdfParams
  readonly auth: string
  readonly wrappedIdentity: Uint8Array
}

/** What a member changes about nobody but the own self. */
export interface Account {
  /** The member's identity under the passphrase. */
  wrappedIdentity(session: StaffSession): Promise<Uint8Array>
  /**
   * Another passphrase for the same identity, locked anew in the member's browser. Other sessions end.
   * @param oldAuth what has signed in up to now
   * @throws {DomainError} `factor-required`, `forbidden` when `oldAuth` is wrong, `rate-limited`
   */
  changePassphrase(session: StaffSession, oldAuth: string, record: PassphraseRecord): Promise<void>
}

const MAX_WRAPPED_BYTES = 1000

export const badKeys = (): DomainError => new DomainError('invalid-input', '密钥格式不对，请刷新页面重试。')

/** The columns of a member that a passphrase decides. @throws {DomainError} `invalid-input` */
export function toRow({ salt, kdf, auth, wrappedIdentity }: PassphraseRecord) {
  if (salt.length !== SALT_BYTES || wrappedIdentity.length > MAX_WRAPPED_BYTES) throw badKeys()
  return {
    salt: Buffer.from(salt),
    kdf: JSON.stringify(kdf),
    auth_hash: hashOf(auth),
    wrapped_identity: Buffer.from(wrappedIdentity),
  }
}

export function createAccount(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  sessions: Sessions,
  slowDowns: SlowDowns,
): Account {
  const member = (session: StaffSession) =>
    db
      .selectFrom('member')
      .select(['auth_hash', 'wrapped_identity'])
      .where('id', '=', session.memberId)
      .executeTakeFirstOrThrow()

  return {
    wrappedIdentity: async (session) => (await member(session)).wrapped_identity,

    async changePassphrase(session, oldAuth, record) {
      await sessions.requireRecent(session)
      const row = toRow(record)
      const attempt = { username: session.username, kind: 'passphrase', browser: null } as const
      await slowDowns.take(attempt)
      const { auth_hash: known } = await member(session)
      if (!timingSafeEqual(hashOf(oldAuth), known)) throw new DomainError('forbidden', '现在的口令不对。')
      await slowDowns.succeed(attempt)
      await db.transaction().execute(async (tx) => {
        await tx.updateTable('member').set(row).where('id', '=', session.memberId).execute()
        await sessions.endOthers(tx, session)
        await recordAudit(tx, {
          at: clock.now(),
          memberId: session.memberId,
          role: null,
          action: 'member.passphrase',
          object: session.username,
        })
      })
    },
  }
}
