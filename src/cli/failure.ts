/** Failures that the operator can mend; their message says how, so a stack would only hide it. */
const OPERATORS = /^(?:ConfigError|DataLockedError|ServerSecretsError|StartError|DomainError)/

/** Codes of a database that does not answer or does not let us in (Node's and PostgreSQL's). */
const UNREACHABLE =
  /^(?:ECONNREFUSED|ECONNRESET|EAI_AGAIN|EHOSTUNREACH|ENOTFOUND|ETIMEDOUT|28\w{3}|3D000|57P03)$/

/** Codes of a folder that takes no more, or nothing from us. */
const UNWRITABLE = /^(?:ENOSPC|EDQUOT|EROFS|EACCES|EPERM)$/

/** The program cannot start; the message is one line for the operator. */
export class StartError extends Error {}

/**
 * What to print for a failure: one line for what the operator can mend, the stack for a bug. Classes are known by
 * name, since the built program carries copies of its own.
 */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { advice } = error as { advice?: unknown }
  if (typeof advice === 'string') return advice
  if (OPERATORS.test(error.constructor.name)) return error.message
  const { code } = error as { code?: unknown }
  if (typeof code === 'string' && UNREACHABLE.test(code)) {
    return `DATABASE_URL: the database does not answer or refuses (${code})`
  }
  if (typeof code === 'string' && UNWRITABLE.test(code)) {
    return `DATA_DIR: cannot be written (${code})`
  }
  if (error.message === 'PGlite failed to initialize properly') {
    return 'DATA_DIR: the embedded database does not start; is there room on the disk?'
  }
  return error.stack ?? error.message
}
