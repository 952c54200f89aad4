import type { Db } from '../db/connect.ts'
import type { PhotoDecoder } from '../domain/photo.ts'
import type { FileStore } from './file-store.ts'
import type { Jobs } from './jobs.ts'
import type { Mailer } from './mailer.ts'
import type { PlanStore } from './plan-store.ts'
import type { DataVersions } from './versions.ts'

/** The time, passed in so that rules can be tested at any moment. */
export interface Clock {
  now(): Date
}

/** Unpredictable bytes and ids. */
export interface Random {
  bytes(length: number): Uint8Array
  uuid(): string
}

/** Server-only secrets, 32 bytes each, kept in files outside the database and its backups. */
export interface ServerSecrets {
  /** Pepper of receipt look-ups. */
  readonly lookup: Uint8Array
  /** Signs form tokens. */
  readonly form: Uint8Array
  /** Makes the salts of unknown user names. */
  readonly salt: Uint8Array
  /** Seals what a cookie carries. */
  readonly cookie: Uint8Array
}

/** What the services may use of the outside. */
export interface Deps {
  readonly db: Db
  readonly clock: Clock
  readonly random: Random
  readonly files: FileStore
  readonly photos: PhotoDecoder
  readonly secrets: ServerSecrets
  readonly plan: PlanStore
  readonly versions: DataVersions
  readonly jobs: Jobs
  readonly mailer: Mailer
  /** How mails name the site and link to it; the address has no trailing slash. */
  readonly site: { readonly name: string; readonly url: string }
  /** True when every page must say 演示数据. */
  readonly demo: boolean
}
