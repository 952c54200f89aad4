import { CHALLENGE_SECONDS } from '../../domain/gate.ts'
import workerAddress from './gate-worker.ts?worker&url'
import type { Challenge } from './proof.ts'
import { startWorker } from './worker.ts'

/** The bot gate of the page that is shown. */
export interface GateField {
  /** Waits for the proof; at once when there is none to be had. */
  settle(): Promise<void>
  leave(): void
}

/** After this long a person is asked whether to go on without. A slow phone takes half of it. */
const SLOW_MS = 10_000
/** A new proof is sought so long before the old one ends: the form takes a moment to be sent. */
const MARGIN_MS = 60_000

const WORDS = {
  working: '正在做防机器验证，不用您操作；可以先抄查询码。',
  done: '防机器验证做好了，可以提交。',
  failed: '防机器验证没有做成。照样可以提交：可能先归入“未经验证”，一样有人看。',
  slow: '防机器验证比平时慢。可以再等等，也可以直接提交：可能先归入“未经验证”，一样有人看。',
} as const

async function fetchChallenge(signal: AbortSignal): Promise<Challenge> {
  const reply = await fetch('/api/v1/challenges?purpose=form', { signal })
  if (!reply.ok) throw new Error(`challenges answered ${reply.status}`)
  return (await reply.json()) as Challenge
}

function solveAside(challenge: Challenge, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const worker = startWorker(workerAddress)
    const end = (): void => worker.terminate()
    signal.addEventListener('abort', () => {
      end()
      reject(new Error('left'))
    })
    worker.addEventListener('message', ({ data }: MessageEvent<string>) => {
      end()
      resolve(data)
    })
    worker.addEventListener('error', () => {
      end()
      reject(new Error('the worker failed'))
    })
    worker.postMessage(challenge)
  })
}

/** Finds the proof while the page is read, and a new one before it is too old. */
export function watchGate(root: HTMLElement): GateField | null {
  const status = root.querySelector<HTMLElement>('[data-gate]')
  const field = root.querySelector<HTMLInputElement>('input[name="gate"]')
  const slow = root.querySelector<HTMLElement>('[data-gate-slow]')
  const other = root.querySelector<HTMLElement>('[data-gate-other]')
  if (!status || !field || !slow) return null
  const left = new AbortController()
  let renewal = 0
  let found: Promise<void> = Promise.resolve()
  let goOn: () => void = () => {}

  const tell = (words: keyof typeof WORDS): void => {
    status.textContent = WORDS[words]
    slow.hidden = words !== 'slow'
  }

  async function find(): Promise<void> {
    tell('working')
    const late = setTimeout(() => tell('slow'), SLOW_MS)
    try {
      const challenge = await fetchChallenge(left.signal)
      const proof = await solveAside(challenge, left.signal)
      if (field) field.value = proof
      // Counted from here: the device's own clock may be wrong by hours.
      renewal = window.setTimeout(begin, CHALLENGE_SECONDS * 1000 - MARGIN_MS)
      tell('done')
    } catch {
      if (!left.signal.aborted) tell('failed')
    } finally {
      clearTimeout(late)
    }
  }
  function begin(): void {
    found = Promise.race([find(), new Promise<void>((resolve) => (goOn = resolve))])
  }

  if (other) other.hidden = false
  slow.querySelector('button')?.addEventListener('click', () => {
    goOn()
    field.form?.requestSubmit()
  })
  begin()
  return {
    settle: () => found,
    leave() {
      clearTimeout(renewal)
      left.abort()
    },
  }
}
