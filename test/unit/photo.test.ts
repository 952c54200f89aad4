import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isPhotoKind, photoRefusal, photoRejected, sniffPhoto } from '../../src/domain/photo.ts'
import type { PhotoRefusal } from '../../src/domain/photo.ts'
import { blankPng, isoMedia, svgAsJpg, textAsJpg } from '../support/images.ts'

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'))

describe('sniffPhoto', () => {
  it.each([
    ['JPEG', bytes('\xff\xd8\xff\xe1..Exif'), 'jpeg'],
    ['PNG', blankPng(8, 8), 'png'],
    ['WebP', bytes('RIFF\x10\0\0\0WEBPVP8 '), 'webp'],
    ['GIF', bytes('GIF89a....'), 'gif'],
    ['HEIC of an iPhone', isoMedia('heic', 'mif1', 'heic'), 'heic'],
    ['HEIC under a general brand', isoMedia('mif1', 'mif1', 'heic'), 'heic'],
    ['HEIF without more', isoMedia('mif1', 'miaf'), 'heic'],
    ['AVIF', isoMedia('avif', 'mif1', 'miaf'), 'avif'],
    ['AVIF under a general brand', isoMedia('mif1', 'avif'), 'avif'],
    ['MP4', isoMedia('isom', 'iso2', 'mp41'), 'video'],
    ['QuickTime', isoMedia('qt  '), 'video'],
    ['3GP', isoMedia('3gp5', '3gp5'), 'video'],
    ['Matroska', bytes('\x1aE\xdf\xa3....'), 'video'],
    ['AVI', bytes('RIFF\x10\0\0\0AVI LIST'), 'video'],
    ['TIFF', bytes('II*\0....'), 'other-image'],
    ['BMP', bytes('BM......'), 'other-image'],
    ['PDF', bytes('%PDF-1.7'), 'pdf'],
    ['nothing', new Uint8Array(), 'empty'],
    ['text', textAsJpg(), 'unknown'],
    ['SVG', svgAsJpg(), 'unknown'],
    ['a sound file', bytes('RIFF\x10\0\0\0WAVEfmt '), 'unknown'],
    ['two bytes of a JPEG', bytes('\xff\xd8'), 'unknown'],
  ])('knows %s', (_, file, kind) => {
    expect(sniffPhoto(file)).toEqual({ kind })
  })

  it('looks at the bytes it was given, not at those around them', () => {
    const around = bytes('..\xff\xd8\xff\xe0')
    expect(sniffPhoto(around.subarray(2)).kind).toBe('jpeg')
    expect(sniffPhoto(around.subarray(0, 2)).kind).toBe('unknown')
  })

  it('answers for any bytes, also behind an `ftyp` with a lying length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (random, asIsoMedia) => {
        if (asIsoMedia)
          random.set(bytes('ftyp').subarray(0, Math.max(0, random.length - 4)), 4 % (random.length + 1))
        const { kind } = sniffPhoto(random)
        expect(isPhotoKind(kind) || photoRefusal(kind).length > 10).toBe(true)
      }),
    )
  })
})

describe('photoRefusal', () => {
  it('tells how to convert what phones make', () => {
    expect(photoRefusal('heic')).toMatch(/设置.*相机.*格式.*兼容性最佳/)
    for (const reason of ['heic', 'avif', 'gif', 'video', 'pdf'] satisfies PhotoRefusal[])
      expect(photoRefusal(reason)).toContain('截')
  })

  it('travels as a photo-rejected error', () => {
    expect(photoRejected('empty')).toMatchObject({ code: 'photo-rejected', message: photoRefusal('empty') })
  })
})
