import { spawn } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { DomainError } from '../domain/errors.ts'
import {
  MAX_PHOTO_BYTES,
  isPhotoKind,
  photoRejected,
  photosUnavailable,
  sniffPhoto,
} from '../domain/photo.ts'
import { ANSWER_HEADER_BYTES, FRAME_HEADER_BYTES, KINDS, READY, STATUS } from './photo-protocol.ts'
import type { PhotoDecoder, PhotoKind, PhotoRefusal, WorkingPhoto } from '../domain/photo.ts'

export interface PhotoDecoderOptions {
  /** Worker processes at most, each with one photo at a time; more photos wait. Default 2. */
  readonly concurrency?: number
  /** Milliseconds a photo may take before its process is killed. Default 15,000 (the worker itself stops at 10 s). */
  readonly timeoutMs?: number
  /** Memory a worker may write to, in MiB (on Linux; elsewhere only the pixel limits hold). Default 512. */
  readonly memoryMb?: number
  /** Milliseconds an unused worker stays warm. Default 300,000. */
  readonly idleMs?: number
  /**
   * The worker's source file, run by this same Node. The default holds when this module runs from its own folder; a
   * bundled server passes the path of `src/adapters/photo-worker.ts` below the project root, where `sharp` resolves.
   */
  readonly workerPath?: string
  /** Told why a worker did not start, for the operator. */
  readonly report?: (error: unknown) => void
}

/** Longest answer believed: a working copy is a few MB at most. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024
/** Start-up of Node and sharp on a slow, busy machine. */
const START_MS = 30_000
/** V8 sets aside this much for machine code and the kernel counts it as data, though almost none is ever touched. */
const RESERVED_MB = 512

/**
 * Decodes photos in processes of their own, so that a crash, a loop or a takeover of a decoder stays outside the
 * server. A worker gets no environment of ours, may write no file, and is killed after any photo it could not decode.
 * Bytes travel by pipe, never by file. Workers start with the first photo and stay warm for a while.
 *
 * Memory: `RLIMIT_DATA` through the shell's `ulimit -d`. A limit on address space would not do, since V8 reserves far
 * more than it uses. A photo that needs more ends its worker and is refused as damaged.
 */
export function createPhotoDecoder(options: PhotoDecoderOptions = {}): PhotoDecoder {
  const { concurrency = 2, timeoutMs = 15_000, idleMs = 300_000 } = options
  const idle: PhotoWorker[] = []
  const live = new Set<PhotoWorker>()
  const waiting: (() => void)[] = []
  let running = 0
  let closed = false

  const start = () => {
    const worker = startWorker(options)
    live.add(worker)
    void worker.gone.then(() => {
      live.delete(worker)
      const at = idle.indexOf(worker)
      if (at >= 0) idle.splice(at, 1)
    })
    return worker
  }

  const rest = (worker: PhotoWorker) => {
    if (closed) return worker.kill()
    idle.push(worker)
    worker.retireAfter(idleMs)
  }

  return {
    async decode(bytes) {
      const { kind } = sniffPhoto(bytes)
      if (!isPhotoKind(kind)) throw photoRejected(kind)
      if (bytes.length > MAX_PHOTO_BYTES) throw photoRejected('too-large')

      // A finishing job hands its place over, so a newcomer cannot slip in between.
      if (running < concurrency) running++
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        if (closed) throw shuttingDown()
        const worker = idle.pop() ?? start()
        try {
          const photo = await worker.run(bytes, kind, timeoutMs)
          rest(worker)
          return photo
        } catch (error) {
          worker.kill()
          throw closed ? shuttingDown() : error
        }
      } finally {
        const next = waiting.shift()
        if (next) next()
        else running--
      }
    },

    async close() {
      closed = true
      for (const worker of live) worker.kill()
      await Promise.all([...live].map((worker) => worker.gone))
    },
  }
}

const shuttingDown = () => new DomainError('intake-closed', '系统正在重新启动，请过一分钟再上传。')

interface PhotoWorker {
  run(bytes: Uint8Array, kind: PhotoKind, timeoutMs: number): Promise<WorkingPhoto>
  retireAfter(ms: number): void
  kill(): void
  readonly gone: Promise<void>
}

function startWorker({ memoryMb = 512, workerPath, report }: PhotoDecoderOptions): PhotoWorker {
  const child = spawnLimited(
    [
      '--max-old-space-size=96',
      '--v8-pool-size=1',
      '--permission',
      '--allow-addons',
      '--allow-fs-read=*',
      '--disable-warning=SecurityWarning',
      workerPath ?? fileURLToPath(new URL('./photo-worker.ts', import.meta.url)),
    ],
    memoryMb,
  )
  const input = child.stdio[0] as Writable
  const output = child.stdio[3] as Readable
  // A killed worker breaks the pipe; the job learns it from the end of the output.
  input.on('error', () => {})
  output.on('error', () => {})

  // Only what is said before the first photo is kept: why sharp would not load, never anything about a photo.
  let complaint = ''
  let ready = false
  child.stderr?.on('data', (chunk: Buffer) => {
    if (!ready && complaint.length < 2000) complaint += chunk.toString('utf8')
  })
  const gone = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
    child.once('error', (error) => {
      complaint ||= error.message
      resolve()
    })
  })
  let retirement: NodeJS.Timeout | undefined
  const kill = () => {
    clearTimeout(retirement)
    child.kill('SIGKILL')
  }
  const answers = answersFrom(output)

  const exchange = async (bytes: Uint8Array, kind: PhotoKind, timeoutMs: number): Promise<WorkingPhoto> => {
    if (!ready) {
      const first = await withDeadline(answers.read(READY.length), START_MS, kill)
      if (first?.[0] !== READY[0]) {
        await gone
        report?.(new Error(`The photo worker did not start: ${complaint.trim() || 'no message'}`))
        throw photosUnavailable()
      }
      ready = true
    }
    let late = false
    const header = Buffer.alloc(FRAME_HEADER_BYTES)
    header.writeUInt32BE(bytes.length, 0)
    header.writeUInt8(KINDS.indexOf(kind), 4)
    input.write(header)
    input.write(bytes)
    const photo = await withDeadline(readAnswer(answers), timeoutMs, () => {
      late = true
      kill()
    })
    if (!photo) throw photoRejected(late ? 'too-slow' : 'damaged')
    return photo
  }

  return {
    run(bytes, kind, timeoutMs) {
      clearTimeout(retirement)
      return exchange(bytes, kind, timeoutMs)
    },
    retireAfter(ms) {
      retirement = setTimeout(kill, ms).unref()
    },
    kill,
    gone,
  }
}

/** Node under a limit on writable memory, with an environment that holds nothing of the server's. */
function spawnLimited(args: readonly string[], memoryMb: number): ChildProcess {
  const settings = {
    cwd: '/',
    env: {
      NODE_ENV: 'production',
      UV_THREADPOOL_SIZE: '2',
      MALLOC_ARENA_MAX: '2',
      VIPS_BLOCK_UNTRUSTED: '1',
      // libvips must not spill a large picture into a temporary file: it has no size to do so and nowhere to go.
      VIPS_DISC_THRESHOLD: '100g',
      TMPDIR: '/nonexistent',
    },
    stdio: ['pipe', 'ignore', 'pipe', 'pipe'] as ('pipe' | 'ignore')[],
  }
  const script = 'ulimit -d "$0" 2>/dev/null; ulimit -c 0 2>/dev/null; exec "$@"'
  const child =
    process.platform === 'linux'
      ? spawn(
          '/bin/sh',
          ['-c', script, String((memoryMb + RESERVED_MB) * 1024), process.execPath, ...args],
          settings,
        )
      : spawn(process.execPath, args, settings)
  // Pictures wait for words, not the other way round. Not allowed everywhere, and then no harm.
  try {
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {}
  return child
}

interface Answers {
  /** Exactly `length` bytes, or null when the worker ends before. */
  read(length: number): Promise<Buffer | null>
}

function answersFrom(output: Readable): Answers {
  const chunks = output[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>
  let rest: Buffer = Buffer.alloc(0)
  return {
    async read(length) {
      const parts = [rest]
      let have = rest.length
      while (have < length) {
        const next = await chunks.next().catch(() => ({ done: true, value: undefined }))
        if (next.done || !next.value) return null
        parts.push(next.value)
        have += next.value.length
      }
      const all = parts.length === 1 ? rest : Buffer.concat(parts)
      rest = all.subarray(length)
      return all.subarray(0, length)
    },
  }
}

async function readAnswer(answers: Answers): Promise<WorkingPhoto | null> {
  const header = await answers.read(ANSWER_HEADER_BYTES)
  if (!header) return null
  const length = header.readUInt32BE(9)
  if (length > MAX_ANSWER_BYTES) return null
  const payload = await answers.read(length)
  if (!payload) return null
  if (header.readUInt8(0) !== STATUS.done) throw photoRejected(refusalNamed(payload.toString('latin1')))
  // What comes back is checked like what came in: a taken-over worker still cannot hand us anything but a JPEG.
  if (sniffPhoto(payload).kind !== 'jpeg') return null
  return { working: payload, width: header.readUInt32BE(1), height: header.readUInt32BE(5) }
}

const FROM_WORKER: readonly PhotoRefusal[] = [
  'unknown',
  'animated',
  'too-many-pixels',
  'too-long',
  'too-slow',
]

function refusalNamed(name: string): PhotoRefusal {
  return FROM_WORKER.find((reason) => reason === name) ?? 'damaged'
}

async function withDeadline<T>(work: Promise<T>, ms: number, onLate: () => void): Promise<T> {
  const timer = setTimeout(onLate, ms)
  try {
    return await work
  } finally {
    clearTimeout(timer)
  }
}
