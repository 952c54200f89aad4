import {
  isPhotoKind,
  MAX_PHOTO_BYTES,
  MAX_PHOTOS,
  MAX_PHOTOS_BYTES,
  sniffPhoto,
  type PhotoRefusal,
} from '../../domain/photo.ts'

/** What a look at a file's first bytes needs. */
export const HEAD_BYTES = 256

/**
 * What can be told about a photo before it is sent, so that nobody waits for 15 MB to learn it; the server looks again.
 * @param held the photos that are kept or on their way
 */
export function refusalBeforeSending(
  file: { readonly size: number; readonly head: Uint8Array },
  held: { readonly count: number; readonly bytes: number },
): PhotoRefusal | null {
  const { kind } = sniffPhoto(file.head)
  if (!isPhotoKind(kind)) return kind
  if (file.size > MAX_PHOTO_BYTES) return 'too-large'
  if (held.count >= MAX_PHOTOS) return 'too-many'
  if (held.bytes + file.size > MAX_PHOTOS_BYTES) return 'total-too-large'
  return null
}
