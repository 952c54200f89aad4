import { setTimeout as pause } from 'node:timers/promises'
import { createDice } from './settings.ts'
import { apiTip, formTip, type Outcome, type SentTip } from './tips.ts'

export const SUBMITTERS = 20
/** A client that was refused or cut off waits so long before it asks again. */
const AGAIN_MS = 200

/** Submitters at work; what they were promised is in `tips`. */
export interface Load {
  /** Every tip that was begun, with the receipts that came. */
  readonly tips: readonly SentTip[]
  /** Refusals by status, e.g. `503: 12`. */
  readonly refusals: ReadonlyMap<number, number>
  /** Answers that never came. */
  readonly cuts: number
  /** Resolves after so many more attempts have come to something. */
  outcomes(count: number): Promise<void>
  /** No new tips until {@link resume}; those that were begun go on. */
  hold(): void
  resume(): void
  /** No new tips; answers when every one that was begun has its receipt. */
  finish(): Promise<void>
}

export interface LoadOptions {
  readonly name: string
  /** Where to send, asked anew for each request. */
  readonly at: () => string
  readonly photos: readonly Uint8Array[]
  readonly submitters?: number
  /** How many photos a tip may have; one of these, by chance. */
  readonly photoCounts?: readonly number[]
  /** Which refusals are honest here; another one fails the load. */
  readonly mayRefuse?: (refusal: Extract<Outcome, { got: 'refusal' }>) => boolean
}

/**
 * Sends tips, API and form by turns, with and without photos. A tip that got no answer or was refused is sent again,
 * as a careful client does, until it has its receipt. What is sent is the same for the same seed; when is not.
 */
export function startLoad(options: LoadOptions): Load {
  const {
    name,
    at,
    photos,
    submitters = SUBMITTERS,
    photoCounts = [0, 0, 1, 2],
    mayRefuse = () => false,
  } = options
  const tips: SentTip[] = []
  const refusals = new Map<number, number>()
  const waiters = new Set<{ left: number; readonly done: () => void }>()
  let cuts = 0
  let finishing = false
  let held: { readonly over: Promise<unknown>; readonly resume: (value: undefined) => void } | null = null
  let fail: (error: unknown) => void
  const failed = new Promise<never>((_, reject) => (fail = reject))
  failed.catch(() => {})

  const settle = (outcome: Outcome): void => {
    if (outcome.got === 'nothing') cuts += 1
    if (outcome.got === 'refusal') {
      refusals.set(outcome.status, (refusals.get(outcome.status) ?? 0) + 1)
      if (!mayRefuse(outcome)) throw new Error(`refused with ${outcome.status}: ${outcome.why}`)
    }
    for (const waiter of waiters) {
      waiter.left -= 1
      if (waiter.left > 0) continue
      waiters.delete(waiter)
      waiter.done()
    }
  }

  async function submitter(number: number): Promise<void> {
    const dice = createDice(`${name}/submitter ${number}`)
    for (let count = 1; ; count += 1) {
      await held?.over
      if (finishing) return
      const description = `${name}：第 ${number} 人第 ${count} 件，锅炉冒黑烟，气味很大。`
      const shots = Array.from({ length: dice.oneOf(photoCounts) }, () => dice.oneOf(photos))
      const tip = dice.below(3) === 0 ? formTip(at, description, shots) : apiTip(at, dice, description, shots)
      tips.push(tip)
      for (;;) {
        const outcome = await tip.send()
        settle(outcome)
        if (outcome.got === 'receipt') break
        await pause(AGAIN_MS)
      }
    }
  }

  const resume = (): void => {
    held?.resume(undefined)
    held = null
  }
  const work = Promise.all(Array.from({ length: submitters }, (_, index) => submitter(index + 1)))
  work.catch((error: unknown) => fail(error))

  return {
    tips,
    refusals,
    get cuts() {
      return cuts
    },
    outcomes: (count) =>
      Promise.race([
        new Promise<void>((resolve) => {
          waiters.add({ left: count, done: resolve })
        }),
        failed,
      ]),
    hold() {
      const { promise: over, resolve: resume } = Promise.withResolvers<undefined>()
      held ??= { over, resume }
    },
    resume,
    async finish() {
      finishing = true
      resume()
      await work
    },
  }
}
