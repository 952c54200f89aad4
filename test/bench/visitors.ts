import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from './figures.ts'

const VISITORS = 4
const PAUSE_MS = 20
const PLAIN = { category: 'road-dust', area: 'unsure', when: 'now', description: '道路扬尘很大，没有洒水。' }

/** What honest visitors do, and how long the slowest hundredth of each took, in ms. */
export type Visits = Readonly<Record<'cached page' | 'uncached page' | 'tip', number | null>>

let visitor = 0
/** Each from an address of its own. */
function nextAddress(): string {
  visitor += 1
  return `127.78.${Math.floor(visitor / 250) % 250}.${(visitor % 250) + 1}`
}

/**
 * Honest visitors for a while: each reads a page, another that is in no cache, and files a tip.
 * @throws {Error} when one of them is refused
 */
export async function visit(url: string, ms: number): Promise<Visits> {
  const took = { 'cached page': [] as number[], 'uncached page': [] as number[], tip: [] as number[] }
  const ask = async (what: keyof Visits, path: string, address: string, init: RequestInit = {}) => {
    const from = performance.now()
    const headers = new Headers(init.headers)
    headers.set('x-forwarded-for', address)
    const reply = await fetch(`${url}${path}`, { ...init, headers })
    await reply.arrayBuffer()
    if (!reply.ok) throw new Error(`an honest visitor was answered ${reply.status} at ${path}`)
    took[what].push(performance.now() - from)
    await sleep(PAUSE_MS)
  }
  const end = performance.now() + ms
  await Promise.all(
    Array.from({ length: VISITORS }, async () => {
      while (performance.now() < end) {
        const address = nextAddress()
        await ask('cached page', '/lists/non-compliant/', address)
        await ask('uncached page', `/lists/non-compliant/?n=${visitor}`, address)
        await ask('tip', '/api/v1/tips', address, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
          body: JSON.stringify({ plain: PLAIN }),
        })
      }
    }),
  )
  return {
    'cached page': percentile(took['cached page'], 0.99),
    'uncached page': percentile(took['uncached page'], 0.99),
    tip: percentile(took.tip, 0.99),
  }
}
