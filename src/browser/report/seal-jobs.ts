import type { PhotoKind } from '../../domain/photo.ts'
import type { NamedReporter } from '../../domain/identity.ts'
import type { Narrative } from '../../domain/tip.ts'
import type { TwoLayerPart } from '../../sealing/two-layer.ts'
import type { OutgoingWrap, TipSecrets } from '../../sealing/outgoing.ts'
import type { Halves } from '../../sealing/half-key.ts'
import type { GivenRecipients } from '../recipients.ts'
import workerAddress from './seal-worker.ts?worker&url'
import type { Held } from './vault.ts'
import { startWorker } from './worker.ts'

/** What the sealing worker does, by name: what it is given and what it makes. */
export interface SealJobs {
  /** The tab's half of the key under which it keeps what it holds; see half-key.ts. */
  readonly half: { readonly given: null; readonly made: string }
  readonly rest: { readonly given: { readonly held: Held; readonly halves: Halves }; readonly made: string }
  readonly wake: { readonly given: { readonly rested: string; readonly halves: Halves }; readonly made: Held }
  /** Takes out of a photo what is not the picture, and tells what that was. */
  readonly look: {
    readonly given: { readonly bytes: Uint8Array }
    readonly made:
      | {
          readonly kind: PhotoKind
          readonly working: Uint8Array<ArrayBuffer>
          readonly words: string | null
          readonly device: string | null
        }
      | { readonly refused: string }
  }
  readonly photo: {
    readonly given: {
      readonly secrets: TipSecrets
      readonly purpose: 'tip.photo' | 'tip.original'
      readonly part: number
      readonly bytes: Uint8Array
    }
    readonly made: Uint8Array<ArrayBuffer>
  }
  readonly begin: { readonly given: null; readonly made: TipSecrets }
  /** Checks the list of keys before it seals to any of them. */
  readonly seal: {
    readonly given: {
      readonly secrets: TipSecrets
      readonly narrative: Narrative
      /** Null: anonymous. */
      readonly named: NamedReporter | null
      readonly recipients: GivenRecipients
      /** Departments. */
      readonly readers: readonly string[]
    }
    readonly made: {
      readonly narrative: Uint8Array
      readonly identity: TwoLayerPart | null
      readonly wraps: readonly OutgoingWrap[]
    }
  }
}

export interface SealRequest<K extends keyof SealJobs = keyof SealJobs> {
  readonly id: number
  readonly job: K
  readonly given: SealJobs[K]['given']
}

export type SealReply =
  | { readonly id: number; readonly made: SealJobs[keyof SealJobs]['made'] }
  | { readonly id: number; readonly failed: string }

/** The browser could not seal. Nothing is sent then: the page offers the form without a script. */
export class SealingError extends Error {
  override readonly name = 'SealingError'
}

/** Hands a job to the worker. @throws {SealingError} when it fails, dies or takes too long */
export type SealJob = <K extends keyof SealJobs>(
  job: K,
  given: SealJobs[K]['given'],
) => Promise<SealJobs[K]['made']>

/** A phone of ten years ago needs some seconds for a photo of 15 MB; what takes longer hangs. */
const LIMIT_MS = 20_000

interface Waiting {
  readonly resolve: (made: SealJobs[keyof SealJobs]['made']) => void
  readonly reject: (error: Error) => void
}

/** A worker that is started when first asked, and anew after it failed. */
export function createSealJob(limitMs = LIMIT_MS): SealJob {
  let worker: Worker | null = null
  let last = 0
  const waiting = new Map<number, Waiting>()

  function fail(why: string): void {
    worker?.terminate()
    worker = null
    for (const { reject } of waiting.values()) reject(new SealingError(why))
    waiting.clear()
  }

  function start(): Worker {
    const started = startWorker(workerAddress)
    started.addEventListener('message', ({ data }: MessageEvent<SealReply>) => {
      const asked = waiting.get(data.id)
      waiting.delete(data.id)
      if ('made' in data) asked?.resolve(data.made)
      else asked?.reject(new SealingError(data.failed))
    })
    started.addEventListener('error', () => fail('the worker died'))
    return started
  }

  return (job, given) =>
    new Promise((resolve, reject) => {
      last += 1
      const id = last
      const late = setTimeout(() => fail('the worker took too long'), limitMs)
      const settled = <T>(settle: (value: T) => void) => {
        return (value: T): void => {
          clearTimeout(late)
          settle(value)
        }
      }
      // What is made is what the job of this name makes.
      waiting.set(id, { resolve: settled(resolve) as Waiting['resolve'], reject: settled(reject) })
      worker ??= start()
      worker.postMessage({ id, job, given } satisfies SealRequest)
    })
}
