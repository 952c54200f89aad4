import { dayOf, startOfDay } from '../domain/day.ts'
import { assertFileKey } from '../services/file-store.ts'
import type { FileStore } from '../services/file-store.ts'

/** A file store that lives as long as the process, for tests. Bytes are copied both ways. */
export function createMemoryFiles(now: () => Date = () => new Date()): FileStore {
  const blobs = new Map<string, { bytes: Uint8Array; storedAt: Date }>()
  const unfinished = new Map<string, Uint8Array>()
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
      unfinished.delete(key)
      return Promise.resolve()
    },
    append(key, offset, bytes) {
      assertFileKey(key)
      const before = unfinished.get(key) ?? new Uint8Array()
      if (before.length < offset) return Promise.resolve(false)
      const whole = new Uint8Array(offset + bytes.length)
      whole.set(before.subarray(0, offset))
      whole.set(bytes, offset)
      unfinished.set(key, whole)
      return Promise.resolve(true)
    },
    finish(key) {
      assertFileKey(key)
      const bytes = unfinished.get(key)
      if (bytes) blobs.set(key, { bytes, storedAt: startOfDay(dayOf(now())) })
      unfinished.delete(key)
      return Promise.resolve(blobs.has(key))
    },
    async *list() {
      for (const [key, { bytes, storedAt }] of blobs) yield { key, storedAt, bytes: bytes.length }
    },
    forgetUnfinished: () => Promise.resolve(),
  }
}
