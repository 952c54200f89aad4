import { createAltcha } from '../../src/adapters/altcha.ts'
import { solve } from '../../src/browser/report/proof.ts'
import type { Challenge, Clock, ProofOfWork } from '../../src/services/ports.ts'

/** The real gate with work that takes no time. */
export function easyGate(deps: { readonly clock: Clock; readonly secret: Uint8Array }): ProofOfWork {
  const altcha = createAltcha(deps)
  return { ...altcha, challenge: (binding) => altcha.challenge(binding, { cost: 1, maxCounter: 3 }) }
}

export interface Solved {
  challenge: { parameters: Record<string, unknown>; signature: string }
  solution: Record<string, unknown>
}

/** A proof taken apart, to be tampered with. */
export const takeApart = (proof: string): Solved =>
  JSON.parse(Buffer.from(proof, 'base64').toString('utf8')) as Solved

export const putTogether = (solved: unknown): string => Buffer.from(JSON.stringify(solved)).toString('base64')

/** Asks the API for a challenge and solves it as the form does. */
export async function proofFrom(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const purpose = headers['cookie'] ? 'form' : 'tip'
  const reply = await fetch(`${url}/api/v1/challenges?purpose=${purpose}`, { headers })
  if (!reply.ok) throw new Error(`challenges answered ${reply.status}: ${await reply.text()}`)
  return solve((await reply.json()) as Challenge)
}
