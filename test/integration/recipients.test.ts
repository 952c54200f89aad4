import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createMemoryPin } from '../../src/adapters/recipient-pin.ts'
import { recipientsReply } from '../../src/schemas/api.ts'
import { createKeyPair, pairOf } from '../../src/sealing/age-identity.ts'
import {
  RecipientListError,
  signEntry,
  verifierOf,
  verifyRecipientList,
  type RecipientEntry,
} from '../../src/sealing/recipient-list.ts'
import { createServices, type Services } from '../../src/services/index.ts'
import { openTestApp, plainTip, type TestApp } from '../support/app.ts'

const DEPARTMENT = 'qu-huanbao'

let app: TestApp
beforeAll(async () => {
  app = await openTestApp()
})
afterAll(async () => {
  await app.close()
})

/** What a thief does who can write the database, and what sees it at once. */
async function changed(): Promise<void> {
  await app.database.db.transaction().execute((tx) => app.deps.versions.bump(tx, 'keys'))
  app.deps.versions.expire()
}

async function file(): Promise<{ status: number; type: string }> {
  const reply = await fetch(`${app.url}/api/v1/tips`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json' },
    body: JSON.stringify({ plain: plainTip() }),
  })
  return { status: reply.status, type: ((await reply.json()) as { type?: string }).type ?? '' }
}
const REFUSED = { status: 503, type: '/problems/intake-closed/' }

async function fetchList() {
  return recipientsReply.parse(await (await fetch(`${app.url}/api/v1/recipients`)).json())
}

/** What a browser says that pinned root and head of an earlier page. */
function browserSays(
  items: readonly RecipientEntry[],
  root: string,
  pinned: { count: number; hash: string },
) {
  try {
    return verifyRecipientList(items, root, { pinned }).get(DEPARTMENT)?.recipient
  } catch (error) {
    return error instanceof RecipientListError ? error.code : error
  }
}

/** Rows of the list as they lie in the database, handed out by a server that looks away. */
async function listInDatabase(): Promise<RecipientEntry[]> {
  const rows = await app.database.db.selectFrom('recipient_entry').selectAll().orderBy('no').execute()
  return rows.map(({ no: _no, signed_by: signedBy, ...row }) => ({ ...row, signedBy }))
}

interface Saved {
  readonly keys: { department_id: string; epoch: number; recipient: string }[]
  readonly list: Awaited<ReturnType<typeof rowsOfList>>
}
const rowsOfList = () => app.database.db.selectFrom('recipient_entry').selectAll().orderBy('no').execute()
let saved: Saved
beforeEach(async () => {
  const { db } = app.database
  saved = {
    keys: await db.selectFrom('department_key').select(['department_id', 'epoch', 'recipient']).execute(),
    list: await rowsOfList(),
  }
  return async () => {
    for (const { department_id: id, epoch, recipient } of saved.keys) {
      await db
        .updateTable('department_key')
        .set({ recipient })
        .where('department_id', '=', id)
        .where('epoch', '=', epoch)
        .execute()
    }
    await db.deleteFrom('recipient_entry').execute()
    await db.insertInto('recipient_entry').values(saved.list).execute()
    await changed()
  }
})

describe('the list of recipients', () => {
  it('is signed from the first start and given to anybody', async () => {
    const { root, head, items } = await fetchList()
    expect(root).toBe(verifierOf(app.escrowIdentity))
    expect(items).toHaveLength(46)
    expect(head?.count).toBe(46)
    const current = verifyRecipientList(items, root ?? '')
    expect(current.get('escrow')?.recipient).toBe((await pairOf(app.escrowIdentity)).recipient)
    expect(current.get(DEPARTMENT)?.recipient).toBe(
      (await app.services.keys.recipients()).get(DEPARTMENT)?.recipient,
    )
    expect(await app.services.recipients.trouble()).toBeNull()
  })

  it('keeps tips from a thief who swaps a department’s recipient', async () => {
    const thief = await createKeyPair()
    await app.services.keys.recipients()
    await app.database.db
      .updateTable('department_key')
      .set({ recipient: thief.recipient })
      .where('department_id', '=', DEPARTMENT)
      .execute()
    // Before anybody looks again, what was verified goes on being used.
    expect((await app.services.keys.recipients()).get(DEPARTMENT)?.recipient).not.toBe(thief.recipient)
    await changed()
    expect(await file()).toEqual(REFUSED)
    expect(await app.services.readiness.check()).toMatchObject({ ready: false })
    expect((await fetch(`${app.url}/api/v1/recipients`)).status).toBe(503)
    expect(await app.services.recipients.trouble()).toContain('not those of the signed list')
  })

  it('keeps them also when the thief swaps it in both tables, on the server and in a browser', async () => {
    const { root, head } = await fetchList()
    const thief = await createKeyPair()
    const { db } = app.database
    await db
      .updateTable('department_key')
      .set({ recipient: thief.recipient })
      .where('department_id', '=', DEPARTMENT)
      .execute()
    await db
      .updateTable('recipient_entry')
      .set({ recipient: thief.recipient })
      .where('owner', '=', DEPARTMENT)
      .execute()
    await changed()
    expect(await file()).toEqual(REFUSED)
    expect(await app.services.recipients.trouble()).toContain('is not the one that was signed')
    const pinned = { count: head?.count ?? 0, hash: head?.hash ?? '' }
    expect(browserSays(await listInDatabase(), root ?? '', pinned)).toBe('broken-chain')
  })

  it('keeps them when a thief writes a successor, with whatever key', async () => {
    const { root, head, items } = await fetchList()
    const pinned = { count: head?.count ?? 0, hash: head?.hash ?? '' }
    const thief = await createKeyPair()
    const { db } = app.database
    const entry = signEntry(
      {
        owner: DEPARTMENT,
        epoch: 2,
        recipient: thief.recipient,
        verifier: verifierOf(thief.identity),
        day: '2026-11-25',
        signedBy: 'predecessor',
        previous: pinned.hash,
      },
      thief.identity,
    )
    const { signedBy: signed_by, ...row } = entry
    await db
      .insertInto('recipient_entry')
      .values({ ...row, signed_by, no: items.length })
      .execute()
    await changed()
    expect(await file()).toEqual(REFUSED)
    expect(browserSays([...items, entry], root ?? '', pinned)).toBe('bad-signature')
  })

  it('keeps them when the whole list is the thief’s own', async () => {
    const { root, head } = await fetchList()
    const thief = await createKeyPair()
    const { db } = app.database
    await db.deleteFrom('recipient_entry').execute()
    await db.transaction().execute((tx) =>
      createServices({ ...app.deps, pin: createMemoryPin() }).recipients.begin(
        tx,
        verifierOf(thief.identity),
        saved.keys.map(({ department_id: owner, epoch, recipient }) => ({
          owner,
          epoch,
          recipient,
          verifier: verifierOf(thief.identity),
          day: '2026-11-25',
        })),
        thief.identity,
      ),
    )
    await changed()
    expect(await file()).toEqual(REFUSED)
    const pinned = { count: head?.count ?? 0, hash: head?.hash ?? '' }
    expect(browserSays(await listInDatabase(), root ?? '', pinned)).toBe('broken-chain')
  })

  it('is refused when its newest entries are taken away, on this machine for ever', async () => {
    await app.services.rotations.rotateFromEscrow(app.escrowIdentity, 'qu-jianshe')
    const { root, head } = await fetchList()
    expect(head?.count).toBe(47)
    const { db } = app.database
    const grants = await db.selectFrom('key_grant').selectAll().where('epoch', '=', 2).execute()
    await db.deleteFrom('key_grant').where('epoch', '=', 2).execute()
    await db.deleteFrom('department_key').where('epoch', '=', 2).execute()
    await db.deleteFrom('recipient_entry').where('no', '=', 46).execute()
    await changed()
    expect(await file()).toEqual(REFUSED)
    expect(browserSays(await listInDatabase(), root ?? '', { count: 47, hash: head?.hash ?? '' })).toBe(
      'rolled-back',
    )
    // A restored backup looks just so: only the escrow key says that it is one.
    await expect(app.services.keys.sign(app.escrowIdentity, { anew: false })).rejects.toMatchObject({
      fault: 'refused',
    })
    expect(await app.services.keys.sign(app.escrowIdentity, { anew: true })).toMatchObject({
      signed: [],
      entries: 46,
    })
    expect((await file()).status).toBe(201)
    expect(grants).toHaveLength(1)
  })
})

describe('keys from before there was a list', () => {
  /** The program on a machine that has seen no list. */
  const machine = (): Services => createServices({ ...app.deps, pin: createMemoryPin() })

  it('are signed once by the escrow, and until then nothing is taken', async () => {
    await app.database.db.deleteFrom('recipient_entry').execute()
    const services = machine()
    expect(await services.recipients.trouble()).toContain('npm run keys -- sign --escrow FILE')
    expect(await services.readiness.check()).toMatchObject({ ready: false })
    await expect(services.keys.sign((await createKeyPair()).identity, { anew: false })).rejects.toMatchObject(
      { code: 'invalid-input' },
    )
    // The approvers' key is not the escrow's to vouch for alone.
    await expect(services.keys.sign(app.escrowIdentity, { anew: false })).rejects.toMatchObject({
      message: expect.stringContaining('--approver-escrow') as string,
    })
    const both = { anew: false, approverEscrowIdentity: app.approverEscrowIdentity }
    const { signed, root } = await services.keys.sign(app.escrowIdentity, both)
    expect(root).toBe(verifierOf(app.escrowIdentity))
    expect(signed).toHaveLength(44)
    expect(await services.readiness.check()).toEqual({ ready: true, reasons: [] })
    // What the machine saw, it does not forget: an emptied list is no list from before.
    await app.database.db.deleteFrom('recipient_entry').execute()
    await changed()
    await expect(services.keys.sign(app.escrowIdentity, { anew: false })).rejects.toMatchObject({
      fault: 'refused',
    })
  })

  it('are not signed when one of them is not what the escrow holds', async () => {
    const { db } = app.database
    await db.deleteFrom('recipient_entry').execute()
    const thief = await createKeyPair()
    await db
      .updateTable('department_key')
      .set({ recipient: thief.recipient })
      .where('department_id', '=', DEPARTMENT)
      .execute()
    const both = { anew: false, approverEscrowIdentity: app.approverEscrowIdentity }
    await expect(machine().keys.sign(app.escrowIdentity, both)).rejects.toMatchObject({
      message: expect.stringContaining(DEPARTMENT) as string,
    })
    expect(await rowsOfList()).toEqual([])
  })

  it('are believed by another machine once it is shown the escrow key', async () => {
    const services = machine()
    expect(await services.recipients.trouble()).toContain('does not know the root')
    expect(await services.keys.sign(app.escrowIdentity, { anew: false })).toMatchObject({ signed: [] })
    expect(await services.recipients.trouble()).toBeNull()
  })
})

it('a swapped escrow is given nothing', async () => {
  const thief = await createKeyPair()
  await app.database.db
    .updateTable('setting')
    .set({ value: JSON.stringify({ recipient: thief.recipient }) })
    .where('key', '=', 'escrow')
    .execute()
  expect(await app.services.keys.escrowRecipient()).toBe((await pairOf(app.escrowIdentity)).recipient)
  await expect(app.services.keys.mustBeEscrow(thief.identity)).rejects.toMatchObject({
    code: 'invalid-input',
  })
})
