import { DomainError } from '../domain/errors.ts'
import {
  isPhotoKind,
  MAX_PHOTO_BYTES,
  photoRejected,
  photosUnavailable,
  sniffPhoto,
} from '../domain/photo.ts'
import { sealPart } from '../sealing/envelope.ts'
import { sealMessagePhoto } from '../sealing/message.ts'
import type { StoredPhoto } from './cases/request.ts'
import type { Deps } from './ports.ts'
import type { SealedPhoto } from './tips.ts'

export interface Photos {
  /**
   * Makes the working copy away from this process, seals it and the original to the tip, and stores both.
   * @throws {DomainError} `photo-rejected` with what to do about it, `photos-unavailable`; nothing is stored then
   */
  seal(bytes: Uint8Array, tip: { tipId: string; recipient: string; part: number }): Promise<SealedPhoto>
  /**
   * The same for a photo of a message, of which only the working copy is kept: nobody asked for where it was taken.
   * @param recipients the tip's and the reporter's
   */
  sealMessage(
    bytes: Uint8Array,
    tip: { readonly tipId: string; readonly recipients: readonly string[] },
  ): Promise<StoredPhoto>
  /** Stores what a browser has sealed. @throws {DomainError} `photos-unavailable` */
  keepSealed(id: string, sealed: Uint8Array): Promise<StoredPhoto>
  /** Takes back photos of a message; see {@link Photos.discardAfter} for when. */
  discardStored(photos: readonly StoredPhoto[]): Promise<void>
  /** Stores an officer's proof picture: the working copy alone, without metadata. Answers its key. */
  proof(bytes: Uint8Array): Promise<string>
  /** Takes back what was sealed for a tip that was certainly not filed. */
  discard(photos: readonly SealedPhoto[]): Promise<void>
  /**
   * The same after an error: only a refusal is certain. After anything else the row that names the photos may be
   * there, since a database that goes away can have committed without answering; then upkeep finds out later.
   */
  discardAfter(error: unknown, photos: readonly SealedPhoto[]): Promise<void>
}

export function createPhotos(deps: Pick<Deps, 'photos' | 'files' | 'random'>): Photos {
  const key = (): string => Buffer.from(deps.random.bytes(16)).toString('hex')

  async function decode(bytes: Uint8Array): Promise<Uint8Array> {
    if (bytes.length > MAX_PHOTO_BYTES) throw photoRejected('too-large')
    const { kind } = sniffPhoto(bytes)
    if (!isPhotoKind(kind)) throw photoRejected(kind)
    return (await deps.photos.decode(bytes)).working
  }

  /** Stores all of them or none; answers their keys. */
  async function store<T extends readonly Uint8Array[]>(...blobs: T): Promise<{ [K in keyof T]: string }> {
    const names: string[] = []
    try {
      for (const bytes of blobs) {
        const name = key()
        await deps.files.put(name, bytes)
        names.push(name)
      }
    } catch {
      await Promise.allSettled(names.map((name) => deps.files.delete(name)))
      throw photosUnavailable()
    }
    return names as { [K in keyof T]: string }
  }

  async function discard(photos: readonly SealedPhoto[]): Promise<void> {
    for (const photo of photos) {
      await deps.files.delete(photo.workingKey)
      await deps.files.delete(photo.originalKey)
    }
  }

  return {
    async seal(bytes, { tipId, recipient, part }) {
      const working = await decode(bytes)
      const address = { recipients: [recipient], tip: tipId, part }
      const sealedCopy = await sealPart({ ...address, purpose: 'tip.photo', bytes: working })
      const sealedOriginal = await sealPart({ ...address, purpose: 'tip.original', bytes })
      const [workingKey, originalKey] = await store(sealedCopy, sealedOriginal)
      return { part, workingKey, originalKey }
    },
    async sealMessage(bytes, { tipId: tip, recipients }) {
      const id = key()
      const [blobKey] = await store(
        await sealMessagePhoto({ tip, photo: id }, recipients, await decode(bytes)),
      )
      return { id, blobKey }
    },
    async keepSealed(id, sealed) {
      const [blobKey] = await store(sealed)
      return { id, blobKey }
    },
    async discardStored(photos) {
      for (const { blobKey } of photos) await deps.files.delete(blobKey)
    },
    async proof(bytes) {
      const [blobKey] = await store(await decode(bytes))
      return blobKey
    },
    discard,
    async discardAfter(error, photos) {
      if (error instanceof DomainError) await discard(photos)
    },
  }
}
