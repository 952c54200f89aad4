import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { inflateSync } from 'node:zlib'
import * as vectorFiles from 'cctv-age'
import type { Decrypter } from 'age-encryption'
import { afterAll, describe, expect, it, vi } from 'vitest'

// The scripts that browsers are given, not the library they were made of: a build that leaves out or breaks a part of
// age is found out here. The form's sealing worker carries a copy of its own; every page shares the other.

const ASSETS = fileURLToPath(new URL('../../../dist/client/assets', import.meta.url))
const IN_ASSETS = /([\w$]+)=class\{identities=\[\];addPassphrase\(/

interface Vector {
  readonly name: string
  /** What comes of it: `success`, `no match`, or some `… failure`. */
  readonly expected: string
  /** SHA-256 of what is inside. */
  readonly payload: string | undefined
  readonly identities: readonly string[]
  readonly passphrases: readonly string[]
  readonly isArmored: boolean
  readonly file: Uint8Array
}

/** @source C2SP CCTV, age/README.md, "Test file format" */
function readVector([name, bytes]: [string, Uint8Array]): Vector {
  const text = Buffer.from(bytes)
  const end = text.indexOf('\n\n')
  const head = text
    .subarray(0, end)
    .toString()
    .split('\n')
    .map((line) => /^([a-z ]+): (.*)$/.exec(line)?.slice(1) ?? [])
  const all = (key: string): string[] => head.flatMap(([of, value]) => (of === key ? [value ?? ''] : []))
  const file = text.subarray(end + 2)
  return {
    name,
    expected: all('expect')[0] ?? '',
    payload: all('payload')[0],
    identities: all('identity'),
    passphrases: all('passphrase'),
    isArmored: all('armored').length > 0,
    file: new Uint8Array(all('compressed')[0] === 'zlib' ? inflateSync(file) : file),
  }
}

const vectors = Object.entries(vectorFiles as Readonly<Record<string, Uint8Array>>)
  .filter(([name]) => name !== 'default')
  .map(readVector)
// ASCII armor is in no script (see below).
const applicable = vectors.filter(({ isArmored }) => !isArmored)

if (!existsSync(ASSETS)) throw new Error('no scripts in dist/client: npm run build')
const scripts = readdirSync(ASSETS)
  .filter((name) => name.endsWith('.js'))
  .map((name) => ({ name, text: readFileSync(join(ASSETS, name), 'utf8') }))
const shipped = scripts.filter(({ text }) => text.includes('age-encryption.org/v1'))

const copy = mkdtempSync(join(tmpdir(), 'lantian-scripts-'))
afterAll(() => rmSync(copy, { recursive: true, force: true }))
cpSync(ASSETS, copy, { recursive: true })
// The worker listens as soon as it is loaded.
vi.stubGlobal('addEventListener', () => {})

/** The script to the last byte, and a word at its end that lets its Decrypter out. */
async function decrypterOf({ name, text }: (typeof shipped)[number]): Promise<typeof Decrypter> {
  const found = IN_ASSETS.exec(text)?.[1]
  if (found === undefined) throw new Error(`no Decrypter in ${name}`)
  // The worker is one function.
  const [body, end] = text.trimEnd().endsWith('})();') ? [text.trimEnd().slice(0, -5), '})();'] : [text, '']
  const path = join(copy, `with-word-${name}`)
  writeFileSync(path, `${body};globalThis.shippedDecrypter=${found};${end}`)
  await import(pathToFileURL(path).href)
  return (globalThis as unknown as { shippedDecrypter: typeof Decrypter }).shippedDecrypter
}

/** Decrypts as the program does: whole, so that of a file that fails nothing comes out. */
function decrypt(Shipped: typeof Decrypter, vector: Vector): Promise<Uint8Array> {
  const decrypter = new Shipped()
  for (const passphrase of vector.passphrases) decrypter.addPassphrase(passphrase)
  for (const identity of vector.identities) decrypter.addIdentity(identity)
  return decrypter.decrypt(vector.file)
}

it('of the 143 vectors 110 apply, to two copies of age in the scripts', () => {
  expect(vectors).toHaveLength(143)
  expect(applicable).toHaveLength(110)
  // Passphrases (scrypt) and the hybrid recipients are shipped with the X25519 ones that we use.
  expect(applicable.filter(({ passphrases }) => passphrases.length > 0)).toHaveLength(25)
  expect(applicable.filter(({ expected }) => expected === 'success').length).toBeGreaterThan(15)
  expect(shipped.map(({ name }) => name.startsWith('seal-worker')).sort()).toEqual([false, true])
})

it('the other 33 are ASCII armor, which no script can read: nothing here is ever sent as text', () => {
  expect(vectors.filter(({ isArmored }) => isArmored)).toHaveLength(33)
  expect(scripts.filter(({ text }) => text.includes('AGE ENCRYPTED FILE')).map(({ name }) => name)).toEqual(
    [],
  )
})

describe.each(shipped)('age as shipped in $name', async (script) => {
  const Shipped = await decrypterOf(script)

  it.each(applicable)('$name: $expected', async (vector) => {
    const outcome = await decrypt(Shipped, vector).then(
      (bytes) => createHash('sha256').update(bytes).digest('hex'),
      (error: unknown) => error as Error,
    )
    if (vector.expected === 'success') expect(outcome).toBe(vector.payload)
    else expect(outcome).toBeInstanceOf(Error)
    // By these words the program tells a wrong key from a damaged file (sealing/bound.ts).
    expect(String(outcome).includes('no identity matched')).toBe(vector.expected === 'no match')
  })
})
