import { createHash } from 'node:crypto'
import { dayOf, type Day } from '../domain/day.ts'
import { DomainError } from '../domain/errors.ts'
import { formLane } from '../domain/gate.ts'
import { MAX_PHOTOS, MAX_PHOTOS_BYTES, photoRefusal } from '../domain/photo.ts'
import { createReceiptCode } from '../domain/receipt.ts'
import { fromBase64Url, toBase64Url } from '../sealing/bytes.ts'
import { openJson, sealJson } from '../sealing/draft-cipher.ts'
import { openPart } from '../sealing/envelope.ts'
import { createTipKeys } from '../sealing/tip-keys.ts'
import { namedReporter, type TipPlain } from '../schemas/tip.ts'
import type { Evidence, Gate } from './gate.ts'
import type { ClientKey, RateLimits } from './limits.ts'
import type { Photos } from './photos.ts'
import type { Deps } from './ports.ts'
import { DraftChangedError, type FiledTip, type SealedPhoto, type TipInput, type Tips } from './tips.ts'

export interface DraftPhoto extends SealedPhoto {
  /** Bytes as sent. */
  readonly bytes: number
}

/** What somebody has entered so far. Only the holder of the cookie can have it opened. */
export interface Draft {
  readonly id: string
  readonly tipId: string
  readonly receiptCode: string
  /** Answers as typed, by field; not yet checked. */
  readonly answers: Readonly<Record<string, readonly string[]>>
  readonly photos: readonly DraftPhoto[]
  /** The third party's gate was passed for it. */
  readonly vouched: boolean
}

/** What comes with the last press of the button. */
export interface Sending {
  /** What the hidden field holds that nobody fills in. */
  readonly trap: string
  /** The solved challenge; '' when there is none. */
  readonly proof: string
  readonly client: ClientKey
  /** Six digits that the reporter chose for collecting a reward; null when none. */
  readonly claimPin?: string | null
}

interface DraftState {
  readonly tipId: string
  readonly identity: string
  readonly recipient: string
  readonly receiptCode: string
  readonly startedAt: number
  readonly answers: Readonly<Record<string, readonly string[]>>
  readonly photos: readonly DraftPhoto[]
  readonly nextPart: number
  readonly vouched?: true
}

export interface Drafts {
  /** Begins a draft; the cookie's value is the only key to it. */
  start(): Promise<{ readonly cookie: string; readonly draft: Draft }>
  /** Null for no cookie, a malformed one, or a draft that was filed or forgotten. */
  open(cookie: string | null): Promise<Draft | null>
  /** Keeps answers beside the earlier ones; a field given anew replaces its old value. */
  save(cookie: string, answers: Readonly<Record<string, readonly string[]>>): Promise<Draft>
  /** @throws {DomainError} `photo-rejected` */
  addPhoto(cookie: string, bytes: Uint8Array): Promise<Draft>
  removePhoto(cookie: string, part: number): Promise<Draft>
  /** The working copy, opened in memory for the person who sent it. */
  photo(cookie: string, part: number): Promise<Uint8Array | null>
  /** Its id without a look at the database; null for no cookie or a malformed one. */
  idOf(cookie: string | null): string | null
  /**
   * Takes the third party's word for it.
   * @returns false when the token was not worth it
   */
  vouch(cookie: string, token: string): Promise<boolean>
  /**
   * Files the tip; a repeat answers the same.
   * @throws {DomainError} as {@link Tips.file}, and `rate-limited`
   */
  commit(cookie: string, plain: TipPlain, sending: Sending): Promise<FiledTip>
  /** What a commit of this cookie answered. */
  sent(cookie: string | null): Promise<FiledTip | null>
  /** Forgets drafts begun before a day, with their photos. */
  purge(before: Day): Promise<void>
}

const ID_BYTES = 16
const KEY_BYTES = 32
/** A person needs longer than this; what is faster goes to the lane that is looked at separately, never to the bin. */
const MIN_AGE_MS = 5000
/** A draft changes under the button only when the same person works in two windows. */
const COMMIT_TRIES = 4

const lost = (): DomainError =>
  new DomainError('form-token', '这份草稿已经过期或不在这台设备上，请从第一步重新填写。')

export function createDrafts(deps: Deps, tips: Tips, photos: Photos, gate: Gate, limits: RateLimits): Drafts {
  const { db, clock, files } = deps
  const random = (n: number): Uint8Array => deps.random.bytes(n)

  function read(cookie: string | null): { id: string; key: Uint8Array } | null {
    const bytes = cookie === null ? null : fromBase64Url(cookie)
    if (bytes?.length !== ID_BYTES + KEY_BYTES) return null
    const hex = Buffer.from(bytes.subarray(0, ID_BYTES)).toString('hex')
    const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    return { id, key: bytes.subarray(ID_BYTES) }
  }

  const purpose = (id: string): string => `draft:${id}`
  const view = (id: string, state: DraftState): Draft => ({
    id,
    tipId: state.tipId,
    receiptCode: state.receiptCode,
    answers: state.answers,
    photos: state.photos,
    vouched: state.vouched ?? false,
  })
  // Repeats of one draft are told apart from other filings by a secret only the cookie holds.
  const idempotencyKey = (key: Uint8Array): string => `draft:${toBase64Url(key)}`

  type Admission = Required<Pick<TipInput, 'lane' | 'spend'>>

  interface Loaded {
    readonly id: string
    readonly key: Uint8Array
    readonly state: DraftState
    /** Tells whether the draft is still what was read. */
    readonly digest: Buffer
  }

  async function load(cookie: string | null): Promise<Loaded | null> {
    const held = read(cookie)
    if (!held) return null
    const row = await db.selectFrom('draft').select('sealed').where('id', '=', held.id).executeTakeFirst()
    if (!row) return null
    try {
      const state = (await openJson(held.key, purpose(held.id), row.sealed)) as DraftState
      return { ...held, state, digest: createHash('sha256').update(row.sealed).digest() }
    } catch {
      return null
    }
  }

  async function mustLoad(cookie: string): Promise<Loaded> {
    const found = await load(cookie)
    if (!found) throw lost()
    return found
  }

  /** Changes a draft under a row lock, so that two uploads at once both stay. */
  async function change(
    cookie: string,
    edit: (state: DraftState) => DraftState,
    blobs: readonly string[] = [],
  ): Promise<Draft> {
    const held = read(cookie)
    if (!held) throw lost()
    return db.transaction().execute(async (tx) => {
      const row = await tx
        .selectFrom('draft')
        .select('sealed')
        .where('id', '=', held.id)
        .forUpdate()
        .executeTakeFirst()
      if (!row) throw lost()
      const state = edit((await openJson(held.key, purpose(held.id), row.sealed)) as DraftState)
      const sealed = Buffer.from(await sealJson(held.key, purpose(held.id), state, random))
      await tx.updateTable('draft').set({ sealed }).where('id', '=', held.id).execute()
      if (blobs.length > 0) {
        await tx
          .insertInto('draft_blob')
          .values(blobs.map((key) => ({ draft_id: held.id, blob_key: key })))
          .execute()
      }
      return view(held.id, state)
    })
  }

  /** What the bot gate makes of it. @throws {DomainError} `rate-limited` */
  async function admit(
    { id, state }: Loaded,
    { trap, proof, client }: Parameters<Drafts['commit']>[2],
  ): Promise<Admission> {
    limits.take('tips', client)
    const evidence: Evidence = state.vouched
      ? { state: 'proven', spend: null }
      : await gate.examine(proof, { purpose: 'form', holder: id })
    const lane = formLane({
      proof: evidence.state,
      hasty: clock.now().getTime() - state.startedAt < MIN_AGE_MS,
      trapped: trap !== '',
      few: () => limits.admitsUnproven(client),
    })
    return { lane, spend: evidence.spend }
  }

  /** @throws {DraftChangedError} when the draft is not what it was when it was loaded */
  const file = (
    { id, key, state, digest }: Loaded,
    plain: TipPlain,
    { lane, spend }: Admission,
    claimPin: string | null,
  ): Promise<FiledTip> =>
    tips.file({
      id: state.tipId,
      keys: { identity: state.identity, recipient: state.recipient },
      facts: {
        category: plain.category,
        answer: plain.answer,
        area: plain.area,
        when: plain.when,
        urgency: plain.urgency,
        accused: plain.accused,
      },
      narrative: {
        description: plain.description,
        place: plain.place,
        callback: plain.callback,
        checklist: plain.checklist,
      },
      named: namedReporter(plain),
      photos: state.photos,
      receiptCode: state.receiptCode,
      idempotencyKey: idempotencyKey(key),
      fingerprint: 'draft',
      lane,
      spend,
      claimPin,
      draftId: id,
      draftDigest: digest,
    })

  return {
    async start() {
      const secret = new Uint8Array([...random(ID_BYTES), ...random(KEY_BYTES)])
      const cookie = toBase64Url(secret)
      const held = read(cookie)
      if (!held) throw new Error('a draft cookie of our own is readable')
      const keys = await createTipKeys()
      const state: DraftState = {
        tipId: deps.random.uuid(),
        identity: keys.identity,
        recipient: keys.recipient,
        receiptCode: createReceiptCode(random),
        startedAt: clock.now().getTime(),
        answers: {},
        photos: [],
        nextPart: 0,
      }
      const sealed = Buffer.from(await sealJson(held.key, purpose(held.id), state, random))
      await db
        .insertInto('draft')
        .values({ id: held.id, sealed, day: dayOf(clock.now()) })
        .execute()
      return { cookie, draft: view(held.id, state) }
    },

    async open(cookie) {
      const found = await load(cookie)
      return found && view(found.id, found.state)
    },

    save: (cookie, answers) =>
      change(cookie, (state) => ({ ...state, answers: { ...state.answers, ...answers } })),

    async addPhoto(cookie, bytes) {
      const before = await mustLoad(cookie)
      const full = (state: DraftState): void => {
        if (state.photos.length >= MAX_PHOTOS)
          throw new DomainError('photo-rejected', photoRefusal('too-many'))
        const total = state.photos.reduce((sum, photo) => sum + photo.bytes, bytes.length)
        if (total > MAX_PHOTOS_BYTES) throw new DomainError('photo-rejected', photoRefusal('total-too-large'))
      }
      full(before.state)
      // The number is taken before the slow part, so that two photos sent at once never share one.
      let part = 0
      await change(cookie, (state) => {
        part = state.nextPart
        return { ...state, nextPart: part + 1 }
      })
      const sealed = await photos.seal(bytes, {
        tipId: before.state.tipId,
        recipient: before.state.recipient,
        part,
      })
      try {
        return await change(
          cookie,
          (state) => {
            full(state)
            return { ...state, photos: [...state.photos, { ...sealed, bytes: bytes.length }] }
          },
          [sealed.workingKey, sealed.originalKey],
        )
      } catch (error) {
        await photos.discardAfter(error, [sealed])
        throw error
      }
    },

    async removePhoto(cookie, part) {
      const { id, state } = await mustLoad(cookie)
      const gone = state.photos.find((photo) => photo.part === part)
      const draft = await change(cookie, (now) => ({
        ...now,
        photos: now.photos.filter((photo) => photo.part !== part),
      }))
      if (gone) {
        await db
          .deleteFrom('draft_blob')
          .where('draft_id', '=', id)
          .where('blob_key', 'in', [gone.workingKey, gone.originalKey])
          .execute()
        await photos.discard([gone])
      }
      return draft
    },

    async photo(cookie, part) {
      const found = await load(cookie)
      const photo = found?.state.photos.find((one) => one.part === part)
      const sealed = photo && (await files.get(photo.workingKey))
      if (!found || !sealed) return null
      const { identity, tipId: tip } = found.state
      return openPart({ identity, tip, part, purpose: 'tip.photo', sealed })
    },

    idOf: (cookie) => read(cookie)?.id ?? null,

    async vouch(cookie, token) {
      const { id } = await mustLoad(cookie)
      const accepted = await gate.thirdParty?.accept(token, { purpose: 'form', holder: id })
      if (!accepted) return false
      await change(cookie, (state) => ({ ...state, vouched: true }))
      return true
    },

    async commit(cookie, plain, given) {
      const held = read(cookie)
      if (!held) throw lost()
      let admission: Admission | null = null
      for (let attempt = 1; ; attempt += 1) {
        const earlier = await tips.earlier(idempotencyKey(held.key))
        if (earlier) return earlier
        const found = await load(cookie)
        if (!found) {
          // Filed between the two looks, by the same button pressed twice.
          const meanwhile = await tips.earlier(idempotencyKey(held.key))
          if (meanwhile) return meanwhile
          throw lost()
        }
        try {
          admission ??= await admit(found, given)
          return await file(found, plain, admission, given.claimPin ?? null)
        } catch (error) {
          if (!(error instanceof DraftChangedError)) throw error
          if (attempt === COMMIT_TRIES) throw lost()
        }
      }
    },

    async sent(cookie) {
      const held = read(cookie)
      return held ? tips.earlier(idempotencyKey(held.key)) : null
    },

    async purge(before) {
      // One statement: a draft that is filed at the same moment keeps its photos, or is forgotten and not filed.
      const blobs = await db
        .with('gone', (gone) => gone.deleteFrom('draft').where('day', '<', before).returning('id'))
        .deleteFrom('draft_blob')
        .using('gone')
        .whereRef('draft_blob.draft_id', '=', 'gone.id')
        .returning('draft_blob.blob_key')
        .execute()
      for (const { blob_key: key } of blobs) await files.delete(key)
    },
  }
}
