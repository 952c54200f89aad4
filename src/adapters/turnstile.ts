import { createHash } from 'node:crypto'
import { z } from 'zod'
import { thirdPartyAction } from '../domain/gate.ts'
import type { Clock, ThirdPartyGate } from '../services/ports.ts'

export interface TurnstileSettings {
  readonly siteKey: string
  readonly secretKey: string
  /** Origin of the service: script and verification are below it. */
  readonly url: string
  /** The names under which visitors reach this site; a token made for another site is refused. */
  readonly hostnames: readonly string[]
}

/** A citizen waits for it, and has other ways to go on. */
const TIMEOUT_MS = 3000
/** @source developers.cloudflare.com/turnstile, "Validate the token": at most 2048 characters, valid for 300 s, once */
const TOKEN = /^[\x21-\x7e]{1,2048}$/
const VALID_SECONDS = 300
const MAX_REPLY_BYTES = 16 * 1024

const reply = z.object({
  success: z.boolean(),
  hostname: z.string().optional(),
  action: z.string().optional(),
})

/**
 * Cloudflare Turnstile. The service learns the token and our secret, never the citizen's address (`remoteip` is left
 * out: it has seen the address in the browser, and shall not be told which tip belongs to it).
 * It cannot be told to whom a token is bound; the page hands it over under the draft's own form token.
 */
export function createTurnstile(
  settings: TurnstileSettings,
  { clock, timeoutMs = TIMEOUT_MS }: { readonly clock: Clock; readonly timeoutMs?: number },
): ThirdPartyGate {
  async function ask(token: string): Promise<z.infer<typeof reply> | null> {
    const answer = await fetch(`${settings.url}/turnstile/v0/siteverify`, {
      method: 'POST',
      body: new URLSearchParams({ secret: settings.secretKey, response: token }),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    })
    const text = await answer.text()
    if (!answer.ok || text.length > MAX_REPLY_BYTES) return null
    return reply.parse(JSON.parse(text))
  }

  return {
    siteKey: settings.siteKey,
    scriptUrl: `${settings.url}/turnstile/v0/api.js`,
    async verify(token, binding) {
      if (!TOKEN.test(token)) return { state: 'refused' }
      // Refused, late, silent or mad: none of it is a proof, and the citizen is offered the other ways.
      const found = await ask(token).catch(() => null)
      if (
        !found?.success ||
        !settings.hostnames.includes(found.hostname ?? '') ||
        found.action !== thirdPartyAction(binding.purpose)
      ) {
        return { state: 'refused' }
      }
      return {
        state: 'proven',
        id: createHash('sha256').update(`turnstile/${token}`).digest(),
        until: new Date(clock.now().getTime() + VALID_SECONDS * 1000),
      }
    },
  }
}
