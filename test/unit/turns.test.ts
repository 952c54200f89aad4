import { describe, expect, it, vi } from 'vitest'
import { createTarpit } from '../../src/http/tarpit.ts'
import { createTurns } from '../../src/http/turns.ts'

/** Work that ends when it is told to. */
function works(turns: ReturnType<typeof createTurns>) {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  return {
    begun,
    ask: (client: string | null, name: string) =>
      turns.run(client, () => {
        begun.push(name)
        return new Promise<string>((resolve) => ends.set(name, () => resolve(name)))
      }),
    end: async (name: string) => {
      ends.get(name)?.()
      await vi.waitFor(() => Promise.resolve())
    },
  }
}

/** A client that has asked for more than a person does. */
async function makeBusy(turns: ReturnType<typeof createTurns>, client: string): Promise<void> {
  for (let asked = 0; asked < 20; asked += 1) await turns.run(client, () => Promise.resolve())
}

describe('turns', () => {
  it('let everybody else start at once while busy clients wait for one another', async () => {
    const turns = createTurns({ now: () => 0, busyAtOnce: 1 })
    for (const client of ['a', 'b']) await makeBusy(turns, client)
    const { begun, ask, end } = works(turns)
    for (const name of ['a1', 'a2', 'a3']) void ask('a', name)
    void ask('b', 'b1')
    void ask('c', 'c1')
    void ask(null, 'own')
    await vi.waitFor(() => expect(begun).toEqual(['a1', 'c1', 'own']))
    await end('a1')
    expect(begun.at(-1)).toBe('a2')
    await end('a2')
    // By turns, not in the order of arrival: b comes before a's third.
    expect(begun.at(-1)).toBe('b1')
    await end('b1')
    expect(begun.at(-1)).toBe('a3')
  })

  it('pass on after a while, whatever a request waits for', async () => {
    vi.useFakeTimers()
    try {
      const turns = createTurns({ now: () => 0, busyAtOnce: 1, turnMs: 250 })
      await makeBusy(turns, 'a')
      const { begun, ask } = works(turns)
      void ask('a', 'slow')
      void ask('a', 'next')
      await vi.advanceTimersByTimeAsync(249)
      expect(begun).toEqual(['slow'])
      await vi.advanceTimersByTimeAsync(1)
      expect(begun).toEqual(['slow', 'next'])
    } finally {
      vi.useRealTimers()
    }
  })

  it('refuse what no longer fits into a client’s own line, and hand failures through', async () => {
    const turns = createTurns({ now: () => 0, busyAtOnce: 1 })
    await makeBusy(turns, 'a')
    const { ask, end, begun } = works(turns)
    const first = ask('a', 'a0')
    for (let asked = 1; asked <= 400; asked += 1) void ask('a', `a${asked}`)
    await expect(ask('a', 'one too many')).rejects.toMatchObject({ code: 'rate-limited' })
    await end('a0')
    expect(await first).toBe('a0')
    expect(begun).toEqual(['a0', 'a1'])
    await makeBusy(turns, 'b')
    await expect(turns.run('c', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  })

  it('forget a client that asks calmly again', async () => {
    let now = 0
    const turns = createTurns({ now: () => now, busyAtOnce: 1 })
    await makeBusy(turns, 'a')
    const { begun, ask } = works(turns)
    void ask('a', 'a1')
    void ask('a', 'a2')
    await vi.waitFor(() => expect(begun).toEqual(['a1']))
    now = 10_000
    void ask('a', 'a3')
    await vi.waitFor(() => expect(begun).toEqual(['a1', 'a3']))
  })
})

describe('a tarpit', () => {
  it('holds so many, and lets the rest go at once', async () => {
    vi.useFakeTimers()
    try {
      const tarpit = createTarpit({ holdMs: 1000, most: 2 })
      let gone = 0
      const hold = () => tarpit.hold().then(() => (gone += 1))
      void hold()
      void hold()
      await hold()
      expect(gone).toBe(1)
      await vi.advanceTimersByTimeAsync(1000)
      expect(gone).toBe(3)
      void hold()
      await vi.advanceTimersByTimeAsync(999)
      expect(gone).toBe(3)
    } finally {
      vi.useRealTimers()
    }
  })
})
