import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createSealJob, SealingError, type SealRequest } from '../../src/browser/report/seal-jobs.ts'

const LIMIT_MS = 20_000

/** A worker that answers only when told. */
class SilentWorker extends EventTarget {
  static readonly started: SilentWorker[] = []
  readonly asked: SealRequest[] = []
  isEnded = false

  constructor() {
    super()
    SilentWorker.started.push(this)
  }
  postMessage(request: SealRequest): void {
    this.asked.push(request)
  }
  terminate(): void {
    this.isEnded = true
  }
  answer(made: unknown): void {
    this.dispatchEvent(new MessageEvent('message', { data: { id: this.asked.at(-1)?.id, made } }))
  }
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('Worker', SilentWorker)
  SilentWorker.started.length = 0
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it('a worker that never answers is ended when its time is up, and all that waits for it fails', async () => {
  const seal = createSealJob(LIMIT_MS)
  const outcomes = Promise.allSettled([seal('begin', null), seal('half', null)])
  const [silent] = SilentWorker.started
  vi.advanceTimersByTime(LIMIT_MS - 1)
  expect(silent?.isEnded).toBe(false)
  vi.advanceTimersByTime(1)
  for (const outcome of await outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(SealingError) as unknown })
  }
  expect(silent?.isEnded).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
})

it('what is asked next goes to another worker, which has all of the time', async () => {
  const seal = createSealJob(LIMIT_MS)
  const first = seal('half', null)
  vi.advanceTimersByTime(LIMIT_MS)
  await expect(first).rejects.toThrow(SealingError)
  const next = seal('half', null)
  vi.advanceTimersByTime(LIMIT_MS - 1)
  expect(SilentWorker.started).toHaveLength(2)
  // The one that was ended is not listened to.
  SilentWorker.started[0]?.answer('late')
  SilentWorker.started[1]?.answer('half')
  expect(await next).toBe('half')
  expect(vi.getTimerCount()).toBe(0)
})
