import { followText } from '../content/follow-mail.ts'
import { takeFollowers } from '../db/follow-mail.ts'
import { dayOf } from '../domain/day.ts'
import { DomainError } from '../domain/errors.ts'
import { isMailAddress } from '../domain/mail-address.ts'
import { openBytes, sealBytes } from '../sealing/aes.ts'
import { fromUtf8, utf8 } from '../sealing/bytes.ts'
import { deriveKey } from '../sealing/derive.ts'
import { MailError } from './mailer.ts'
import type { Deps } from './ports.ts'

/**
 * Addresses that reporters leave to hear that something changed. Of everything a reporter may tell it is the one thing
 * that the server must be able to read by itself, so it rests under a key that is kept outside the database, is told
 * to nobody of the staff, and is forgotten with the case.
 */
export interface FollowMail {
  /** Mails leave this house; else they would lie on its disk with their address. */
  readonly offered: boolean
  has(tipId: string): Promise<boolean>
  /** @throws {DomainError} `invalid-input` with the field `mail`; `not-found` */
  keep(tipId: string, address: string): Promise<void>
  forget(tipId: string): Promise<void>
  /** One mail to everybody for whom something changed since the last, each at a moment of its own. Answers how many. */
  collect(): Promise<number>
  /**
   * Hands a mail to the mailer; one whose address is gone goes nowhere.
   * @returns false when it is not one of ours
   * @throws when it is to be tried again
   */
  deliver(id: string, signal: AbortSignal): Promise<boolean>
}

/** Over so many seconds the mails of an evening are spread: their hour tells nothing of the order. */
const SPREAD_SECONDS = 3 * 3600
/** As long as an address can be: the sealed one tells nothing of its length. */
const PADDED = 254

export function createFollowMail(deps: Deps): FollowMail {
  const { db, clock, random, jobs, mailer, site, secrets } = deps
  const key = deriveKey(secrets.cookie, 'server/follow-mail')
  const purpose = (tipId: string): string => `follow-mail:${tipId}`

  return {
    get offered() {
      return mailer.kind !== 'outbox'
    },

    async has(tipId) {
      const row = await db
        .selectFrom('follow_mail')
        .select('tip_id')
        .where('tip_id', '=', tipId)
        .executeTakeFirst()
      return row !== undefined
    },

    async keep(tipId, typed) {
      const address = typed.trim()
      if (mailer.kind === 'outbox' || !isMailAddress(address)) {
        const message = '邮箱写得不对，请检查。'
        throw new DomainError('invalid-input', message, [{ field: 'mail', message }])
      }
      const tip = await db.selectFrom('tip').select('id').where('id', '=', tipId).executeTakeFirst()
      if (!tip) throw new DomainError('not-found', '请先用查询码打开您的举报。')
      const bytes = utf8(address.padEnd(PADDED))
      const sealed = Buffer.from(await sealBytes(key, purpose(tipId), bytes, (n) => random.bytes(n)))
      const row = { id: random.uuid(), sealed, changed: false, told_day: null }
      await db
        .insertInto('follow_mail')
        .values({ tip_id: tipId, ...row })
        .onConflict((conflict) => conflict.column('tip_id').doUpdateSet(row))
        .execute()
    },

    async forget(tipId) {
      await db.deleteFrom('follow_mail').where('tip_id', '=', tipId).execute()
    },

    async collect() {
      const open = await jobs.open()
      return db.transaction().execute(async (tx) => {
        const ids = await takeFollowers(tx, dayOf(clock.now()))
        for (const id of ids) {
          const delay = Buffer.from(random.bytes(4)).readUInt32BE() % SPREAD_SECONDS
          await open.sendMail(tx, id, delay)
        }
        return ids.length
      })
    },

    async deliver(id, signal) {
      const row = await db.selectFrom('follow_mail').selectAll().where('id', '=', id).executeTakeFirst()
      if (!row) return false
      const to = fromUtf8(await openBytes(key, purpose(row.tip_id), row.sealed)).trim()
      try {
        await mailer.send({ to, key: `${row.id}-${row.told_day ?? ''}`, ...followText(site.name) }, signal)
      } catch (error) {
        // Refused for good: another try would fail alike, and the next change is another mail.
        if (!(error instanceof MailError && error.final)) throw error
      }
      return true
    },
  }
}
