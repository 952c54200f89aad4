import { randomUUID } from 'node:crypto'
import type { KyselyPlugin, QueryId } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createDiskFiles } from '../../src/adapters/disk-files.ts'
import { createMemoryFiles } from '../../src/adapters/memory-files.ts'
import { DomainError } from '../../src/domain/errors.ts'
import type { FileStore } from '../../src/services/file-store.ts'
import { createServices, type Services } from '../../src/services/index.ts'
import type { Deps } from '../../src/services/ports.ts'
import { openTestApp, plainTip, signInAs, tipForm, type TestApp } from '../support/app.ts'
import { jpegWithExif, textAsJpg } from '../support/images.ts'
import { openProxy, type Proxy } from '../support/proxy.ts'
import { openTestSite, type TestSite } from '../support/site.ts'

// What goes wrong in the middle of a filing, each at its exact moment. The fault pass (test/faults) meets them by chance.

const PLAIN = {
  category: 'boiler-coal',
  area: '410102001',
  answer: null,
  accused: null,
  when: 'now' as const,
  urgency: 'normal' as const,
  description: '锅炉冒黑烟。',
  place: '',
  callback: null,
  checklist: [],
}

const NO_GATE = { trap: '', proof: '', client: null }

let app: TestApp
let files: FileStore
let photos: Uint8Array[]
beforeAll(async () => {
  files = createMemoryFiles()
  app = await openTestApp({ files })
  photos = [
    await jpegWithExif({ text: 'one', width: 64, height: 48 }),
    await jpegWithExif({ text: 'two', width: 64, height: 48 }),
    await jpegWithExif({ text: 'three', width: 64, height: 48 }),
  ]
})
afterAll(() => app.close())

const photo = (index: number): Uint8Array => photos[index] ?? new Uint8Array()

async function storedKeys(): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of files.list()) keys.push(key)
  return keys
}

/** The photos of the case that was filed, as its department opens them. */
async function openedPhotos(caseNo: string, department: string): Promise<string[]> {
  const officer = await signInAs(app, department, ['officer'])
  const { tips } = await app.services.cases.detail(officer.session, caseNo)
  const [tip] = tips
  if (!tip) throw new Error('the case has no tip')
  const opened: string[] = []
  for (const part of tip.photoParts) {
    await app.openPhoto(tip.id, department, 'tip.photo', part)
    const original = Buffer.from(await app.openPhoto(tip.id, department, 'tip.original', part))
    const index = photos.findIndex((sent) => original.equals(sent))
    opened.push(['one', 'two', 'three'][index] ?? 'another')
  }
  return opened
}

describe('a photo that was refused or taken back', () => {
  it('leaves the others to be opened, in their order', async () => {
    const { drafts } = app.services
    const { cookie } = await drafts.start()
    await drafts.addPhoto(cookie, photo(0))
    await expect(drafts.addPhoto(cookie, textAsJpg())).rejects.toMatchObject({ code: 'photo-rejected' })
    const { photos: kept } = await drafts.addPhoto(cookie, photo(1))
    await drafts.addPhoto(cookie, photo(2))
    await drafts.removePhoto(cookie, kept[0]?.part ?? -1)
    const { caseNo, promise } = await drafts.commit(cookie, PLAIN, NO_GATE)
    expect(await openedPhotos(caseNo, promise.department)).toEqual(['two', 'three'])
  })
})

/** Services whose plan is looked up only after `meanwhile`: commit looks it up between reading a draft and filing. */
function interrupted(meanwhile: () => Promise<unknown>): Services {
  let once = true
  const current: Deps['plan']['current'] = async () => {
    if (once) {
      once = false
      await meanwhile()
    }
    return app.deps.plan.current()
  }
  return createServices({ ...app.deps, plan: { ...app.deps.plan, current } })
}

describe('a draft that changes while it is filed', () => {
  const { drafts } = { drafts: () => app.services.drafts }

  it('is filed as it is then: without a photo taken back, with one added', async () => {
    const { cookie } = await drafts().start()
    const { photos: kept } = await drafts().addPhoto(cookie, photo(0))
    const services = interrupted(async () => {
      await drafts().addPhoto(cookie, photo(1))
      await drafts().removePhoto(cookie, kept[0]?.part ?? -1)
    })
    const { caseNo, promise } = await services.drafts.commit(cookie, PLAIN, NO_GATE)
    expect(await openedPhotos(caseNo, promise.department)).toEqual(['two'])
  })

  it('is not filed when it was forgotten, since its photos are gone', async () => {
    const { cookie } = await drafts().start()
    await drafts().addPhoto(cookie, photo(0))
    const before = await app.database.db.selectFrom('tip').select('id').execute()
    const services = interrupted(() => drafts().purge('2999-01-01'))
    await expect(services.drafts.commit(cookie, PLAIN, NO_GATE)).rejects.toMatchObject({ code: 'form-token' })
    expect(await app.database.db.selectFrom('tip').select('id').execute()).toEqual(before)
    expect(await drafts().sent(cookie)).toBeNull()
  })
})

describe('forgetting stale drafts', () => {
  it('takes their photos along, and leaves those of a draft that became a tip', async () => {
    const { drafts } = app.services
    const before = await storedKeys()
    const forgotten = await drafts.start()
    await drafts.addPhoto(forgotten.cookie, photo(0))
    const filed = await drafts.start()
    await drafts.addPhoto(filed.cookie, photo(1))
    const { caseNo, promise } = await drafts.commit(filed.cookie, PLAIN, NO_GATE)
    expect(await storedKeys()).toHaveLength(before.length + 4)

    await drafts.purge('2999-01-01')
    expect(await drafts.open(forgotten.cookie)).toBeNull()
    expect(await app.database.db.selectFrom('draft_blob').selectAll().execute()).toEqual([])
    expect(await storedKeys()).toHaveLength(before.length + 2)
    expect(await openedPhotos(caseNo, promise.department)).toEqual(['two'])
  })
})

/** Lets statements of one kind be executed and their answers be lost, as by a connection that breaks. */
function losingAnswers(isMeant: (node: unknown) => boolean): KyselyPlugin {
  const meant = new WeakSet<QueryId>()
  return {
    transformQuery: ({ node, queryId }) => {
      if (isMeant(node)) meant.add(queryId)
      return node
    },
    transformResult: ({ queryId, result }) =>
      meant.has(queryId)
        ? Promise.reject(new Error('Connection terminated unexpectedly'))
        : Promise.resolve(result),
  }
}

describe('a database that goes away without answering', () => {
  it('costs a draft no photo that it may name', async () => {
    const { cookie } = await app.services.drafts.start()
    const before = await storedKeys()
    const db = app.deps.db.withPlugin(losingAnswers((node) => JSON.stringify(node).includes('draft_blob')))
    const services = createServices({ ...app.deps, db })
    await expect(services.drafts.addPhoto(cookie, photo(0))).rejects.toThrow('Connection terminated')
    expect(await storedKeys()).toHaveLength(before.length + 2)
  })

  it.runIf(inject('testDatabase').engine === 'postgres')(
    'costs a tip nothing: the repeat is answered with the case and its photo opens',
    { timeout: 240_000 },
    async () => {
      let proxy: Proxy | undefined
      let site: TestSite | undefined
      try {
        site = await openTestSite(undefined, async (direct) => {
          const url = new URL(direct)
          proxy = await openProxy({ host: url.hostname, port: Number(url.port || 5432) })
          url.host = `127.0.0.1:${proxy.port}`
          return url.href
        })
        const key = randomUUID()
        const send = () =>
          fetch(`${site?.url ?? ''}/api/v1/tips`, {
            method: 'POST',
            headers: { 'idempotency-key': key },
            body: tipForm(plainTip(), [photo(0)]),
          })
        const lost = proxy?.loseAnswerTo('insert into filing')
        const first = await send()
        await lost
        // The database was back at once, and still it is no fault of the program.
        expect(first.status).toBe(503)
        expect(await first.json()).toMatchObject({ type: '/problems/database-unavailable/' })
        const second = await send()
        expect(second.status).toBe(200)
        const stored: string[] = []
        for await (const blob of createDiskFiles(`${site.dataDir}/blobs`).list()) stored.push(blob.key)
        expect(stored).toHaveLength(2)
      } finally {
        await site?.close()
        proxy?.close()
      }
    },
  )
})

describe('a store that is full', () => {
  let room = 0
  const full: Deps['files'] = {
    put: async (key, bytes) => {
      if (room === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      room -= 1
      await files.put(key, bytes)
    },
    get: (key) => files.get(key),
    delete: (key) => files.delete(key),
    append: (key, offset, bytes) => files.append(key, offset, bytes),
    finish: (key) => files.finish(key),
    list: () => files.list(),
    forgetUnfinished: (before) => files.forgetUnfinished(before),
  }
  let services: Services
  beforeEach(() => {
    services = createServices({ ...app.deps, files: full })
  })
  afterEach(() => {
    room = 0
  })

  it.each([0, 1])(
    'refuses the photo with its own words and keeps no half of it (room for %i)',
    async (free) => {
      const before = await storedKeys()
      const { cookie } = await services.drafts.start()
      room = free
      const refused = await services.drafts.addPhoto(cookie, photo(0)).catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(DomainError)
      expect(refused).toMatchObject({ code: 'photos-unavailable' })
      expect(await storedKeys()).toEqual(before)

      const { caseNo } = await services.drafts.commit(cookie, PLAIN, NO_GATE)
      expect(caseNo).toMatch(/^ZY-/)
    },
  )
})
