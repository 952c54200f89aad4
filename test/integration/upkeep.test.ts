import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createDiskFiles } from '../../src/adapters/disk-files.ts'
import { createMemoryFiles } from '../../src/adapters/memory-files.ts'
import { addDays, dayOf, startOfDay } from '../../src/domain/day.ts'
import { createServices } from '../../src/services/index.ts'
import { openTestApp, plainTip, signInAs, tipForm, type TestApp } from '../support/app.ts'
import { png } from '../support/images.ts'
import { startServer, type TestServer } from '../support/server.ts'

const DAYS_8_MS = 8 * 86_400_000

// A blob that a crash left without a row; one of today may belong to a filing under way.
const plant = (dataDir: string, key: string, at: Date): string => {
  const folder = join(dataDir, 'blobs', key.slice(-2))
  mkdirSync(folder, { recursive: true })
  const path = join(folder, key)
  writeFileSync(path, 'sealed')
  utimesSync(path, at, at)
  return path
}

// The program with its own embedded database: the engine under test does not matter.
describe.runIf(inject('testDatabase').engine === 'pglite')('a running server', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'lantian-upkeep-'))
  let server: TestServer
  let old = ''
  let young = ''

  beforeAll(async () => {
    old = plant(dataDir, '0193c2f0-7a1b-7c3d-8e4f-0123456789ab', new Date(Date.now() - DAYS_8_MS))
    young = plant(dataDir, '0193c2f0-7a1b-7c3d-8e4f-0123456789cd', new Date())
    server = await startServer({ dataDir, env: { DEMO: 'off' } })
  })
  afterAll(async () => {
    await server.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })

  it('sweeps blobs that no row names, after a week', async () => {
    await expect.poll(() => existsSync(old), { timeout: 10_000 }).toBe(false)
    expect(existsSync(young)).toBe(true)
  })
})

describe('blobs after a week', () => {
  const TODAY = new Date('2026-11-23T02:00:00Z')
  let now = TODAY
  const files = createMemoryFiles(() => now)
  let app: TestApp
  beforeAll(async () => {
    app = await openTestApp({ files, now: () => now })
  })
  afterAll(() => app.close())

  const stored = async () => {
    const keys: string[] = []
    for await (const { key } of files.list()) keys.push(key)
    return keys.sort()
  }
  const after = (days: number) => startOfDay(addDays(dayOf(TODAY), days))

  it('stay when a tip, a proof or a draft names them, and go when nothing does', async () => {
    const reply = await fetch(`${app.url}/api/v1/tips`, {
      method: 'POST',
      headers: { 'idempotency-key': 'the-key-of-this-test' },
      body: tipForm(plainTip(), [await png(16, 16)]),
    })
    const filed = (await reply.json()) as { caseNo: string; promise: { department: string } }
    const officer = await signInAs(app, filed.promise.department, ['officer'])
    await app.services.cases.act(officer.session, filed.caseNo, { action: 'accept', version: 1 })
    await app.services.cases.addProof(officer.session, filed.caseNo, {
      kind: 'photo',
      caption: '现场',
      blobKey: await app.services.photos.proof(await png(16, 16)),
      review: 'checked',
    })
    const named = await stored()
    expect(named).toHaveLength(3)
    await files.put('left-by-a-crash', new Uint8Array(1))
    now = after(8)
    // A draft of that day: begun before the janitor comes, with a blob that is old already.
    const { cookie } = await app.services.drafts.start()
    now = TODAY
    await app.services.drafts.addPhoto(cookie, await png(16, 16))
    now = after(3)
    await files.put('of-a-filing-under-way', new Uint8Array(1))
    const all = await stored()
    expect(all).toHaveLength(7)

    now = after(8)
    await createServices(app.deps).upkeep.run(AbortSignal.abort())
    expect(await stored()).toEqual(all)
    const { upkeep } = createServices(app.deps)
    await upkeep.run()
    expect(await stored()).toEqual(all.filter((key) => key !== 'left-by-a-crash'))

    // Once a day is enough, since it walks through all there is.
    now = TODAY
    await files.put('left-by-another', new Uint8Array(1))
    now = after(8)
    await upkeep.run()
    expect(await stored()).toContain('left-by-another')
    now = after(16)
    await upkeep.run()
    expect(await stored()).toEqual(named)
  })

  it('are found half-written as well', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lantian-upkeep-'))
    try {
      const disk = createDiskFiles(dir)
      await disk.put('a-whole-blob', new Uint8Array(1))
      const half = join(dir, 'incoming', 'half')
      writeFileSync(half, 'x')
      utimesSync(half, after(0), after(0))
      const services = createServices({ ...app.deps, files: disk, clock: { now: () => after(7) } })
      await services.upkeep.run()
      expect(existsSync(half)).toBe(true)
      const later = createServices({ ...app.deps, files: disk, clock: { now: () => after(8) } })
      await later.upkeep.run()
      expect(existsSync(half)).toBe(false)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })
})
