import { sql } from 'kysely'
import { dayOf, type Day } from '../domain/day.ts'
import { difficultyFor, type GateBinding, type ProofState } from '../domain/gate.ts'
import type { Challenge, Deps, GateVerdict } from './ports.ts'

/** A good proof as the database remembers it: by a hash and a day, nothing of who made it or when. */
export interface Spend {
  /** 32 bytes. */
  readonly hash: Buffer
  /** The last day on which the proof could be shown again. */
  readonly day: Day
}

/** What came of looking at a proof; `spend` goes into the statement that stores the tip. */
export interface Evidence {
  readonly state: ProofState
  readonly spend: Spend | null
}

export interface Gate {
  /** Something to work on; harder while many ask. */
  challenge(binding: GateBinding): Promise<Challenge>
  /** Looks at a proof without spending it. '' and undefined are none. */
  examine(proof: string | undefined, binding: GateBinding): Promise<Evidence>
  /** Whether it was used before: only a quick look, to save work. Storing the tip decides. */
  isSpent(spend: Spend): Promise<boolean>
  /** The second choice; null when there is none. */
  readonly thirdParty: {
    readonly siteKey: string
    readonly scriptUrl: string
    /** Looks at a token and spends it: true once for each. */
    accept(token: string, binding: GateBinding): Promise<boolean>
  } | null
}

/** The stretch over which challenges are counted. */
const WINDOW_MS = 10 * 60_000

const spendOf = (verdict: GateVerdict): Spend | null =>
  verdict.state === 'proven' ? { hash: verdict.id, day: dayOf(verdict.until) } : null

export function createGate(deps: Pick<Deps, 'db' | 'clock' | 'gate' | 'thirdPartyGate'>): Gate {
  const { db, clock, gate, thirdPartyGate } = deps
  let window = { from: 0, issued: 0, before: 0 }

  /** Challenges of the last ten minutes: this window's, and of the one before as much as still falls into them. */
  function countOne(): number {
    const now = clock.now().getTime()
    const from = now - (now % WINDOW_MS)
    if (from !== window.from) {
      window = { from, issued: 0, before: from === window.from + WINDOW_MS ? window.issued : 0 }
    }
    window.issued += 1
    return window.issued + window.before * (1 - (now - from) / WINDOW_MS)
  }

  return {
    challenge: (binding) => gate.challenge(binding, difficultyFor(countOne())),

    async examine(proof, binding) {
      if (proof === undefined || proof === '') return { state: 'none', spend: null }
      const verdict = await gate.verify(proof, binding)
      return { state: verdict.state, spend: spendOf(verdict) }
    },

    async isSpent({ hash }) {
      const found = await db
        .selectFrom('spent_proof')
        .select(sql<number>`1`.as('one'))
        .where('hash', '=', hash)
        .executeTakeFirst()
      return found !== undefined
    },

    thirdParty: thirdPartyGate && {
      siteKey: thirdPartyGate.siteKey,
      scriptUrl: thirdPartyGate.scriptUrl,
      async accept(token, binding) {
        const spend = spendOf(await thirdPartyGate.verify(token, binding))
        if (spend === null) return false
        const { numInsertedOrUpdatedRows } = await db
          .insertInto('spent_proof')
          .values({ hash: spend.hash, day: spend.day })
          .onConflict((conflict) => conflict.column('hash').doNothing())
          .executeTakeFirst()
        return (numInsertedOrUpdatedRows ?? 0n) > 0n
      },
    },
  }
}
