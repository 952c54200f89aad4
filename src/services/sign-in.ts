import { timingSafeEqual } from 'node:crypto'
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server'
import { DomainError } from '../domain/errors.ts'
import { MEMBER_KDF, type KdfParams } from '../sealing/member-keys.ts'
import { recordAudit } from './audit.ts'
import type { Factors } from './factors.ts'
import { fakeSaltOf } from './lookup.ts'
import type { PasskeyOwner, Passkeys, Site } from './passkeys.ts'
import type { Deps } from './ports.ts'
import type { Sessions } from './sessions.ts'
import type { SlowDowns } from './slow-down.ts'
import { hashOf, newToken } from './tokens.ts'

/** Signed in: two values for cookies. The database keeps a hash of each. */
export interface SignedIn {
  readonly token: string
  /** Says for half a year that the account has signed in from this browser; says nothing of who or where. */
  readonly browser: string
}

/** The passphrase was right. What is shown next is the second factor, with the ticket. */
export interface HalfSignedIn {
  /** Worth five minutes and five wrong codes. */
  readonly ticket: string
  readonly totp: boolean
  readonly passkey: boolean
}

export interface SignIn {
  /** How the browser must stretch a passphrase. An unknown name gets a salt that stays the same. */
  kdf(username: string): Promise<{ readonly salt: Uint8Array; readonly params: KdfParams }>
  /**
   * The passphrase. Only in a demonstration a member without a second factor is in with it alone.
   * @param browser what the browser's cookie says, see {@link SignedIn}
   * @throws {DomainError} `forbidden` alike for an unknown name and a wrong passphrase, `rate-limited`
   */
  begin(username: string, auth: string, browser: string | null): Promise<SignedIn | HalfSignedIn>
  /** @throws {DomainError} `forbidden`, `rate-limited`, `sign-in-required` for a ticket that is spent */
  withCode(ticket: string, code: string, browser: string | null): Promise<SignedIn>
  /** @throws {DomainError} `sign-in-required`, `invalid-input` */
  passkeyOptions(ticket: string, site: Site): Promise<PublicKeyCredentialRequestOptionsJSON>
  /** @throws {DomainError} `forbidden`, `sign-in-required` */
  withPasskey(
    ticket: string,
    response: AuthenticationResponseJSON,
    browser: string | null,
    site: Site,
  ): Promise<SignedIn>
  /** Hash of a browser's token when the member has signed in from it before, else null. */
  knownBrowser(memberId: string, browser: string | null): Promise<Buffer | null>
}

const NOBODY = '00000000-0000-0000-0000-000000000000'
const TICKET_MS = 5 * 60_000
const TICKET_TRIES = 5
export const BROWSER_DAYS = 180
const BROWSER_MS = BROWSER_DAYS * 86_400_000

export function createSignIn(
  deps: Pick<Deps, 'db' | 'clock' | 'random' | 'secrets' | 'demo'>,
  sessions: Sessions,
  factors: Factors,
  passkeys: Passkeys,
  slowDowns: SlowDowns,
): SignIn {
  const { db, clock, random, demo } = deps

  async function knownBrowser(memberId: string, browser: string | null): Promise<Buffer | null> {
    if (browser === null) return null
    const row = await db
      .selectFrom('known_browser')
      .select('browser')
      .where('member_id', '=', memberId)
      .where('browser', '=', hashOf(browser))
      .where('seen_at', '>', new Date(clock.now().getTime() - BROWSER_MS))
      .executeTakeFirst()
    return row?.browser ?? null
  }

  /** Everything was right: a session, and the browser is known from now on. */
  async function admit(
    owner: PasskeyOwner,
    ticket: string | null,
    browser: string | null,
    factorAt: Date | null,
  ): Promise<SignedIn> {
    const now = clock.now()
    // A browser that several members share keeps its token; a new one gets one of ours, never one that it made up.
    const kept = browser !== null && (await isOurs(browser)) ? browser : newToken(random)
    const token = await db.transaction().execute(async (tx) => {
      if (ticket !== null) {
        const spent = await tx
          .deleteFrom('pending_sign_in')
          .where('token_hash', '=', hashOf(ticket))
          .returning('member_id')
          .executeTakeFirst()
        if (!spent) throw spentTicket()
      }
      await tx
        .deleteFrom('known_browser')
        .where('seen_at', '<', new Date(now.getTime() - BROWSER_MS))
        .execute()
      await tx
        .insertInto('known_browser')
        .values({ member_id: owner.memberId, browser: hashOf(kept), seen_at: now })
        .onConflict((conflict) => conflict.columns(['member_id', 'browser']).doUpdateSet({ seen_at: now }))
        .execute()
      const opened = await sessions.open(tx, owner.memberId, factorAt)
      await recordAudit(tx, {
        at: now,
        memberId: owner.memberId,
        role: null,
        action: 'sign-in',
        object: owner.username,
      })
      return opened
    })
    return { token, browser: kept }
  }

  async function isOurs(browser: string): Promise<boolean> {
    const row = await db
      .selectFrom('known_browser')
      .select('member_id')
      .where('browser', '=', hashOf(browser))
      .limit(1)
      .executeTakeFirst()
    return row !== undefined
  }

  const spentTicket = (): DomainError =>
    new DomainError('sign-in-required', '这次登录已经过期，请重新输入口令。')

  /** Whose ticket it is; each look counts, so that codes cannot be guessed with one. */
  async function ownerOf(ticket: string, counts: boolean): Promise<PasskeyOwner> {
    const row = await db
      .updateTable('pending_sign_in')
      .set((eb) => ({ tries: eb('tries', '+', counts ? 1 : 0) }))
      .where('token_hash', '=', hashOf(ticket))
      .where('expires_at', '>', clock.now())
      .where('tries', '<', TICKET_TRIES)
      .returning('member_id')
      .executeTakeFirst()
    const member =
      row &&
      (await db
        .selectFrom('member')
        .select(['id', 'username', 'display_name'])
        .where('id', '=', row.member_id)
        .where('status', '=', 'active')
        .executeTakeFirst())
    if (!member) throw spentTicket()
    return { memberId: member.id, username: member.username, displayName: member.display_name }
  }

  return {
    knownBrowser,

    async kdf(username) {
      const found = await db
        .selectFrom('member')
        .select(['salt', 'kdf'])
        .where('username', '=', username)
        .executeTakeFirst()
      return found
        ? { salt: found.salt, params: found.kdf }
        : { salt: fakeSaltOf(deps.secrets.salt, username), params: MEMBER_KDF }
    },

    async begin(username, auth, browser) {
      const now = clock.now()
      const found = await db
        .selectFrom('member')
        .select(['id', 'username', 'display_name', 'auth_hash'])
        .where('username', '=', username)
        .where('status', '=', 'active')
        .executeTakeFirst()
      const attempt = {
        username,
        kind: 'passphrase',
        // Looked up for a name that nobody has too: both take the same time.
        browser: await knownBrowser(found?.id ?? NOBODY, browser),
      } as const
      await slowDowns.take(attempt)
      const right = timingSafeEqual(hashOf(auth), found?.auth_hash ?? hashOf('nobody'))
      if (!found || !right) throw new DomainError('forbidden', '用户名或口令不对。')
      await slowDowns.succeed(attempt)
      const owner = { memberId: found.id, username: found.username, displayName: found.display_name }
      const { totp, passkeys: keys } = await factors.stateOf(found.id)
      if (!totp && keys.length === 0) {
        if (demo) return admit(owner, null, browser, null)
        throw new DomainError(
          'forbidden',
          '口令正确，但是还没有设置第二因素。请用管理员给您的链接设置；链接丢了，请管理员重发。',
        )
      }
      const ticket = newToken(random)
      await db.deleteFrom('pending_sign_in').where('expires_at', '<', now).execute()
      await db
        .insertInto('pending_sign_in')
        .values({
          token_hash: hashOf(ticket),
          member_id: found.id,
          expires_at: new Date(now.getTime() + TICKET_MS),
        })
        .execute()
      return { ticket, totp, passkey: keys.length > 0 }
    },

    async withCode(ticket, code, browser) {
      const owner = await ownerOf(ticket, true)
      await factors.proveCode(owner, code, await knownBrowser(owner.memberId, browser))
      return admit(owner, ticket, browser, clock.now())
    },

    async passkeyOptions(ticket, site) {
      const owner = await ownerOf(ticket, false)
      return passkeys.proveOptions(owner.memberId, site)
    },

    async withPasskey(ticket, response, browser, site) {
      const owner = await ownerOf(ticket, true)
      await passkeys.prove(owner.memberId, response, site)
      return admit(owner, ticket, browser, clock.now())
    },
  }
}
