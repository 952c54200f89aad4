import { createTipSecrets, sealNarrative, wrapForReaders } from '../../sealing/outgoing.ts'
import type { SealJobs, SealReply, SealRequest } from './seal-jobs.ts'

// Beside the page, so that a slow phone can still scroll it, and so that what hangs can be ended.

const random = (n: number): Uint8Array => crypto.getRandomValues(new Uint8Array(n))

const JOBS: {
  readonly [K in keyof SealJobs]: (given: SealJobs[K]['given']) => Promise<SealJobs[K]['made']>
} = {
  begin: () => createTipSecrets(random),
  async seal({ secrets, narrative, readers }) {
    const [sealed, wraps] = await Promise.all([
      sealNarrative(secrets, narrative),
      wrapForReaders(secrets, readers),
    ])
    return { narrative: sealed, wraps }
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
