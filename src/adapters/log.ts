/** Lines for the operator. Names and ids only: no text of a tip, address, code, query or cookie ever gets here. */
export interface Log {
  info(message: string, facts?: Record<string, string | number>): void
  error(error: unknown, facts?: Record<string, string | number>): void
}

const FRAMES = 12
// Where the code stands: a file of ours and a position. What else a frame may hold (an eval's text) is left out.
const FRAME = /^\s+at (?:[\w$.<>#\[\] ]+ \()?(?:file:\/\/|node:|\/)[\w$./@+~-]*(?::\d+){0,2}\)?$/
const NAME = /^[A-Z][A-Za-z]{0,40}$/
const CODE = /^[A-Z0-9_]{1,40}$/

/** The frames of a stack; its message is cut off first, since a line of it may look like a frame. */
function framesOf(stack: string, message = ''): string[] {
  const begin = message === '' ? 0 : stack.indexOf(message) + message.length
  return stack
    .slice(begin)
    .split('\n')
    .filter((row) => FRAME.test(row))
    .slice(0, FRAMES)
}

/**
 * An error by an allow-list: its class, its code, where it was thrown. Never its message, detail, query, cause or
 * anything else it carries: those may quote what a citizen typed.
 */
export function factsOf(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error }
  const { code } = error as { code?: unknown }
  return {
    name: NAME.test(error.name) ? error.name : 'Error',
    ...(typeof code === 'string' && CODE.test(code) ? { code } : {}),
    frames: framesOf(error.stack ?? '', error.message),
  }
}

const line = (fields: Record<string, unknown>): string => `${JSON.stringify(fields)}\n`

/** JSON lines on the two standard streams. An error is told by {@link factsOf}. */
export function createLog(): Log {
  return {
    info: (message, facts = {}) => void process.stdout.write(line({ level: 'info', message, ...facts })),
    error: (error, facts = {}) =>
      void process.stderr.write(line({ level: 'error', ...factsOf(error), ...facts })),
  }
}

/** What a library says, without its words: the class and frames of its errors, the frames of a printed stack. */
function withoutWords(args: readonly unknown[]): Record<string, unknown> {
  const error = args.find((arg) => arg instanceof Error)
  if (error) return factsOf(error)
  return { name: 'console', frames: framesOf(args.filter((arg) => typeof arg === 'string').join('\n')) }
}

/**
 * From here on nothing else in this process gets its words onto the standard streams: what libraries print (Astro an
 * error's whole stack, the server adapter an error as it is) is told as {@link factsOf} tells it, and so is what
 * ends the process.
 */
export function guardStreams(): void {
  const guarded =
    (level: 'info' | 'error', stream: NodeJS.WriteStream) =>
    (...args: unknown[]): void =>
      void stream.write(line({ level, ...withoutWords(args) }))
  const error = guarded('error', process.stderr)
  const info = guarded('info', process.stdout)
  Object.assign(console, {
    error,
    warn: error,
    trace: error,
    assert: (ok: unknown, ...args: unknown[]) => {
      if (!ok) error(...args)
    },
    log: info,
    // The server adapter's word for a request that was given up: a line for it would tell when.
    info: () => {},
    debug: info,
    dir: info,
    table: info,
  })
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    error(warning)
  })
  const end = (cause: unknown): void => {
    error(cause)
    process.exit(1)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}
