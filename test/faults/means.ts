import { findPostgres } from '../support/postgres.ts'
import { findBinaries } from './cluster.ts'
import { mountSmallDisk } from './small-disk.ts'

const found = await findPostgres()

/** A PostgreSQL server for scratch databases, or null. */
export const postgres = 'url' in found ? found.url : null

/** The folder with PostgreSQL's own programs, or null. */
export const binaries = findBinaries()

const probe = mountSmallDisk(1)
probe?.remove()

/** Whether a small disk can be had, to be filled. */
export const mayMount = probe !== null

/** What is skipped here and why, one line each. */
export function lacking(): string[] {
  return [
    ...('reason' in found
      ? [`faults beside PostgreSQL, none answers (${found.reason}); set TEST_DATABASE_URL`]
      : []),
    ...(binaries === null
      ? ['PostgreSQL killed under load, its programs (15 or newer) are not installed']
      : []),
    ...(mayMount ? [] : ['full disks, a small one cannot be mounted here (root on Linux can)']),
    ...(process.platform === 'linux'
      ? []
      : ['the photo decoder killed, its processes are found on Linux only']),
  ]
}
