import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server'
import type { Insertable } from 'kysely'
import type { PasskeyChallengeTable, PasskeyTable } from '../db/tables.ts'
import { DomainError } from '../domain/errors.ts'
import { fromBase64Url, toBase64Url } from '../sealing/bytes.ts'
import type { Deps } from './ports.ts'
import { hashOf } from './tokens.ts'

/** The site as a browser names it: passkeys belong to its host. */
export interface Site {
  /** e.g. `https://example.gov.cn` */
  readonly origin: string
  readonly name: string
}

export interface PasskeyOwner {
  readonly memberId: string
  readonly username: string
  readonly displayName: string
}

export interface NewPasskey {
  readonly response: RegistrationResponseJSON
  /** What the member calls it. */
  readonly name: string
  /** The member's identity under the key that this passkey gives, when it can (PRF). */
  readonly wrappedIdentity: Uint8Array | null
}

/** Passkeys by WebAuthn: always with user verification, and no attestation asked for. */
export interface Passkeys {
  /** What the browser needs to show one of the member's passkeys. @throws {DomainError} `invalid-input` without any */
  proveOptions(memberId: string, site: Site): Promise<PublicKeyCredentialRequestOptionsJSON>
  /** @throws {DomainError} `forbidden` whatever is wrong with it: key, challenge, site, counter */
  prove(memberId: string, response: AuthenticationResponseJSON, site: Site): Promise<void>
  addOptions(owner: PasskeyOwner, site: Site): Promise<PublicKeyCredentialCreationOptionsJSON>
  /** Answers the row of a new one, to be stored by whoever asked. @throws {DomainError} `forbidden` */
  check(memberId: string, passkey: NewPasskey, site: Site): Promise<Insertable<PasskeyTable>>
}

const CHALLENGE_BYTES = 32
const CHALLENGE_MS = 60_000
/** EdDSA, ES256, RS256: what authenticators have. @source IANA, COSE Algorithms */
const ALGORITHMS = [-8, -7, -257]

// Loaded when somebody shows a passkey: citizens' pages need not carry 27 MB of certificate parsers.
const library = () => import('@simplewebauthn/server')

const challengeIn = (clientDataJSON: string): string => {
  try {
    const text = Buffer.from(clientDataJSON, 'base64url').toString('utf8')
    const { challenge } = JSON.parse(text) as { challenge?: unknown }
    return typeof challenge === 'string' ? challenge : ''
  } catch {
    return ''
  }
}

export function createPasskeys({ db, clock, random }: Pick<Deps, 'db' | 'clock' | 'random'>): Passkeys {
  const refused = (): DomainError => new DomainError('forbidden', '通行密钥没有通过验证，请重试。')

  async function issue(memberId: string, purpose: PasskeyChallengeTable['purpose']) {
    const bytes = new Uint8Array(random.bytes(CHALLENGE_BYTES))
    const now = clock.now()
    await db.deleteFrom('passkey_challenge').where('expires_at', '<', now).execute()
    await db
      .insertInto('passkey_challenge')
      .values({
        hash: hashOf(toBase64Url(bytes)),
        member_id: memberId,
        purpose,
        expires_at: new Date(now.getTime() + CHALLENGE_MS),
      })
      .execute()
    return bytes
  }

  /** Takes the challenge of an answer; it is worth nothing afterwards, whatever comes of the answer. */
  async function spend(
    memberId: string,
    purpose: PasskeyChallengeTable['purpose'],
    clientDataJSON: string,
  ): Promise<string> {
    const challenge = challengeIn(clientDataJSON)
    const found = await db
      .deleteFrom('passkey_challenge')
      .where('hash', '=', hashOf(challenge))
      .where('member_id', '=', memberId)
      .where('purpose', '=', purpose)
      .returning('expires_at')
      .executeTakeFirst()
    if (!found || found.expires_at < clock.now()) throw refused()
    return challenge
  }

  const hostOf = (site: Site): string => new URL(site.origin).hostname

  async function ownedBy(memberId: string) {
    const rows = await db
      .selectFrom('passkey')
      .select(['credential_id', 'transports'])
      .where('member_id', '=', memberId)
      .execute()
    return rows.map((row) => ({ id: row.credential_id, transports: row.transports }))
  }

  return {
    async proveOptions(memberId, site) {
      const allowCredentials = await ownedBy(memberId)
      if (allowCredentials.length === 0) throw new DomainError('invalid-input', '还没有登记通行密钥。')
      const { generateAuthenticationOptions } = await library()
      return generateAuthenticationOptions({
        rpID: hostOf(site),
        allowCredentials,
        challenge: await issue(memberId, 'prove'),
        timeout: CHALLENGE_MS,
        userVerification: 'required',
      })
    },

    async prove(memberId, response, site) {
      const expectedChallenge = await spend(memberId, 'prove', response.response.clientDataJSON)
      const stored = await db
        .selectFrom('passkey')
        .selectAll()
        .where('credential_id', '=', response.id)
        .where('member_id', '=', memberId)
        .executeTakeFirst()
      if (!stored) throw refused()
      const { verifyAuthenticationResponse } = await library()
      const { verified, authenticationInfo } = await verifyAuthenticationResponse({
        response,
        expectedChallenge,
        expectedOrigin: site.origin,
        expectedRPID: hostOf(site),
        requireUserVerification: true,
        credential: {
          id: stored.credential_id,
          publicKey: new Uint8Array(stored.public_key),
          counter: stored.counter,
          transports: stored.transports,
        },
      }).catch(() => {
        // The library says why in words for developers; the member learns that it was refused.
        throw refused()
      })
      if (!verified) throw refused()
      await db
        .updateTable('passkey')
        .set({ counter: authenticationInfo.newCounter, used_at: clock.now() })
        .where('id', '=', stored.id)
        .execute()
    },

    async addOptions(owner, site) {
      const { generateRegistrationOptions } = await library()
      return generateRegistrationOptions({
        rpName: site.name,
        rpID: hostOf(site),
        userName: owner.username,
        userDisplayName: owner.displayName,
        userID: new TextEncoder().encode(owner.memberId),
        challenge: await issue(owner.memberId, 'add'),
        timeout: CHALLENGE_MS,
        supportedAlgorithmIDs: ALGORITHMS,
        attestationType: 'none',
        excludeCredentials: await ownedBy(owner.memberId),
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
      })
    },

    async check(memberId, { response, name, wrappedIdentity }, site) {
      const expectedChallenge = await spend(memberId, 'add', response.response.clientDataJSON)
      const { verifyRegistrationResponse } = await library()
      const { registrationInfo } = await verifyRegistrationResponse({
        response,
        expectedChallenge,
        expectedOrigin: site.origin,
        expectedRPID: hostOf(site),
        requireUserVerification: true,
        supportedAlgorithmIDs: ALGORITHMS,
      }).catch(() => {
        throw refused()
      })
      if (!registrationInfo) throw refused()
      const { id, publicKey, counter, transports } = registrationInfo.credential
      if (!fromBase64Url(id)) throw refused()
      return {
        id: random.uuid(),
        member_id: memberId,
        credential_id: id,
        public_key: Buffer.from(publicKey),
        counter,
        transports: [...(transports ?? [])],
        name,
        wrapped_identity: wrappedIdentity && Buffer.from(wrappedIdentity),
        added_at: clock.now(),
        used_at: null,
      }
    },
  }
}
