import { totpCode, totpStep } from '../../src/services/totp.ts'

/** An authenticator app on somebody's phone. */
export interface Authenticator {
  /** A code that was not shown before. Three in half a minute are taken. */
  code(): string
}

const ON_ITS_WAY_MS = 3000
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Blocks the whole thread: who asks for a code does not have to wait for a promise then. */
const sleep = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

export function fromBase32(text: string): Uint8Array {
  const bits = [...text].map((symbol) => BASE32.indexOf(symbol).toString(2).padStart(5, '0')).join('')
  return Uint8Array.from(bits.match(/[01]{8}/g) ?? [], (byte) => Number.parseInt(byte, 2))
}

/** @param secret as typed by hand, base32 */
export function createAuthenticator(
  secret: string,
  clock: { now(): Date } = { now: () => new Date() },
): Authenticator {
  const bytes = fromBase32(secret)
  let last = 0
  return {
    code() {
      // The server takes a step late and a step early, so nobody has to wait for half a minute. One that is late when it
      // arrives would be two late.
      const arrival = new Date(clock.now().getTime() + ON_ITS_WAY_MS)
      last = Math.max(totpStep(arrival) - 1, last + 1)
      // In the last seconds of a half minute there are but two such steps: the third is taken once the next one begins.
      while (last > totpStep(clock.now()) + 1) sleep(100)
      return totpCode(bytes, last)
    },
  }
}
