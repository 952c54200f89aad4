import { createAuditTrail, type AuditTrail } from './audit-trail.ts'
import { createAccount, type Account } from './account.ts'
import { createCases, type Cases } from './cases.ts'
import { createDrafts, type Drafts } from './drafts.ts'
import { createFactors, type Factors } from './factors.ts'
import { createFollowMail, type FollowMail } from './follow-mail.ts'
import { createGate, type Gate } from './gate.ts'
import { createFormTokens, type FormTokens } from './form-tokens.ts'
import { createIdentity, type Identity } from './identity.ts'
import { createKeys, type Keys } from './keys.ts'
import { createRateLimits, type RateLimits } from './limits.ts'
import { createLists, type Lists } from './lists.ts'
import { createOffline, type Offline } from './offline.ts'
import { createPasskeys, type Passkeys } from './passkeys.ts'
import { createNotices, type Notices } from './notices.ts'
import { createPhotos, type Photos } from './photos.ts'
import type { PlanStore } from './plan-store.ts'
import type { Deps } from './ports.ts'
import { createReadiness, type Readiness } from './readiness.ts'
import { createReading, type Reading } from './reading.ts'
import { createReceipts, type Receipts } from './receipts.ts'
import { createRecipients, type Recipients } from './recipients.ts'
import { createRetention, type Retention } from './retention.ts'
import { createRewardRules, type RewardRules } from './reward-rules.ts'
import { createRewards, type Rewards } from './rewards.ts'
import { createRotations, type Rotations } from './rotations.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { createSignIn, type SignIn } from './sign-in.ts'
import { createSlowDowns } from './slow-down.ts'
import { createStaff, type Staff } from './staff.ts'
import { createTipWraps } from './tip-wraps.ts'
import { createTips, type Tips } from './tips.ts'
import { createUploads, type Uploads } from './uploads.ts'
import { createUpkeep, type Upkeep } from './upkeep.ts'
import type { DataVersions } from './versions.ts'
import { createWrapLocks } from './wrap-locks.ts'

/** Every verb of the program. Pages and the API get this and nothing below it. */
export interface Services {
  readonly plan: PlanStore
  readonly versions: DataVersions
  readonly formTokens: FormTokens
  readonly gate: Gate
  readonly limits: RateLimits
  readonly reading: Reading
  readonly lists: Lists
  readonly tips: Tips
  readonly photos: Photos
  readonly drafts: Drafts
  readonly uploads: Uploads
  readonly receipts: Receipts
  readonly followMail: FollowMail
  readonly cases: Cases
  readonly rewardRules: RewardRules
  readonly rewards: Rewards
  readonly staff: Staff
  readonly signIn: SignIn
  readonly sessions: Sessions
  readonly factors: Factors
  readonly passkeys: Passkeys
  readonly account: Account
  readonly keys: Keys
  readonly recipients: Recipients
  readonly identity: Identity
  readonly rotations: Rotations
  readonly offline: Offline
  readonly auditTrail: AuditTrail
  readonly readiness: Readiness
  readonly notices: Notices
  readonly retention: Retention
  readonly upkeep: Upkeep
}

export function createServices(deps: Deps): Services {
  const sessions = createSessions(deps)
  const passkeys = createPasskeys(deps)
  const slowDowns = createSlowDowns(deps)
  const factors = createFactors(deps, sessions, passkeys, slowDowns)
  const recipients = createRecipients(deps)
  const keys = createKeys(deps, sessions, recipients)
  const locks = createWrapLocks(deps)
  const tipWraps = createTipWraps(deps.db, locks)
  const readiness = createReadiness(deps, keys, locks)
  const uploads = createUploads(deps)
  const tips = createTips(deps, { keys, locks, tipWraps, uploads })
  const photos = createPhotos(deps)
  const gate = createGate(deps)
  const limits = createRateLimits(deps)
  const drafts = createDrafts(deps, tips, photos, gate, limits)
  const retention = createRetention(deps, locks, sessions)
  const cases = createCases(deps, keys, tipWraps, retention)
  const followMail = createFollowMail(deps)
  const rewardRules = createRewardRules(deps)
  const rewards = createRewards(deps, rewardRules, locks)
  const identity = createIdentity(deps, sessions, recipients, locks)
  return {
    plan: deps.plan,
    versions: deps.versions,
    formTokens: createFormTokens(deps),
    gate,
    limits,
    reading: createReading(deps),
    lists: createLists(deps),
    tips,
    photos,
    drafts,
    uploads,
    receipts: createReceipts(deps, { cases, rewards, identity, keys, retention, limits, followMail }),
    followMail,
    cases,
    rewardRules,
    rewards,
    staff: createStaff(deps, factors),
    signIn: createSignIn(deps, sessions, factors, passkeys, slowDowns),
    sessions,
    factors,
    passkeys,
    account: createAccount(deps, sessions, slowDowns),
    keys,
    identity,
    recipients,
    rotations: createRotations(deps, keys, sessions, recipients, tipWraps),
    offline: createOffline(deps, keys, tipWraps),
    auditTrail: createAuditTrail(deps),
    readiness,
    notices: createNotices(deps),
    retention,
    upkeep: createUpkeep(deps, { cases, rewards, drafts, uploads, identity, retention, tipWraps, locks }),
  }
}
