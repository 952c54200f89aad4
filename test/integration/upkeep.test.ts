import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
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
