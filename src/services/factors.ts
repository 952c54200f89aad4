import type { PublicKeyCredentialCreationOptionsJSON } from '@simplewebauthn/server'
import type { Tx } from '../db/connect.ts'
import { DomainError } from '../domain/errors.ts'
import { deriveKey } from '../sealing/derive.ts'
import { openBytes, openJson, sealBytes, sealJson } from '../sealing/draft-cipher.ts'
import { fromBase64Url, toBase64Url } from '../sealing/bytes.ts'
import { recordAudit } from './audit.ts'
import type { Reader } from './case-access.ts'
import type { NewPasskey, PasskeyOwner, Passkeys, Site } from './passkeys.ts'
import type { Deps } from './ports.ts'
import type { Sessions } from './sessions.ts'
import type { SlowDowns } from './slow-down.ts'
import type { StaffSession } from './staff.ts'
import { hashOf, newToken } from './tokens.ts'
import { matchTotp, TOTP_SECRET_BYTES, toBase32, totpUri } from './totp.ts'

export interface PasskeyLine {
  readonly id: string
  readonly name: string
  readonly addedAt: Date
  readonly usedAt: Date | null
  /** It also unlocks the member's keys. */
  readonly unlocks: boolean
}

/** What a member can show beside the passphrase. */
export interface FactorState {
  readonly totp: boolean
  readonly passkeys: readonly PasskeyLine[]
}

/** A secret for an authenticator app that is not in force yet. */
export interface TotpOffer {
  /** As typed by hand. */
  readonly secret: string
  /** As in the QR code. */
  readonly uri: string
  /** The same for the server alone; comes back with the first code. */
  readonly sealed: string
}

/** Who may set a factor up: whoever holds the member's link, or the member, who has shown one just now. */
export type Setter = { readonly link: string } | StaffSession

/** The second factor: a code of an authenticator app, or a passkey. Outside a demonstration nobody is let in without. */
export interface Factors {
  stateOf(memberId: string): Promise<FactorState>
  /**
   * Takes a code, once.
   * @param browser hash of the browser's token when the account has signed in from it before
   * @throws {DomainError} `forbidden`, `rate-limited`
   */
  proveCode(member: PasskeyOwner, code: string, browser: Buffer | null): Promise<void>
  /** Whose link it is. @throws {DomainError} `not-found` for a link that is unknown, used or late */
  linkOwner(link: string): Promise<PasskeyOwner>
  /** A link with which the member, who has no factor yet, sets one up. Worth 72 hours and one factor. */
  createLink(tx: Tx, memberId: string, createdBy: string | null): Promise<string>
  /**
   * Takes all factors away from a member who lost them, ends the member's sessions, and answers a new link.
   * @param by null for the command line, which is how the only administrator is helped
   * @throws {DomainError} `forbidden` also for one's own, `not-found`
   */
  reset(by: Reader | null, username: string): Promise<string>
  /** @throws {DomainError} `not-found`, `factor-required` */
  offerTotp(setter: Setter, site: Pick<Site, 'name'>): Promise<TotpOffer>
  /** The first code puts the secret in force, in the place of the one before. @throws {DomainError} `invalid-input` */
  confirmTotp(setter: Setter, sealed: string, code: string): Promise<void>
  offerPasskey(setter: Setter, site: Site): Promise<PublicKeyCredentialCreationOptionsJSON>
  confirmPasskey(setter: Setter, passkey: NewPasskey, site: Site): Promise<void>
  /** Gives a factor up: `totp`, or a passkey's id. @throws {DomainError} `not-found`, `invalid-input` for the last one */
  remove(session: StaffSession, factor: string): Promise<void>
  /** What the member's passkeys keep of the member's identity. */
  passkeyWraps(memberId: string): Promise<{ credentialId: string; wrappedIdentity: Uint8Array }[]>
}

const LINK_MS = 72 * 3_600_000
const OFFER_MS = 15 * 60_000
const MAX_PASSKEYS = 10

interface Offer {
  readonly secret: string
  readonly until: number
}

export function createFactors(
  deps: Pick<Deps, 'db' | 'clock' | 'random' | 'secrets' | 'demo'>,
  sessions: Sessions,
  passkeys: Passkeys,
  slowDowns: SlowDowns,
): Factors {
  const { db, clock, random, demo } = deps
  const sealingKey = deriveKey(deps.secrets.cookie, 'server/totp')
  const bytes = (n: number): Uint8Array => random.bytes(n)
  const purposeOf = (memberId: string): string => `totp:${memberId}`
  const offerOf = (memberId: string): string => `totp.offer:${memberId}`
  const wrongCode = (): DomainError => new DomainError('forbidden', '验证码不对，或者已经用过。请等下一个。')

  async function ownerOf(setter: Setter): Promise<PasskeyOwner> {
    if ('link' in setter) return linkOwner(setter.link)
    await sessions.requireRecent(setter)
    return setter
  }

  async function linkOwner(link: string): Promise<PasskeyOwner> {
    const found = await db
      .selectFrom('factor_link')
      .innerJoin('member', 'member.id', 'factor_link.member_id')
      .select(['member.id', 'member.username', 'member.display_name', 'factor_link.expires_at'])
      .where('factor_link.token_hash', '=', hashOf(link))
      .where('member.status', '=', 'active')
      .executeTakeFirst()
    if (!found || found.expires_at <= clock.now()) {
      throw new DomainError('not-found', '这个链接已失效，请让管理员重新发一个。')
    }
    return { memberId: found.id, username: found.username, displayName: found.display_name }
  }

  /** What follows from every new factor. The link is spent; other sessions of the member end. */
  async function settle(tx: Tx, setter: Setter): Promise<void> {
    if ('link' in setter) {
      const spent = await tx
        .deleteFrom('factor_link')
        .where('token_hash', '=', hashOf(setter.link))
        .returning('member_id')
        .executeTakeFirst()
      if (!spent) throw new DomainError('not-found', '这个链接已经用过了。')
    } else {
      await sessions.endOthers(tx, setter)
    }
  }

  const audit = (tx: Tx, owner: PasskeyOwner, action: string): Promise<void> =>
    recordAudit(tx, {
      at: clock.now(),
      memberId: owner.memberId,
      role: null,
      action,
      object: owner.username,
    })

  async function createLink(tx: Tx, memberId: string, createdBy: string | null): Promise<string> {
    const link = newToken(random)
    await tx.deleteFrom('factor_link').where('member_id', '=', memberId).execute()
    await tx
      .insertInto('factor_link')
      .values({
        token_hash: hashOf(link),
        member_id: memberId,
        created_by: createdBy,
        expires_at: new Date(clock.now().getTime() + LINK_MS),
      })
      .execute()
    return link
  }

  async function stateOf(memberId: string): Promise<FactorState> {
    const totp = await db
      .selectFrom('totp')
      .select('member_id')
      .where('member_id', '=', memberId)
      .executeTakeFirst()
    const keys = await db
      .selectFrom('passkey')
      .select(['id', 'name', 'added_at', 'used_at', 'wrapped_identity'])
      .where('member_id', '=', memberId)
      .orderBy('added_at')
      .execute()
    return {
      totp: totp !== undefined,
      passkeys: keys.map((key) => ({
        id: key.id,
        name: key.name,
        addedAt: key.added_at,
        usedAt: key.used_at,
        unlocks: key.wrapped_identity !== null,
      })),
    }
  }

  return {
    stateOf,
    linkOwner,
    createLink,

    async proveCode(member, code, browser) {
      const attempt = { username: member.username, kind: 'factor', browser } as const
      await slowDowns.take(attempt)
      const row = await db
        .selectFrom('totp')
        .select(['sealed', 'last_step'])
        .where('member_id', '=', member.memberId)
        .executeTakeFirst()
      const step =
        row &&
        matchTotp(
          await openBytes(sealingKey, purposeOf(member.memberId), row.sealed),
          code,
          clock.now(),
          row.last_step,
        )
      // Two requests with one code: the second finds the step taken.
      const taken =
        typeof step === 'number' &&
        (await db
          .updateTable('totp')
          .set({ last_step: step })
          .where('member_id', '=', member.memberId)
          .where('last_step', '<', step)
          .returning('member_id')
          .executeTakeFirst())
      if (!taken) {
        await recordAudit(db, {
          at: clock.now(),
          memberId: member.memberId,
          role: null,
          action: 'factor.refused',
          object: member.username,
        })
        throw wrongCode()
      }
      await slowDowns.succeed(attempt)
    },

    async reset(by, username) {
      if (by && !by.roles.includes('admin')) {
        throw new DomainError('forbidden', '只有管理员可以重置第二因素。')
      }
      return db.transaction().execute(async (tx) => {
        const member = await tx
          .selectFrom('member')
          .select('id')
          .where('username', '=', username)
          .where('status', '=', 'active')
          .executeTakeFirst()
        if (!member) throw new DomainError('not-found', `没有在职成员 ${username}。`)
        if (member.id === by?.memberId) {
          throw new DomainError('forbidden', '不能重置自己的第二因素，请让另一位管理员来做。')
        }
        await tx.deleteFrom('totp').where('member_id', '=', member.id).execute()
        await tx.deleteFrom('passkey').where('member_id', '=', member.id).execute()
        await tx.deleteFrom('session').where('member_id', '=', member.id).execute()
        await tx.deleteFrom('pending_sign_in').where('member_id', '=', member.id).execute()
        const link = await createLink(tx, member.id, by?.memberId ?? null)
        await recordAudit(tx, {
          at: clock.now(),
          memberId: by?.memberId ?? null,
          role: 'admin',
          action: 'factor.reset',
          object: username,
        })
        return link
      })
    },

    async offerTotp(setter, site) {
      const owner = await ownerOf(setter)
      const secret = random.bytes(TOTP_SECRET_BYTES)
      const offer: Offer = { secret: toBase64Url(secret), until: clock.now().getTime() + OFFER_MS }
      return {
        secret: toBase32(secret),
        uri: totpUri(secret, site.name, owner.username),
        sealed: toBase64Url(await sealJson(sealingKey, offerOf(owner.memberId), offer, bytes)),
      }
    },

    async confirmTotp(setter, sealed, code) {
      const owner = await ownerOf(setter)
      const opened = await openJson(
        sealingKey,
        offerOf(owner.memberId),
        fromBase64Url(sealed) ?? new Uint8Array(),
      ).catch(() => null)
      const offer = opened as Offer | null
      const secret = fromBase64Url(offer?.secret ?? '')
      if (!offer || !secret || offer.until < clock.now().getTime()) {
        throw new DomainError('invalid-input', '这个二维码放得太久了，请刷新页面重新扫。')
      }
      const step = matchTotp(secret, code, clock.now(), 0)
      if (step === null) {
        throw new DomainError('invalid-input', '验证码不对。请核对手机的时间，再输入现在显示的六位数字。', [
          { field: 'code', message: '验证码不对。' },
        ])
      }
      const row = {
        sealed: Buffer.from(await sealBytes(sealingKey, purposeOf(owner.memberId), secret, bytes)),
        last_step: step,
        added_at: clock.now(),
      }
      await db.transaction().execute(async (tx) => {
        await settle(tx, setter)
        await tx
          .insertInto('totp')
          .values({ member_id: owner.memberId, ...row })
          .onConflict((conflict) => conflict.column('member_id').doUpdateSet(row))
          .execute()
        await audit(tx, owner, 'factor.totp')
      })
    },

    async offerPasskey(setter, site) {
      return passkeys.addOptions(await ownerOf(setter), site)
    },

    async confirmPasskey(setter, passkey, site) {
      const owner = await ownerOf(setter)
      const row = await passkeys.check(owner.memberId, passkey, site)
      if ((await stateOf(owner.memberId)).passkeys.length >= MAX_PASSKEYS) {
        throw new DomainError('invalid-input', `最多登记 ${MAX_PASSKEYS} 个通行密钥。`)
      }
      await db.transaction().execute(async (tx) => {
        await settle(tx, setter)
        const stored = await tx
          .insertInto('passkey')
          .values(row)
          .onConflict((conflict) => conflict.column('credential_id').doNothing())
          .returning('id')
          .executeTakeFirst()
        if (!stored) throw new DomainError('forbidden', '这个通行密钥已经登记过了。')
        await audit(tx, owner, 'factor.passkey')
      })
    },

    async remove(session, factor) {
      await sessions.requireRecent(session)
      const { totp, passkeys: keys } = await stateOf(session.memberId)
      const known = factor === 'totp' ? totp : keys.some((key) => key.id === factor)
      if (!known) throw new DomainError('not-found', '没有这个第二因素。')
      if (!demo && Number(totp) + keys.length === 1) {
        throw new DomainError('invalid-input', '至少要留一个第二因素。请先登记另一个，再去掉这个。')
      }
      await db.transaction().execute(async (tx) => {
        await (factor === 'totp'
          ? tx.deleteFrom('totp').where('member_id', '=', session.memberId).execute()
          : tx
              .deleteFrom('passkey')
              .where('member_id', '=', session.memberId)
              .where('id', '=', factor)
              .execute())
        await settle(tx, session)
        await audit(tx, session, 'factor.remove')
      })
    },

    async passkeyWraps(memberId) {
      const rows = await db
        .selectFrom('passkey')
        .select(['credential_id', 'wrapped_identity'])
        .where('member_id', '=', memberId)
        .where('wrapped_identity', 'is not', null)
        .execute()
      return rows.flatMap((row) =>
        row.wrapped_identity
          ? [{ credentialId: row.credential_id, wrappedIdentity: row.wrapped_identity }]
          : [],
      )
    },
  }
}
