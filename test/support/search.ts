import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import type { Db } from '../../src/db/connect.ts'

/** One way in which a secret could lie in a file. */
export interface Needle {
  readonly form: string
  readonly bytes: Buffer
}

/** The signs of base64 that depend on nothing but the secret, wherever in a longer text it begins. */
function base64Forms(secret: Buffer): Buffer[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), secret])
      .toString('base64')
      .replace(/=+$/, '')
    const from = Math.ceil((before * 8) / 6)
    const whole = Math.floor(((before + secret.length) * 8) / 6)
    return Buffer.from(text.slice(from, whole))
  })
}

/** Bytes in the ways a database, a dump or a log may write them. */
function binaryForms(secret: Buffer, name: string): Needle[] {
  const [first, second, third] = base64Forms(secret)
  const urlSafe = (text: Buffer | undefined): Buffer =>
    Buffer.from((text ?? Buffer.alloc(0)).toString('latin1').replaceAll('+', '-').replaceAll('/', '_'))
  return [
    { form: name, bytes: secret },
    { form: `${name} hex`, bytes: Buffer.from(secret.toString('hex')) },
    { form: `${name} HEX`, bytes: Buffer.from(secret.toString('hex').toUpperCase()) },
    ...[first, second, third].flatMap((text, index) => [
      { form: `${name} base64+${index}`, bytes: text ?? Buffer.alloc(0) },
      { form: `${name} base64url+${index}`, bytes: urlSafe(text) },
    ]),
  ]
}

/** Every form of a secret that is looked for. */
export function needles(secret: string | Uint8Array): Needle[] {
  if (typeof secret !== 'string') return binaryForms(Buffer.from(secret), 'bytes')
  return [
    ...binaryForms(Buffer.from(secret, 'utf8'), 'UTF-8'),
    ...binaryForms(Buffer.from(secret, 'utf16le'), 'UTF-16LE'),
    { form: 'URL', bytes: Buffer.from(encodeURIComponent(secret)) },
    {
      form: 'JSON escapes',
      bytes: Buffer.from(
        secret.replace(/[^ -~]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`),
      ),
    },
  ]
}

/** Something to look through. */
export interface Haystack {
  readonly name: string
  readonly bytes: Buffer
}

/** All files below a folder; one that goes meanwhile is skipped. */
export function filesBelow(dir: string): Haystack[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) => {
      const path = join(entry.parentPath, entry.name)
      try {
        return [{ name: path.slice(dir.length + 1), bytes: readFileSync(path) }]
      } catch {
        return []
      }
    })
}

/** Every row of every table as the database itself writes it, and every binary column decoded. */
export async function dumpOf(db: Db): Promise<Haystack[]> {
  const { rows: tables } = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public'`.execute(db)
  const dump: Haystack[] = []
  for (const { name } of tables) {
    const { rows } = await sql<{ line: string }>`select t::text as line from ${sql.table(name)} t`.execute(db)
    const { rows: values } = await sql<Record<string, unknown>>`select * from ${sql.table(name)}`.execute(db)
    const binary = values.flatMap((row) => Object.values(row).filter((value) => Buffer.isBuffer(value)))
    dump.push({
      name: `table ${name}`,
      bytes: Buffer.concat([Buffer.from(rows.map(({ line }) => line).join('\n')), ...binary]),
    })
  }
  return dump
}

interface Sought extends Needle {
  readonly secret: string
  /** Where in the needle its two tell-tale bytes stand: not zeros, which fill half of a database's pages. */
  readonly anchor: number
}

/** Needles by two of their bytes, so that one pass over a file looks for all of them. */
function indexOf(secrets: Readonly<Record<string, string | Uint8Array>>): (readonly Sought[] | undefined)[] {
  const byPair = new Array<Sought[] | undefined>(0x10000)
  for (const [secret, value] of Object.entries(secrets)) {
    for (const { form, bytes } of needles(value)) {
      const anchor = Math.max(
        0,
        bytes.findIndex((byte, at) => byte !== 0 && at < bytes.length - 1),
      )
      const pair = bytes.readUInt16LE(anchor)
      byPair[pair] = [...(byPair[pair] ?? []), { secret, form, bytes, anchor }]
    }
  }
  return byPair
}

/** Where which secret lies, in which form: `phone: UTF-8 in table tip`. */
export function findSecrets(
  secrets: Readonly<Record<string, string | Uint8Array>>,
  haystacks: readonly Haystack[],
): string[] {
  const byPair = indexOf(secrets)
  const found = new Set<string>()
  for (const { name, bytes: hay } of haystacks) {
    let previous = hay[0] ?? 0
    for (let at = 1; at < hay.length; at += 1) {
      const byte = hay[at] ?? 0
      const sought = byPair[previous | (byte << 8)]
      previous = byte
      if (sought === undefined) continue
      for (const { secret, form, bytes, anchor } of sought) {
        const start = at - 1 - anchor
        if (
          start >= 0 &&
          hay.compare(bytes, 0, bytes.length, start, Math.min(start + bytes.length, hay.length)) === 0
        )
          found.add(`${secret}: ${form} in ${name}`)
      }
    }
  }
  return [...found]
}

const WINDOW_BYTES = 16 * 1024 * 1024
/** What could lie across the edge of two windows. */
const OVERLAP_BYTES = 4096

/**
 * What a process holds in memory, as a core dump would have it.
 * @returns null where the system does not let us look
 */
export function memoryOf(pid: number): Generator<Haystack> | null {
  let maps: string
  let memory: number
  try {
    maps = readFileSync(`/proc/${pid}/maps`, 'utf8')
    memory = openSync(`/proc/${pid}/mem`, 'r')
  } catch {
    return null
  }
  return (function* () {
    try {
      for (const line of maps.split('\n')) {
        const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
        const end = Number.parseInt(to, 16)
        for (let at = Number.parseInt(from, 16); at < end; at += WINDOW_BYTES) {
          const bytes = Buffer.alloc(Math.min(WINDOW_BYTES + OVERLAP_BYTES, end - at))
          try {
            const read = readSync(memory, bytes, 0, bytes.length, at)
            yield { name: `memory at ${at.toString(16)}`, bytes: bytes.subarray(0, read) }
          } catch {
            // Reserved and not there.
          }
        }
      }
    } finally {
      closeSync(memory)
    }
  })()
}
