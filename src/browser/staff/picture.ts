import { isPhotoKind, photoRefusal, sniffPhoto, WORKING_SIDE } from '../../domain/photo.ts'

/**
 * Decodes a picture and draws it anew, upright and at most `WORKING_SIDE` long: what is shown or sent on is our own
 * drawing, whatever the file was.
 * @throws {Error} with words for the officer, when it is no picture of the three kinds or cannot be decoded
 */
export async function redrawn(bytes: Uint8Array<ArrayBuffer>): Promise<HTMLCanvasElement> {
  const { kind } = sniffPhoto(bytes)
  if (!isPhotoKind(kind)) throw new Error(photoRefusal(kind))
  const file = new Blob([bytes], { type: `image/${kind}` })
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(photoRefusal('damaged'))
  })
  const scale = Math.min(1, WORKING_SIDE / Math.max(bitmap.width, bitmap.height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(bitmap.width * scale))
  canvas.height = Math.max(1, Math.round(bitmap.height * scale))
  const pen = penOf(canvas)
  pen.fillStyle = '#fff'
  pen.fillRect(0, 0, canvas.width, canvas.height)
  pen.imageSmoothingQuality = 'high'
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
  bitmap.close()
  return canvas
}

/** @throws {Error} when the browser has no memory or no leave to draw */
export function penOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const pen = canvas.getContext('2d')
  if (!pen) throw new Error('浏览器画不出这张照片，请关掉一些标签页再试。')
  return pen
}

/** The drawing as a JPEG, which holds the pixels and nothing else. @throws {Error} with words for the officer */
export function asJpeg(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => {
        // A browser that cannot write JPEG answers with a PNG.
        if (blob?.type === 'image/jpeg') resolve(blob)
        else reject(new Error('浏览器画不出这张照片，请关掉一些标签页再试。'))
      },
      'image/jpeg',
      0.92,
    )
  })
}
