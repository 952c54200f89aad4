import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { MIGRATIONS } from '../../db/migrations/index.ts'
import { createAuditMarks } from '../../src/adapters/audit-marks.ts'
import type { Db } from '../../src/db/connect.ts'
import { migrate } from '../../src/db/migrate.ts'
import { recordAudit } from '../../src/services/audit.ts'
import { createAuditTrail, type AuditTrail } from '../../src/services/audit-trail.ts'
import type { AuditMarks } from '../../src/services/ports.ts'
import { openEmptyDatabase, openTestDatabase, type TestDatabase } from '../support/database.ts'

const NOW = new Date('2026-11-25T05:00:00.123Z')
const clock = { now: () => NOW }

let database: TestDatabase
let db: Db
let folder: string
let marks: AuditMarks
let trail: AuditTrail

const act = (object: string, tx: Db = db): Promise<void> =>
  recordAudit(tx, {
    at: NOW,
    memberId: null,
    role: 'admin',
    action: 'member.invite',
    object,
    data: { 数: 1, a: ['x', { z: null, b: 2 }] },
  })

async function actTimes(count: number): Promise<void> {
  for (let no = 1; no <= count; no += 1) await act(`member-${no}`)
}

beforeAll(async () => {
  database = await openTestDatabase()
  db = database.db
})

afterAll(async () => {
  await database.close()
})

beforeEach(async () => {
  await sql`truncate staff_audit, audit_head restart identity`.execute(db)
  folder = mkdtempSync(join(tmpdir(), 'lantian-audit-'))
  marks = createAuditMarks(join(folder, 'keys', 'audit-heads.jsonl'))
  trail = createAuditTrail({ db, clock, auditMarks: marks })
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

describe('the trail of staff actions', () => {
  it('is whole before anybody has done anything', async () => {
    await trail.mark()
    expect(await trail.check(null)).toMatchObject({ count: 0, unbrokenTo: 0, marks: 0, intact: true })
  })

  it('holds, over more rows than are read at once, and agrees with what was noted', async () => {
    await actTimes(3)
    await trail.mark()
    await trail.mark()
    await db.transaction().execute(async (tx) => {
      for (let no = 0; no < 1000; no += 1) await act(`member-${no}`, tx)
    })
    await trail.mark()
    expect(await trail.check(null)).toEqual({
      count: 1003,
      unbrokenTo: 1003,
      fault: null,
      marks: 2,
      lastMark: { at: NOW, count: 1003, hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
      contradicted: null,
      unreadable: 0,
      events: { since: null, same: 0, faults: [] },
      intact: true,
    })
  })

  it('leaves no trace of an action that was rolled back, nor a gap', async () => {
    await act('one')
    await expect(
      db.transaction().execute(async (tx) => {
        await act('two', tx)
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    await act('three')
    expect(await trail.check(null)).toMatchObject({ count: 2, unbrokenTo: 2, intact: true })
  })

  it('is one chain however many act at once', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, no) => act(`member-${no}`)))
    const rows = await db.selectFrom('staff_audit').select(['no', 'object']).orderBy('no').execute()
    expect(rows.map(({ no }) => no)).toEqual(Array.from({ length: 20 }, (_, no) => no + 1))
    expect(new Set(rows.map(({ object }) => object)).size).toBe(20)
    expect(await trail.check(null)).toMatchObject({ unbrokenTo: 20, intact: true })
  })

  it('is read by auditor and administrator only', async () => {
    await expect(trail.check({ roles: ['officer'] })).rejects.toMatchObject({ code: 'forbidden' })
    expect((await trail.check({ roles: ['auditor'] })).intact).toBe(true)
  })
})

/** What somebody does who can write the database, to six rows of which five were noted. */
const TAMPERING: readonly {
  readonly what: string
  readonly statements: readonly string[]
  readonly finds: Record<string, unknown>
}[] = [
  ...["object = 'x'", "action = 'x'", 'role = null', "data = '{}'", "at = at + interval '1 hour'"].map(
    (set) => ({
      what: `changes a row (${set})`,
      statements: [`update staff_audit set ${set} where no = 3`],
      finds: { unbrokenTo: 2, fault: 'changed' },
    }),
  ),
  {
    what: 'deletes a row in the middle',
    statements: ['delete from staff_audit where no = 3'],
    finds: { unbrokenTo: 2, fault: 'missing' },
  },
  {
    what: 'deletes a row and closes the gap',
    statements: [
      'delete from staff_audit where no = 3',
      'update staff_audit set no = -no where no > 3',
      'update staff_audit set no = -no - 1 where no < 0',
    ],
    finds: { unbrokenTo: 2, fault: 'order' },
  },
  {
    what: 'exchanges two rows',
    statements: [
      'update staff_audit set no = -3 where no = 3',
      'update staff_audit set no = 3 where no = 4',
      'update staff_audit set no = 4 where no = -3',
    ],
    finds: { unbrokenTo: 2, fault: 'order' },
  },
  {
    what: 'exchanges what two rows say',
    statements: [
      `update staff_audit set object = case no when 3 then 'member-4' else 'member-3' end where no in (3, 4)`,
    ],
    finds: { unbrokenTo: 2, fault: 'changed' },
  },
  {
    what: 'cuts off the last row, which was not noted',
    statements: ['delete from staff_audit where no = 6'],
    finds: { unbrokenTo: 5, fault: 'missing', contradicted: null },
  },
  {
    what: 'cuts off noted rows and sets the end back',
    statements: [
      'delete from staff_audit where no > 3',
      'update audit_head set count = 3, hash = (select hash from staff_audit where no = 3)',
    ],
    finds: { count: 5, unbrokenTo: 3, fault: 'missing', contradicted: { count: 5 } },
  },
  {
    what: 'empties the table, its end with it',
    statements: ['truncate staff_audit, audit_head'],
    finds: { count: 5, unbrokenTo: 0, fault: 'missing', contradicted: { count: 5 } },
  },
  {
    what: 'takes noted rows away as if they were old',
    statements: ['update audit_head set gone = count, gone_hash = hash', 'delete from staff_audit'],
    finds: { fault: null, contradicted: { count: 5 } },
  },
  {
    what: 'sets back the end alone',
    statements: ['update audit_head set count = 5, hash = (select hash from staff_audit where no = 5)'],
    finds: { unbrokenTo: 6, fault: 'order' },
  },
]

describe('the trail tells of somebody who', () => {
  beforeEach(async () => {
    await actTimes(5)
    await trail.mark()
    await act('member-6')
  })

  it.each(TAMPERING)('$what', async ({ statements, finds }) => {
    expect((await trail.check(null)).intact).toBe(true)
    for (const statement of statements) await sql.raw(statement).execute(db)
    const state = await trail.check(null)
    expect(state).toMatchObject(finds)
    expect(state.intact).toBe(false)
  })

  it('writes the whole trail anew, with hashes that fit', async () => {
    await sql`truncate staff_audit, audit_head`.execute(db)
    for (const name of ['member-1', 'member-2', 'somebody-else', 'member-4', 'member-5', 'member-6'])
      await act(name)
    expect(await trail.check(null)).toMatchObject({
      unbrokenTo: 6,
      fault: null,
      contradicted: { count: 5 },
      intact: false,
    })
  })

  it('spoils a note, and is continued all the same', async () => {
    const path = join(folder, 'keys', 'audit-heads.jsonl')
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 40))
    await trail.check(null)
    await trail.mark()
    await createAuditTrail({ db, clock, auditMarks: marks }).mark()
    await act('member-7')
    await createAuditTrail({ db, clock, auditMarks: marks }).mark()
    expect(await trail.check(null)).toMatchObject({ unreadable: 1, marks: 2, intact: false, fault: null })
  })
})

describe('a trail from before it was a chain', () => {
  it('is chained as it was written', async () => {
    const empty = await openEmptyDatabase()
    try {
      const chain = '20261125T1340-audit-chain'
      await migrate(empty.db)
      await MIGRATIONS[chain]?.down?.(empty.db)
      for (let no = 1; no <= 3; no += 1) {
        await sql`insert into staff_audit (at, member_id, role, action, object, data)
          values (${NOW}, null, null, 'sign-in', ${`member-${no}`}, ${JSON.stringify({ b: 1, 甲: { d: 1, c: [] } })})`.execute(
          empty.db,
        )
      }
      await MIGRATIONS[chain]?.up(empty.db)
      const after = createAuditTrail({ db: empty.db, clock, auditMarks: marks })
      expect(await after.check(null)).toMatchObject({ count: 3, unbrokenTo: 3, intact: true })
      await act('member-4', empty.db)
      expect(await after.check(null)).toMatchObject({ count: 4, unbrokenTo: 4, intact: true })
    } finally {
      await empty.close()
    }
  })
})
