import { DomainError } from '../domain/errors.ts'

/** A keyset position as an opaque word for a URL. */
export function encodeCursor(position: readonly string[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

/** @throws {DomainError} `bad-cursor` for anything {@link encodeCursor} did not write with that many parts */
export function decodeCursor<N extends number>(cursor: string, parts: N): string[] & { length: N } {
  try {
    const position: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (
      Array.isArray(position) &&
      position.length === parts &&
      position.every((part) => typeof part === 'string' && part.length <= 200)
    ) {
      return position as string[] & { length: N }
    }
  } catch {
    // Not ours; told below.
  }
  throw new DomainError('bad-cursor', '这个翻页位置无效，请回到第一页重新翻。')
}
