import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDiskFiles } from '../../src/adapters/disk-files.ts'
import type { Problem } from '../../src/api/problem.ts'
import { addDays, dayOf } from '../../src/domain/day.ts'
import { DISPATCHER_DEPARTMENT, SUPERVISION_DEPARTMENT } from '../../src/domain/plan.ts'
import { formatReceiptCode } from '../../src/domain/receipt.ts'
import { stripPhoto } from '../../src/domain/photo-strip.ts'
import { createTipKeys } from '../../src/sealing/tip-keys.ts'
import { openPart, sealPart } from '../../src/sealing/envelope.ts'
import { fromUtf8 } from '../../src/sealing/bytes.ts'
import { openGrant } from '../../src/sealing/department-keys.ts'
import { sealNamed, type Reader, type TipSecrets } from '../../src/sealing/outgoing.ts'
import { openInner, stripOuter } from '../../src/sealing/two-layer.ts'
import { ownerOf } from '../../src/domain/roles.ts'
import { unlockLayers } from '../../src/services/two-layer-locks.ts'
import { createWrapLocks } from '../../src/services/wrap-locks.ts'
import { createServices } from '../../src/services/index.ts'
import { openTestApp, signInAs, type TestApp } from '../support/app.ts'
import { easyGate, proofFrom } from '../support/gate.ts'
import { jpegWithExif } from '../support/images.ts'
import { NARRATIVE, newSecrets, patch, sealedTip, sealPhoto, upload } from '../support/sealed.ts'

const HOLDER = 'qu-huanbao'
const KIB = 1024

let root: string
let app: TestApp
// The proofs' library reads the machine's clock.
let now = new Date()
let photo: Uint8Array
let sender = 0
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'lantian-sealed-'))
  app = await openTestApp({
    now: () => now,
    files: createDiskFiles(join(root, 'blobs')),
    gate: easyGate,
    client: (request) => request.headers.get('x-sender'),
  })
  photo = await jpegWithExif({ width: 900, height: 700 })
})
afterAll(async () => {
  await app.close()
  rmSync(root, { recursive: true, force: true })
})

const api = () => `${app.url}/api/v1`

async function readersOf(...departments: string[]): Promise<Reader[]> {
  const recipients = await app.services.keys.recipients()
  return departments.map((department) => {
    const key = recipients.get(department)
    if (!key) throw new Error(`no key of ${department}`)
    return { department, epoch: key.epoch, recipient: key.recipient }
  })
}
const usual = () => readersOf(HOLDER, DISPATCHER_DEPARTMENT)

interface Post {
  readonly sealed: unknown
  readonly key?: string
  readonly gate?: string
  readonly cookie?: string
  readonly more?: Readonly<Record<string, unknown>>
}
async function post({ sealed, key = randomUUID(), gate, cookie, more }: Post) {
  const reply = await fetch(`${api()}/tips`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': key,
      ...(cookie === undefined ? {} : { cookie }),
    },
    body: JSON.stringify({ sealed, ...(gate === undefined ? {} : { gate }), ...more }),
  })
  const text = await reply.text()
  return { status: reply.status, text, body: JSON.parse(text) as Problem & { caseNo: string } }
}
const proof = () => proofFrom(app.url)

const stored = (secrets: TipSecrets) =>
  app.database.db
    .selectFrom('tip')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .selectAll('tip')
    .select(['lane', 'case_no'])
    .where('tip.id', '=', secrets.tip)
    .executeTakeFirst()

describe('a tip that came sealed', () => {
  it('is stored as it came, opens for its readers, and is followed with the code nobody was told', async () => {
    const secrets = await newSecrets()
    const gate = await proof()
    const sealed = await sealPhoto(secrets, 3, photo)
    const copy = await upload(api(), sealed.copy, { gate })
    const original = await upload(api(), sealed.original, { gate })
    const narrative = { ...NARRATIVE, callback: '13912345678' }
    const answer = await post({
      gate,
      sealed: await sealedTip(secrets, await usual(), { narrative, photos: [{ part: 3, copy, original }] }),
    })
    expect(answer.status).toBe(201)
    expect(answer.body).toMatchObject({
      promise: { department: HOLDER, readers: [HOLDER, DISPATCHER_DEPARTMENT] },
    })
    expect(answer.body).not.toHaveProperty('receiptCode')
    expect(await stored(secrets)).toMatchObject({
      sealed_by: 'browser',
      callback: true,
      photo_count: 1,
      lane: 'normal',
      case_no: answer.body.caseNo,
    })
    for (const reader of [HOLDER, DISPATCHER_DEPARTMENT]) {
      expect(await app.openNarrative(secrets.tip, reader)).toEqual({
        ...narrative,
        reporterRecipient: secrets.reporterRecipient,
      })
    }
    expect(await app.openPhoto(secrets.tip, HOLDER, 'tip.photo', 3)).toEqual(stripPhoto(photo).bytes)
    expect(await app.openPhoto(secrets.tip, HOLDER, 'tip.original', 3)).toEqual(photo)
    expect(await app.services.receipts.open(formatReceiptCode(secrets.receiptCode))).not.toBeNull()
    const left = await app.database.db.selectFrom('upload').selectAll().execute()
    expect(left).toEqual([])
  })

  it('carries a name that only custodian and approver open together', async () => {
    const secrets = await newSecrets()
    const roles = await app.services.keys.twoRoles('tip.identity')
    if (!roles) throw new Error('no keys of the roles')
    const named = { name: '张三丰', contact: '13900001111' }
    const { recipient, sealed, wrapped, keeperEpoch, approverEpoch } = await sealNamed(secrets, named, roles)
    const identity = {
      recipient,
      sealed: Buffer.from(sealed).toString('base64'),
      wrapped: Buffer.from(wrapped).toString('base64'),
      keeperEpoch,
      approverEpoch,
    }
    const tip = await sealedTip(secrets, await usual(), { narrative: NARRATIVE })
    const stale = await post({ sealed: { ...tip, identity: { ...identity, approverEpoch: 2 } } })
    expect([stale.status, stale.body.type]).toEqual([409, '/problems/stale-recipients/'])
    expect((await post({ sealed: { ...tip, identity } })).status).toBe(201)
    expect(await stored(secrets)).toMatchObject({ named: true, sealed_by: 'browser' })

    const address = { purpose: 'tip.identity', tip: secrets.tip } as const
    const part = await app.database.db
      .selectFrom('two_layer_part')
      .selectAll()
      .where('tip_id', '=', secrets.tip)
      .executeTakeFirstOrThrow()
    const keyOf = async (owner: string, escrow: string) => {
      const [grant] = await app.services.keys.escrowGrants(owner)
      if (!grant) throw new Error(`no key of ${owner}`)
      const { epoch, wrapped: granted } = grant
      return { owner, epoch, identity: await openGrant({ department: owner, epoch }, granted, escrow) }
    }
    const approver = await keyOf(ownerOf('approver'), app.approverEscrowIdentity)
    const custodian = await keyOf(ownerOf('custodian'), app.escrowIdentity)
    const inner = await stripOuter(address, approver, part.wrapped)
    const opened = await openInner(address, custodian, inner, part.recipient)
    // As stored it is locked once more.
    const sealedPart = await unlockLayers(createWrapLocks(app.deps), address, part)
    if (!sealedPart) throw new Error('the slot has no key')
    const bytes = await openPart({ identity: opened.identity, ...address, part: 0, sealed: sealedPart })
    expect(JSON.parse(fromUtf8(bytes))).toEqual({ ...named, tipRecipient: secrets.recipient })
    await expect(
      stripOuter(address, { ...approver, identity: custodian.identity }, part.wrapped),
    ).rejects.toThrow()
  })

  it('answers a repeat as the first time, also after the keys have changed, and never files it twice', async () => {
    const secrets = await newSecrets()
    const readers = await usual()
    const key = randomUUID()
    const first = await post({ key, gate: await proof(), sealed: await sealedTip(secrets, readers) })
    await renewKey(HOLDER)
    // Sealed anew: other bytes, the same tip.
    const again = await post({ key, gate: await proof(), sealed: await sealedTip(secrets, readers) })
    expect([first.status, again.status]).toEqual([201, 200])
    expect(again.body).toEqual(first.body)
    const other = await post({ key, sealed: await sealedTip(await newSecrets(), readers) })
    expect(other.body.type).toBe('/problems/idempotency-conflict/')
  })

  it('is one tip, however often what was sent is played back under keys of its own', async () => {
    const secrets = await newSecrets()
    const sealed = await sealedTip(secrets, await usual())
    expect((await post({ gate: await proof(), sealed })).status).toBe(201)
    const other = await newSecrets()
    const sameCode = { ...(await sealedTip(other, await usual())), auth: secrets.auth }
    for (const played of [sealed, sealed, sameCode]) {
      const answer = await post({ gate: await proof(), sealed: played })
      expect([answer.status, answer.body.type]).toEqual([422, '/problems/idempotency-conflict/'])
    }
    expect(await stored(other)).toBeUndefined()
    expect(await app.openNarrative(secrets.tip, HOLDER)).toMatchObject(NARRATIVE)
  })

  it('is refused for a key that is not the present one, and taken when it is wrapped anew', async () => {
    const secrets = await newSecrets()
    const before = await usual()
    await renewKey(HOLDER)
    const stale = await post({ sealed: await sealedTip(secrets, before) })
    expect([stale.status, stale.body.type]).toEqual([409, '/problems/stale-recipients/'])
    expect(await stored(secrets)).toBeUndefined()
    expect((await post({ sealed: await sealedTip(secrets, await usual()) })).status).toBe(201)
  })

  it('is refused when another department holds by now, and taken when that one can read it', async () => {
    const facts = { category: 'fireworks', area: '410102001' }
    const { session: admin } = await signInAs(app, DISPATCHER_DEPARTMENT, ['admin'])
    const { tips, staff } = app.services
    const routed = async () => (await tips.promise({ ...facts, answer: null, accused: null })).readers
    const before = await routed()
    const secrets = await newSecrets()
    const sealed = await sealedTip(secrets, await readersOf(...before), facts)
    const branch = (await app.deps.plan.current()).plan.departments.find(({ kind }) => kind === 'police')
    await staff.setPolice(admin, facts.area, branch?.id ?? '')
    const after = await routed()
    expect([before.includes(branch?.id ?? ''), after]).toEqual([false, [branch?.id, DISPATCHER_DEPARTMENT]])

    const stale = await post({ sealed })
    expect([stale.status, stale.body.type]).toEqual([409, '/problems/stale-recipients/'])
    expect(stale.body.errors?.[0]?.message).toContain(branch?.id)
    expect(await stored(secrets)).toBeUndefined()
    const anew = await post({ sealed: await sealedTip(secrets, await readersOf(...after), facts) })
    expect(anew.status).toBe(201)
    // The one that would have held opens nothing.
    await expect(app.openNarrative(secrets.tip, before[0] ?? '')).rejects.toThrow('nothing that this')
    await staff.setPolice(admin, facts.area, null)
  })

  it('about inaction is for 区政府督查室 alone', async () => {
    const secrets = await newSecrets()
    const facts = { category: 'department-inaction', accused: HOLDER }
    const readable = await readersOf(SUPERVISION_DEPARTMENT, DISPATCHER_DEPARTMENT)
    expect((await post({ sealed: await sealedTip(secrets, readable, facts) })).status).toBe(409)
    const own = await readersOf(SUPERVISION_DEPARTMENT)
    expect((await post({ sealed: await sealedTip(secrets, own, facts) })).status).toBe(201)
  })

  it.each<[string, number, (tip: Record<string, unknown>) => Promise<object>]>([
    [
      'a reader too many',
      409,
      async () => ({
        wraps: (
          await sealedTip(await newSecrets(), await readersOf(HOLDER, DISPATCHER_DEPARTMENT, 'qu-jianshe'))
        )['wraps'],
      }),
    ],
    [
      'a reader too few',
      409,
      async () => ({ wraps: (await sealedTip(await newSecrets(), await readersOf(HOLDER)))['wraps'] }),
    ],
    [
      'words in plain',
      422,
      () => Promise.resolve({ narrative: Buffer.from('x'.repeat(1224)).toString('base64') }),
    ],
    [
      'an envelope that was not padded',
      422,
      async (tip) => ({
        narrative: Buffer.concat([Buffer.from(String(tip['narrative']), 'base64'), Buffer.alloc(1)]).toString(
          'base64',
        ),
      }),
    ],
    [
      'an envelope for two',
      422,
      async () => {
        const pairs = await Promise.all([createTipKeys(), createTipKeys()])
        const bytes = await sealPart({
          recipients: pairs.map(({ recipient }) => recipient),
          purpose: 'tip.narrative',
          tip: randomUUID(),
          part: 0,
          bytes: randomBytes(9),
        })
        return { narrative: Buffer.from(bytes).toString('base64') }
      },
    ],
    ['a recipient that is none', 422, () => Promise.resolve({ recipient: 'age1nobody' })],
    ['an unknown category', 422, () => Promise.resolve({ category: 'nothing' })],
    [
      'a photo that never came',
      422,
      () =>
        Promise.resolve({
          photos: [{ part: 0, copy: randomBytes(32).toString('base64url'), original: null }],
        }),
    ],
    [
      'two photos of one number',
      422,
      () =>
        Promise.resolve({ photos: [0, 0].map((part) => ({ part, copy: 'a'.repeat(43), original: null })) }),
    ],
  ])('is refused with %s', async (_what, status, change) => {
    const secrets = await newSecrets()
    const tip = await sealedTip(secrets, await usual())
    const answer = await post({ sealed: { ...tip, ...(await change(tip)) } })
    expect(answer.status).toBe(status)
    expect(await stored(secrets)).toBeUndefined()
  })

  it('comes sealed or in plain, not both', async () => {
    const sealed = await sealedTip(await newSecrets(), await usual())
    expect((await post({ sealed, more: { plain: {} } })).status).toBe(422)
  })

  it('goes to the unverified lane without a proof, and a proof serves one tip', async () => {
    const secrets = await newSecrets()
    expect((await post({ sealed: await sealedTip(secrets, await usual()) })).status).toBe(201)
    expect(await stored(secrets)).toMatchObject({ lane: 'unverified' })
    const gate = await proof()
    expect((await post({ gate, sealed: await sealedTip(await newSecrets(), await usual()) })).status).toBe(
      201,
    )
    expect((await post({ gate, sealed: await sealedTip(await newSecrets(), await usual()) })).status).toBe(
      403,
    )
  })
})

describe('a draft whose browser seals', () => {
  it('keeps none of the sealed fields, and becomes one tip', async () => {
    const { drafts } = app.services
    const { cookie } = await drafts.start()
    await drafts.save(cookie, { category: ['boiler-coal'], description: ['vorher'] })
    const draft = await drafts.save(cookie, { area: ['410102001'], place: ['x'], callback: ['y'] }, 'browser')
    expect(draft).toMatchObject({
      sealing: 'browser',
      answers: { category: ['boiler-coal'], area: ['410102001'] },
    })
    expect(Object.keys(draft.answers).sort()).toEqual(['area', 'category'])

    const secrets = await newSecrets()
    const sealed = await sealedTip(secrets, await usual())
    const header = `__Host-draft=${cookie}`
    const key = randomUUID()
    const answers = await Promise.all([1, 2, 3].map(() => post({ sealed, key, cookie: header })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201])
    expect(new Set(answers.map(({ body }) => body.caseNo)).size).toBe(1)
    expect(await drafts.open(cookie)).toBeNull()
    expect(await drafts.sent(cookie)).toMatchObject({ caseNo: answers[0]?.body.caseNo, receiptCode: null })
    const second = await post({ sealed: await sealedTip(await newSecrets(), await usual()), cookie: header })
    expect(second.body.type).toBe('/problems/idempotency-conflict/')
  })
})

describe('an upload', () => {
  let sealed: Uint8Array<ArrayBuffer>
  beforeAll(async () => {
    sealed = (await sealPhoto(await newSecrets(), 0, photo)).original
    expect(sealed.length).toBeGreaterThan(3 * 64 * KIB)
  })
  const begin = async (size: number, headers: Readonly<Record<string, string>> = {}, gate?: string) => {
    const reply = await fetch(`${api()}/uploads`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ size, gate: gate ?? (await proof()) }),
    })
    return { status: reply.status, id: ((await reply.json()) as { id?: string }).id ?? '' }
  }
  const state = async (id: string) => {
    const reply = await fetch(`${api()}/uploads/${id}`, { method: 'HEAD' })
    return [reply.status, reply.headers.get('upload-offset'), reply.headers.get('upload-length')]
  }
  const PIECE = 64 * KIB

  it('goes on where it stands, and nowhere else', async () => {
    const { id } = await begin(sealed.length)
    expect((await patch(api(), id, 0, sealed.slice(0, PIECE))).status).toBe(200)
    const wrong = await patch(api(), id, 0, sealed.slice(0, PIECE))
    expect([wrong.status, wrong.headers.get('upload-offset')]).toEqual([409, String(PIECE)])
    expect((await patch(api(), id, 2 * PIECE, sealed.slice(2 * PIECE))).status).toBe(409)
    expect(await state(id)).toEqual([200, String(PIECE), String(sealed.length)])
    expect((await patch(api(), id, PIECE, sealed.slice(PIECE))).status).toBe(200)
    expect(await state(id)).toEqual([200, String(sealed.length), String(sealed.length)])
    expect((await patch(api(), id, sealed.length, new Uint8Array(1))).status).toBe(422)
  })

  it.each<[string, number, (whole: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>]>([
    ['what is not sealed', 422, () => new Uint8Array(PIECE)],
    ['a piece too small', 422, (whole) => whole.slice(0, PIECE - 1)],
    ['more than was announced', 422, (whole) => new Uint8Array([...whole, 0])],
    ['a piece too large', 413, () => new Uint8Array(1024 * KIB + 1)],
    ['nothing', 422, () => new Uint8Array()],
  ])('refuses %s', async (_what, status, piece) => {
    const { id } = await begin(sealed.length)
    expect((await patch(api(), id, 0, piece(sealed))).status).toBe(status)
    expect(await state(id)).toEqual([200, '0', String(sealed.length)])
  })

  it('takes one of two pieces that come at once', async () => {
    const { id } = await begin(sealed.length)
    const replies = await Promise.all([1, 2].map(() => patch(api(), id, 0, sealed.slice(0, PIECE))))
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 409])
  })

  it('goes on after the process died between two pieces', async () => {
    const { id } = await begin(sealed.length)
    await patch(api(), id, 0, sealed.slice(0, PIECE))
    // Another process on the same database and folder; the first one's memory is gone.
    const files = createDiskFiles(join(root, 'blobs'))
    const { uploads } = createServices({ ...app.deps, files })
    expect(await uploads.state(id)).toEqual({ offset: PIECE, size: sealed.length })
    // It died with a piece on disk that the row does not know of: that piece comes again.
    const row = await app.database.db
      .selectFrom('upload')
      .select('blob_key')
      .where('received', '=', PIECE)
      .orderBy('blob_key')
      .execute()
    for (const { blob_key: key } of row) await files.append(key, PIECE, sealed.slice(PIECE, PIECE + 100))
    await uploads.add(id, PIECE, sealed.slice(PIECE))
    const [ready] = await uploads.ready([id])
    expect(new Uint8Array((await files.get(ready?.blobKey ?? '')) ?? [])).toEqual(sealed)
    // Committed twice over: the answer to the first was lost.
    expect(await uploads.ready([id])).toEqual([ready])
  })

  it('is for a draft or a proof, of a size that sealed photos have, and so many at a time', async () => {
    expect((await begin(sealed.length, {}, '')).status).toBe(403)
    for (const size of [1, sealed.length + 1, 300 * 1024 * KIB]) expect((await begin(size)).status).toBe(422)
    const { cookie } = await app.services.drafts.start()
    const headers = { cookie: `__Host-draft=${cookie}` }
    const begun: number[] = []
    for (let index = 0; index < 19; index += 1) begun.push((await begin(sealed.length, headers, '')).status)
    expect(begun).toEqual([...Array<number>(18).fill(201), 413])
  })

  it('is limited by client', async () => {
    sender += 1
    const gate = await proof()
    const from = { 'x-sender': `10.0.0.${sender}` }
    const statuses = new Set<number>()
    for (let index = 0; index < 602; index += 1) statuses.add((await begin(1, from, gate)).status)
    expect([...statuses]).toEqual([422, 429])
  })

  it('that no tip took is forgotten after a day, file and all; one taken back at once', async () => {
    const { files, services } = app
    const { id } = await begin(sealed.length)
    await patch(api(), id, 0, sealed.slice(0, PIECE))
    const whole = await upload(api(), sealed, { gate: await proof() })
    const [ready] = await services.uploads.ready([whole])
    const removed = await upload(api(), sealed, { gate: await proof() })
    expect((await fetch(`${api()}/uploads/${removed}`, { method: 'DELETE' })).status).toBe(200)
    expect((await state(removed))[0]).toBe(404)
    await services.uploads.purge(addDays(dayOf(now), 0))
    expect((await state(id))[0]).toBe(200)
    now = new Date(now.getTime() + 2 * 86_400_000)
    await services.upkeep.run()
    expect((await state(id))[0]).toBe(404)
    expect(await files.get(ready?.blobKey ?? '')).toBeNull()
    expect((await fetch(`${api()}/uploads/${'x'.repeat(43)}`)).status).toBe(404)
  })
})

/** A department's next key. */
async function renewKey(department: string): Promise<void> {
  await app.services.rotations.rotateFromEscrow(app.escrowIdentity, department)
}
