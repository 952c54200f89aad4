import type { Deps } from './ports.ts'
import { createRetentionDestroying, type RetentionDestroying } from './retention/destroying.ts'
import { createRetentionFates } from './retention/fates.ts'
import { createRetentionKeeping, type RetentionKeeping } from './retention/keeping.ts'
import { createRetentionTerms, type RetentionTerms } from './retention/terms.ts'
import type { Sessions } from './sessions.ts'
import type { WrapLocks } from './wrap-locks.ts'

export type { CaseRetention } from './retention/terms.ts'

/** What is kept, how long, and its end. */
export type Retention = RetentionTerms & RetentionKeeping & RetentionDestroying

export function createRetention(deps: Deps, locks: WrapLocks, sessions: Sessions): Retention {
  const fates = createRetentionFates(deps)
  return {
    ...createRetentionTerms(deps, fates),
    ...createRetentionKeeping(deps, fates, sessions),
    ...createRetentionDestroying(deps, fates, locks),
  }
}
