import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import type { Db } from '../../src/db/connect.ts'
import { plainTip, tipForm } from '../support/app.ts'
import { startLoad } from './load.ts'
import { mayMount, postgres } from './means.ts'
import { inspect, lostReceipts, openPlace, preparePlace, undoAfterAll } from './place.ts'
import { createDice, settings } from './settings.ts'
import { mountSmallDisk, type SmallDisk } from './small-disk.ts'
import { apiTip, formTip, takePhotos } from './tips.ts'

const MIB = 1024 * 1024
const WAL_SEGMENT = 16 * MIB

const undo = undoAfterAll()

function openDisk(mebibytes: number): SmallDisk {
  const disk = mountSmallDisk(mebibytes)
  if (!disk) throw new Error('the disk that could be mounted before cannot be now')
  undo(() => disk.remove())
  return disk
}

/** Names of everything below the folder of blobs. */
const blobsIn = (dataDir: string): string[] =>
  readdirSync(join(dataDir, 'blobs'), { recursive: true, encoding: 'utf8' }).sort()

describe.skipIf(!mayMount || postgres === null)('a full disk for files, with PostgreSQL elsewhere', () => {
  it('refuses photos with their own words, takes tips without, and recovers', async () => {
    const disk = openDisk(64)
    const dataDir = join(disk.path, 'files')
    const place = await openPlace(undo, postgres, dataDir)
    const site = await place.start()
    undo(() => site.kill())
    const at = () => site.url
    const dice = createDice('disk full, PostgreSQL')
    const photos = await takePhotos(dice, 2)
    const [photo = new Uint8Array()] = photos
    const first = apiTip(at, dice, '磁盘满以前，有照片，锅炉冒黑烟。', photos)
    expect(await first.send()).toEqual({ got: 'receipt' })
    const tips = [first]

    const before = blobsIn(dataDir)
    // No room at all, then room for one of the two blobs that a photo becomes.
    for (const free of [0, Math.ceil(1.5 * photo.length)]) {
      disk.fill(free)
      const refused = await fetch(`${site.url}/api/v1/tips`, {
        method: 'POST',
        headers: { 'idempotency-key': `a-full-disk-with-room-for-${free}` },
        body: tipForm(plainTip(), [photo]),
      })
      expect(refused.status).toBe(503)
      expect(refused.headers.get('retry-after')).toBe('30')
      expect(await refused.json()).toMatchObject({
        type: '/problems/photos-unavailable/',
        errors: [{ field: 'photos.0', message: expect.stringContaining('不带照片') as unknown }],
      })
      const form = formTip(at, '磁盘满了，表单带照片，锅炉冒黑烟。', [photo])
      expect(await form.send()).toMatchObject({
        got: 'refusal',
        why: expect.stringContaining('照片暂时不能接收') as unknown,
      })
      expect(blobsIn(dataDir)).toEqual(before)

      for (const without of [
        apiTip(at, dice, `磁盘满了，还剩 ${free} 字节，程序不带照片。`, []),
        formTip(at, `磁盘满了，还剩 ${free} 字节，表单不带照片。`, []),
      ]) {
        expect(await without.send()).toEqual({ got: 'receipt' })
        tips.push(without)
      }
      disk.empty()
      // The photo that was refused is taken by the same form, and the program’s by the same key.
      expect(await form.send()).toEqual({ got: 'receipt' })
      tips.push(form)
      before.splice(0, before.length, ...blobsIn(dataDir))
    }
    expect(await lostReceipts(site.url, tips)).toEqual([])
    expect(await site.stop()).toBe(0)
    const { complaints, leftBlobs, cases } = await inspect(place, tips)
    console.log(
      `faults: disk full beside PostgreSQL, seed ${settings.seed}: ${cases} tips acknowledged, ` +
        `${leftBlobs} blobs swept, ${complaints.length} complaints`,
    )
    expect(complaints).toEqual([])
    expect(leftBlobs).toBe(0)
  })
})

/** Brings the log to where a few tips more need a new segment; answers the name of the one in use. */
async function approachNextSegment(db: Db): Promise<string> {
  const where = async (): Promise<{ readonly used: number; readonly file: string }> => {
    const { rows } = await sql<{ used: number; file: string }>`
      select (pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') % ${WAL_SEGMENT})::int as used,
        pg_walfile_name(pg_current_wal_insert_lsn()) as file`.execute(db)
    return rows[0] ?? { used: WAL_SEGMENT, file: '' }
  }
  const piece = 100_000
  while ((await where()).used < WAL_SEGMENT - 4 * piece) {
    await sql`select pg_logical_emit_message(false, 'faults', repeat('x', ${piece}))`.execute(db)
  }
  return (await where()).file
}

/** Takes away the segment that the start has made ready. */
function removeLaterSegments(dataDir: string, inUse: string): void {
  const log = join(dataDir, 'pglite/pg_wal')
  for (const name of readdirSync(log))
    if (/^[0-9A-F]{24}$/.test(name) && name > inUse) rmSync(join(log, name))
}

describe.skipIf(!mayMount)('a full disk for the embedded database', () => {
  it('corrupts nothing that was confirmed; the server comes back by itself when there is room', async () => {
    const disk = openDisk(160)
    const dataDir = join(disk.path, 'embedded')
    let inUse = ''
    const place = await preparePlace(null, dataDir, async (db) => {
      inUse = await approachNextSegment(db)
    })
    let site = await place.start()
    undo(() => site.kill())
    removeLaterSegments(dataDir, inUse)
    // Room for what tips need, but not for a segment of the log.
    disk.fill(WAL_SEGMENT - 2 * MIB)
    const name = 'disk full, PGlite'
    const load = startLoad({
      name,
      at: () => site.url,
      photos: await takePhotos(createDice(name), 4),
      mayRefuse: ({ status, why }) => status === 503 || (status === 422 && why.includes('照片暂时不能接收')),
    })
    const refusals = (): number => [...load.refusals.values()].reduce((sum, count) => sum + count, 0)
    for (let seen = refusals(); refusals() < seen + 40;) await load.outcomes(1)
    const promised = load.tips.filter(({ receipt }) => receipt !== null)
    expect((await fetch(`${site.url}/healthz`)).status).toBe(200)
    // The worst there is: the log had no room for its next segment, and the database gave up.
    expect(site.logs()).toContain('"code":"57P02"')

    disk.empty()
    await expect.poll(async () => (await fetch(`${site.url}/readyz`)).status, { timeout: 30_000 }).toBe(200)
    expect(await lostReceipts(site.url, promised)).toEqual([])
    await load.outcomes(20)

    // Ended while there is no room either.
    disk.fill(0)
    expect(await site.stop()).toBe(0)
    disk.empty()
    site = await place.start()
    await load.finish()
    expect(await lostReceipts(site.url, load.tips)).toEqual([])
    expect(await site.stop()).toBe(0)
    const { cases, complaints, leftBlobs } = await inspect(place, load.tips)
    console.log(
      `faults: ${name}, seed ${settings.seed}: ${cases} tips acknowledged, ${refusals()} refused, ` +
        `${leftBlobs} blobs swept, ${complaints.length} complaints`,
    )
    expect(complaints).toEqual([])
    expect(cases).toBe(load.tips.length)
  })
})
