/** One stored blob as the janitor sees it. */
export interface StoredFile {
  readonly key: string
  /** The day it was put, at 00:00 +08:00: no store tells the minute. */
  readonly storedAt: Date
  readonly bytes: number
}

/**
 * Keeps sealed blobs by key. A key is random (hex or UUID, `[0-9a-z-]{8,64}`), chosen by the caller and never reused.
 * A blob is put before the row that names it, so that a crash leaves an unnamed blob and never a row without its blob.
 */
export interface FileStore {
  /** Answers once the bytes would survive a power cut. */
  put(key: string, bytes: Uint8Array): Promise<void>
  /** The bytes, or null when there is no such blob. */
  get(key: string): Promise<Uint8Array | null>
  /** Removes the blob, complete or not; a missing one is no error. */
  delete(key: string): Promise<void>
  /**
   * Adds to a blob that comes piece by piece; what was there beyond the offset is written over. Answers once the bytes
   * would survive a power cut; false when less than the offset is there, so that nothing can be added.
   */
  append(key: string, offset: number, bytes: Uint8Array): Promise<boolean>
  /** Makes such a blob complete; once more is no error. Answers false when there is none. */
  finish(key: string): Promise<boolean>
  /** All complete blobs, in no particular order. */
  list(): AsyncIterable<StoredFile>
  /** Removes what a put that was cut short before that moment left behind. */
  forgetUnfinished(before: Date): Promise<void>
}

const KEY = /^[0-9a-z][0-9a-z-]{6,62}[0-9a-z]$/

/** Refuses a key that is not of the agreed shape, before it can become part of a path. */
export function assertFileKey(key: string): void {
  if (!KEY.test(key)) throw new TypeError('A file key must match [0-9a-z-]{8,64}.')
}
