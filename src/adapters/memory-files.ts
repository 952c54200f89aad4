import { dayOf, startOfDay } from '../domain/day.ts'
import { assertFileKey } from '../services/file-store.ts'
import type { FileStore } from '../services/file-store.ts'

/** A file store that lives as long as the process, for tests. Bytes are copied both ways. */
export function createMemoryFiles(now: () => Date = () => new Date()): FileStore {
  const blobs = new Map<string, { bytes: Uint8Array; storedAt: Date }>()
  return {
    put(key, bytes) {
      assertFileKey(key)
      blobs.set(key, { bytes: bytes.slice(), storedAt: startOfDay(dayOf(now())) })
      return Promise.resolve()
    },
    get(key) {
      assertFileKey(key)
      return Promise.resolve(blobs.get(key)?.bytes.slice() ?? null)
    },
    delete(key) {
      assertFileKey(key)
      blobs.delete(key)
      return Promise.resolve()
    },
    async *list() {
      for (const [key, { bytes, storedAt }] of blobs) yield { key, storedAt, bytes: bytes.length }
    },
    forgetUnfinished: () => Promise.resolve(),
  }
}
