import { readConfig } from '../config.ts'
import type { Runtime } from '../runtime.ts'

/**
 * Puts the program together for one piece of work and closes it again. The program is loaded here, so that `--help`
 * does not wait for a database engine.
 * @throws {ConfigError} for a wrong setting
 * @throws {DataLockedError} while a server runs on the embedded database
 */
export async function withRuntime<T>(
  work: (runtime: Runtime) => Promise<T>,
  options?: { readonly createSecrets: boolean },
): Promise<T> {
  const { createRuntime } = await import('../runtime.ts')
  const runtime = await createRuntime(readConfig(process.env), options)
  try {
    return await work(runtime)
  } finally {
    await runtime.close()
  }
}
