import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { connectPostgres, type Db } from '../../src/db/connect.ts'
import { ensurePlan } from '../../src/db/ensure-plan.ts'
import { installJobs } from '../../src/db/job-schema.ts'
import { migrate } from '../../src/db/migrate.ts'
import { addDays, dayOf, startOfDay } from '../../src/domain/day.ts'
import { DISPATCHER_DEPARTMENT } from '../../src/domain/plan.ts'
import { createRuntime } from '../../src/runtime.ts'
import { deriveReceipt } from '../../src/sealing/receipt-keys.ts'
import { createServices } from '../../src/services/index.ts'
import { boundLookupOf } from '../../src/services/lookup.ts'
import { administer, databaseUrl } from '../support/database.ts'
import { createOpener } from '../support/opener.ts'
import { startServer, type TestServer } from '../support/server.ts'
import type { SentTip } from './tips.ts'

/** A database with keys and a data directory, on which servers are started and ended. */
export interface Place {
  readonly dataDir: string
  readonly env: Readonly<Record<string, string>>
  /** Opens what departments can open. */
  readonly escrowIdentity: string
  start(onSpawn?: (pid: number) => void): Promise<TestServer>
}

/** Takes a step that undoes something; all of them are taken after the file's tests, the last first. */
export type Undo = (step: () => unknown) => void

export function undoAfterAll(): Undo {
  const steps: (() => unknown)[] = []
  afterAll(async () => {
    for (const step of steps.reverse()) await step()
  })
  return (step) => steps.push(step)
}

let databases = 0

/** An empty database on a server. */
async function scratchDatabase(undo: Undo, server: string): Promise<string> {
  databases += 1
  const name = `lantian_faults_${process.pid}_${databases}`
  await administer(server, `create database ${name}`)
  undo(() => administer(server, `drop database if exists ${name} with (force)`))
  return databaseUrl(server, name)
}

/**
 * A place of its own, removed afterwards.
 * @param server a PostgreSQL server for a scratch database, or null for the embedded one
 * @param dataDir an empty folder; by default one of its own
 */
export async function openPlace(undo: Undo, server: string | null, dataDir?: string): Promise<Place> {
  const url = server === null ? null : await scratchDatabase(undo, server)
  return preparePlace(url, dataDir ?? temporaryFolder(undo))
}

/**
 * @param url an empty database, or null for the embedded one
 * @param dataDir an empty folder
 * @param fill puts more into the database
 */
export async function preparePlace(
  url: string | null,
  dataDir: string,
  fill: (db: Db) => Promise<void> = () => Promise.resolve(),
): Promise<Place> {
  const env = {
    DATA_DIR: dataDir,
    DEMO: 'off',
    ...(url === null ? {} : { DATABASE_URL: url }),
  }
  if (url !== null) {
    const connection = connectPostgres(url, 1)
    try {
      await migrate(connection.db)
      await ensurePlan(connection.db)
      await installJobs(connection)
    } finally {
      await connection.close()
    }
  }
  const runtime = await createRuntime(readConfig(env), { createSecrets: true })
  try {
    const { escrowIdentity } = await runtime.services.keys.init()
    await fill(runtime.deps.db)
    return {
      dataDir,
      env,
      escrowIdentity,
      start: (onSpawn) => startServer({ dataDir, env, ...(onSpawn ? { onSpawn } : {}) }),
    }
  } finally {
    await runtime.close()
  }
}

/** A folder that is removed afterwards. */
export function temporaryFolder(undo: Undo): string {
  const path = mkdtempSync(join(tmpdir(), 'lantian-faults-'))
  undo(() => {
    rmSync(path, { recursive: true, force: true })
  })
  return path
}

/** Asks with the receipt code alone, as its holder does at `/track/`; answers the case number. */
export async function caseBehind(url: string, code: string): Promise<string | null> {
  const opened = await fetch(`${url}/api/v1/receipts/open`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
  })
  await opened.arrayBuffer()
  if (opened.status !== 200) return null
  const cookie = opened.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const current = await fetch(`${url}/api/v1/receipts/current`, { headers: { cookie } })
  const found = (await current.json()) as { ownCaseNo?: string }
  return found.ownCaseNo ?? null
}

/** Receipts that a server does not know, or answers with another case. */
export async function lostReceipts(url: string, tips: readonly SentTip[]): Promise<string[]> {
  const lost: string[] = []
  const left = tips.filter(({ receipt }) => receipt !== null)
  const ask = async (): Promise<void> => {
    for (let tip = left.pop(); tip; tip = left.pop()) {
      const { receipt, description } = tip
      const caseNo = await caseBehind(url, receipt?.code ?? '')
      if (caseNo === null || (receipt?.caseNo != null && receipt.caseNo !== caseNo)) {
        lost.push(`${description} (${String(receipt?.caseNo)}) is ${String(caseNo)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: 4 }, ask))
  return lost
}

/** What a sender remembers of a tip. */
export type Promised = Pick<SentTip, 'description' | 'photos' | 'receipt'>

/** What a place holds, looked at without a server. */
export interface Inspection {
  readonly cases: number
  readonly photos: number
  /** What is wrong, one line each. */
  readonly complaints: readonly string[]
  /** Blobs that belonged to nobody, or to a form that nobody sent, before the janitor came. */
  readonly leftBlobs: number
}

interface CaseRow {
  readonly case_no: string
  readonly holder_id: string
  readonly tip_id: string | null
  readonly photo_count: number | null
  readonly tips: number
  readonly actions: string[] | null
  readonly wraps: string[] | null
  readonly filings: number
  readonly shown: number
  readonly notices: number
  readonly narratives: number
  readonly copies: number
  readonly originals: number
}

/** Every case whole, and no row that belongs to none. */
async function partialCases(
  db: Db,
): Promise<{ readonly rows: readonly CaseRow[]; readonly complaints: string[] }> {
  const { rows } = await sql<CaseRow>`
    select c.case_no, c.holder_id, t.id as tip_id, t.photo_count,
      (select count(*) from tip where case_id = c.id)::int as tips,
      (select array_agg(action order by ordinal) from case_event where case_id = c.id) as actions,
      (select array_agg(department_id order by department_id) from tip_wrap where tip_id = t.id) as wraps,
      (select count(*) from filing where case_no = c.case_no)::int as filings,
      (select count(*) from public_case where case_no = c.case_no)::int as shown,
      (select count(*) from notice where case_no = c.case_no and kind = 'arrival')::int as notices,
      (select count(*) from tip_part where tip_id = t.id and purpose = 'tip.narrative' and sealed is not null)::int as narratives,
      (select count(*) from tip_part where tip_id = t.id and purpose = 'tip.photo' and blob_key is not null)::int as copies,
      (select count(*) from tip_part where tip_id = t.id and purpose = 'tip.original' and blob_key is not null)::int as originals
    from case_file c left join tip t on t.case_id = c.id`.execute(db)
  const complaints: string[] = []
  const sums = { tip: 0, case_event: 0, tip_wrap: 0, filing: 0, public_case: 0, notice: 0, tip_part: 0 }
  for (const row of rows) {
    const readers = [...new Set([row.holder_id, DISPATCHER_DEPARTMENT])].sort()
    const whole =
      row.tips === 1 &&
      row.actions?.join() === 'receive,route' &&
      row.wraps?.join() === readers.join() &&
      row.filings === 1 &&
      row.shown === 1 &&
      row.notices === 1 &&
      row.narratives === 1 &&
      row.copies === row.photo_count &&
      row.originals === row.photo_count
    if (!whole) complaints.push(`partial case: ${JSON.stringify(row)}`)
    sums.tip += row.tips
    sums.case_event += row.actions?.length ?? 0
    sums.tip_wrap += row.wraps?.length ?? 0
    sums.filing += row.filings
    sums.public_case += row.shown
    sums.notice += row.notices
    sums.tip_part += row.narratives + row.copies + row.originals
  }
  for (const [table, sum] of Object.entries(sums)) {
    const { rows: counted } = await sql<{
      n: number
    }>`select count(*)::int as n from ${sql.table(table)}`.execute(db)
    if (counted[0]?.n !== sum)
      complaints.push(`${table} has ${String(counted[0]?.n)} rows, cases have ${sum}`)
  }
  return { rows, complaints }
}

/**
 * Opens the place without a server and compares it with what its senders know: each receipt leads to its whole case,
 * words and photos open and are what was sent, nothing else is there; then lets nine days pass for the janitor.
 */
export async function inspect(place: Place, tips: readonly Promised[]): Promise<Inspection> {
  const runtime = await createRuntime(readConfig(place.env))
  const { deps } = runtime
  const { db, files } = deps
  try {
    const { rows, complaints } = await partialCases(db)
    const opener = createOpener({ deps, escrowIdentity: place.escrowIdentity })
    const known = new Set<string>()
    let photos = 0
    for (const tip of tips) {
      const complain = (what: string) => complaints.push(`${what}: ${tip.description}`)
      if (!tip.receipt) continue
      const lookup = boundLookupOf(deps.secrets.lookup, (await deriveReceipt(tip.receipt.code)).auth)
      const found = await db.selectFrom('tip').select('id').where('lookup', '=', lookup).executeTakeFirst()
      const row = found && rows.find(({ tip_id: id }) => id === found.id)
      if (!found || !row) {
        complain('lost')
        continue
      }
      known.add(row.case_no)
      if (tip.receipt.caseNo !== null && tip.receipt.caseNo !== row.case_no) complain('another number')
      const narrative = await opener.openNarrative(found.id, row.holder_id)
      if (narrative['description'] !== tip.description) complain('other words')
      const parts = await db
        .selectFrom('tip_part')
        .select('part')
        .where('tip_id', '=', found.id)
        .where('purpose', '=', 'tip.original')
        .orderBy('part')
        .execute()
      if (parts.length !== tip.photos.length) complain(`${parts.length} photos of ${tip.photos.length}`)
      for (const [index, { part }] of parts.entries()) {
        try {
          const original = await opener.openPhoto(found.id, row.holder_id, 'tip.original', part)
          const copy = Buffer.from(await opener.openPhoto(found.id, row.holder_id, 'tip.photo', part))
          if (!Buffer.from(original).equals(tip.photos[index] ?? Buffer.of())) complain('another photo')
          if (copy.readUInt16BE(0) !== 0xffd8) complain('a working copy that is no picture')
          photos += 1
        } catch (error) {
          complain(`photo ${part} does not open (${String(error)})`)
        }
      }
    }
    const strangers = rows.filter(({ case_no: caseNo }) => !known.has(caseNo))
    for (const { case_no: caseNo } of strangers) complaints.push(`nobody knows of ${caseNo}`)

    const named = async (): Promise<Set<string>> => {
      const { rows: keys } = await sql<{ blob_key: string }>`
        select blob_key from tip_part where blob_key is not null
        union all select blob_key from proof where blob_key is not null`.execute(db)
      return new Set(keys.map(({ blob_key: key }) => key))
    }
    const stored = async (): Promise<string[]> => {
      const keys: string[] = []
      for await (const { key } of files.list()) keys.push(key)
      return keys
    }
    const before = (await stored()).length
    const later = startOfDay(addDays(dayOf(runtime.clock.now()), 9))
    await createServices({ ...deps, clock: { now: () => later } }).upkeep.run()
    const wanted = await named()
    const kept = await stored()
    for (const key of kept) if (!wanted.has(key)) complaints.push(`blob ${key} belongs to nobody and stays`)
    const there = new Set(kept)
    for (const key of wanted) if (!there.has(key)) complaints.push(`blob ${key} is gone`)
    const incoming = join(place.dataDir, 'blobs/incoming')
    if (existsSync(incoming)) {
      for (const name of readdirSync(incoming)) complaints.push(`half-written file ${name} stays`)
    }
    return { cases: rows.length, photos, complaints, leftBlobs: before - kept.length }
  } finally {
    await runtime.close()
  }
}
