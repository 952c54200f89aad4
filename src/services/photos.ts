import { isPhotoKind, MAX_PHOTO_BYTES, photoRejected, sniffPhoto } from '../domain/photo.ts'
import { sealPart } from '../sealing/envelope.ts'
import type { Deps } from './ports.ts'
import type { SealedPhoto } from './tips.ts'

export interface Photos {
  /**
   * Makes the working copy away from this process, seals it and the original to the tip, and stores both.
   * @throws {DomainError} `photo-rejected` with what to do about it; nothing is stored then
   */
  seal(bytes: Uint8Array, tip: { tipId: string; recipient: string; part: number }): Promise<SealedPhoto>
  /** Stores an officer's proof picture: the working copy alone, without metadata. Answers its key. */
  proof(bytes: Uint8Array): Promise<string>
  /** Takes back what was sealed for a tip that was not filed. */
  discard(photos: readonly SealedPhoto[]): Promise<void>
}

export function createPhotos(deps: Pick<Deps, 'photos' | 'files' | 'random'>): Photos {
  const key = (): string => Buffer.from(deps.random.bytes(16)).toString('hex')

  async function decode(bytes: Uint8Array): Promise<Uint8Array> {
    if (bytes.length > MAX_PHOTO_BYTES) throw photoRejected('too-large')
    const { kind } = sniffPhoto(bytes)
    if (!isPhotoKind(kind)) throw photoRejected(kind)
    return (await deps.photos.decode(bytes)).working
  }

  async function store(bytes: Uint8Array): Promise<string> {
    const name = key()
    await deps.files.put(name, bytes)
    return name
  }

  return {
    async seal(bytes, { tipId, recipient, part }) {
      const working = await decode(bytes)
      const address = { recipients: [recipient], tip: tipId, part }
      const sealedCopy = await sealPart({ ...address, purpose: 'tip.photo', bytes: working })
      const sealedOriginal = await sealPart({ ...address, purpose: 'tip.original', bytes })
      return { workingKey: await store(sealedCopy), originalKey: await store(sealedOriginal) }
    },
    proof: async (bytes) => store(await decode(bytes)),
    async discard(photos) {
      for (const photo of photos) {
        await deps.files.delete(photo.workingKey)
        await deps.files.delete(photo.originalKey)
      }
    },
  }
}
