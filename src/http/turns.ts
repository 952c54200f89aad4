import { availableParallelism } from 'node:os'
import { RateLimitedError } from '../domain/errors.ts'
import { takeOne, type Rate } from '../domain/rate.ts'
import type { ClientKey } from '../services/limits.ts'

/** More than a person asks for, page after page; a street behind one address stays below it too. */
const CALM: Rate = { burst: 20, perHour: 2 * 3600 }
/** So many requests of busy clients are under way at once, whoever they are: one processor stays free of them. */
const BUSY_AT_ONCE = Math.max(1, availableParallelism() - 1)
/** Whatever a request waits for after so long (a database that is away, a third party), it is not this process. */
const TURN_MS = 250
/** Per client. */
const MOST_WAITING = 400
const SWEEP_CLIENTS = 10_000

interface Settings {
  /** In ms, from any moment on. */
  readonly now?: () => number
  readonly turnMs?: number
  readonly busyAtOnce?: number
}

/**
 * Lets those who ask for more than a person does take turns with one another, a few at a time, while everybody else's
 * requests start at once: who asks for one page is answered beside those who ask for a thousand, not after them.
 * Remembers keys of {@link ClientKey} for seconds, in memory.
 */
export function createTurns({
  now = () => performance.now(),
  turnMs = TURN_MS,
  busyAtOnce = BUSY_AT_ONCE,
}: Settings = {}) {
  /** By client: when its allowance is full again. */
  const allowance = new Map<string, number>()
  /** What waits, by client; the client whose turn comes next is first. */
  const waiting = new Map<string, (() => void)[]>()
  let running = 0

  function isBusy(key: string): boolean {
    const at = now()
    if (allowance.size >= SWEEP_CLIENTS && !allowance.has(key)) {
      for (const [client, fullAt] of allowance) if (fullAt <= at) allowance.delete(client)
    }
    const { fullAt, waitMs } = takeOne(CALM, allowance.get(key), at)
    allowance.set(key, fullAt)
    return waitMs > 0
  }

  function startNext(): void {
    const [first] = waiting
    if (!first) return
    const [key, queue] = first
    waiting.delete(key)
    const start = queue.shift()
    if (queue.length > 0) waiting.set(key, queue)
    running += 1
    start?.()
  }

  return {
    /**
     * Does the work, in the client's turn when it is a busy one.
     * @param key null for a client that cannot be told apart, who never waits
     * @throws {RateLimitedError} `rate-limited` when too much of the client's waits already; the work is not begun
     */
    async run<T>(key: ClientKey, work: () => Promise<T>): Promise<T> {
      if (key === null || !isBusy(key)) return work()
      if (running < busyAtOnce) running += 1
      else {
        const queue = waiting.get(key) ?? []
        if (queue.length >= MOST_WAITING)
          throw new RateLimitedError('从您所在的网络同时来的请求太多，请稍后再试。急事请拨打 12345。', 5)
        await new Promise<void>((resolve) => {
          queue.push(resolve)
          waiting.set(key, queue)
        })
      }
      let ended = false
      const end = (): void => {
        if (ended) return
        ended = true
        running -= 1
        startNext()
      }
      const late = setTimeout(end, turnMs)
      try {
        return await work()
      } finally {
        clearTimeout(late)
        end()
      }
    },
  }
}
