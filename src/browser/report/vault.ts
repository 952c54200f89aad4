import type { SealedAnswers } from '../../domain/tip.ts'
import type { Halves } from '../../sealing/half-key.ts'
import type { TipSecrets } from '../../sealing/outgoing.ts'
import type { SealJob } from './seal-jobs.ts'

/** A photo that is sealed and sent; what it showed is kept nowhere. */
export interface HeldPhoto {
  readonly part: number
  /** Bytes of the file as chosen. */
  readonly bytes: number
  /** Ids of the uploads. */
  readonly copy: string
  readonly original: string | null
  /** Time and place as the photo has them, in words. */
  readonly words: string | null
  readonly device: string | null
  /** The reporter wants the words told. */
  readonly told: boolean
}

/** What the browser keeps to itself until the tip is sent; afterwards the code alone. */
export interface Held {
  readonly secrets: TipSecrets | null
  readonly receiptCode: string
  readonly answers: SealedAnswers
  readonly photos: readonly HeldPhoto[]
  readonly nextPart: number
}

const HALF = 'report.half'
const RESTED = 'report.rested'

/** Keeps what is held from one load of the page to the next, readable only together with the draft's cookie. */
export interface Vault {
  /** Null when there is nothing, or only what belongs to another draft. */
  open(): Promise<Held | null>
  /** Where the browser gives no storage it is kept in memory alone. */
  keep(held: Held): Promise<void>
  forget(): void
}

/**
 * @param serverHalf as the page of the form tells it
 * @param seal the worker does the sealing here too
 */
export function createVault(serverHalf: string, seal: SealJob): Vault {
  let queue: Promise<void> = Promise.resolve()
  const halves = (clientHalf: string): Halves => ({ use: 'report', clientHalf, serverHalf })

  async function write(held: Held): Promise<void> {
    try {
      const half = sessionStorage.getItem(HALF) ?? (await seal('half', null))
      sessionStorage.setItem(HALF, half)
      sessionStorage.setItem(RESTED, await seal('rest', { held, halves: halves(half) }))
    } catch (error) {
      // Storage that is shut or full; a reload then loses what was typed, sending does not need it.
      if (!(error instanceof DOMException)) throw error
    }
  }

  function forget(): void {
    try {
      sessionStorage.removeItem(HALF)
      sessionStorage.removeItem(RESTED)
    } catch {
      // Shut, so there is nothing in it.
    }
  }

  return {
    async open() {
      try {
        const half = sessionStorage.getItem(HALF)
        const rested = sessionStorage.getItem(RESTED)
        return half === null || rested === null ? null : await seal('wake', { rested, halves: halves(half) })
      } catch {
        forget()
        return null
      }
    },
    keep(held) {
      const written = queue.then(() => write(held))
      // One that failed is told to whoever asked, and holds up nothing after it.
      queue = written.catch(() => undefined)
      return written
    },
    forget,
  }
}
