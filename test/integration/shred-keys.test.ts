import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDiskShredKeys } from '../../src/adapters/disk-shred-keys.ts'

const RUN = 64
const FILE = 4096

let home = ''
let dir = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lantian-shred-'))
  dir = join(home, 'wraps')
})
afterEach(() => {
  rmSync(home, { recursive: true, force: true })
})

const hex = (key: Uint8Array | null): string | null => key && Buffer.from(key).toString('hex')

describe('the keys of slots', () => {
  it('are random, stay, and are there for another process', async () => {
    const keys = await createDiskShredKeys(dir).provide(0, RUN)
    expect(new Set(keys.map(hex)).size).toBe(RUN)
    expect(keys.every((key) => key?.length === 32)).toBe(true)
    const other = createDiskShredKeys(dir)
    expect(hex(await other.read(5))).toBe(hex(keys[5] ?? null))
    expect((await other.provide(0, RUN)).map(hex)).toEqual(keys.map(hex))
  })

  it('lie in whole files, one ahead, that only the owner reads and that tell no minute', async () => {
    await createDiskShredKeys(dir).provide(FILE - RUN, RUN)
    expect(readdirSync(dir).sort()).toEqual(['00000000.keys', '00000001.keys'])
    for (const name of readdirSync(dir)) {
      const facts = statSync(join(dir, name))
      expect(facts.size).toBe(FILE * 32)
      expect(facts.mode & 0o777).toBe(0o600)
      expect((facts.mtimeMs + 8 * 3_600_000) % 86_400_000).toBe(0)
    }
  })

  it('are the same for processes that make the file at once', async () => {
    const many = await Promise.all(Array.from({ length: 8 }, () => createDiskShredKeys(dir).provide(0, RUN)))
    expect(new Set(many.map((keys) => keys.map(hex).join())).size).toBe(1)
    expect(readdirSync(dir).sort()).toEqual(['00000000.keys', '00000001.keys'])
  })

  it('replace what a crash left half-written under a passing name, never under their own', async () => {
    await createDiskShredKeys(dir).provide(0, RUN)
    writeFileSync(join(dir, 'incoming-00'), 'half')
    const before = readFileSync(join(dir, '00000000.keys'))
    await createDiskShredKeys(dir).provide(0, RUN)
    expect(readFileSync(join(dir, '00000000.keys')).equals(before)).toBe(true)
  })

  it('are zeros once destroyed, in this process and in another, and nothing else is', async () => {
    const one = createDiskShredKeys(dir)
    const keys = await one.provide(0, RUN)
    await one.provide(FILE, RUN)
    const other = createDiskShredKeys(dir)
    await other.destroy([3, FILE + 1])
    await other.destroy([3])
    expect(await one.read(3)).toBeNull()
    expect(await one.read(FILE + 1)).toBeNull()
    expect(hex(await one.read(4))).toBe(hex(keys[4] ?? null))
    const bytes = readFileSync(join(dir, '00000000.keys'))
    expect(bytes.subarray(3 * 32, 4 * 32).equals(Buffer.alloc(32))).toBe(true)
    expect(bytes.includes(Buffer.from(keys[3] ?? []))).toBe(false)
    expect((await one.provide(0, RUN)).map((key) => key === null)).toEqual(
      Array.from({ length: RUN }, (_, slot) => slot === 3),
    )
  })

  it('are missing without their file: nothing to read, nothing to destroy', async () => {
    const keys = createDiskShredKeys(dir)
    expect(await keys.has(0)).toBe(false)
    expect(await keys.read(0)).toBeNull()
    await keys.destroy([0])
    await keys.provide(0, RUN)
    expect(await keys.has(0)).toBe(true)
    expect(await keys.has(3 * FILE)).toBe(false)
  })
})
