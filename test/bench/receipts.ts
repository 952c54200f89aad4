import { percentile } from './figures.ts'

/** Looks receipts up as a program does, over one connection after another. */
async function open(url: string, code: string): Promise<number> {
  const from = performance.now()
  const reply = await fetch(`${url}/api/v1/receipts/open`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
  })
  await reply.arrayBuffer()
  if (reply.status !== 200) throw new Error(`a receipt was answered with ${reply.status}`)
  return performance.now() - from
}

/** How many receipts are opened in a second, by so many at once. */
export async function receiptsPerSecond(url: string, codes: readonly string[], at: number, each: number) {
  const from = performance.now()
  await Promise.all(
    Array.from({ length: at }, async (_, index) => {
      for (let sent = 0; sent < each; sent += 1) await open(url, codes[(index + sent) % codes.length] ?? '')
    }),
  )
  return (at * each) / ((performance.now() - from) / 1000)
}

/** How long right and wrong codes take, in ms, and whether the difference is more than chance. */
export interface Timing {
  readonly hit: number
  readonly miss: number
  /** Welch's t over what lies below the common 95th percentile; beyond 4.5 either way it tells them apart. */
  readonly t: number
  readonly samples: number
}

/** One after the other, in an order that nobody can foresee, so that whatever drifts drifts for both. */
export async function receiptTiming(
  url: string,
  right: readonly string[],
  wrong: readonly string[],
  samples: number,
): Promise<Timing> {
  const order = Array.from({ length: 2 * samples }, (_, index) => index % 2 === 0)
  for (let at = order.length - 1; at > 0; at -= 1) {
    const other = Math.floor(Math.random() * (at + 1))
    const held = order[at] ?? false
    order[at] = order[other] ?? false
    order[other] = held
  }
  const taken = { hit: [] as number[], miss: [] as number[] }
  for (const [index, isRight] of order.entries()) {
    const codes = isRight ? right : wrong
    taken[isRight ? 'hit' : 'miss'].push(await open(url, codes[index % codes.length] ?? ''))
  }
  const most = percentile([...taken.hit, ...taken.miss], 0.95) ?? 0
  const [hit, miss] = [taken.hit, taken.miss].map((all) => moments(all.filter((ms) => ms <= most)))
  if (!hit || !miss) throw new Error('no samples')
  const t = (hit.mean - miss.mean) / Math.sqrt(hit.variance / hit.count + miss.variance / miss.count)
  return {
    hit: percentile(taken.hit, 0.5) ?? 0,
    miss: percentile(taken.miss, 0.5) ?? 0,
    t,
    samples: order.length,
  }
}

function moments(values: readonly number[]) {
  const count = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1)
  return { count, mean, variance }
}
