import { describe, expect, it, vi } from 'vitest'
import { remembered } from '../../src/services/remembered.ts'
import type { DataVersions } from '../../src/services/versions.ts'

function versionsOf(held: { version: string }): DataVersions {
  return {
    current: () => Promise.resolve(held.version),
    of: () => Promise.resolve(held.version),
    bump: () => Promise.resolve(),
    expire: () => {},
  }
}

describe('what is remembered', () => {
  it('is read once for many, and again when the data change or the day turns', async () => {
    const held = { version: 'cases1' }
    const read = vi.fn((day: string) => Promise.resolve(`${day} ${held.version}`))
    const ask = remembered(versionsOf(held), 'cases', read)
    expect(await Promise.all([ask('2026-11-25'), ask('2026-11-25'), ask('2026-11-25')])).toEqual(
      Array(3).fill('2026-11-25 cases1'),
    )
    expect(read).toHaveBeenCalledTimes(1)
    expect(await ask('2026-11-26')).toBe('2026-11-26 cases1')
    held.version = 'cases2'
    expect(await ask('2026-11-26')).toBe('2026-11-26 cases2')
    expect(read).toHaveBeenCalledTimes(3)
  })

  it('is not a failure: the next one asks again', async () => {
    let fails = true
    const ask = remembered(versionsOf({ version: 'lists1' }), 'lists', () =>
      fails ? Promise.reject(new Error('the database is away')) : Promise.resolve(1),
    )
    await expect(ask('2026-11-25')).rejects.toThrow('away')
    fails = false
    expect(await ask('2026-11-25')).toBe(1)
  })
})
