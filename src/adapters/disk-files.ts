import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { dayOf, startOfDay } from '../domain/day.ts'
import { assertFileKey } from '../services/file-store.ts'
import type { FileStore } from '../services/file-store.ts'
import { syncFolder } from './sync-folder.ts'

const INCOMING = 'incoming'

/**
 * Keeps blobs as files `dir/ab/<key>`, where `ab` are the key's last two characters (UUIDv7 keys share their first).
 * A file is written under a passing name in `dir/incoming`, flushed and renamed, then its folder is flushed: after
 * `put` answers, the blob survives a power cut, and nobody ever reads half of one. Only the owner may read. File
 * times are set to midnight, since the minute of a tip is nobody's business.
 * @param report told of a blob that could not be put (a full disk), for the operator
 */
export function createDiskFiles(dir: string, report: (error: unknown) => void = () => {}): FileStore {
  const incoming = join(dir, INCOMING)
  let prepared: Promise<void> | undefined

  const pathOf = (key: string) => {
    assertFileKey(key)
    const shard = join(dir, key.slice(-2))
    return { shard, path: join(shard, key) }
  }

  async function ready(): Promise<void> {
    prepared ??= prepare(dir, incoming)
    await prepared.catch((error: unknown) => {
      prepared = undefined
      throw error
    })
  }

  /** Where a blob rests that comes piece by piece. */
  const unfinished = (key: string): string => join(incoming, key)

  async function move(from: string, shard: string, path: string): Promise<void> {
    if (await mkdir(shard, { recursive: true, mode: 0o700 })) await syncFolder(dir)
    await rename(from, path)
    await syncFolder(shard)
  }

  async function extend(key: string, offset: number, bytes: Uint8Array): Promise<boolean> {
    await ready()
    // Made by the first piece only: a later one that finds nothing has lost what came before it.
    const file = await open(unfinished(key), offset === 0 ? 'w' : 'r+', 0o600).catch((error: unknown) => {
      if (isMissing(error)) return null
      throw error
    })
    if (file === null) return false
    try {
      if ((await file.stat()).size < offset) return false
      for (let written = 0; written < bytes.length;) {
        const { bytesWritten } = await file.write(bytes, written, bytes.length - written, offset + written)
        written += bytesWritten
      }
      await file.truncate(offset + bytes.length)
      const midnight = startOfDay(dayOf(new Date()))
      await file.utimes(midnight, midnight)
      await file.datasync()
    } finally {
      await file.close()
    }
    if (offset === 0) await syncFolder(incoming)
    return true
  }

  async function write(bytes: Uint8Array, shard: string, path: string): Promise<void> {
    await ready()
    const passing = join(incoming, randomBytes(16).toString('hex'))
    try {
      const file = await open(passing, 'wx', 0o600)
      try {
        await file.writeFile(bytes)
        const midnight = startOfDay(dayOf(new Date()))
        await file.utimes(midnight, midnight)
        await file.datasync()
      } finally {
        await file.close()
      }
      await move(passing, shard, path)
    } catch (error) {
      await rm(passing, { force: true })
      throw error
    }
  }

  return {
    async put(key, bytes) {
      const { shard, path } = pathOf(key)
      try {
        await write(bytes, shard, path)
      } catch (error) {
        report(error)
        throw error
      }
    },

    async get(key) {
      const { path } = pathOf(key)
      try {
        return await readFile(path)
      } catch (error) {
        if (isMissing(error)) return null
        throw error
      }
    },

    async append(key, offset, bytes) {
      pathOf(key)
      try {
        return await extend(key, offset, bytes)
      } catch (error) {
        report(error)
        throw error
      }
    },

    async finish(key) {
      const { shard, path } = pathOf(key)
      try {
        await move(unfinished(key), shard, path)
        return true
      } catch (error) {
        if (!isMissing(error)) throw error
        return stat(path).then(
          () => true,
          () => false,
        )
      }
    },

    async delete(key) {
      const { shard, path } = pathOf(key)
      await rm(unfinished(key), { force: true })
      try {
        await rm(path)
      } catch (error) {
        if (isMissing(error)) return
        throw error
      }
      await syncFolder(shard)
    },

    async *list() {
      for (const shard of await namesIn(dir)) {
        if (shard === INCOMING) continue
        for (const key of await namesIn(join(dir, shard))) {
          const found = await stat(join(dir, shard, key)).catch((error: unknown) => {
            if (isMissing(error)) return undefined
            throw error
          })
          if (found) yield { key, storedAt: found.mtime, bytes: found.size }
        }
      }
    },

    async forgetUnfinished(before) {
      for (const name of await namesIn(incoming)) {
        const path = join(incoming, name)
        const found = await stat(path).catch(() => undefined)
        if (found && found.mtime < before) await rm(path, { force: true })
      }
    },
  }
}

async function prepare(dir: string, incoming: string): Promise<void> {
  await mkdir(incoming, { recursive: true, mode: 0o700 })
  await syncFolder(dir)
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
