import { randomUUID } from 'node:crypto'
import { get } from 'node:http'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { connectPglite } from '../../src/db/connect.ts'
import { DISPATCHER_DEPARTMENT } from '../../src/domain/plan.ts'
import { createReceiptCode, formatReceiptCode, parseReceiptCode } from '../../src/domain/receipt.ts'
import { createRuntime } from '../../src/runtime.ts'
import type * as Aes from '../../src/sealing/aes.ts'
import type * as Bound from '../../src/sealing/bound.ts'
import { deriveReceipt } from '../../src/sealing/receipt-keys.ts'
import type { RecipientEntry } from '../../src/sealing/recipient-list.ts'
import { createTipKeys } from '../../src/sealing/tip-keys.ts'
import { openTestApp, plainTip, tipForm } from '../support/app.ts'
import { proofFrom } from '../support/gate.ts'
import { newSecrets, sealedTip, sealPhoto, upload } from '../support/sealed.ts'
import { fillForm, receiptCodeOf, startWalk } from '../support/form-walk.ts'
import { jpegWithExif } from '../support/images.ts'
import { watchPostgresFiles } from '../support/postgres-files.ts'
import { dumpOf, filesBelow, findSecrets, memoryOf, needles, type Haystack } from '../support/search.ts'
import { prepareData, startServer } from '../support/server.ts'

/*
 * Somebody takes everything the server keeps: data directory, database dump, temporary files, logs. Nothing of a tip
 * may be read there. The search proves itself by finding all of it when sealing is taken out; that can be done here
 * alone, by replacing the two modules that encrypt, since the program has no such switch.
 */
const sealing = vi.hoisted(() => ({ off: false }))
vi.mock('../../src/sealing/bound.ts', async (original) => {
  const real = await original<typeof Bound>()
  // As far as the server can tell it is sealed: it refuses a message that is not, and opens what it sealed.
  const mark = Buffer.from('age-encryption.org/v1\n')
  const sealBound: typeof Bound.sealBound = async (bound, recipients, bytes) =>
    sealing.off ? new Uint8Array([...mark, ...bytes]) : real.sealBound(bound, recipients, bytes)
  const openBound: typeof Bound.openBound = async (bound, identity, sealed) =>
    sealing.off ? new Uint8Array(sealed.subarray(mark.length)) : real.openBound(bound, identity, sealed)
  return { ...real, sealBound, openBound }
})
vi.mock('../../src/sealing/aes.ts', async (original) => {
  const real = await original<typeof Aes>()
  const sealBytes: typeof Aes.sealBytes = async (key, purpose, bytes, random) =>
    sealing.off ? new Uint8Array(bytes) : real.sealBytes(key, purpose, bytes, random)
  const openBytes: typeof Aes.openBytes = async (key, purpose, sealed) =>
    sealing.off ? new Uint8Array(sealed) : real.openBytes(key, purpose, sealed)
  return { ...real, sealBytes, openBytes }
})

const NAME = '金丝雀·欧阳某某甲'
const DESCRIPTION = `金丝雀描述乙：凌晨两点半烧轮胎 canary-words，是${NAME}干的`
const PLACE = '金丝雀路五十七号后院 canary-place'
const PHONE = '13912345678'
const CONTACT = 'canary-contact@example.invalid'
const MESSAGE = '金丝雀留言丙：三号门后面还有一个 canary-message'
const EXIF_TEXT = 'exif-canary-9b1d'
const GPS = [34.748, 113.612] as const
/** So many tips by each of the ways. */
const TIPS = 20
/** Every tip comes from an address of its own, which nothing else has. */
const addressOf = (tip: number): string => `127.77.${String(100 + tip)}.${String(201 + tip)}`

/** The position as EXIF writes it: three pairs of 32-bit numbers, degrees and minutes first. */
function positionIn(jpeg: Uint8Array): Uint8Array {
  const bytes = Buffer.from(jpeg)
  for (const little of [true, false]) {
    const start = Buffer.alloc(16)
    for (const [index, value] of [34, 1, 44, 1].entries()) {
      if (little) start.writeUInt32LE(value, index * 4)
      else start.writeUInt32BE(value, index * 4)
    }
    const at = bytes.indexOf(start)
    if (at >= 0) return bytes.subarray(at, at + 24)
  }
  throw new Error('the photo has no position')
}

// Several starts of the embedded database, a few seconds each and many on a busy machine.
const SLOW = { timeout: 240_000 }

let photo: Uint8Array
let home: string
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'lantian-thief-'))
  photo = await jpegWithExif({ text: EXIF_TEXT, gps: GPS, width: 320, height: 240 })
})
afterAll(() => {
  rmSync(home, { recursive: true, force: true })
})

/** What is told in confidence. */
const told = () => ({
  name: NAME,
  contact: CONTACT,
  description: DESCRIPTION,
  place: PLACE,
  phone: PHONE,
  message: MESSAGE,
  'EXIF text': EXIF_TEXT,
  'EXIF position': positionIn(photo),
  'photo as sent': photo.slice(Math.floor(photo.length / 2), Math.floor(photo.length / 2) + 48),
})

async function dump(dataDir: string): Promise<Haystack[]> {
  const connection = await connectPglite(join(dataDir, 'pglite'))
  try {
    return await dumpOf(connection.db)
  } finally {
    await connection.close()
  }
}

describe('the search', () => {
  it.each([
    ['UTF-8', (text: string) => Buffer.from(text)],
    ['UTF-16LE', (text: string) => Buffer.from(text, 'utf16le')],
    ['hex', (text: string) => Buffer.from(Buffer.from(text).toString('hex'))],
    ['UTF-16 hex', (text: string) => Buffer.from(Buffer.from(text, 'utf16le').toString('hex'))],
    ['base64', (text: string) => Buffer.from(Buffer.from(`${text}!`).toString('base64'))],
    ['base64, one byte later', (text: string) => Buffer.from(Buffer.from(`x${text}!`).toString('base64'))],
    ['base64, two bytes later', (text: string) => Buffer.from(Buffer.from(`xy${text}!`).toString('base64'))],
    ['base64url', (text: string) => Buffer.from(Buffer.from(`xyz${text}`).toString('base64url'))],
    ['a URL', (text: string) => Buffer.from(`?q=${encodeURIComponent(text)}`)],
    ['JSON', (text: string) => Buffer.from(JSON.stringify({ text }))],
  ])('finds a secret as %s inside other bytes', (_name, write) => {
    const bytes = Buffer.concat([Buffer.alloc(100, 7), write(DESCRIPTION), Buffer.alloc(100, 9)])
    expect(findSecrets({ secret: DESCRIPTION }, [{ name: 'file', bytes }])).not.toEqual([])
    expect(findSecrets({ secret: PLACE }, [{ name: 'file', bytes }])).toEqual([])
  })

  it('looks for no empty pattern', () => {
    for (const secret of Object.values(told())) {
      for (const { bytes } of needles(secret)) expect(bytes.length).toBeGreaterThan(8)
    }
  })
})

describe.runIf(inject('testDatabase').engine === 'pglite')('a thief', () => {
  it('reads nothing of a tip in data, dump, temporary files and logs', SLOW, async () => {
    const dataDir = join(home, 'sealed')
    const temp = join(home, 'temp')
    mkdirSync(temp)
    await prepareData(dataDir)
    const server = await startServer({
      dataDir,
      env: { DEMO: 'off', TMPDIR: temp, TRUSTED_PROXY: '127.0.0.1' },
    })
    const secrets: Record<string, string | Uint8Array> = { ...told() }
    const filed: string[] = []
    const keep = (name: string, code: string): void => {
      secrets[`${name} code`] = parseReceiptCode(code) ?? ''
      secrets[`${name} code as shown`] = code
    }
    try {
      const plain = plainTip({
        description: DESCRIPTION,
        place: PLACE,
        callback: PHONE,
        name: NAME,
        contact: CONTACT,
      })
      for (let tip = 0; tip < TIPS; tip += 1) {
        const body = tip % 4 === 0 ? tipForm(plain, [photo]) : JSON.stringify({ plain })
        const key = randomUUID()
        secrets[`address ${tip}`] = addressOf(tip)
        const reply = await fetch(`${server.url}/api/v1/tips`, {
          method: 'POST',
          headers: {
            'idempotency-key': key,
            'x-forwarded-for': addressOf(tip),
            ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}),
          },
          body,
        })
        expect(reply.status).toBe(201)
        const { caseNo, receiptCode } = (await reply.json()) as { caseNo: string; receiptCode: string }
        filed.push(caseNo)
        keep(`API ${filed.length}`, receiptCode)
        secrets[`key ${filed.length}`] = key
      }

      // Not through the proxy: the address of the connection itself.
      secrets['address of the connection'] = '127.77.131.241'
      await new Promise<void>((resolve, reject) => {
        const { port } = new URL(server.url)
        get({ host: '127.0.0.1', port, path: '/report/', localAddress: '127.77.131.241' }, (reply) => {
          reply.resume().once('end', resolve)
        }).once('error', reject)
      })
      const words = {
        description: DESCRIPTION,
        place: PLACE,
        callback: PHONE,
        named: { name: NAME, contact: CONTACT },
      }
      for (let tip = TIPS; tip < 2 * TIPS - 1; tip += 1) {
        secrets[`address ${tip}`] = addressOf(tip)
        const other = startWalk(server.url, { 'x-forwarded-for': addressOf(tip) })
        await fillForm(other, words, tip % 4 ? [] : [photo])
        keep(`form ${tip}`, receiptCodeOf((await other.get('/report/check/')).html))
        expect((await other.send('/report/check/', {})).headers.get('location')).toBe('/report/sent/')
      }
      const own = addressOf(2 * TIPS - 1)
      secrets['address of the form'] = own
      const walk = startWalk(server.url, { 'x-forwarded-for': own })
      await fillForm(walk, words, [photo])
      const check = await walk.get('/report/check/')
      expect(check.html).toContain(DESCRIPTION)
      const code = receiptCodeOf(check.html)
      keep('form', code)
      secrets['draft cookie'] = /__Host-draft=([\w-]+)/.exec(walk.cookie)?.[1] ?? ''
      // The draft rests on disk at this moment, its photo too.
      expect(findSecrets(secrets, [...filesBelow(dataDir), ...filesBelow(temp)])).toEqual([])
      // Copied wrong, and a PIN that is none: told so, everything kept, nothing filed.
      const refused = await walk.send('/report/check/', { retype: 'UUUU', pin: '123456' })
      const again = await refused.text()
      expect(refused.status).toBe(422)
      for (const shown of ['id="retype-error"', 'id="pin-error"', 'value="UUUU"', DESCRIPTION]) {
        expect(again).toContain(shown)
      }
      expect(receiptCodeOf(again)).toBe(code)
      const sent = await walk.send('/report/check/', { retype: code.slice(-4), pin: '407913' })
      expect(sent.headers.get('location')).toBe('/report/sent/')
      filed.push(/ZY-\d{4}-[0-9A-Z]{5}/.exec((await walk.get('/report/sent/')).html)?.[0] ?? '')

      // A reporter comes back, another one mistypes, a third one is refused.
      const answers = [
        await walk.send('/track/', { code }),
        await startWalk(server.url).send('/track/', { code: `${code.slice(0, -1)}U` }),
        await startWalk(server.url).send('/track/', { code: '0'.repeat(24) }),
      ]
      const shapes = answers.map((reply) => {
        const cookie = reply.headers.getSetCookie()[0] ?? ''
        const headers = [...reply.headers].filter(([name]) => name !== 'date')
        return JSON.stringify([reply.status, headers]).replace(/receipt=[\w-]+/, `receipt (${cookie.length})`)
      })
      expect(new Set(shapes).size).toBe(1)
      const followed = await walk.get('/track/')
      expect(followed.html).toContain(filed.at(-1))
      // Its holder's own pages show the code where it is to be copied, and no page has it in an address.
      for (const html of [check.html, followed.html, (await walk.get('/report/sent/')).html]) {
        for (const [, url = ''] of html.matchAll(/(?:href|src|action|content)="([^"]*)"/g)) {
          expect(url).not.toContain(code)
          expect(url).not.toContain(parseReceiptCode(code))
        }
      }
      const written = await walk.send('/track/', { action: 'message', text: MESSAGE }, [photo])
      expect(written.status).toBe(303)
      expect((await walk.get('/track/')).html).toContain(MESSAGE)
      secrets['receipt cookie'] = /__Host-receipt=([\w-]+)/.exec(walk.cookie)?.[1] ?? ''
      secrets['reporter’s key'] = (await deriveReceipt(code)).identity
      await startWalk(server.url).send('/report/', { category: DESCRIPTION })
      await fetch(`${server.url}/api/v1/tips?${new URLSearchParams({ q: PLACE }).toString()}`, {
        method: 'POST',
        headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json' },
        body: JSON.stringify({ plain: plainTip({ description: DESCRIPTION, area: PLACE }) }),
      })
      expect(
        findSecrets(secrets, [
          ...filesBelow(dataDir),
          ...filesBelow(temp),
          { name: 'log', bytes: Buffer.from(server.logs()) },
        ]),
      ).toEqual([])
    } finally {
      await server.stop()
    }
    expect(Object.values(secrets).every((secret) => secret.length >= 9)).toBe(true)
    const everything = [
      ...filesBelow(dataDir),
      ...(await dump(dataDir)),
      ...filesBelow(temp),
      { name: 'log', bytes: Buffer.from(server.logs()) },
    ]
    expect(findSecrets(secrets, everything)).toEqual([])
    // The tips themselves are there.
    for (const caseNo of filed) {
      expect(findSecrets({ [caseNo]: caseNo }, everything)).toContain(`${caseNo}: UTF-8 in table case_file`)
    }
  })

  it('reads nothing of tips that browsers sealed, not even in the memory of the server', SLOW, async () => {
    const dataDir = join(home, 'browser')
    const temp = join(home, 'browser-temp')
    mkdirSync(temp)
    await prepareData(dataDir)
    const server = await startServer({ dataDir, env: { DEMO: 'off', TMPDIR: temp } })
    const api = `${server.url}/api/v1`
    const secrets: Record<string, string | Uint8Array> = { ...told() }
    const cases: string[] = []
    try {
      const { items } = (await (await fetch(`${api}/recipients`)).json()) as { items: RecipientEntry[] }
      const readers = ['qu-huanbao', DISPATCHER_DEPARTMENT].map((department) => {
        const key = items.find(({ owner }) => owner === department)
        if (!key) throw new Error(`no key of ${department}`)
        return { department, epoch: key.epoch, recipient: key.recipient }
      })
      const narrative = { description: DESCRIPTION, place: PLACE, callback: PHONE, checklist: [] }
      for (let tip = 0; tip < 20; tip += 1) {
        const keys = await newSecrets()
        const photos = []
        if (tip % 10 === 0) {
          const gate = await proofFrom(server.url)
          const sealed = await sealPhoto(keys, 0, photo)
          const copy = await upload(api, sealed.copy, { gate })
          photos.push({ part: 0, copy, original: await upload(api, sealed.original, { gate }) })
        }
        const reply = await fetch(`${api}/tips`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': keys.idempotencyKey },
          body: JSON.stringify({ sealed: await sealedTip(keys, readers, { narrative, photos }) }),
        })
        expect(reply.status).toBe(201)
        cases.push(((await reply.json()) as { caseNo: string }).caseNo)
        secrets[`code ${tip}`] = keys.receiptCode
        secrets[`key ${tip}`] = keys.identity
      }
      const memory = memoryOf(server.pid)
      if (memory === null)
        console.warn('!!! this system does not show the memory of a process: not looked at')
      else {
        const sought = {
          ...told(),
          code: String(secrets['code 19']),
          key: String(secrets['key 19']),
          // What the server knows is found: the search can see.
          'case number': cases[19] ?? '',
        }
        const patterns = Object.entries(sought).flatMap(([name, secret]) =>
          typeof secret === 'string'
            ? (['utf8', 'utf16le'] as const).map((form) => ({ name, bytes: Buffer.from(secret, form) }))
            : [{ name, bytes: Buffer.from(secret) }],
        )
        const found = new Set<string>()
        for (const { bytes } of memory) {
          for (const pattern of patterns) if (bytes.includes(pattern.bytes)) found.add(pattern.name)
        }
        expect([...found]).toEqual(['case number'])
      }
    } finally {
      await server.stop()
    }
    const everything = [
      ...filesBelow(dataDir),
      ...(await dump(dataDir)),
      ...filesBelow(temp),
      { name: 'log', bytes: Buffer.from(server.logs()) },
    ]
    expect(findSecrets(secrets, everything)).toEqual([])
    const [caseNo = ''] = cases
    expect(findSecrets({ [caseNo]: caseNo }, everything)).toContain(`${caseNo}: UTF-8 in table case_file`)
  })

  it('would read all of it without sealing', SLOW, async () => {
    sealing.off = true
    const dataDir = join(home, 'open')
    const secrets: Record<string, string | Uint8Array> = { ...told() }
    let rows: Haystack[] = []
    try {
      const runtime = await createRuntime(readConfig({ DATA_DIR: dataDir, DEMO: 'off' }))
      try {
        const { services, random } = runtime
        await services.keys.init()
        const { cookie } = await services.drafts.start()
        await services.drafts.save(cookie, { description: ['金丝雀草稿 canary-draft'] })
        secrets['draft'] = '金丝雀草稿 canary-draft'

        const receiptCode = createReceiptCode((n) => random.bytes(n))
        secrets['code'] = receiptCode
        expect(formatReceiptCode(receiptCode)).toHaveLength(29)
        const keys = await createTipKeys()
        const id = random.uuid()
        const sealed = await services.photos.seal(photo, { tipId: id, recipient: keys.recipient, part: 0 })
        await services.tips.file({
          id,
          keys,
          facts: {
            category: 'boiler-coal',
            answer: null,
            area: '410102001',
            when: 'now',
            urgency: 'normal',
            accused: null,
          },
          narrative: { description: DESCRIPTION, place: PLACE, callback: PHONE, checklist: [] },
          named: { name: NAME, contact: CONTACT },
          photos: [sealed],
          receiptCode,
          idempotencyKey: randomUUID(),
          fingerprint: id,
          lane: 'normal',
          draftId: null,
        })
        const opened = await services.receipts.open(receiptCode)
        await services.receipts.answer(opened, { key: randomUUID(), text: MESSAGE, photos: [] })
        rows = await dumpOf(runtime.deps.db)
      } finally {
        await runtime.close()
      }
    } finally {
      sealing.off = false
    }
    const found = findSecrets(secrets, [...filesBelow(dataDir), ...rows])
    for (const name of Object.keys(secrets)) {
      expect(found.filter((line) => line.startsWith(`${name}: `))).not.toEqual([])
    }
    // In the dump as well as in the files, each by itself.
    expect(found.some((line) => line.startsWith('description: ') && line.includes('table tip_part'))).toBe(
      true,
    )
    expect(found.some((line) => line.startsWith('name: ') && line.includes('table two_layer_part'))).toBe(
      true,
    )
    expect(found.some((line) => line.startsWith('EXIF text: ') && line.includes('blobs'))).toBe(true)
  })
})

describe.runIf(inject('testDatabase').engine === 'postgres')('a thief of a PostgreSQL server', () => {
  it('reads nothing in rows, write-ahead log and log, and would without sealing', async () => {
    // All databases of a server share its log: what is looked for is this test's alone.
    const tag = randomUUID()
    const [name, description, place] = [`金丝雀${tag.slice(0, 8)}`, `金丝雀描述 ${tag}`, `金丝雀路 ${tag} 号`]
    const callback = `139${String(Number.parseInt(tag.slice(0, 8), 16) % 1e8).padStart(8, '0')}`
    const secrets: Record<string, string> = { name, description, place, callback }
    const app = await openTestApp()
    const { db } = app.database
    try {
      const written = await watchPostgresFiles(db)
      const { services } = app
      const file = (key: string, plain: object, photos: readonly Uint8Array[] = []) =>
        fetch(`${app.url}/api/v1/tips`, {
          method: 'POST',
          headers: { 'idempotency-key': key },
          body: tipForm(plainTip({ ...plain }), photos),
        })
      const plain = { description, place, callback, name, contact: callback }
      secrets['EXIF text'] = `exif-canary-${tag}`
      const taken = await jpegWithExif({ text: secrets['EXIF text'], gps: GPS, width: 320, height: 240 })
      const { cookie } = await services.drafts.start()
      secrets['draft'] = `金丝雀草稿 ${tag}`
      await services.drafts.save(cookie, { description: [secrets['draft']] })
      for (const photos of [[taken], []]) {
        const key = randomUUID()
        const reply = await file(key, plain, photos)
        expect(reply.status).toBe(201)
        const { receiptCode } = (await reply.json()) as { receiptCode: string }
        secrets[`code of ${key}`] = parseReceiptCode(receiptCode) ?? ''
        secrets[`reporter’s key of ${key}`] = (await deriveReceipt(receiptCode)).identity
        secrets['message'] = `金丝雀留言 ${tag}`
        const opened = await services.receipts.open(receiptCode)
        await services.receipts.answer(opened, { key, text: secrets['message'], photos: [] })
      }
      const everything = [...(await dumpOf(db)), ...(await written.wal()), ...(await written.log())]
      expect(findSecrets(secrets, everything)).toEqual([])

      // Until the write-ahead log of one of them was read before a checkpoint took it away.
      for (let tries = 1; ; tries += 1) {
        const open = await watchPostgresFiles(db)
        sealing.off = true
        await file(randomUUID(), plain).finally(() => (sealing.off = false))
        const wal = await open.wal()
        const found = findSecrets(secrets, wal).map((line) => line.split(':')[0])
        const all = ['callback', 'description', 'name', 'place'].every((secret) => found.includes(secret))
        if (all || everything.every(({ name: file }) => !file.startsWith('write-ahead'))) break
        expect(tries).toBeLessThan(5)
      }
    } finally {
      await app.close()
    }
  })
})
