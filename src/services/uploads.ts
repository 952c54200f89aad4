import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { dayOf, type Day } from '../domain/day.ts'
import { DomainError } from '../domain/errors.ts'
import { MAX_PHOTO_BYTES, MAX_PHOTOS, MAX_PHOTOS_BYTES, photosUnavailable } from '../domain/photo.ts'
import { AGE_HEAD_BYTES, isImageSize, isSealedToOne } from '../sealing/age-file.ts'
import { fromBase64Url } from '../sealing/bytes.ts'
import type { Deps } from './ports.ts'

/** How far an upload has come, in bytes. */
export interface UploadState {
  /** What certainly rests on disk. */
  readonly offset: number
  readonly size: number
}

/** A whole upload, ready to become part of a tip. */
export interface ReadyUpload {
  readonly hash: Buffer
  readonly blobKey: string
}

export interface Uploads {
  /**
   * Begins an upload of a sealed photo.
   * @param holder says whose it is (a draft, a proof): one holder's uploads are counted together
   * @param size bytes of the sealed file
   * @returns the id, base64url: whoever has it can go on with the upload
   * @throws {DomainError} `invalid-input` for a size that no sealed photo has, `too-large`
   */
  begin(holder: string, size: number): Promise<string>
  /** @throws {DomainError} `not-found` */
  state(id: string): Promise<UploadState>
  /**
   * Adds a piece; what is answered would survive a power cut.
   * @returns null when the offset is not where the upload stands; {@link state} tells where
   * @throws {DomainError} `not-found`, `invalid-input` for bytes that are no sealed photo's, `photos-unavailable`
   */
  add(id: string, offset: number, bytes: Uint8Array): Promise<UploadState | null>
  /** Takes one back; a missing one is no error. */
  remove(id: string): Promise<void>
  /** @throws {DomainError} `invalid-input` when one is missing or not whole */
  ready(ids: readonly string[]): Promise<readonly ReadyUpload[]>
  /** Forgets what was begun before a day and became part of no tip. */
  purge(before: Day): Promise<void>
}

/** The most that one request adds. */
export const MAX_PIECE_BYTES = 1024 * 1024
/** The least, unless it is the end: each piece costs a flush of the disk. */
const MIN_PIECE_BYTES = 64 * 1024
const ID_BYTES = 32
/** Working copy and original of each photo; what was taken back is not counted. */
const MAX_UPLOADS = 2 * MAX_PHOTOS
/** Padding and sealing add at most this to a photo. */
const OVERHEAD_BYTES = 2 * 64 * 1024

export function createUploads({
  db,
  clock,
  random,
  files,
}: Pick<Deps, 'db' | 'clock' | 'random' | 'files'>): Uploads {
  const hashOf = (text: string | Uint8Array): Buffer => createHash('sha256').update(text).digest()
  const missing = (): DomainError => new DomainError('not-found', '没有这个上传，请重新开始上传这张照片。')

  function hashOfId(id: string): Buffer {
    const bytes = fromBase64Url(id)
    if (bytes?.length !== ID_BYTES) throw missing()
    return hashOf(bytes)
  }

  function mustBeSealed(offset: number, bytes: Uint8Array): void {
    if (offset > 0 || (bytes.length >= AGE_HEAD_BYTES && isSealedToOne(bytes))) return
    throw new DomainError('invalid-input', '上传的不是密封好的照片。', [
      { field: 'body', message: '应当是 age v1 文件，恰好有一个 X25519 收件人。' },
    ])
  }

  return {
    async begin(holder, size) {
      if (!isImageSize(size, MAX_PHOTO_BYTES)) {
        throw new DomainError('invalid-input', '这不是密封好的照片会有的大小。', [
          { field: 'size', message: '密封前要补齐到 64 KiB 的整数倍；每张照片 15 MB 以内。' },
        ])
      }
      const of = hashOf(holder)
      const held = await db
        .selectFrom('upload')
        .select((eb) => [
          eb.fn.countAll<number>().as('count'),
          eb.fn.coalesce(eb.fn.sum<number>('size'), sql<number>`0`).as('bytes'),
        ])
        .where('holder', '=', of)
        .executeTakeFirstOrThrow()
      const room = 2 * MAX_PHOTOS_BYTES + MAX_UPLOADS * OVERHEAD_BYTES
      if (held.count >= MAX_UPLOADS || Number(held.bytes) + size > room) {
        throw new DomainError('too-large', '上传的照片太多或太大：最多 9 张，一共 60 MB 以内。')
      }
      const id = random.bytes(ID_BYTES)
      await db
        .insertInto('upload')
        .values({
          id_hash: hashOf(id),
          holder: of,
          size,
          blob_key: Buffer.from(random.bytes(16)).toString('hex'),
          day: dayOf(clock.now()),
        })
        .execute()
      return Buffer.from(id).toString('base64url')
    },

    async state(id) {
      const row = await db
        .selectFrom('upload')
        .select(['received', 'size'])
        .where('id_hash', '=', hashOfId(id))
        .executeTakeFirst()
      if (!row) throw missing()
      return { offset: row.received, size: row.size }
    },

    add(id, offset, bytes) {
      const hash = hashOfId(id)
      // The row is locked while the bytes are written: two pieces at once follow one another.
      return db.transaction().execute(async (tx) => {
        const row = await tx
          .selectFrom('upload')
          .select(['received', 'size', 'blob_key'])
          .where('id_hash', '=', hash)
          .forUpdate()
          .executeTakeFirst()
        if (!row) throw missing()
        if (row.received !== offset) return null
        const end = offset + bytes.length
        if (bytes.length === 0 || end > row.size || (end < row.size && bytes.length < MIN_PIECE_BYTES)) {
          throw new DomainError('invalid-input', '这一段的长度不对。', [
            { field: 'body', message: '每段 64 KiB 到 1 MiB；最后一段正好到文件结尾。' },
          ])
        }
        mustBeSealed(offset, bytes)
        const added = await files.append(row.blob_key, offset, bytes).catch(() => {
          throw photosUnavailable()
        })
        // The beginning is lost (a restored disk): the sender begins again.
        if (!added) throw missing()
        await tx.updateTable('upload').set({ received: end }).where('id_hash', '=', hash).execute()
        return { offset: end, size: row.size }
      })
    },

    async remove(id) {
      const gone = await db
        .deleteFrom('upload')
        .where('id_hash', '=', hashOfId(id))
        .returning('blob_key')
        .executeTakeFirst()
      if (gone) await files.delete(gone.blob_key)
    },

    async ready(ids) {
      if (ids.length === 0) return []
      const hashes = ids.map(hashOfId)
      const rows = await db
        .selectFrom('upload')
        .select(['id_hash', 'blob_key'])
        .where('id_hash', 'in', hashes)
        .whereRef('received', '=', 'size')
        .execute()
      const found = new Map(rows.map((row) => [row.id_hash.toString('hex'), row.blob_key]))
      const ready = hashes.map((hash) => ({ hash, blobKey: found.get(hash.toString('hex')) }))
      const whole: ReadyUpload[] = []
      for (const { hash, blobKey } of ready) {
        if (blobKey !== undefined && (await files.finish(blobKey))) whole.push({ hash, blobKey })
      }
      if (found.size !== ids.length || whole.length !== ids.length) {
        throw new DomainError('invalid-input', '有照片没有传完，请等它们传完再提交。', [
          { field: 'sealed.photos', message: '有的上传不存在、重复，或者还没有传完。' },
        ])
      }
      return whole
    },

    async purge(before) {
      const gone = await db.deleteFrom('upload').where('day', '<', before).returning('blob_key').execute()
      for (const { blob_key: key } of gone) await files.delete(key)
    },
  }
}
