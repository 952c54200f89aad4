import type { Migration } from 'kysely/migration'
import * as initial from './20261124T0500-initial.ts'
import * as readingIndexes from './20261125T0800-reading-indexes.ts'
import * as notices from './20261125T0900-notices.ts'
import * as rewards from './20261125T0900-rewards.ts'
import * as spentProof from './20261125T1000-spent-proof.ts'
import * as secondFactor from './20261125T1200-second-factor.ts'
import * as upload from './20261125T1305-upload.ts'
import * as recipientEntry from './20261125T1310-recipient-entry.ts'
import * as retention from './20261125T1310-retention.ts'
import * as claimPin from './20261125T1320-claim-pin.ts'
import * as identity from './20261125T1320-identity.ts'
import * as message from './20261125T1320-message.ts'
import * as auditChain from './20261125T1340-audit-chain.ts'
import * as vouch from './20261129T1120-vouch.ts'
import * as boundKeys from './20261129T1130-bound-keys.ts'

/** Every migration by name, in order of its name. Frozen once landed. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '20261124T0500-initial': initial,
  '20261125T0800-reading-indexes': readingIndexes,
  '20261125T0900-notices': notices,
  '20261125T0900-rewards': rewards,
  '20261125T1000-spent-proof': spentProof,
  '20261125T1200-second-factor': secondFactor,
  '20261125T1305-upload': upload,
  '20261125T1310-recipient-entry': recipientEntry,
  '20261125T1310-retention': retention,
  '20261125T1320-claim-pin': claimPin,
  '20261125T1320-identity': identity,
  '20261125T1320-message': message,
  '20261125T1340-audit-chain': auditChain,
  '20261129T1120-vouch': vouch,
  '20261129T1130-bound-keys': boundKeys,
}
