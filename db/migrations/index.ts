import type { Migration } from 'kysely/migration'
import * as initial from './20261124T0500-initial.ts'
import * as readingIndexes from './20261125T0800-reading-indexes.ts'

/** Every migration by name, in order of its name. Frozen once landed. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '20261124T0500-initial': initial,
  '20261125T0800-reading-indexes': readingIndexes,
}
