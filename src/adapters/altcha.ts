import { createHash, hkdfSync } from 'node:crypto'
import { createChallenge, randomInt, verifySolution } from 'altcha-lib'
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2'
import { CHALLENGE_SECONDS, type GateBinding } from '../domain/gate.ts'
import type { Challenge, Clock, GateVerdict, ProofOfWork } from '../services/ports.ts'

const ALGORITHM = 'PBKDF2/SHA-256'
const KEY_LENGTH = 32
/** A proof is about 700 characters; what is longer is not looked at. */
const MAX_PROOF_LENGTH = 4096
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** The library's secrets are strings; each is for one thing only. */
const derive = (secret: Uint8Array, info: string): string =>
  Buffer.from(hkdfSync('sha256', secret, 'lantian', `gate/${info}`, 32)).toString('hex')

// Hashed: the page may show to whom a challenge is bound, but not name the draft.
const dataOf = ({ purpose, holder }: GateBinding): Record<string, string> => ({
  purpose,
  holder: holder === '' ? '' : createHash('sha256').update(`gate/${holder}`).digest('base64url'),
})

interface Proof {
  readonly challenge: Challenge
  readonly solution: { readonly counter: number; readonly derivedKey: string }
}

/** The parts that are looked at here; the library checks the rest by its signature. */
function parse(proof: string): Proof | null {
  if (proof.length > MAX_PROOF_LENGTH || !BASE64.test(proof)) return null
  try {
    const { challenge, solution } = JSON.parse(
      Buffer.from(proof, 'base64').toString('utf8'),
    ) as Partial<Proof>
    const { parameters, signature } = challenge ?? {}
    const whole =
      typeof signature === 'string' &&
      typeof parameters === 'object' &&
      typeof parameters.expiresAt === 'number' &&
      typeof solution === 'object'
    return whole ? ({ challenge, solution } as Proof) : null
  } catch {
    return null
  }
}

/**
 * ALTCHA v2. The signature covers every parameter of a challenge in one canonical form, so that none can be taken from
 * another challenge (version 1 joined them without a mark between: altcha.org/security-advisory, December 2025).
 * @param deps.secret the keys are derived from it; every process of one site has the same
 */
export function createAltcha(deps: { readonly clock: Clock; readonly secret: Uint8Array }): ProofOfWork {
  const hmacSignatureSecret = derive(deps.secret, 'challenge')
  // With it the answer is checked by an HMAC instead of deriving the key again.
  const hmacKeySignatureSecret = derive(deps.secret, 'answer')
  const nowSeconds = (): number => Math.floor(deps.clock.now().getTime() / 1000)

  async function verify(proof: string, binding: GateBinding): Promise<GateVerdict> {
    const parsed = parse(proof)
    if (parsed === null) return { state: 'refused' }
    const { challenge, solution } = parsed
    const { parameters, signature } = challenge
    const found = await verifySolution({
      challenge,
      solution,
      deriveKey,
      hmacSignatureSecret,
      hmacKeySignatureSecret,
    })
    if (found.expired) return { state: 'expired' }
    if (!found.verified) return { state: 'refused' }
    const expected = dataOf(binding)
    if (
      parameters.data['purpose'] !== expected['purpose'] ||
      parameters.data['holder'] !== expected['holder']
    )
      return { state: 'refused' }
    // The library has asked the machine's clock; this is the program's.
    if (parameters.expiresAt < nowSeconds()) return { state: 'expired' }
    return {
      state: 'proven',
      id: createHash('sha256').update(signature).digest(),
      until: new Date(parameters.expiresAt * 1000),
    }
  }

  return {
    async challenge(binding, { cost, maxCounter }) {
      const made = await createChallenge({
        algorithm: ALGORITHM,
        cost,
        counter: randomInt(maxCounter),
        data: dataOf(binding),
        deriveKey,
        expiresAt: nowSeconds() + CHALLENGE_SECONDS,
        hmacSignatureSecret,
        hmacKeySignatureSecret,
        keyLength: KEY_LENGTH,
      })
      return made as Challenge
    },

    async verify(proof, binding) {
      try {
        return await verify(proof, binding)
      } catch {
        // Whatever a stranger sends that the library will not take apart.
        return { state: 'refused' }
      }
    },
  }
}
