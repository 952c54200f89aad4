import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDiskFiles } from '../../src/adapters/disk-files.ts'
import { createMemoryFiles } from '../../src/adapters/memory-files.ts'
import type { FileStore } from '../../src/services/file-store.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'disk-files-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const KEY = '0193c2f0-7a1b-7c3d-8e4f-0123456789ab'
const OTHER = '0193c2f0-7a1b-7c3d-8e4f-0123456789cd'
const bytes = (text: string) => new TextEncoder().encode(text)
const keysOf = async (files: FileStore) => {
  const keys: string[] = []
  for await (const { key } of files.list()) keys.push(key)
  return keys.sort()
}

describe.each([
  ['on disk', () => createDiskFiles(join(root, 'blobs'))],
  ['in memory', () => createMemoryFiles()],
])('a file store %s', (_, create) => {
  it('gives back what was put, and nothing after deletion', async () => {
    const files = create()
    expect(await files.get(KEY)).toBeNull()
    expect(await keysOf(files)).toEqual([])

    await files.put(KEY, bytes('sealed'))
    await files.put(OTHER, new Uint8Array())
    expect(Buffer.from((await files.get(KEY)) ?? []).toString()).toBe('sealed')
    expect((await files.get(OTHER))?.length).toBe(0)
    expect(await keysOf(files)).toEqual([KEY, OTHER])

    await files.delete(KEY)
    await files.delete(KEY)
    expect(await files.get(KEY)).toBeNull()
    expect(await keysOf(files)).toEqual([OTHER])
  })

  it('keeps its own copy', async () => {
    const files = create()
    const mine = bytes('sealed')
    await files.put(KEY, mine)
    mine.fill(0)
    expect(Buffer.from((await files.get(KEY)) ?? []).toString()).toBe('sealed')
  })

  it('tells the day and the size, not the minute', async () => {
    const files = create()
    await files.put(KEY, bytes('sealed'))
    for await (const found of files.list()) {
      expect(found.bytes).toBe(6)
      // Midnight at +08:00 is 16:00 UTC.
      expect(found.storedAt.toISOString()).toMatch(/T16:00:00\.000Z$/)
    }
  })

  it.each([
    '../../etc/passwd',
    'a/b-c-d-e-f-g',
    'short',
    'UPPERCASE-KEY',
    '--------',
    'x'.repeat(65),
    'ab\0cdefghij',
    '',
  ])('refuses the key %j', async (key) => {
    const files = create()
    for (const attempt of [
      async () => files.put(key, bytes('x')),
      async () => files.get(key),
      async () => files.delete(key),
    ])
      await expect(attempt()).rejects.toThrow(TypeError)
  })
})

describe('the disk', () => {
  it('holds blobs that only the owner can read, and no half-written ones', async () => {
    const files = createDiskFiles(join(root, 'blobs'))
    await files.put(KEY, bytes('sealed'))
    const path = join(root, 'blobs', 'ab', KEY)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    for (const folder of [join(root, 'blobs'), join(root, 'blobs', 'ab'), join(root, 'blobs', 'incoming')])
      expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(readdirSync(join(root, 'blobs', 'incoming'))).toEqual([])
  })

  it('serves many at once, and a reader never sees half of a blob', async () => {
    const files = createDiskFiles(join(root, 'blobs'))
    const large = new Uint8Array(2_000_000).fill(7)
    const keys = Array.from({ length: 24 }, (_, i) => `0000-0000-${String(i).padStart(4, '0')}`)
    const seen: (number | undefined)[] = []
    await Promise.all([
      ...keys.map((key) => files.put(key, large)),
      ...keys.map(async (key) => {
        for (let i = 0; i < 20; i++) seen.push((await files.get(key))?.length)
      }),
    ])
    expect(seen.filter((length) => length !== undefined && length !== large.length)).toEqual([])
    expect(await keysOf(files)).toEqual(keys)
  })

  it('that refuses a write leaves nothing behind', async () => {
    const files = createDiskFiles(join(root, 'blobs'))
    await files.put(OTHER, bytes('sealed'))
    // A folder in the blob's place makes the rename fail.
    mkdirSync(join(root, 'blobs', 'ab', KEY, 'in-the-way'), { recursive: true })
    await expect(files.put(KEY, bytes('sealed'))).rejects.toThrow()
    expect(readdirSync(join(root, 'blobs', 'incoming'))).toEqual([])
  })

  it('that cannot be prepared fails each time, then works when repaired', async () => {
    writeFileSync(join(root, 'blobs'), 'a file where the folder belongs')
    const files = createDiskFiles(join(root, 'blobs'))
    await expect(files.put(KEY, bytes('sealed'))).rejects.toThrow()
    rmSync(join(root, 'blobs'))
    await files.put(KEY, bytes('sealed'))
    expect(await keysOf(files)).toEqual([KEY])
  })

  it('is cleared of what an old crash left, not of what is being written', async () => {
    await createDiskFiles(join(root, 'blobs')).put(KEY, bytes('sealed'))
    const [old, fresh] = ['old', 'fresh'].map((name) => join(root, 'blobs', 'incoming', name)) as [
      string,
      string,
    ]
    writeFileSync(old, 'half')
    writeFileSync(fresh, 'half')
    utimesSync(old, new Date('2020-01-01'), new Date('2020-01-01'))

    const restarted = createDiskFiles(join(root, 'blobs'))
    await restarted.put(OTHER, bytes('sealed'))
    await restarted.forgetUnfinished(new Date('2020-01-02'))

    expect([existsSync(old), existsSync(fresh)]).toEqual([false, true])
    expect(await keysOf(restarted)).toEqual([KEY, OTHER])
  })
})
