import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openServerSecrets, SERVER_SECRETS } from '../../../src/adapters/server-secrets.ts'
import { fakeSaltOf, lookupOf } from '../../../src/services/lookup.ts'
import { seededBytes } from '../../support/seeded-bytes.ts'

let dir: string
beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'secrets-')), 'data', 'keys')
})
afterEach(() => rm(dirname(dirname(dir)), { recursive: true }))

const bytes = seededBytes(3)
const random = { bytes }

describe('the secrets of the server', () => {
  it('are made on the first start and read on the next', async () => {
    const made = await openServerSecrets(dir, random, { create: true })
    expect(new Set(Object.values(made).map((secret) => secret.toString('hex'))).size).toBe(4)
    for (const name of SERVER_SECRETS) {
      expect(made[name]).toHaveLength(32)
      expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600)
    }
    expect(await openServerSecrets(dir, random, { create: true })).toEqual(made)
    expect(await openServerSecrets(dir, random, { create: false })).toEqual(made)
    expect(await readdir(dirname(dir))).toEqual(['keys'])
  })

  it('are the same for two processes that start at once', async () => {
    const [one, two] = await Promise.all([
      openServerSecrets(dir, random, { create: true }),
      openServerSecrets(dir, random, { create: true }),
    ])
    expect(one).toEqual(two)
    expect(await readdir(dirname(dir))).toEqual(['keys'])
  })

  it('are not made when that is not allowed', async () => {
    await expect(openServerSecrets(dir, random, { create: false })).rejects.toThrow(/missing .*keys -- init/)
  })

  it('are never replaced one by one', async () => {
    await openServerSecrets(dir, random, { create: true })
    await rm(join(dir, 'lookup'))
    await expect(openServerSecrets(dir, random, { create: true })).rejects.toThrow(
      /missing .*: lookup; restore/,
    )
  })

  it('are refused when other users can read them', async () => {
    await openServerSecrets(dir, random, { create: true })
    for (const mode of [0o640, 0o604]) {
      await chmod(join(dir, 'form'), mode)
      await expect(openServerSecrets(dir, random, { create: true })).rejects.toThrow(
        /form is open to other users/,
      )
    }
    await chmod(join(dir, 'form'), 0o400)
    await expect(openServerSecrets(dir, random, { create: true })).resolves.toHaveProperty('form')
  })

  it('are refused when two are equal or one has another size', async () => {
    const { form } = await openServerSecrets(dir, random, { create: true })
    await writeFile(join(dir, 'salt'), form)
    await expect(openServerSecrets(dir, random, { create: true })).rejects.toThrow(/form and salt .* equal/)
    await writeFile(join(dir, 'salt'), 'short')
    await expect(openServerSecrets(dir, random, { create: true })).rejects.toThrow(/5 bytes instead of 32/)
  })

  it('cannot be made among files of somebody else', async () => {
    await mkdir(dir, { recursive: true })
    await writeFile(join(dir, 'notes.txt'), '')
    await expect(openServerSecrets(dir, random, { create: true })).rejects.toThrow(/missing/)
    expect(await readdir(dirname(dir))).toEqual(['keys'])
  })
})

describe('the lookup of a receipt', () => {
  it('is HMAC-SHA-256 of the auth value', () => {
    // RFC 4231, test case 2.
    expect(lookupOf(Buffer.from('Jefe'), 'what do ya want for nothing?').toString('hex')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    )
  })

  it('differs with the pepper', () => {
    expect(lookupOf(bytes(32), 'auth')).not.toEqual(lookupOf(bytes(32), 'auth'))
  })
})

describe('the salt of a name that does not exist', () => {
  it('stays the same for the name and differs from others', () => {
    const key = bytes(32)
    expect(fakeSaltOf(key, 'nobody')).toHaveLength(16)
    expect(fakeSaltOf(key, 'nobody')).toEqual(fakeSaltOf(key, 'nobody'))
    expect(fakeSaltOf(key, 'nobody')).not.toEqual(fakeSaltOf(key, 'somebody'))
  })
})
