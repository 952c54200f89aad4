/**
 * Keys that can be destroyed, 32 random bytes each, by the number of their slot. They are kept outside the database and
 * its backups, in a store whose own backups live a few days only ({@link SHRED_BACKUP_DAYS}): what is locked under a
 * destroyed key stays locked in every older copy of the database.
 */
export interface ShredKeys {
  /**
   * The keys of `count` slots from `first` on, made and flushed before the answer. Null for a destroyed one.
   * @param first a multiple of `count`
   */
  provide(first: number, count: number): Promise<(Uint8Array | null)[]>
  /** Null when it was destroyed, or when its file is not there. */
  read(slot: number): Promise<Uint8Array | null>
  /** Whether the file that the slot belongs to is there. */
  has(slot: number): Promise<boolean>
  /** Overwrites the keys; answers once that would survive a power cut. Those already destroyed are no error. */
  destroy(slots: readonly number[]): Promise<void>
}

/** N of the promise: no backup of this store may be kept longer. */
export const SHRED_BACKUP_DAYS = 7
