import { randomBytes } from 'node:crypto'
import type { ShredKeys } from '../services/shred-keys.ts'

/** Keys that live as long as the process, for tests. */
export function createMemoryShredKeys(): ShredKeys {
  const keys = new Map<number, Uint8Array | null>()
  const made = (slot: number): Uint8Array | null => {
    if (!keys.has(slot)) keys.set(slot, randomBytes(32))
    return keys.get(slot)?.slice() ?? null
  }
  return {
    provide: (first, count) =>
      Promise.resolve(Array.from({ length: count }, (_, index) => made(first + index))),
    read: (slot) => Promise.resolve(keys.get(slot)?.slice() ?? null),
    has: (slot) => Promise.resolve(keys.has(slot)),
    destroy(slots) {
      for (const slot of slots) keys.set(slot, null)
      return Promise.resolve()
    },
  }
}
