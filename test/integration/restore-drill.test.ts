import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMemoryFiles } from '../../src/adapters/memory-files.ts'
import { createDiskShredKeys } from '../../src/adapters/disk-shred-keys.ts'
import type { Db } from '../../src/db/connect.ts'
import type { Day } from '../../src/domain/day.ts'
import { openGrant } from '../../src/sealing/department-keys.ts'
import { openPart } from '../../src/sealing/envelope.ts'
import { unwrapTipKey } from '../../src/sealing/tip-keys.ts'
import type { FileStore } from '../../src/services/file-store.ts'
import { createServices } from '../../src/services/index.ts'
import type { ShredKeys } from '../../src/services/shred-keys.ts'
import { createTipWraps } from '../../src/services/tip-wraps.ts'
import { createWrapLocks } from '../../src/services/wrap-locks.ts'
import { openTestApp, type TestApp, type TestMember } from '../support/app.ts'
import { backUpDatabase, backUpFiles, restoreDatabase, type DatabaseBackup } from '../support/backup.ts'
import { fileTip, noonAfter, publishCase, staffOf, type Filed } from '../support/closed-case.ts'
import { openTestDatabase, type TestDatabase } from '../support/database.ts'
import { png } from '../support/images.ts'

const FILED: Day = '2026-11-23'
const WORDS = '锅炉冒黑烟，气味很大，从早上开始。'

let now = noonAfter(FILED, 0)
const files = createMemoryFiles(() => now)
let home = ''
let app: TestApp
let restored: TestDatabase
let officer: TestMember
let destroyed: Filed
let alive: Filed
let backup: { database: DatabaseBackup; files: FileStore; wraps: ShredKeys }
/** Everything that can be had today: each department's secrets, by the escrow and by a member. */
const secrets: { department: string; epoch: number; identity: string }[] = []

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'lantian-drill-'))
  const shredKeys = createDiskShredKeys(join(home, 'wraps'))
  app = await openTestApp({ files, now: () => now, shredKeys })
  const staff = await staffOf(app)
  officer = staff.officer
  await app.services.keys.grantFromEscrow(app.escrowIdentity, officer.session.username)
  destroyed = await fileTip(app, { description: WORDS }, [await png(16, 16)])
  alive = await fileTip(app, { description: WORDS }, [await png(16, 16)])
  await publishCase(app, staff, destroyed.caseNo)
  now = noonAfter(FILED, 60)
  await app.services.cases.tick()

  // The order of README: database, blobs, then the keys of wraps by themselves.
  const [database, blobs] = [await backUpDatabase(app.database.db), await backUpFiles(files)]
  cpSync(join(home, 'wraps'), join(home, 'backup'), { recursive: true })
  backup = { database, files: blobs, wraps: createDiskShredKeys(join(home, 'backup')) }
  now = noonAfter(FILED, 500)
  expect(await createServices(app.deps).retention.run()).toBe(1)

  restored = await openTestDatabase()
  await restoreDatabase(restored.db, backup.database)
  for (const { id } of (await app.deps.plan.current()).plan.departments) {
    for (const { epoch, wrapped } of await app.services.keys.escrowGrants(id)) {
      const identity = await openGrant({ department: id, epoch }, wrapped, app.escrowIdentity)
      secrets.push({ department: id, epoch, identity })
    }
  }
  for (const grant of await app.services.keys.grantsFor(officer.session.memberId)) {
    const address = { department: grant.departmentId, epoch: grant.epoch }
    secrets.push({ ...address, identity: await openGrant(address, grant.wrapped, officer.identity) })
  }
})
afterAll(async () => {
  await restored.close()
  await app.close()
  rmSync(home, { recursive: true, force: true })
})

/** All of a tip that opens with the keys there are: from the rows as they are, and through the store of keys. */
async function read(db: Db, blobs: FileStore, shredKeys: ShredKeys, { tipId }: Filed): Promise<string[]> {
  const raw = await db.selectFrom('tip_wrap').selectAll().where('tip_id', '=', tipId).execute()
  const wraps = [
    ...(await createTipWraps(db, createWrapLocks({ ...app.deps, db, shredKeys })).of([tipId])),
    ...raw.map(({ department_id: department, epoch, wrapped }) => ({ department, epoch, wrapped })),
  ]
  const identities = new Set<string>()
  for (const { department, epoch, wrapped } of wraps) {
    for (const secret of secrets) {
      const address = { tip: tipId, department, epoch }
      const identity = await unwrapTipKey(address, wrapped, secret.identity).catch(() => null)
      if (identity !== null) identities.add(identity)
    }
  }
  const opened: string[] = []
  const parts = await db.selectFrom('tip_part').selectAll().where('tip_id', '=', tipId).execute()
  for (const { purpose, part, sealed, blob_key: key } of parts) {
    const bytes = sealed ?? (key === null ? null : await blobs.get(key))
    for (const identity of identities) {
      if (bytes === null) continue
      const plain = await openPart({
        identity,
        tip: tipId,
        part,
        purpose: purpose as 'tip.narrative',
        sealed: bytes,
      }).catch(() => null)
      if (plain === null) continue
      if (purpose === 'tip.narrative') expect(Buffer.from(plain).toString('utf8')).toContain(WORDS)
      opened.push(purpose)
    }
  }
  return opened.sort()
}

const WHOLE = ['tip.narrative', 'tip.original', 'tip.photo']

describe('a backup of the database from before a tip was destroyed', () => {
  it('holds its rows and its blobs', async () => {
    const parts = await restored.db
      .selectFrom('tip_part')
      .select('purpose')
      .where('tip_id', '=', destroyed.tipId)
      .execute()
    expect(parts.map(({ purpose }) => purpose).sort()).toEqual(WHOLE)
    const wraps = await restored.db
      .selectFrom('tip_wrap')
      .select('department_id')
      .where('tip_id', '=', destroyed.tipId)
      .execute()
    expect(wraps).toHaveLength(2)
  })

  it('opens nothing of it with every key there is, and all of a tip that lives', async () => {
    expect(secrets).toHaveLength(42)
    expect(await read(restored.db, backup.files, app.deps.shredKeys, destroyed)).toEqual([])
    expect(await read(restored.db, backup.files, app.deps.shredKeys, alive)).toEqual(WHOLE)
  })

  it('would open it with a backup of the wraps’ keys from then: that is why those live a week', async () => {
    expect(await read(restored.db, backup.files, backup.wraps, destroyed)).toEqual(WHOLE)
  })

  it('serves a site again: the page of the destroyed tip is no error, and the next night ends it anew', async () => {
    const deps = { ...app.deps, db: restored.db, files: backup.files }
    const services = createServices(deps)
    expect(await services.readiness.check()).toEqual({ ready: true, reasons: [] })
    const { tips } = await services.cases.detail(officer.session, destroyed.caseNo)
    expect(tips[0]?.wrap).toBeNull()
    expect((await services.cases.detail(officer.session, alive.caseNo)).tips[0]?.wrap).not.toBeNull()
    expect(await services.retention.run()).toBe(1)
    expect((await services.cases.detail(officer.session, destroyed.caseNo)).retention.destroyedDay).toBe(
      '2028-04-06',
    )
  })
})
