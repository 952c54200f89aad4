import { DomainError } from '../../domain/errors.ts'
import { factWords, readFacts } from '../../domain/photo-facts.ts'
import { stripPhoto } from '../../domain/photo-strip.ts'
import { ownerOf } from '../../domain/roles.ts'
import {
  createTipSecrets,
  sealChecked,
  sealNamed,
  sealNarrative,
  wrapForReaders,
} from '../../sealing/outgoing.ts'
import { createHalf, rest, wake } from '../../sealing/half-key.ts'
import { verifyRecipientList } from '../../sealing/recipient-list.ts'
import type { Held } from './vault.ts'
import type { SealJobs, SealReply, SealRequest } from './seal-jobs.ts'

// Beside the page, so that a slow phone can still scroll it, and so that what hangs can be ended.

const random = (n: number): Uint8Array => crypto.getRandomValues(new Uint8Array(n))

function wordsOf(photo: Uint8Array): { words: string | null; device: string | null } {
  const facts = readFacts(photo)
  return { words: factWords(facts), device: facts.device }
}

const JOBS: {
  readonly [K in keyof SealJobs]: (given: SealJobs[K]['given']) => Promise<SealJobs[K]['made']>
} = {
  half: () => Promise.resolve(createHalf(random)),
  rest: ({ held, halves }) => rest(held, halves, random),
  // What this tab put to rest itself.
  wake: async ({ rested, halves }) => (await wake(rested, halves)) as Held,
  look({ bytes }) {
    const { words, device } = wordsOf(bytes)
    try {
      const { kind, bytes: working } = stripPhoto(bytes)
      return Promise.resolve({ kind, working, words, device })
    } catch (error) {
      if (!(error instanceof DomainError)) throw error
      return Promise.resolve({ refused: error.message })
    }
  },
  photo: ({ secrets, purpose, part, bytes }) => sealChecked(secrets, purpose, part, bytes),
  begin: () => createTipSecrets(random),
  async seal({ secrets, narrative, named, recipients: { entries, root, pinned }, readers: departments }) {
    const keys = verifyRecipientList(entries, root, { pinned })
    const keyOf = (owner: string) => {
      const key = keys.get(owner)
      if (!key) throw new RangeError(`no key of ${owner}`)
      return { owner, epoch: key.epoch, recipient: key.recipient }
    }
    const readers = departments.map((department) => ({ department, ...keyOf(department) }))
    const roles = named && { keeper: keyOf(ownerOf('custodian')), approver: keyOf(ownerOf('approver')) }
    const [sealed, identity, wraps] = await Promise.all([
      sealNarrative(secrets, narrative),
      named && roles && sealNamed(secrets, named, roles),
      wrapForReaders(secrets, readers),
    ])
    return { narrative: sealed, identity, wraps }
  },
}

async function work<K extends keyof SealJobs>({ id, job, given }: SealRequest<K>): Promise<SealReply> {
  try {
    return { id, made: await JOBS[job](given) }
  } catch (error) {
    return { id, failed: error instanceof Error ? `${error.name}: ${error.message}` : 'failed' }
  }
}

addEventListener('message', ({ data }: MessageEvent<SealRequest>) => {
  void work(data).then((reply) => {
    postMessage(reply)
  })
})
