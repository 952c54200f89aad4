import { DomainError } from './errors.ts'

/**
 * What the proof of work asks, and which lane a tip takes. The gate keeps floods out of the officers' first view; it
 * refuses nobody: whatever comes without a proof, or too fast, or too often, is read from a list of its own.
 */

/** What a challenge is for; one made for the one is worth nothing for the other. */
export const GATE_PURPOSES = ['form', 'tip'] as const
export type GatePurpose = (typeof GATE_PURPOSES)[number]

/** Who may use a challenge: the draft's id for `form`, '' for `tip` (a program has nothing before it files). */
export interface GateBinding {
  readonly purpose: GatePurpose
  readonly holder: string
}

/** What a third party's widget is told it is for: its token says so, and is worth nothing elsewhere. */
export const thirdPartyAction = (purpose: GatePurpose): string => `lantian-${purpose}`

/** From making to the last moment it is taken. Long enough to copy a receipt code by hand after the proof is found. */
export const CHALLENGE_SECONDS = 10 * 60

/** How much work a challenge asks: on average `maxCounter / 2` key derivations of `cost` iterations each. */
export interface Difficulty {
  /** Iterations of PBKDF2-HMAC-SHA-256 in one try. */
  readonly cost: number
  /**
   * The right counter is drawn evenly from 1 to this. The range begins at 1: everybody can read it here, so a lower
   * end above it would cost honest solvers tries that an abuser skips.
   */
  readonly maxCounter: number
}

/**
 * The steps, by how many challenges this process gave out in ten minutes; the last that is reached counts. The first
 * takes 0.2 to 0.6 s on a computer (measured: 0.27 to 0.75 ms a try, in Node 24 on two server cores of different age) and
 * some seconds on a slow phone (estimated at ten times that), while the check page is read; the server makes one in
 * 0.6 ms and checks its answer in 0.1 ms. A district files some hundred tips a day: 300 challenges in ten minutes are an
 * event or an attack, and either way a few seconds more are bearable.
 */
export const DIFFICULTIES = [
  { from: 0, cost: 2000, maxCounter: 1500 },
  { from: 300, cost: 2000, maxCounter: 3000 },
  { from: 1500, cost: 2000, maxCounter: 6000 },
] as const satisfies readonly (Difficulty & { readonly from: number })[]

/** @param issued challenges given out in the last ten minutes */
export function difficultyFor(issued: number): Difficulty {
  const { cost, maxCounter } = DIFFICULTIES.findLast(({ from }) => from <= issued) ?? DIFFICULTIES[0]
  return { cost, maxCounter }
}

/**
 * A proof as it was found: `proven` is ours, solved, in time and for this binding; `expired` was all that, once;
 * `refused` is anything else that was sent; `none` is nothing sent. Whether a proof was used before is told by the
 * database when the tip is stored.
 */
export type ProofState = 'proven' | 'expired' | 'refused' | 'none'

const REFUSALS = {
  expired: '验证已经过期，请重新请求一个。',
  refused: '验证不是本站发出的、没有解对，或者不是为这次提交做的，请重新请求一个。',
  used: '这个验证已经用过一次，请重新请求一个。',
  vouch:
    'Cloudflare 没有证明，或者没有回答。可以再试一次，也可以返回核对页，用本站自己的验证，或者不验证直接提交。',
} as const

/** A proof that is worth nothing, told to whoever sent it. */
export function gateRefused(reason: keyof typeof REFUSALS): DomainError {
  return new DomainError('gate-refused', REFUSALS[reason], [{ field: 'gate', message: REFUSALS[reason] }])
}

export const LANES = ['normal', 'unverified'] as const
export type Lane = (typeof LANES)[number]

/**
 * The lane of a tip from the form. A proof is enough. Without one (no JavaScript, or the page lay open too long) a form
 * that was filled in at a person's pace is enough too, as long as few come that way. A forged or borrowed proof is never
 * a person's mistake.
 * @param hasty the form was filled in faster than a person does
 * @param trapped a field that nobody sees was filled in
 * @param few the narrower bucket and the ceiling for forms without proof had room; asked only when it matters
 */
export function formLane(facts: {
  readonly proof: ProofState
  readonly hasty: boolean
  readonly trapped: boolean
  readonly few: () => boolean
}): Lane {
  if (facts.trapped || facts.proof === 'refused') return 'unverified'
  if (facts.proof === 'proven') return 'normal'
  return !facts.hasty && facts.few() ? 'normal' : 'unverified'
}
