import { isPhotoKind, MAX_PHOTO_BYTES, photoRefusal, sniffPhoto, WORKING_SIDE } from '../../domain/photo.ts'

const HEAD_BYTES = 256
const QUALITY = 0.86

/**
 * A photo decoded and drawn anew: upright, at most `WORKING_SIDE`, and without anything that stood beside the picture.
 * @throws {Error} with a sentence for the person
 */
export async function redraw(file: Blob): Promise<Blob> {
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' }).catch(() => {
    throw new Error(photoRefusal('damaged'))
  })
  try {
    const scale = Math.min(1, WORKING_SIDE / Math.max(bitmap.width, bitmap.height))
    const canvas = document.createElement('canvas')
    canvas.width = Math.max(1, Math.round(bitmap.width * scale))
    canvas.height = Math.max(1, Math.round(bitmap.height * scale))
    canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
    return await new Promise((resolve, reject) => {
      canvas.toBlob(
        (blob) => {
          if (blob) resolve(blob)
          else reject(new Error(photoRefusal('damaged')))
        },
        'image/jpeg',
        QUALITY,
      )
    })
  } finally {
    bitmap.close()
  }
}

/** {@link redraw} for a file that somebody has chosen. @throws {Error} with a sentence for the person */
export async function strip(file: File): Promise<Uint8Array<ArrayBuffer>> {
  const { kind } = sniffPhoto(new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer()))
  if (!isPhotoKind(kind)) throw new Error(`${file.name}：${photoRefusal(kind)}`)
  if (file.size > MAX_PHOTO_BYTES) throw new Error(`${file.name}：${photoRefusal('too-large')}`)
  return new Uint8Array(await (await redraw(file)).arrayBuffer())
}
