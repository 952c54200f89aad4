import type { Db } from '../db/connect.ts'
import type { Difficulty, GateBinding } from '../domain/gate.ts'
import type { PhotoDecoder } from '../domain/photo.ts'
import type { FileStore } from './file-store.ts'
import type { ListHead } from '../sealing/recipient-list.ts'
import type { Jobs } from './jobs.ts'
import type { Mailer } from './mailer.ts'
import type { PlanStore } from './plan-store.ts'
import type { ShredKeys } from './shred-keys.ts'
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
  /** Makes the salts of unknown user names; a key derived from it hides which names were tried. */
  readonly salt: Uint8Array
  /** Seals what a cookie carries; a key derived from it seals the secrets of authenticator apps. */
  readonly cookie: Uint8Array
}

/** What a look at a proof finds. A good one names itself, so that it can be spent once. */
export type GateVerdict =
  | {
      readonly state: 'proven'
      /** 32 bytes that no other proof has and that say nothing of who made it. */
      readonly id: Buffer
      /** The last moment at which the proof is taken: until then it must be remembered. */
      readonly until: Date
    }
  | { readonly state: 'expired' | 'refused' }

/** How this machine knows the signed list of recipients again. */
export interface PinnedList {
  /** Public key under which it is verified. */
  readonly root: string
  /** How far it was seen; a list that does not go on from there is refused. */
  readonly head: ListHead
}

/** Where that is kept: outside the database, since it is the database that is checked against it. */
export interface RecipientPin {
  /** Null on a machine that has seen no list yet. */
  read(): Promise<PinnedList | null>
  write(pinned: PinnedList): Promise<void>
}

/** Where the chain of staff actions ended at some moment. */
export interface AuditMark {
  readonly at: Date
  /** Rows so far. */
  readonly count: number
  /** Hash of the last of them, hexadecimal. */
  readonly hash: string
}

/** Where such notes are kept: outside the database, since it is the database that is checked against them. */
export interface AuditMarks {
  /** All, oldest first; `unreadable` counts lines that are no notes. */
  read(): Promise<{ readonly marks: readonly AuditMark[]; readonly unreadable: number }>
  append(mark: AuditMark): Promise<void>
}

/** A way to show that a tip is not one of thousands. It keeps no state: that a proof is used once is for the database. */
export interface BotGate {
  /** Never throws for what was sent, however malformed. */
  verify(proof: string, binding: GateBinding): Promise<GateVerdict>
}

/** A challenge as ALTCHA v2 writes it: signed, so that nothing of it can be changed. */
export interface Challenge {
  readonly parameters: {
    readonly algorithm: string
    /** Hexadecimal, like `salt`, `keyPrefix` and `keySignature`. */
    readonly nonce: string
    readonly salt: string
    readonly cost: number
    readonly keyLength: number
    readonly keyPrefix: string
    readonly keySignature: string
    /** Seconds since 1970. */
    readonly expiresAt: number
    readonly data: Readonly<Record<string, string>>
  }
  readonly signature: string
}

/** The gate that needs nobody else: the sender's machine works for a moment. */
export interface ProofOfWork extends BotGate {
  challenge(binding: GateBinding, difficulty: Difficulty): Promise<Challenge>
}

/** The second choice beside it, at a third party. */
export interface ThirdPartyGate extends BotGate {
  /** Public; stands on the page. */
  readonly siteKey: string
  readonly scriptUrl: string
}

/** What the services may use of the outside. */
export interface Deps {
  readonly db: Db
  readonly clock: Clock
  readonly random: Random
  readonly files: FileStore
  readonly shredKeys: ShredKeys
  readonly photos: PhotoDecoder
  readonly secrets: ServerSecrets
  readonly pin: RecipientPin
  readonly auditMarks: AuditMarks
  readonly gate: ProofOfWork
  /** Null unless it is configured. */
  readonly thirdPartyGate: ThirdPartyGate | null
  readonly plan: PlanStore
  readonly versions: DataVersions
  readonly jobs: Jobs
  readonly mailer: Mailer
  /** How mails name the site and link to it; the address has no trailing slash. */
  readonly site: { readonly name: string; readonly url: string }
  /** True when every page must say 演示数据. */
  readonly demo: boolean
}
