import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MIB = 1024 * 1024
const PIECE = 64 * 1024

/** A disk of its own that can be filled to the last byte. */
export interface SmallDisk {
  readonly path: string
  /** Fills it until so many bytes are free. */
  fill(freeBytes: number): void
  /** Gives the space back. */
  empty(): void
  remove(): void
}

/** A file system in memory; null where it may not be mounted (only root may). */
export function mountSmallDisk(mebibytes: number): SmallDisk | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return null
  const path = mkdtempSync(join(tmpdir(), 'lantian-disk-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'lantian-faults', path])
  if (mounted.status !== 0) {
    rmSync(path, { recursive: true, force: true })
    return null
  }
  const filler = join(path, 'filler')
  const free = (): number => {
    const { bavail, bsize } = statfsSync(path)
    return bavail * bsize
  }
  return {
    path,
    fill(freeBytes) {
      if (freeBytes > mebibytes * MIB) throw new Error('the disk is smaller than that')
      const file = openSync(filler, 'a')
      try {
        for (let over = free() - freeBytes; over > 0; over = free() - freeBytes) {
          writeSync(file, Buffer.alloc(Math.min(PIECE, over)))
        }
      } finally {
        closeSync(file)
      }
    },
    empty() {
      rmSync(filler, { force: true })
    },
    remove() {
      spawnSync('umount', ['-l', path])
      rmSync(path, { recursive: true, force: true })
    },
  }
}
