import { execFileSync, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sealPart } from '../../src/sealing/envelope.ts'
import { utf8 } from '../../src/sealing/bytes.ts'
import { openTestApp, plainTip, signInAs, tipForm, type TestApp } from '../support/app.ts'
import { jpegWithExif } from '../support/images.ts'

const AGE = spawnSync('age', ['--version'], { encoding: 'utf8' }).status === 0
if (!AGE)
  console.error('SKIPPED: Debian’s "age" is not installed, so nothing here says that it opens our files.')

const WORDS = '锅炉冒黑烟，气味很大，从早上开始。'
const NOTE = '已电话核实。'

let app: TestApp
let folder = ''
let caseNo = ''
beforeAll(async () => {
  app = await openTestApp()
  folder = mkdtempSync(join(tmpdir(), 'lantian-offline-'))
  const reply = await fetch(`${app.url}/api/v1/tips`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID() },
    body: tipForm(plainTip({ description: WORDS }), [await jpegWithExif({ text: 'gps-canary' })]),
  })
  caseNo = ((await reply.json()) as { caseNo: string }).caseNo
  const officer = await signInAs(app, 'qu-huanbao', ['officer'])
  const { tips } = await app.services.cases.detail(officer.session, caseNo)
  const [tip] = tips
  if (!tip) throw new Error('no tip')
  await app.services.cases.act(officer.session, caseNo, { action: 'accept', version: 1 })
  await app.services.cases.act(officer.session, caseNo, {
    action: 'note',
    version: 2,
    note: {
      tipId: tip.id,
      purpose: 'tip.note',
      sealed: await sealPart({
        recipients: [tip.recipient],
        purpose: 'tip.note',
        tip: tip.id,
        part: 0,
        bytes: utf8(NOTE),
      }),
    },
  })
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await app.close()
})

it('a case is taken out sealed: nothing in the files can be read', async () => {
  const files = await app.services.offline.exportCase(caseNo)
  for (const { name, bytes } of files) {
    expect(name).toMatch(/^[\w.-]+$/)
    writeFileSync(join(folder, name), bytes)
    const text = Buffer.from(bytes).toString('latin1')
    if (name !== 'open.sh') expect(text).toMatch(/^age-encryption\.org\/v1\n/)
    for (const canary of [Buffer.from(WORDS).toString('latin1'), 'gps-canary', 'AGE-SECRET-KEY']) {
      expect(text.includes(canary)).toBe(false)
    }
  }
  expect(files.map(({ name }) => name.replace(caseNo, 'NO')).sort()).toEqual([
    'NO-1-key.age',
    'NO-1-narrative.age',
    'NO-1-note-1.age',
    'NO-1-original-1.age',
    'NO-1-photo-1.age',
    'key-qu-huanbao-1.age',
    'open.sh',
  ])
  await expect(app.services.offline.exportCase('ZY-2611-00000')).rejects.toMatchObject({ code: 'not-found' })
})

describe.skipIf(!AGE)('Debian’s age', () => {
  const open = (escrow: string) =>
    spawnSync('sh', ['open.sh', escrow], { cwd: folder, encoding: 'utf8', timeout: 20_000 })

  it('opens the department’s key, the tip’s key, the words and the pictures with the escrow key', () => {
    writeFileSync(join(folder, 'escrow.txt'), `${app.escrowIdentity}\n`, { mode: 0o600 })
    const { status, stdout, stderr } = open('escrow.txt')
    expect(`${stderr}${stdout}`.trim()).toBe('opened/ holds 4 files')
    expect(status).toBe(0)
    const opened = (name: string) => readFileSync(join(folder, 'opened', `${caseNo}-1-${name}`))
    expect(JSON.parse(opened('narrative.txt').toString('utf8'))).toMatchObject({ description: WORDS })
    expect(opened('note-1.txt').toString('utf8')).toBe(NOTE)
    expect(opened('original-1.jpg').includes('gps-canary')).toBe(true)
    expect(opened('photo-1.jpg').subarray(0, 2).toString('hex')).toBe('ffd8')
    expect(opened('photo-1.jpg').includes('gps-canary')).toBe(false)
  })

  it('opens nothing with another key', () => {
    rmSync(join(folder, 'opened'), { recursive: true, force: true })
    const other = execFileSync('age-keygen', { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    writeFileSync(join(folder, 'other.txt'), other, { mode: 0o600 })
    const { status, stderr } = open('other.txt')
    expect(status).not.toBe(0)
    expect(stderr).toContain('no identity matched')
    const found = readdirSync(join(folder, 'opened')).map((name) =>
      readFileSync(join(folder, 'opened', name)).toString('utf8'),
    )
    expect(found.join('')).toBe('')
  })
})
