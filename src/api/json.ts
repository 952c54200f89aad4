import { DomainError } from '../domain/errors.ts'

const MAX_JSON_BYTES = 64 * 1024

/**
 * Reads a JSON body, counting as it comes: a length that was announced, or not, is no promise.
 * @throws {DomainError} `too-large` past 64 KB, `invalid-input` for anything that is not JSON
 */
export async function readJson(request: Request): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > MAX_JSON_BYTES) throw new DomainError('too-large', '请求体太大：JSON 最多 64 KB。')
    chunks.push(chunk)
  }
  return parseJson(Buffer.concat(chunks).toString('utf8'))
}

/** @throws {DomainError} `invalid-input` */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new DomainError('invalid-input', '请求体不是有效的 JSON。')
  }
}
