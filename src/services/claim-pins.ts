import { createHmac, timingSafeEqual } from 'node:crypto'
import { argon2id } from 'hash-wasm'
import type { Db } from '../db/connect.ts'
import { countPinTry, findPin, forgivePinTries } from '../db/claim-pins.ts'
import { parseClaimPin, PIN_TRIES } from '../domain/claim-pin.ts'
import { DomainError } from '../domain/errors.ts'
import { deriveKey } from '../sealing/derive.ts'
import type { Deps, ServerSecrets } from './ports.ts'

/** Whether a reward is collected with six digits besides the receipt code: `locked` after too many wrong ones, for the day. */
export type PinState = 'none' | 'asked' | 'locked'

export interface ClaimPins {
  stateOf(tipId: string): Promise<PinState>
  /**
   * Lets pass who types the right digits, and everybody where none were chosen. A wrong try is counted before it is
   * looked at, so that many at once are no more than five.
   * @throws {DomainError} `invalid-input` with the field `pin`
   */
  check(tipId: string, typed: string): Promise<void>
}

const SALT_BYTES = 16

/**
 * What is kept of the digits. A million of them are soon tried, so the slow hash is not what protects them: it is
 * taken of an HMAC under a key that lies outside the database.
 * @source OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes, one lane.
 */
async function slowHash(
  secrets: ServerSecrets,
  tipId: string,
  pin: string,
  salt: Uint8Array,
): Promise<Buffer> {
  const key = deriveKey(secrets.lookup, 'claim/pin')
  const password = createHmac('sha256', key)
    .update(JSON.stringify([tipId, pin]))
    .digest()
  const hash = await argon2id({
    password,
    salt,
    memorySize: 19_456,
    iterations: 2,
    parallelism: 1,
    hashLength: 32,
    outputType: 'binary',
  })
  return Buffer.from(hash)
}

/** To be stored with the tip: the salt, then the hash. */
export async function hashClaimPin(
  { secrets, random }: Pick<Deps, 'secrets' | 'random'>,
  tipId: string,
  pin: string,
): Promise<Buffer> {
  const salt = random.bytes(SALT_BYTES)
  return Buffer.concat([salt, await slowHash(secrets, tipId, pin, salt)])
}

const refused = (message: string): DomainError =>
  new DomainError('invalid-input', message, [{ field: 'pin', message }])
const LOCKED = '领奖密码错的次数到了，今天不能再在网上领。明天起每天可以再试一次。'

export function createClaimPins({ db, secrets }: Pick<Deps, 'secrets'> & { readonly db: Db }): ClaimPins {
  return {
    async stateOf(tipId) {
      const found = await findPin(db, tipId)
      if (!found?.pin) return 'none'
      return found.tries >= PIN_TRIES ? 'locked' : 'asked'
    },
    async check(tipId, typed) {
      const found = await findPin(db, tipId)
      if (!found?.pin) return
      const pin = parseClaimPin(typed)
      if (pin === null) throw refused('请填写提交举报时自己定的六位领奖密码。')
      const left = await countPinTry(db, tipId, PIN_TRIES)
      if (left === null) throw refused(LOCKED)
      const salt = found.pin.subarray(0, SALT_BYTES)
      const hash = await slowHash(secrets, tipId, pin, salt)
      if (!timingSafeEqual(hash, found.pin.subarray(SALT_BYTES))) {
        throw refused(left === 0 ? LOCKED : `领奖密码不对，还可以试${left}次。`)
      }
      await forgivePinTries(db, tipId)
    },
  }
}
