import { Busboy } from '@fastify/busboy'
import type { BusboyFileStream, BusboyInstance } from '@fastify/busboy'
import { DomainError } from '../domain/errors.ts'

/** Limits of one form; sizes in bytes. Names and values of all text fields together stay below `FIELDS_BYTES`. */
export interface FormLimits {
  readonly maxFiles: number
  readonly maxFileBytes: number
  /** All files together. */
  readonly maxTotalBytes: number
  readonly maxFieldBytes: number
  readonly maxFields: number
}

/** A file of a form. Its name and declared type are dropped: both are the sender's words and may identify them. */
export interface FormFile {
  /** The form field it came in. */
  readonly name: string
  readonly bytes: Uint8Array
}

export type FormFields = ReadonlyMap<string, readonly string[]>

export interface ReadFormOptions extends FormLimits {
  /**
   * Called exactly once: before the first byte of a file is kept, with the fields that came before it, or at the end
   * when no file came. What it throws ends the reading. Form token and bot gate belong here.
   */
  readonly authorize?: (fields: FormFields) => void | Promise<void>
  /**
   * Takes each file as it is complete; the next is not read before it answers. With it `Form.files` stays empty and
   * one file at most is in memory. When reading fails later, what was taken is the taker's to undo.
   */
  readonly onFile?: (file: FormFile) => void | Promise<void>
  /**
   * Told of a file that is too large or one too many, which is then skipped and the rest read on. Without it such a
   * file refuses the whole form.
   */
  readonly onRefused?: (name: string, error: DomainError) => void
}

export interface Form {
  readonly fields: Map<string, string[]>
  readonly files: FormFile[]
}

/** All text of a form together, with names and part headers. */
const FIELDS_BYTES = 512 * 1024
const MAX_NAME_LENGTH = 100
const MIB = 1024 * 1024
/** How long a refused sender may go on sending, so that the answer can be read; what is sent is thrown away. */
const DISCARD_MS = 20_000

/** The fields of a form that has no files. @throws {DomainError} as {@link readForm} */
export async function readFields(
  request: Request,
  limits: Pick<ReadFormOptions, 'maxFields' | 'maxFieldBytes'>,
): Promise<Form['fields']> {
  const { fields } = await readForm(request, { ...limits, maxFiles: 0, maxFileBytes: 0, maxTotalBytes: 0 })
  return fields
}

/**
 * Reads a form, `multipart/form-data` or `application/x-www-form-urlencoded`, as it streams in.
 * Parts with an empty file name and no bytes (an untouched file input) are left out.
 *
 * @throws {DomainError} `unsupported-media`, `too-large`, `invalid-input` (malformed, or the connection was cut), or
 * whatever `authorize` and `onFile` throw; nothing read is kept then
 */
export async function readForm(request: Request, options: ReadFormOptions): Promise<Form> {
  const type = request.headers.get('content-type') ?? ''
  const isMultipart = /^multipart\/form-data\s*(;|$)/i.test(type)
  if (!isMultipart && !/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) {
    throw new DomainError('unsupported-media', '请用网页上的表单提交。')
  }
  const body = bodyOf(request)
  const allowed = isMultipart ? options.maxTotalBytes + FIELDS_BYTES : FIELDS_BYTES
  const announced = Number(request.headers.get('content-length') ?? Number.NaN)
  try {
    if (announced > allowed) throw tooLargeInAll(options)
    return isMultipart
      ? await readMultipart(type, body, allowed, announced, options)
      : await readUrlencoded(body, allowed, options)
  } catch (error) {
    await body.discard(announced > 2 * allowed ? 0 : 2 * allowed)
    throw error
  }
}

/** A request's bytes with what went wrong as our own error, and a count. */
interface Body {
  /** Next bytes, or null at the end. */
  next(): Promise<Uint8Array | null>
  /** Reads on without keeping, until so many bytes came in all, then lets go. */
  discard(until: number): Promise<void>
  readonly received: number
}

function bodyOf(request: Request): Body {
  const reader = request.body?.getReader()
  let received = 0
  let ended = !reader
  const next = async () => {
    if (!reader || ended) return null
    try {
      const { done, value } = await reader.read()
      if (!done) {
        received += value.length
        return value
      }
      ended = true
      return null
    } catch {
      ended = true
      throw new DomainError('invalid-input', '上传中断了，没有收到完整内容，什么都没有保存。请重新提交。')
    }
  }
  return {
    next,
    async discard(until) {
      if (!reader) return
      let late = false
      const timer = setTimeout(() => {
        late = true
        void reader.cancel().catch(() => {})
      }, DISCARD_MS)
      try {
        while (!late && received < until && (await next()));
      } catch {
        // The sender has gone; there is nobody left to answer.
      } finally {
        clearTimeout(timer)
      }
      if (!ended) void reader.cancel().catch(() => {})
    },
    get received() {
      return received
    },
  }
}

async function readUrlencoded(body: Body, allowed: number, options: ReadFormOptions): Promise<Form> {
  const chunks: Uint8Array[] = []
  for (let chunk = await body.next(); chunk; chunk = await body.next()) {
    if (body.received > allowed) throw tooLargeInAll(options)
    chunks.push(chunk)
  }
  const fields = new FieldCollector(options)
  for (const [name, value] of new URLSearchParams(Buffer.concat(chunks).toString('utf8'))) {
    if (Buffer.byteLength(value) > options.maxFieldBytes) throw fieldTooLong(name)
    fields.add(name, value)
  }
  await options.authorize?.(fields.map)
  return { fields: fields.map, files: [] }
}

async function readMultipart(
  type: string,
  body: Body,
  allowed: number,
  announced: number,
  options: ReadFormOptions,
): Promise<Form> {
  const fields = new FieldCollector(options)
  const files: FormFile[] = []
  const parser = parserFor(type, options)
  let authorized = false
  let fileCount = 0
  let fileBytes = 0

  // The first failure wins and ends the reading; later ones are its echoes.
  let failure: { error: unknown } | undefined
  let reject: (error: unknown) => void
  const failed = new Promise<never>((_, no) => (reject = no))
  failed.catch(() => {})
  const fail = (error: unknown) => {
    failure ??= { error }
    reject(error)
  }

  const authorizeOnce = async () => {
    if (authorized) return
    authorized = true
    await options.authorize?.(fields.map)
  }

  const takeFile = async (name: string, stream: BusboyFileStream, isNamed: boolean) => {
    await authorizeOnce()
    // Room for the whole file at once where its size is known to be bounded: pages never written cost nothing, and
    // joining pieces would hold the photo twice.
    const bound = Number.isNaN(announced)
      ? 256 * 1024
      : announced - body.received + stream.readableLength + MIB
    let buffer: Buffer = Buffer.allocUnsafeSlow(Math.min(options.maxFileBytes, Math.max(bound, 64 * 1024)))
    let size = 0
    let counted = false
    let refusal: DomainError | undefined
    const count = () => {
      if (counted) return
      counted = true
      if (++fileCount > options.maxFiles) refusal ??= tooManyFiles(options)
    }
    if (isNamed) count()
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      count()
      fileBytes += chunk.length
      if (fileBytes > options.maxTotalBytes) throw tooLargeInAll(options)
      if (refusal && !options.onRefused) throw refusal
      if (refusal) continue
      if (size + chunk.length > buffer.length) buffer = grown(buffer, size, size + chunk.length)
      chunk.copy(buffer, size)
      size += chunk.length
    }
    if (stream.truncated) refusal ??= fileTooLarge(name, options)
    if (!counted) return
    if (refusal) {
      if (!options.onRefused) throw refusal
      options.onRefused(name, refusal)
      return
    }
    const file = { name, bytes: buffer.subarray(0, size) }
    if (options.onFile) await options.onFile(file)
    else files.push(file)
  }

  // One file after the other, however many begin within one chunk.
  let queue = Promise.resolve()
  parser.on('file', (name: string | undefined, stream, filename: string | undefined) => {
    stream.on('error', () => {})
    if (failure || !isName(name)) {
      stream.resume()
      if (!failure) fail(malformed())
      return
    }
    queue = queue.then(() => (failure ? undefined : takeFile(name, stream, Boolean(filename)))).catch(fail)
  })
  parser.on('field', (name: string | undefined, value, _nameCut, valueCut) => {
    if (failure) return
    try {
      if (!isName(name)) throw malformed()
      if (valueCut) throw fieldTooLong(name)
      fields.add(name, value)
    } catch (error) {
      fail(error)
    }
  })
  for (const limit of ['fieldsLimit', 'filesLimit', 'partsLimit'] as const) {
    parser.on(limit, () => fail(tooManyFields()))
  }
  parser.on('error', () => fail(malformed()))
  const finished = new Promise<void>((resolve) => parser.once('finish', () => resolve()))

  try {
    for (let chunk = await body.next(); chunk; chunk = await body.next()) {
      if (body.received > allowed) throw tooLargeInAll(options)
      await Promise.race([written(parser, chunk), failed])
    }
    parser.end()
    await Promise.race([finished, failed])
    await queue
    if (failure) throw failure.error
    await authorizeOnce()
    return { fields: fields.map, files }
  } catch (error) {
    fail(error)
    parser.destroy()
    throw failure?.error ?? error
  }
}

function parserFor(type: string, options: ReadFormOptions): BusboyInstance {
  try {
    return new Busboy({
      headers: { 'content-type': type },
      limits: {
        fieldSize: options.maxFieldBytes,
        fields: options.maxFields,
        fileSize: options.maxFileBytes,
        // Untouched file inputs come as parts too; the count of real files is ours.
        parts: options.maxFields + 4 * options.maxFiles + 8,
        headerPairs: 16,
        headerSize: 4096,
      },
    })
  } catch {
    throw malformed()
  }
}

class FieldCollector {
  readonly map = new Map<string, string[]>()
  readonly #maxFields: number
  #count = 0
  constructor({ maxFields }: FormLimits) {
    this.#maxFields = maxFields
  }
  add(name: string, value: string): void {
    if (!isName(name)) throw malformed()
    if (++this.#count > this.#maxFields) throw tooManyFields()
    const values = this.map.get(name)
    if (values) values.push(value)
    else this.map.set(name, [value])
  }
}

function isName(name: string | undefined): name is string {
  return name !== undefined && name.length > 0 && name.length <= MAX_NAME_LENGTH
}

function grown(buffer: Buffer, size: number, needed: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * buffer.length))
  buffer.copy(larger, 0, 0, size)
  return larger
}

function written(parser: BusboyInstance, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    parser.write(chunk, (error) => (error ? reject(malformed()) : resolve()))
  })
}

const malformed = () => new DomainError('invalid-input', '收到的表单不完整或格式不对，请返回重新提交。')
const tooManyFields = () => new DomainError('too-large', '表单里的项目太多，请返回重新填写。')
const fieldTooLong = (field: string) =>
  new DomainError('too-large', '有一项内容太长，请缩短后再提交。', [{ field, message: '内容太长，请缩短。' }])
const tooManyFiles = ({ maxFiles }: FormLimits) =>
  new DomainError('too-large', maxFiles ? `最多上传 ${maxFiles} 个文件。` : '这里不能上传文件。')
const fileTooLarge = (field: string, { maxFileBytes }: FormLimits) => {
  const message = `单个文件不能超过 ${inMib(maxFileBytes)} MB。`
  return new DomainError('too-large', message, [{ field, message }])
}
const tooLargeInAll = ({ maxTotalBytes }: FormLimits) =>
  new DomainError(
    'too-large',
    maxTotalBytes > 0
      ? `提交的内容太大，文件加起来不能超过 ${inMib(maxTotalBytes)} MB。`
      : '提交的内容太大。',
  )

const inMib = (bytes: number) => Math.round((bytes / MIB) * 10) / 10
