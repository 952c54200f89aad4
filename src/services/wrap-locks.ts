import { droppedSlots, forgetSlots, liveSlot, nextSlotRun } from '../db/wraps.ts'
import { DomainError } from '../domain/errors.ts'
import { openBytes, sealBytes } from '../sealing/aes.ts'
import { EnvelopeError } from '../sealing/envelope-error.ts'
import type { Deps } from './ports.ts'

/** A key nobody has used, already on disk. */
export interface FreshSlot {
  readonly slot: number
  readonly key: Uint8Array
}

/**
 * The second lock of whatever leads to a secret (a tip's wraps): under a key that can be destroyed, in a store that old
 * backups do not hold. Every thing that is to be destroyed by itself gets a slot of its own.
 */
export interface WrapLocks {
  /**
   * Not inside a transaction: once in a while it asks the database for a run of numbers, on a connection of its own.
   * @throws {DomainError} `intake-closed` when the store of keys is not the one that belongs to the database
   */
  draw(): Promise<FreshSlot>
  /** @param purpose what it is for; the same words are needed to unlock. Null when the key was destroyed. */
  lock(slot: number | FreshSlot, purpose: string, bytes: Uint8Array): Promise<Uint8Array | null>
  /** Null when the key was destroyed, or is not the one that the bytes were locked under. */
  unlock(slot: number, purpose: string, locked: Uint8Array): Promise<Uint8Array | null>
  /** Answers when what was locked under them can never be opened again, by anybody. */
  destroy(slots: readonly number[]): Promise<void>
  /** Destroys the keys of what was deleted since the last time. What a crash leaves is done the next time. */
  sweep(): Promise<void>
  /** Whether the store holds the keys of what the database has; false e.g. after a restore without them. */
  check(): Promise<boolean>
}

/** Slots that one process takes at a time; those it has not used when it ends are never used. */
const RUN = 64
const SWEEP = 500

export function createWrapLocks(deps: Pick<Deps, 'db' | 'random' | 'shredKeys'>): WrapLocks {
  const { db, random, shredKeys } = deps
  let fresh: FreshSlot[] = []
  let drawing: Promise<void> | null = null
  let checked = false

  async function check(): Promise<boolean> {
    const slot = await liveSlot(db)
    return slot === null || shredKeys.has(slot)
  }

  async function drawRun(): Promise<void> {
    // Once: a file that is missing would be made anew here, and what is gone would look as if it had been destroyed.
    if (!checked && !(await check())) {
      throw new DomainError('intake-closed', '密封钥匙的存放处不完整，暂时不能接收举报，请先拨打热线。')
    }
    checked = true
    const first = (await nextSlotRun(db)) * RUN
    const keys = await shredKeys.provide(first, RUN)
    // Some may be destroyed: a restored database counts again from where it was.
    fresh = keys.flatMap((key, index) => (key === null ? [] : [{ slot: first + index, key }]))
  }

  return {
    check,

    async draw() {
      for (;;) {
        const next = fresh.shift()
        if (next) return next
        drawing ??= drawRun().finally(() => {
          drawing = null
        })
        await drawing
      }
    },

    async lock(slot, purpose, bytes) {
      const key = typeof slot === 'number' ? await shredKeys.read(slot) : slot.key
      return key === null ? null : sealBytes(key, purpose, bytes, (n) => random.bytes(n))
    },

    async unlock(slot, purpose, locked) {
      const key = await shredKeys.read(slot)
      if (key === null) return null
      try {
        return await openBytes(key, purpose, locked)
      } catch (error) {
        if (error instanceof EnvelopeError) return null
        throw error
      }
    },

    destroy: (slots) => shredKeys.destroy(slots),

    async sweep() {
      for (;;) {
        const slots = await droppedSlots(db, SWEEP)
        if (slots.length === 0) return
        await shredKeys.destroy(slots)
        await forgetSlots(db, slots)
      }
    },
  }
}
