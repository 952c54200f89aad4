import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Random } from '../services/ports.ts'

/**
 * Secrets of the server itself, 32 bytes and one purpose each: `lookup` peppers receipts, `form` signs form
 * tokens, `salt` makes salts for names that do not exist and hides which were tried, `cookie` seals what a cookie carries
 * and the secrets of authenticator apps (keys derived for each).
 */
export const SERVER_SECRETS = ['lookup', 'form', 'salt', 'cookie'] as const
export type ServerSecretName = (typeof SERVER_SECRETS)[number]
export type ServerSecrets = Readonly<Record<ServerSecretName, Buffer>>

/** The secrets cannot be used; the message is one line for the operator. */
export class ServerSecretsError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ServerSecretsError'
  }
}

const SECRET_BYTES = 32

/**
 * Reads the secrets from a folder of their own, beside the database and outside its backups (who has both a
 * dump and the pepper can test guesses). Makes all of them at once on the first start when `create` is set;
 * never a single one, since a new pepper beside old receipts would lose every reporter without a word.
 * @param dir e.g. `data/keys`; one file for each secret, mode 0600 or stricter.
 * @throws {ServerSecretsError} missing, wrong size, readable by others, or two alike.
 */
export async function openServerSecrets(
  dir: string,
  random: Pick<Random, 'bytes'>,
  { create }: { readonly create: boolean },
): Promise<ServerSecrets> {
  let found = await readAll(dir)
  if (create && found.every(([, secret]) => secret === null)) {
    await createAll(dir, random)
    found = await readAll(dir)
  }
  const missing = found.filter(([, secret]) => secret === null).map(([name]) => name)
  if (missing.length > 0) {
    const remedy =
      missing.length < SERVER_SECRETS.length
        ? 'restore them from your copy'
        : 'make them with `npm run keys -- init`'
    throw new ServerSecretsError(`Server secrets missing in ${dir}: ${missing.join(', ')}; ${remedy}.`)
  }
  const secrets = Object.fromEntries(found) as Record<ServerSecretName, Buffer>
  for (const [index, name] of SERVER_SECRETS.entries()) {
    const twin = SERVER_SECRETS.slice(0, index).find((earlier) => secrets[earlier].equals(secrets[name]))
    if (twin !== undefined) {
      throw new ServerSecretsError(
        `Server secrets ${twin} and ${name} in ${dir} are equal; each needs its own.`,
      )
    }
  }
  return secrets
}

function readAll(dir: string): Promise<(readonly [ServerSecretName, Buffer | null])[]> {
  return Promise.all(SERVER_SECRETS.map(async (name) => [name, await readSecret(join(dir, name))] as const))
}

/** A secret, or null when there is no such file. */
async function readSecret(path: string): Promise<Buffer | null> {
  const [facts, secret] = await Promise.all([stat(path), readFile(path)]).catch((error: unknown) => {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return [null, null] as const
    throw new ServerSecretsError(`Server secret ${path} cannot be read (${code}).`)
  })
  if (secret === null) return null
  // Windows has no such bits: there every file shows as readable by all.
  if (process.platform !== 'win32' && (facts.mode & 0o077) !== 0) {
    throw new ServerSecretsError(`Server secret ${path} is open to other users; run: chmod 600 ${path}`)
  }
  if (secret.length !== SECRET_BYTES) {
    throw new ServerSecretsError(`Server secret ${path} has ${String(secret.length)} bytes instead of 32.`)
  }
  return secret
}

/** Writes all secrets aside and moves them into place in one step, so a crash leaves none rather than some. */
async function createAll(dir: string, random: Pick<Random, 'bytes'>): Promise<void> {
  const aside = `${dir}.${Buffer.from(random.bytes(6)).toString('hex')}`
  await mkdir(dirname(dir), { recursive: true })
  await mkdir(aside, { mode: 0o700 })
  try {
    for (const name of SERVER_SECRETS) {
      await writeFile(join(aside, name), random.bytes(SECRET_BYTES), { flag: 'wx', mode: 0o600, flush: true })
    }
    await rename(aside, dir)
  } catch (error) {
    await rm(aside, { recursive: true, force: true })
    const { code = 'failed' } = error as NodeJS.ErrnoException
    // Another process was first: its secrets are read next.
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') {
      throw new ServerSecretsError(`Server secrets cannot be made in ${dir} (${code}).`)
    }
  }
}
