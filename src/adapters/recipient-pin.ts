import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { PinnedList, Random, RecipientPin } from '../services/ports.ts'

/** The file that pins the list cannot be used; the message is one line for the operator. */
export class RecipientPinError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'RecipientPinError'
  }
}

function parse(path: string, text: string): PinnedList {
  try {
    const { root, count, hash } = JSON.parse(text) as Record<string, unknown>
    if (typeof root === 'string' && typeof count === 'number' && typeof hash === 'string') {
      return { root, head: { count, hash } }
    }
  } catch {
    // Said below.
  }
  throw new RecipientPinError(`${path} is damaged; run: npm run keys -- sign --escrow FILE`)
}

/**
 * Root and head of the list of recipients in a file beside the server's secrets, where nobody who only writes the
 * database can reach. Nothing in it is secret.
 * @param path e.g. `data/keys/recipients.json`
 */
export function createRecipientPin(path: string, random: Pick<Random, 'uuid'>): RecipientPin {
  return {
    async read() {
      let text: string
      try {
        text = await readFile(path, 'utf8')
      } catch (error) {
        const { code = 'failed' } = error as NodeJS.ErrnoException
        if (code === 'ENOENT') return null
        throw new RecipientPinError(`${path} cannot be read (${code})`)
      }
      return parse(path, text)
    },
    async write({ root, head }) {
      const aside = `${path}.${random.uuid()}`
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      try {
        await writeFile(aside, `${JSON.stringify({ root, ...head })}\n`, { mode: 0o600, flush: true })
        await rename(aside, path)
      } catch (error) {
        await rm(aside, { force: true })
        throw error
      }
    },
  }
}

/** The same in memory. */
export function createMemoryPin(): RecipientPin {
  let pinned: PinnedList | null = null
  return {
    read: () => Promise.resolve(pinned),
    write: (next) => {
      pinned = next
      return Promise.resolve()
    },
  }
}
