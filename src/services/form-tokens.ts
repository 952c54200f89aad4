import { createHmac, timingSafeEqual } from 'node:crypto'
import { DomainError } from '../domain/errors.ts'
import type { Clock, Random, ServerSecrets } from './ports.ts'

const MAX_AGE_SECONDS = 24 * 3600

/** Signed tokens that say: this form came from us, lately, for this purpose and this holder. */
export interface FormTokens {
  /** @param holder what the token is bound to (a draft, a session); '' for nobody in particular */
  issue(purpose: string, holder: string): string
  /** @throws {DomainError} `form-token` when missing, forged, for something else or older than a day */
  verify(token: string | undefined, purpose: string, holder: string): void
}

export function createFormTokens(deps: { clock: Clock; random: Random; secrets: ServerSecrets }): FormTokens {
  const sign = (body: string, purpose: string, holder: string): Buffer =>
    createHmac('sha256', deps.secrets.form)
      .update(JSON.stringify([body, purpose, holder]))
      .digest()

  return {
    issue(purpose, holder) {
      const seconds = Math.floor(deps.clock.now().getTime() / 1000)
      const body = `${seconds.toString(36)}.${Buffer.from(deps.random.bytes(12)).toString('base64url')}`
      return `${body}.${sign(body, purpose, holder).toString('base64url')}`
    },
    verify(token, purpose, holder) {
      const [seconds = '', nonce = '', signature = ''] = (token ?? '').split('.')
      const expected = sign(`${seconds}.${nonce}`, purpose, holder)
      const given = Buffer.from(signature, 'base64url')
      const age = Math.floor(deps.clock.now().getTime() / 1000) - Number.parseInt(seconds, 36)
      if (
        given.length !== expected.length ||
        !timingSafeEqual(given, expected) ||
        !(age >= -60 && age <= MAX_AGE_SECONDS)
      ) {
        throw new DomainError(
          'form-token',
          '页面已过期或不是从本站打开的，请刷新后重试。您填写的内容会保留。',
        )
      }
    },
  }
}
