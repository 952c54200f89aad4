import { Decrypter, Encrypter } from 'age-encryption'
import { concat, utf8 } from './bytes.ts'
import { EnvelopeError } from './envelope-error.ts'

/**
 * An age file that says what it is for. age has no associated data, so the plaintext begins with one canonical
 * header line, checked byte by byte on opening: a server that swaps two envelopes is found out. Then come the
 * length of the content (4 bytes, big-endian), the content, and zeros up to a bucket size, so that the size of
 * the file says little about the length of the text. Debian's `age` opens these files too.
 */
export interface Bound {
  /** What the file is for; the order of the fields is part of the format. */
  readonly header: Readonly<Record<string, string | number>>
  /** The padded size of a plaintext of this length, both in bytes. */
  readonly bucketOf: (length: number) => number
}

const LENGTH_BYTES = 4

/**
 * Seals bytes to one or more age recipients.
 * @throws {RangeError} without a recipient: age would write a file that nobody can open.
 */
export async function sealBound(
  { header, bucketOf }: Bound,
  recipients: readonly string[],
  bytes: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  if (recipients.length === 0) throw new RangeError('Sealing needs at least one recipient.')
  const encrypter = new Encrypter()
  for (const recipient of recipients) encrypter.addRecipient(recipient)
  const start = startOf(header, bytes.length)
  const length = start.length + bytes.length
  const padding = new Uint8Array(bucketOf(length) - length)
  // Streamed in pieces: a photo is not copied once more only to be padded.
  return new Uint8Array(
    await new Response(await encrypter.encrypt(streamOf(start, bytes, padding))).arrayBuffer(),
  )
}

/**
 * Opens what {@link sealBound} sealed with the same header. Answers a view into a larger buffer.
 * @throws {EnvelopeError} see its codes.
 */
export async function openBound(
  { header, bucketOf }: Bound,
  identity: string,
  sealed: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  const plain = new Uint8Array(await decrypter.decrypt(sealed).catch(refuse))
  const line = headerLine(header)
  if (!line.every((byte, index) => plain[index] === byte)) {
    throw new EnvelopeError('mismatch', 'The envelope is not the one asked for.')
  }
  const start = line.length + LENGTH_BYTES
  if (plain.length < start) throw new EnvelopeError('damaged', 'The envelope is cut off.')
  const end = start + new DataView(plain.buffer, plain.byteOffset).getUint32(line.length)
  if (plain.length !== bucketOf(end) || plain.subarray(end).some((byte) => byte !== 0)) {
    throw new EnvelopeError('damaged', 'The envelope is not padded as it must be.')
  }
  return plain.subarray(start, end)
}

function headerLine(header: Bound['header']): Uint8Array {
  return utf8(`${JSON.stringify(header)}\n`)
}

function startOf(header: Bound['header'], length: number): Uint8Array {
  const size = new Uint8Array(LENGTH_BYTES)
  new DataView(size.buffer).setUint32(0, length)
  return concat(headerLine(header), size)
}

function streamOf(...parts: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) if (part.length > 0) controller.enqueue(part)
      controller.close()
    },
  })
}

function refuse(cause: unknown): never {
  const wrongKey = cause instanceof Error && cause.message.startsWith('no identity matched')
  throw wrongKey
    ? new EnvelopeError('wrong-key', 'The envelope is not sealed to this key.', { cause })
    : new EnvelopeError('damaged', 'The envelope is damaged.', { cause })
}
