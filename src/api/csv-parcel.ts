import { gunzipSync, gzipSync } from 'node:zlib'
import { DomainError } from '../domain/errors.ts'
import { MAX_CSV_BYTES } from '../schemas/list.ts'

/** Characters that a form's text fields may hold, with room for the others. */
const MAX_PARCEL = 450_000

/**
 * A file's text as the hidden field of a form: it lies between preview and proposal in the officer's page, nowhere here.
 * @throws {DomainError} `too-large`
 */
export function packCsv(text: string): string {
  const parcel = gzipSync(text).toString('base64url')
  if (parcel.length > MAX_PARCEL) {
    throw new DomainError('too-large', '文件内容太多，请分成几个文件上传。', [
      { field: 'file', message: '文件内容太多，请分成几个文件上传。' },
    ])
  }
  return parcel
}

/** @throws {DomainError} `invalid-input` for anything {@link packCsv} did not make */
export function unpackCsv(parcel: string): string {
  try {
    return gunzipSync(Buffer.from(parcel, 'base64url'), { maxOutputLength: MAX_CSV_BYTES }).toString('utf8')
  } catch {
    throw new DomainError('invalid-input', '预览已经失效，请重新选择文件。', [
      { field: 'file', message: '预览已经失效，请重新选择文件。' },
    ])
  }
}
