/** Lines for the operator. Names and ids only: no text of a tip, address, code, query or cookie ever gets here. */
export interface Log {
  info(message: string, facts?: Record<string, string | number>): void
  error(error: unknown, facts?: Record<string, string | number>): void
}

/** JSON lines on the two standard streams. An error is told by its class and stack frames, never its message. */
export function createLog(): Log {
  const line = (fields: Record<string, unknown>): string => `${JSON.stringify(fields)}\n`
  return {
    info: (message, facts = {}) => void process.stdout.write(line({ level: 'info', message, ...facts })),
    error: (error, facts = {}) => {
      const frames =
        error instanceof Error ? (error.stack ?? '').split('\n').filter((row) => /^\s+at /.test(row)) : []
      const name = error instanceof Error ? error.name : typeof error
      const code = (error as { code?: unknown } | null)?.code
      process.stderr.write(
        line({
          level: 'error',
          name,
          ...(typeof code === 'string' ? { code } : {}),
          frames: frames.slice(0, 12),
          ...facts,
        }),
      )
    },
  }
}
