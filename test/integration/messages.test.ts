import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startOfDay } from '../../src/domain/day.ts'
import { RECEIPT_COOKIE } from '../../src/http/session-cookie.ts'
import { createKeyPair } from '../../src/sealing/age-identity.ts'
import { fromUtf8, toBase64Url } from '../../src/sealing/bytes.ts'
import { openPart } from '../../src/sealing/envelope.ts'
import { openMessage, openMessagePhoto, sealMessage, sealMessagePhoto } from '../../src/sealing/message.ts'
import type { SealedNarrative } from '../../src/sealing/outgoing.ts'
import { areOwnRecipients, deriveReceipt, tipRecipientMac } from '../../src/sealing/receipt-keys.ts'
import { isReporters, signReissued } from '../../src/sealing/reissued.ts'
import { wrapTipKey } from '../../src/sealing/tip-keys.ts'
import type { ActRequest } from '../../src/services/cases.ts'
import { createFollowMail } from '../../src/services/follow-mail.ts'
import { jobHandlers, type Jobs } from '../../src/services/jobs.ts'
import { MailError } from '../../src/services/mailer.ts'
import type { OpenedThread } from '../../src/services/receipts.ts'
import { openTestApp, plainTip, signInAs, type TestApp, type TestMember } from '../support/app.ts'
import { jpegWithExif } from '../support/images.ts'
import { createMemoryMailer, quiet } from '../support/notices.ts'

/** A Wednesday; five working days later is the next Wednesday. */
const WEDNESDAY = '2026-11-25'
const HOLDER = 'qu-huanbao'
const NEXT = 'qu-zhifa'
const THIRD = 'qu-jianshe'

const mailer = createMemoryMailer()
/** Mails that wait for their moment: which, and how long. */
const waiting: { id: string; delay: number }[] = []
const jobs: Jobs = {
  open: () =>
    Promise.resolve({
      sendMail: (_tx, id, delay = 0) => {
        waiting.push({ id, delay })
        return Promise.resolve()
      },
    }),
}

let app: TestApp
let now = startOfDay(WEDNESDAY)
let officer: TestMember
let nextOfficer: TestMember
let thirdOfficer: TestMember
beforeAll(async () => {
  app = await openTestApp({ now: () => now, notices: () => ({ ...quiet, jobs, mailer }) })
  officer = await signInAs(app, HOLDER, ['officer'])
  nextOfficer = await signInAs(app, NEXT, ['officer'])
  thirdOfficer = await signInAs(app, THIRD, ['officer'])
})
afterAll(async () => {
  await app.close()
})

interface Filed {
  readonly caseNo: string
  readonly tipId: string
  readonly code: string
}

async function aTip(): Promise<Filed> {
  const reply = await fetch(`${app.url}/api/v1/tips`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json' },
    body: JSON.stringify({ plain: plainTip() }),
  })
  const { caseNo, receiptCode } = (await reply.json()) as { caseNo: string; receiptCode: string }
  const { id } = await app.database.db
    .selectFrom('tip')
    .innerJoin('case_file', 'case_file.id', 'tip.case_id')
    .select('tip.id')
    .where('case_no', '=', caseNo)
    .executeTakeFirstOrThrow()
  return { caseNo, tipId: id, code: receiptCode }
}

const caseOf = ({ caseNo }: Filed) =>
  app.database.db.selectFrom('case_file').selectAll().where('case_no', '=', caseNo).executeTakeFirstOrThrow()

const act = async (by: TestMember, tip: Filed, request: Omit<ActRequest, 'version'>) =>
  app.services.cases.act(by.session, tip.caseNo, { ...request, version: (await caseOf(tip)).version })

/** What the officer's browser makes. */
async function words(by: TestMember, tip: Filed, text: string, photos: readonly string[] = []) {
  const { tips } = await app.services.cases.detail(by.session, tip.caseNo)
  const found = tips.find(({ id }) => id === tip.tipId)
  if (!found) throw new Error('the case has no such tip')
  const number = found.messages.length + 1
  const recipients = [found.recipient, found.reporterRecipient]
  const sealed = await sealMessage({ tip: tip.tipId, number, from: 'officer' }, recipients, { text, photos })
  return { tipId: tip.tipId, number, key: randomUUID() as string, sealed, photos: [] }
}

/** The same with a photo, as it is sent. */
async function withPhoto(tip: Filed, text: string, picture: Uint8Array, photo: string) {
  const { sealed, photos: _, ...rest } = await words(officer, tip, text, [photo])
  const { tips } = await app.services.cases.detail(officer.session, tip.caseNo)
  const recipients = tips.flatMap(({ recipient, reporterRecipient }) => [recipient, reporterRecipient])
  return {
    body: { ...rest, sealed: toBase64Url(sealed), photos: [photo] },
    envelope: await sealMessagePhoto({ tip: tip.tipId, photo }, recipients, picture),
  }
}

async function blobs(): Promise<number> {
  let count = 0
  for await (const _ of app.files.list()) count += 1
  return count
}

const asOfficer = (
  path: string,
  body: object,
  envelopes: readonly Uint8Array<ArrayBuffer>[],
  by = officer,
) => {
  const form = new FormData()
  form.set('body', JSON.stringify(body))
  for (const envelope of envelopes) form.append('photos', new Blob([envelope]), 'photo')
  return fetch(`${app.url}/api/v1/staff/cases/${path}`, {
    method: 'POST',
    headers: { cookie: by.cookie, 'x-form-token': by.token, origin: app.url },
    body: form,
  })
}

const ask = async (tip: Filed, text: string, by = officer) =>
  act(by, tip, { action: 'ask_reporter', message: await words(by, tip, text) })

const open = ({ code }: Filed): Promise<string> => app.services.receipts.open(code)
const threadOf = async (tip: Filed): Promise<OpenedThread> => {
  const thread = await app.services.receipts.thread(await open(tip))
  if (!thread) throw new Error('no thread')
  return thread
}
const textsOf = async (tip: Filed) =>
  (await threadOf(tip)).messages.map(({ from, text }) => `${from}: ${text}`)
const answer = async (tip: Filed, text: string, key: string = randomUUID()) =>
  app.services.receipts.answer(await open(tip), { key, text, photos: [] })

const asReporter = async (
  tip: Filed,
  body: BodyInit,
  { key = randomUUID(), json = true, cookie }: { key?: string; json?: boolean; cookie?: string } = {},
) =>
  fetch(`${app.url}/api/v1/receipts/current/messages`, {
    method: 'POST',
    headers: {
      cookie: `${RECEIPT_COOKIE.name}=${cookie ?? (await open(tip))}`,
      'idempotency-key': key,
      ...(json ? { 'content-type': 'application/json' } : {}),
    },
    body,
  })

let tip: Filed
beforeEach(async () => {
  now = startOfDay(WEDNESDAY)
  tip = await aTip()
  await act(officer, tip, { action: 'accept' })
})

describe('a question to the reporter', () => {
  it('stops the term for five working days, and the answer with nothing but the code lets it go on', async () => {
    const due = (await caseOf(tip)).conclude_due ?? ''
    expect((await ask(tip, '请问是几号门？')).state).toBe('awaiting_reporter')
    expect(await caseOf(tip)).toMatchObject({ paused_until: '2026-12-02', pause_used: true })
    expect((await threadOf(tip)).asked).toEqual({ day: WEDNESDAY, until: '2026-12-02' })
    expect(await textsOf(tip)).toEqual(['officer: 请问是几号门？'])

    now = startOfDay('2026-11-27')
    expect(await answer(tip, '三号门。')).toBe(true)
    const after = await caseOf(tip)
    expect(after).toMatchObject({ state: 'working', paused_until: null })
    // Two days it stood still, two days it is longer.
    expect(after.conclude_due).toBe(
      new Date(Date.parse(`${due}T00:00:00Z`) + 2 * 86_400_000).toISOString().slice(0, 10),
    )
    expect((await threadOf(tip)).asked).toBeNull()
    const { events } = await app.services.cases.detail(officer.session, tip.caseNo)
    expect(events.slice(-2).map(({ role, action, at }) => [role, action, at === null])).toEqual([
      ['officer', 'ask_reporter', false],
      ['reporter', 'resume', true],
    ])
  })

  it('ends by itself when nobody answers, and can be asked once', async () => {
    await ask(tip, '请问是几号门？')
    now = startOfDay('2026-12-02')
    await app.services.cases.tick()
    expect((await caseOf(tip)).state).toBe('awaiting_reporter')
    now = startOfDay('2026-12-03')
    await app.services.cases.tick()
    expect((await caseOf(tip)).state).toBe('working')
    await expect(ask(tip, '还在吗？')).rejects.toMatchObject({ code: 'case-transition' })
    // Without a pause they go on.
    await app.services.cases.write(officer.session, tip.caseNo, await words(officer, tip, '还在吗？'))
    await answer(tip, '在。')
    expect(await textsOf(tip)).toEqual(['officer: 请问是几号门？', 'officer: 还在吗？', 'reporter: 在。'])
    expect((await caseOf(tip)).state).toBe('working')
  })

  it('is nothing without its words', async () => {
    await expect(act(officer, tip, { action: 'ask_reporter' })).rejects.toMatchObject({
      code: 'invalid-input',
      fields: [{ field: 'text' }],
    })
    expect((await caseOf(tip)).state).toBe('accepted')
  })

  it('waits for the one who was asked, when several reported the same', async () => {
    const later = await aTip()
    await app.database.db
      .updateTable('case_file')
      .set({ received_day: '2026-11-24' })
      .where('case_no', '=', tip.caseNo)
      .execute()
    await act(officer, later, { action: 'attach', attachTo: tip.caseNo })
    const asked = { ...tip, tipId: later.tipId }
    await act(officer, tip, { action: 'ask_reporter', message: await words(officer, asked, '您看到几次？') })
    expect((await threadOf(tip)).asked).toBeNull()
    expect((await threadOf(later)).asked).not.toBeNull()
    expect(await textsOf(tip)).toEqual([])

    await answer(tip, '我也补充一句。')
    expect((await caseOf(tip)).state).toBe('awaiting_reporter')
    await answer(later, '三次。')
    expect((await caseOf(tip)).state).toBe('working')
    expect(await textsOf(later)).toEqual(['officer: 您看到几次？', 'reporter: 三次。'])
  })
})

describe('a thread', () => {
  it('goes with the tip: the next department reads it, a third learns of nothing', async () => {
    await app.services.cases.write(officer.session, tip.caseNo, await words(officer, tip, '已到现场。'))
    const target = (await app.services.keys.recipients()).get(NEXT)
    if (!target) throw new Error('no key')
    const { wrap } = (await app.services.cases.detail(officer.session, tip.caseNo)).tips[0] ?? {}
    expect(wrap?.department).toBe(HOLDER)
    const identity = await app.tipIdentity(tip.tipId, HOLDER)
    const address = { tip: tip.tipId, department: NEXT, epoch: target.epoch }
    await act(officer, tip, {
      action: 'hand_over',
      target: NEXT,
      wraps: [
        {
          tipId: tip.tipId,
          epoch: target.epoch,
          wrapped: await wrapTipKey(address, identity, target.recipient),
        },
      ],
    })
    await answer(tip, '照片里的烟囱就是它。')

    const { tips } = await app.services.cases.detail(nextOfficer.session, tip.caseNo)
    const theirs = await app.tipIdentity(tip.tipId, NEXT)
    const texts = await Promise.all(
      (tips[0]?.messages ?? []).map(async ({ number, from, sealed }) =>
        openMessage({ tip: tip.tipId, number, from }, theirs, sealed),
      ),
    )
    expect(texts.map(({ text }) => text)).toEqual(['已到现场。', '照片里的烟囱就是它。'])
    for (const stranger of [officer, thirdOfficer]) {
      await expect(app.services.cases.detail(stranger.session, tip.caseNo)).rejects.toMatchObject({
        code: 'not-found',
      })
      const message = await words(nextOfficer, tip, '不该有的')
      await expect(app.services.cases.write(stranger.session, tip.caseNo, message)).rejects.toMatchObject({
        code: 'not-found',
      })
    }
    // The new holder writes once it has accepted.
    const early = await words(nextOfficer, tip, '收到。')
    await expect(app.services.cases.write(nextOfficer.session, tip.caseNo, early)).rejects.toMatchObject({
      code: 'case-transition',
    })
    await act(nextOfficer, tip, { action: 'accept' })
    await app.services.cases.write(nextOfficer.session, tip.caseNo, early)
    expect(await textsOf(tip)).toEqual([
      'officer: 已到现场。',
      'reporter: 照片里的烟囱就是它。',
      'officer: 收到。',
    ])
  })

  it('keeps of the reporter the day alone, of the officer who and when, and says so in the audit', async () => {
    await app.services.cases.write(officer.session, tip.caseNo, await words(officer, tip, '已到现场。'))
    await answer(tip, '谢谢。')
    const rows = await app.database.db
      .selectFrom('message')
      .select(['number', 'side', 'day', 'author_id', 'at'])
      .where('tip_id', '=', tip.tipId)
      .orderBy('number')
      .execute()
    expect(rows).toEqual([
      { number: 1, side: 'officer', day: WEDNESDAY, author_id: officer.session.memberId, at: now },
      { number: 2, side: 'reporter', day: WEDNESDAY, author_id: null, at: null },
    ])
    const audit = await app.database.db
      .selectFrom('staff_audit')
      .select(['member_id', 'action'])
      .where('object', '=', tip.caseNo)
      .where('action', 'like', 'message.%')
      .execute()
    expect(audit).toEqual([{ member_id: officer.session.memberId, action: 'message.send' }])
    // Whoever writes to the reporter has worked on the case.
    expect((await caseOf(tip)).worked_by).toContain(officer.session.memberId)
  })

  it('is marked in the queue until the department writes back', async () => {
    const marked = async () => {
      const { items } = await app.services.cases.queue(officer.session, { bucket: 'all' }, null, 200)
      const listed = await app.services.cases.queue(officer.session, { bucket: 'unanswered' }, null, 200)
      const count = (await app.services.cases.counts(officer.session)).unanswered
      expect(count).toBe(listed.items.length)
      return [
        items.find(({ caseNo }) => caseNo === tip.caseNo)?.unanswered,
        listed.items.some(({ caseNo }) => caseNo === tip.caseNo),
      ]
    }
    expect(await marked()).toEqual([false, false])
    await answer(tip, '又冒烟了。')
    expect(await marked()).toEqual([true, true])
    await app.services.cases.write(officer.session, tip.caseNo, await words(officer, tip, '马上去。'))
    expect(await marked()).toEqual([false, false])
  })

  it('takes a form that is sent twice once, and of two at once one', async () => {
    const key = randomUUID()
    expect(await Promise.all([answer(tip, '一次。', key), answer(tip, '一次。', key)])).toEqual(
      expect.arrayContaining([true, false]),
    )
    expect(await textsOf(tip)).toEqual(['reporter: 一次。'])

    const twice = await words(officer, tip, '收到。')
    await app.services.cases.write(officer.session, tip.caseNo, twice)
    await app.services.cases.write(officer.session, tip.caseNo, twice)
    const stale = { ...twice, key: randomUUID() }
    await expect(app.services.cases.write(officer.session, tip.caseNo, stale)).rejects.toMatchObject({
      code: 'stale-version',
    })
    expect(await textsOf(tip)).toHaveLength(2)
  })

  it('ends with the case', async () => {
    await app.database.db
      .updateTable('case_file')
      .set({ state: 'closed' })
      .where('case_no', '=', tip.caseNo)
      .execute()
    await expect(answer(tip, '还有一句。')).rejects.toMatchObject({ code: 'case-transition' })
    expect((await threadOf(tip)).open).toBe(false)
  })

  it('has a limit for each reporter, whatever their address', async () => {
    const cookie = await open(tip)
    const send = () => app.services.receipts.answer(cookie, { key: randomUUID(), text: '又一条', photos: [] })
    for (let sent = 0; sent < 20; sent += 1) await send()
    await expect(send()).rejects.toMatchObject({ code: 'rate-limited' })
  })
})

describe('an opened receipt', () => {
  it('opens nothing of another tip, and nothing when it is changed, late or made up', async () => {
    const other = await aTip()
    await answer(tip, '只给办这件的人。')
    const cookie = await open(tip)
    expect((await app.services.receipts.thread(await open(other)))?.messages).toEqual([])
    const changed = cookie.replace(/^.(.*).$/, (_, middle: string) => `A${middle}A`)
    const nobodys = await app.services.receipts.open('0'.repeat(24))
    for (const wrong of [null, '', 'A'.repeat(300), changed, nobodys]) {
      expect(await app.services.receipts.thread(wrong)).toBeNull()
      await expect(
        app.services.receipts.answer(wrong, { key: randomUUID(), text: '不该有的', photos: [] }),
      ).rejects.toMatchObject({ code: 'not-found' })
      await expect(app.services.receipts.follow(wrong, 'somebody@example.org')).rejects.toMatchObject({
        code: 'not-found',
      })
    }
    now = new Date(now.getTime() + 21 * 60_000)
    expect(await app.services.receipts.thread(cookie)).toBeNull()
  })

  it('without its code shows sealed messages, which the reporter’s own program opens', async () => {
    await ask(tip, '请问是几号门？')
    const keys = await deriveReceipt(tip.code)
    const cookie = await app.services.receipts.openAuth(keys.auth)
    const reply = await fetch(`${app.url}/api/v1/receipts/current/messages`, {
      headers: { cookie: `${RECEIPT_COOKIE.name}=${cookie}` },
    })
    const thread = (await reply.json()) as {
      tip: string
      recipients: string[]
      next: number
      messages: { text: string | null; sealed: string }[]
    }
    expect(thread.messages.map(({ text }) => text)).toEqual([null])
    const sealed = Buffer.from(thread.messages[0]?.sealed ?? '', 'base64url')
    const question = await openMessage({ tip: thread.tip, number: 1, from: 'officer' }, keys.identity, sealed)
    expect(question.text).toBe('请问是几号门？')

    const photo = 'ab'.repeat(16)
    const picture = new Uint8Array(5000).fill(7)
    const form = new FormData()
    const mine = await sealMessage(
      { tip: thread.tip, number: thread.next, from: 'reporter' },
      thread.recipients,
      { text: '三号门，看照片。', photos: [photo] },
    )
    form.append('sealed', JSON.stringify({ number: thread.next, sealed: toBase64Url(mine), photos: [photo] }))
    const envelope = await sealMessagePhoto({ tip: thread.tip, photo }, thread.recipients, picture)
    form.append('photos', new Blob([envelope]), 'photo')
    expect((await asReporter(tip, form, { json: false, cookie })).status).toBe(201)
    expect((await caseOf(tip)).state).toBe('working')

    const stored = await app.services.cases.messagePhoto(officer.session, tip.caseNo, tip.tipId, photo)
    const identity = await app.tipIdentity(tip.tipId, HOLDER)
    expect(await openMessagePhoto({ tip: tip.tipId, photo }, identity, stored)).toEqual(picture)
  })

  it('is sealed to nobody when the tip’s key is not the one its reporter vouched for', async () => {
    const { recipient } = await createKeyPair()
    const keys = await deriveReceipt(tip.code)
    const byCode = await open(tip)
    const byAuth = await app.services.receipts.openAuth(keys.auth)
    const named = async () => {
      const thread = await app.services.receipts.thread(byAuth)
      if (!thread) throw new Error('no thread')
      return { ...thread, tip: thread.tipId }
    }
    expect(areOwnRecipients(keys, await named())).toBe(true)
    // Without the code there is nothing to check with here.
    const plain = { key: randomUUID(), text: '不该有的', photos: [] }
    const refused = { code: 'recipients-refused' }
    await expect(app.services.receipts.answer(byAuth, plain)).rejects.toMatchObject(refused)

    const change = (set: { recipient: string; recipient_mac?: string | null }) =>
      app.database.db.updateTable('tip').set(set).where('id', '=', tip.tipId).execute()
    const forged = tipRecipientMac(toBase64Url(new Uint8Array(32)), tip.tipId, recipient)
    // Swapped; with a voucher of somebody else; with none, as if the tip were from before.
    for (const set of [
      { recipient },
      { recipient, recipient_mac: forged },
      { recipient, recipient_mac: null },
    ]) {
      await change(set)
      expect(areOwnRecipients(keys, await named())).toBe(false)
      const form = new FormData()
      form.append('plain', JSON.stringify({ text: '不该有的' }))
      form.append('photos', new File([(await jpegWithExif()).slice()], 'IMG_1.jpg'))
      const before = await blobs()
      expect((await asReporter(tip, form, { json: false, cookie: byCode })).status).toBe(503)
      await expect(app.services.receipts.answer(byCode, plain)).rejects.toMatchObject(refused)
      expect([await textsOf(tip), await blobs()]).toEqual([[], before])
    }
  })

  it('goes to no other reporter than the one sealed into the tip', async () => {
    const identity = await app.tipIdentity(tip.tipId, HOLDER)
    const told = async () => {
      const [found] = (await app.services.cases.detail(officer.session, tip.caseNo)).tips
      if (!found?.narrative) throw new Error('no tip')
      const part = { purpose: 'tip.narrative', tip: tip.tipId, part: 0 } as const
      const opened = await openPart({ ...part, identity, sealed: found.narrative })
      const { reporterRecipient } = JSON.parse(fromUtf8(opened)) as SealedNarrative
      const { reporterRecipient: recipient, reporterSignature: signature } = found
      return [{ tip: tip.tipId, recipient, signature }, reporterRecipient] as const
    }
    const { entries } = await app.services.recipients.list()
    expect(isReporters(...(await told()), entries)).toBe(true)
    const { recipient } = await createKeyPair()
    const own = await createKeyPair()
    for (const reporter_signature of [null, signReissued({ tip: tip.tipId, recipient }, own.identity)]) {
      await app.database.db
        .updateTable('tip')
        .set({ reporter_recipient: recipient, reporter_signature })
        .where('id', '=', tip.tipId)
        .execute()
      expect(isReporters(...(await told()), entries)).toBe(false)
    }
  })

  it('takes a photo without what the camera wrote into it', async () => {
    const form = new FormData()
    form.append('plain', JSON.stringify({ text: '今天的样子。' }))
    const photo = await jpegWithExif({ text: 'exif-canary', gps: [34.748, 113.612] })
    form.append('photos', new File([photo.slice()], 'IMG_1.jpg'))
    expect((await asReporter(tip, form, { json: false })).status).toBe(201)
    const [message] = (await threadOf(tip)).messages
    const found = await app.services.receipts.photo(await open(tip), message?.photos[0] ?? '')
    expect(found?.sealed).toBe(false)
    const bytes = Buffer.from(found?.bytes ?? [])
    expect(bytes.subarray(0, 3).toString('hex')).toBe('ffd8ff')
    expect(bytes.includes('exif-canary')).toBe(false)
    expect(bytes.includes('Exif')).toBe(false)
    // Another one put in its place is not shown as this.
    const [stored] = await app.database.db
      .selectFrom('message_photo')
      .select('blob_key')
      .where('tip_id', '=', tip.tipId)
      .execute()
    await app.files.delete(stored?.blob_key ?? '')
    await app.files.put(stored?.blob_key ?? '', Buffer.from('age-encryption.org/v1 something else'))
    expect(await app.services.receipts.photo(await open(tip), message?.photos[0] ?? '')).toBeNull()
  })

  it('brings a photo from the officer, with a message and with a question', async () => {
    const picture = new Uint8Array(5000).fill(7)
    const [first, second] = ['ab'.repeat(16), 'cd'.repeat(16)] as const
    const sent = await withPhoto(tip, '是这根烟囱吗？', picture, first)
    const path = `${tip.caseNo}/messages`
    const before = await blobs()
    // Not as many as the words name, more than that, somebody else's case: nothing is left of them.
    for (const [envelopes, by, status] of [
      [[], officer, 422],
      [[sent.envelope, sent.envelope], officer, 422],
      [[sent.envelope], thirdOfficer, 404],
    ] as const) {
      expect((await asOfficer(path, sent.body, envelopes, by)).status).toBe(status)
    }
    expect([await textsOf(tip), await blobs()]).toEqual([[], before])
    // Sent twice it is there once.
    for (const _ of [1, 2]) expect((await asOfficer(path, sent.body, [sent.envelope])).status).toBe(201)
    expect(await blobs()).toBe(before + 1)

    const question = await withPhoto(tip, '还是这根？', picture, second)
    const { version } = await caseOf(tip)
    const body = { version, action: 'ask_reporter', message: question.body }
    expect((await asOfficer(`${tip.caseNo}/actions`, body, [question.envelope])).status).toBe(200)
    expect((await threadOf(tip)).messages.map(({ text, photos }) => [text, photos])).toEqual([
      ['是这根烟囱吗？', [first]],
      ['还是这根？', [second]],
    ])
    for (const photo of [first, second]) {
      const shown = await app.services.receipts.photo(await open(tip), photo)
      expect(shown).toEqual({ bytes: picture, sealed: false })
    }
  })

  it.each([
    ['nothing in it', { plain: { text: ' ' } }, 422],
    ['too many words', { plain: { text: '字'.repeat(3001) } }, 422],
    ['no age file', { sealed: { number: 1, sealed: 'AAAA', photos: [] } }, 422],
    ['a photo that does not come', { sealed: { number: 1, sealed: 'AAAA', photos: ['ab'.repeat(16)] } }, 422],
    ['neither', {}, 422],
  ])('refuses a message with %s', async (_name, body, status) => {
    const reply = await asReporter(tip, JSON.stringify(body))
    expect(reply.status).toBe(status)
    expect(await textsOf(tip)).toEqual([])
  })

  it('gives back the photos of a message that is refused or came before', async () => {
    const photo = await jpegWithExif({ text: 'x' })
    const form = (text: string) => {
      const made = new FormData()
      made.append('plain', JSON.stringify({ text }))
      made.append('photos', new File([photo.slice()], 'IMG_1.jpg'))
      return made
    }
    const key = randomUUID()
    const before = await blobs()
    expect((await asReporter(tip, form('看照片。'), { key, json: false })).status).toBe(201)
    expect(await blobs()).toBe(before + 1)
    expect((await asReporter(tip, form('看照片。'), { key, json: false })).status).toBe(201)
    await app.database.db
      .updateTable('case_file')
      .set({ state: 'closed' })
      .where('case_no', '=', tip.caseNo)
      .execute()
    expect((await asReporter(tip, form('再看。'), { json: false })).status).toBe(409)
    expect(await blobs()).toBe(before + 1)
  })
})

describe('an address for “something changed”', () => {
  const ADDRESS = 'somebody@example.org'
  const never = new AbortController().signal
  const rowOf = ({ tipId }: Filed) =>
    app.database.db.selectFrom('follow_mail').selectAll().where('tip_id', '=', tipId).executeTakeFirst()
  const follow = async (which: Filed, address: string | null) =>
    app.services.receipts.follow(await open(which), address)
  /** The evening comes, then each mail's moment. */
  async function evening(): Promise<readonly { to: string; subject: string; text: string; html: string }[]> {
    waiting.length = mailer.sent.length = 0
    await app.services.followMail.collect()
    for (const { id } of waiting) await jobHandlers(app.services).mail(id, never)
    return mailer.sent
  }
  beforeEach(async () => {
    await app.database.db.deleteFrom('follow_mail').execute()
  })

  it('gets one mail an evening, which says nothing else', async () => {
    expect(await app.services.receipts.followed(await open(tip))).toBe(false)
    await follow(tip, ` ${ADDRESS} `)
    expect(await app.services.receipts.followed(await open(tip))).toBe(true)
    expect(await evening()).toEqual([])

    await app.services.cases.write(officer.session, tip.caseNo, await words(officer, tip, '已到现场。'))
    await ask(tip, '请问是几号门？')
    const mails = await evening()
    expect(mails.map(({ to }) => to)).toEqual([ADDRESS])
    expect(waiting.every(({ delay }) => delay >= 0 && delay < 3 * 3600)).toBe(true)
    const said = JSON.stringify(mails)
    for (const word of [tip.caseNo, tip.tipId, tip.code, '已到现场', '几号门', HOLDER, 'http', '举报']) {
      expect(said).not.toContain(word)
    }
    expect(await evening()).toEqual([])
    // What the reporter does is no news to the reporter.
    await answer(tip, '三号门。')
    expect(await evening()).toEqual([])
  })

  it('is told of its own case alone, and of the question only whoever was asked', async () => {
    const other = await aTip()
    await follow(tip, ADDRESS)
    await follow(other, 'another@example.org')
    await app.services.cases.write(officer.session, tip.caseNo, await words(officer, tip, '已到现场。'))
    expect((await evening()).map(({ to }) => to)).toEqual([ADDRESS])
  })

  it('rests sealed, all of one length, and the staff never gets it', async () => {
    await follow(tip, ADDRESS)
    const long = `${'a'.repeat(60)}@${'b'.repeat(60)}.example.org`
    const other = await aTip()
    await follow(other, long)
    const rows = [await rowOf(tip), await rowOf(other)]
    expect(rows.map((row) => row?.sealed.length)).toEqual([282, 282])
    for (const row of rows) expect(row?.sealed.includes('example.org')).toBe(false)
    const detail = await app.services.cases.detail(officer.session, tip.caseNo)
    expect(JSON.stringify(detail)).not.toContain('follow')
    // Put into another tip's place it does not open.
    await app.database.db
      .updateTable('follow_mail')
      .set({ sealed: rows[1]?.sealed ?? Buffer.alloc(0) })
      .where('tip_id', '=', tip.tipId)
      .execute()
    await expect(app.services.followMail.deliver(rows[0]?.id ?? '', never)).rejects.toThrow()
  })

  it('is forgotten when its owner says so, also when a mail was on its way, and with the case', async () => {
    await follow(tip, ADDRESS)
    await ask(tip, '请问是几号门？')
    waiting.length = mailer.sent.length = 0
    await app.services.followMail.collect()
    await follow(tip, null)
    for (const { id } of waiting) await jobHandlers(app.services).mail(id, never)
    expect(mailer.sent).toEqual([])
    expect(await rowOf(tip)).toBeUndefined()

    await follow(tip, ADDRESS)
    await app.database.db
      .updateTable('case_file')
      .set({ state: 'published', paused_until: null, dispute_until: '2026-11-24' })
      .where('case_no', '=', tip.caseNo)
      .execute()
    await app.services.cases.tick()
    expect((await caseOf(tip)).state).toBe('closed')
    expect(await rowOf(tip)).toBeUndefined()
  })

  it('is tried again when the provider is busy, and not when it refuses for good', async () => {
    await follow(tip, ADDRESS)
    const { id = '' } = (await rowOf(tip)) ?? {}
    mailer.failNext(new MailError('busy'))
    await expect(app.services.followMail.deliver(id, never)).rejects.toThrow('busy')
    mailer.failNext(new MailError('refused', true))
    expect(await app.services.followMail.deliver(id, never)).toBe(true)
  })

  it.each([
    '',
    'nobody',
    'a@b',
    'a@example.org, b@example.org',
    'Name <a@example.org>',
    'a@example.org\r\nBcc: b@example.org',
  ])('is refused when it is none: %j', async (address) => {
    await expect(follow(tip, address)).rejects.toMatchObject({
      code: 'invalid-input',
      fields: [{ field: 'mail' }],
    })
  })

  it('is not asked for where mails stay on the disk', async () => {
    const here = createFollowMail({ ...app.deps, mailer: createMemoryMailer('outbox') })
    expect(here.offered).toBe(false)
    await expect(here.keep(tip.tipId, ADDRESS)).rejects.toMatchObject({ code: 'invalid-input' })
  })
})
