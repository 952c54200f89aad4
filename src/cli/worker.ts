import { readConfig } from '../config.ts'

/** A process that works the queue of jobs and answers nobody. */
export interface RunningWorker {
  /** Lets running jobs end, or gives them back to the queue, and closes the database. */
  stop(): Promise<void>
}

/**
 * Works the queue of jobs in this process. It needs no build: the pages are not loaded.
 * @throws {Error} with one line for the operator
 */
export async function startWorker(
  env: Record<string, string | undefined> = process.env,
): Promise<RunningWorker> {
  // Loaded here, as the server loads it: `--help` waits for no database engine.
  const { createRuntime } = await import('../runtime.ts')
  const runtime = await createRuntime(readConfig(env))
  runtime.guardStreams()
  runtime.keepUp()
  return { stop: () => runtime.close() }
}
