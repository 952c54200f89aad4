import { randomBytes } from 'node:crypto'
import { link, mkdir, open, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { dayOf, startOfDay } from '../domain/day.ts'
import type { ShredKeys } from '../services/shred-keys.ts'
import { syncFolder } from './sync-folder.ts'

const KEY_BYTES = 32
const SLOTS = 4096
const FILE_BYTES = SLOTS * KEY_BYTES

/**
 * Keeps them in files of 4,096 slots, filled with random bytes and flushed before the first of them is used, and always
 * one file ahead: filing a tip flushes nothing here. A file appears whole under its name or not at all, and never in the
 * place of another, so that several processes can share the folder. A destroyed slot holds zeros. File times are set to
 * midnight, as those of blobs are.
 * @param dir a folder of its own, e.g. `data/wraps`, with its own backups
 */
export function createDiskShredKeys(dir: string): ShredKeys {
  /** Files that this process knows to be there for good. */
  const flushed = new Set<number>()

  const fileOf = (slot: number): number => Math.floor(slot / SLOTS)
  const offsetOf = (slot: number): number => (slot % SLOTS) * KEY_BYTES
  const pathOf = (file: number): string => join(dir, `${String(file).padStart(8, '0')}.keys`)

  async function make(file: number): Promise<void> {
    if (flushed.has(file)) return
    if ((await stat(pathOf(file)).catch(missingIsNull))?.size !== FILE_BYTES) await fill(file)
    // Also for a file of another process, which may not have come to this yet.
    await syncFolder(dir)
    flushed.add(file)
  }

  async function fill(file: number): Promise<void> {
    if (await mkdir(dir, { recursive: true, mode: 0o700 })) await syncFolder(dirname(dir))
    const passing = join(dir, `incoming-${randomBytes(8).toString('hex')}`)
    try {
      const handle = await open(passing, 'wx', 0o600)
      try {
        await handle.writeFile(randomBytes(FILE_BYTES))
        await toMidnight(handle)
        await handle.sync()
      } finally {
        await handle.close()
      }
      // Unlike a rename, this never takes the place of what another process made meanwhile.
      await link(passing, pathOf(file)).catch((error: unknown) => {
        if (codeOf(error) !== 'EEXIST') throw error
      })
    } finally {
      await rm(passing, { force: true })
    }
  }

  async function bytesFrom(first: number, count: number): Promise<(Uint8Array | null)[]> {
    const bytes = Buffer.alloc(count * KEY_BYTES)
    const handle = await open(pathOf(fileOf(first)), 'r').catch(missingIsNull)
    if (handle) {
      try {
        await handle.read(bytes, 0, bytes.length, offsetOf(first))
      } finally {
        await handle.close()
      }
    }
    return Array.from({ length: count }, (_, index) => {
      const key = bytes.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES)
      return key.every((byte) => byte === 0) ? null : new Uint8Array(key)
    })
  }

  return {
    async provide(first, count) {
      const file = fileOf(first)
      if (fileOf(first + count - 1) !== file) throw new RangeError('A run of slots must lie in one file.')
      await make(file)
      await make(file + 1)
      return bytesFrom(first, count)
    },

    async read(slot) {
      const [key = null] = await bytesFrom(slot, 1)
      return key
    },

    has: async (slot) => (await stat(pathOf(fileOf(slot))).catch(missingIsNull)) !== null,

    async destroy(slots) {
      for (const file of new Set(slots.map(fileOf))) {
        const handle = await open(pathOf(file), 'r+').catch(missingIsNull)
        if (!handle) continue
        try {
          for (const slot of slots) {
            if (fileOf(slot) !== file) continue
            await handle.write(Buffer.alloc(KEY_BYTES), 0, KEY_BYTES, offsetOf(slot))
          }
          await toMidnight(handle)
          await handle.sync()
        } finally {
          await handle.close()
        }
      }
    },
  }
}

async function toMidnight(handle: FileHandle): Promise<void> {
  const midnight = startOfDay(dayOf(new Date()))
  await handle.utimes(midnight, midnight)
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

function missingIsNull(error: unknown): null {
  if (codeOf(error) === 'ENOENT') return null
  throw error
}
