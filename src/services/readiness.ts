import { sql } from 'kysely'
import { isConnectionLoss } from '../db/connect.ts'
import type { Keys } from './keys.ts'
import type { Deps } from './ports.ts'
import { RecipientsRefusedError } from './recipients.ts'

export interface Readiness {
  /** Whether tips can be taken, and if not why, in the public's words. */
  check(): Promise<{ readonly ready: boolean; readonly reasons: readonly string[] }>
  /** Whether something failed because the database was away, even if it is back by now. */
  isOutage(error: unknown): Promise<boolean>
}

export function createReadiness(deps: Pick<Deps, 'db' | 'plan'>, keys: Keys): Readiness {
  async function databaseAnswers(): Promise<boolean> {
    try {
      await sql`select 1`.execute(deps.db)
      return true
    } catch {
      return false
    }
  }
  return {
    isOutage: async (error) => isConnectionLoss(error) || !(await databaseAnswers()),
    async check() {
      if (!(await databaseAnswers())) return { ready: false, reasons: ['数据库暂时没有回应。'] }
      let recipients: Awaited<ReturnType<Keys['recipients']>>
      try {
        recipients = await keys.recipients()
      } catch (error) {
        if (error instanceof RecipientsRefusedError) return { ready: false, reasons: [error.message] }
        throw error
      }
      const { departments } = (await deps.plan.current()).plan
      const without = departments.filter(({ id }) => !recipients.has(id))
      return without.length === 0
        ? { ready: true, reasons: [] }
        : { ready: false, reasons: ['承办单位的密钥还没有全部准备好，举报内容无法密封，所以暂不接收。'] }
    },
  }
}
