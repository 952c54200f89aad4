import { access, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { addDays, dayOf, startOfDay, type Day } from '../domain/day.ts'
import { createReceiptCode, formatReceiptCode } from '../domain/receipt.ts'
import { ownerOf, ownersOf } from '../domain/roles.ts'
import { sealMessage } from '../sealing/message.ts'
import { createTipKeys, wrapTipKey } from '../sealing/tip-keys.ts'
import { createMemberKeys, SALT_BYTES } from '../sealing/member-keys.ts'
import { generatePassphrase } from '../sealing/passphrase.ts'
import type { KeyPair } from '../sealing/age-identity.ts'
import { utf8 } from '../sealing/bytes.ts'
import { sealPart } from '../sealing/envelope.ts'
import type { Reader } from '../services/case-access.ts'
import { createServices, type Services } from '../services/index.ts'
import type { NewMessage, NewWrap } from '../services/cases/request.ts'
import type { Deps } from '../services/ports.ts'
import { DEMO_ACCOUNTS, type DemoAccount } from './accounts.ts'
import { drawing } from './drawings.ts'
import { DUST_BLACKLIST, NON_COMPLIANT } from './entries.ts'
import { playRewards } from './rewards.ts'
import { DEMO_STORIES, type DemoStory } from './stories.ts'

/** A demonstration account as the sign-in page offers it. */
export interface DemoLogin extends DemoAccount {
  readonly passphrase: string
}

const ACCOUNTS_JSON = 'demo-accounts.json'
const RECEIPT_TXT = 'demo-receipt.txt'
const ASKED_TXT = 'demo-receipt-asked.txt'
/** Lies in the data directory while a demonstration is being loaded. */
const LOADING = 'demo-loading'
/** What loading one makes there; nothing else has been made before. */
const MADE = ['pglite', 'blobs', 'outbox', RECEIPT_TXT, ASKED_TXT, 'demo-accounts.txt', ACCOUNTS_JSON]
// The lowest the browser accepts: a dozen accounts are made while somebody waits for the first start.
const KDF = { memoryKiB: 47_104, iterations: 1, parallelism: 1 } as const
const MORNING_MS = 9 * 3_600_000

/** The accounts of a demonstration that was loaded into this folder; none elsewhere. */
export async function demoLogins(dataDir: string): Promise<readonly DemoLogin[]> {
  try {
    return JSON.parse(await readFile(join(dataDir, ACCOUNTS_JSON), 'utf8')) as DemoLogin[]
  } catch {
    return []
  }
}

/** The receipt code of a demonstration's reward that can be claimed; null elsewhere. */
export async function demoReceipt(dataDir: string): Promise<string | null> {
  return readFile(join(dataDir, RECEIPT_TXT), 'utf8').catch(() => null)
}

/** The receipt code of a demonstration's reporter who is asked something; null elsewhere. */
export async function demoAsked(dataDir: string): Promise<string | null> {
  return readFile(join(dataDir, ASKED_TXT), 'utf8').catch(() => null)
}

/**
 * Clears away a demonstration whose loading was cut off, so that it is loaded anew. Nothing else is lost: the site
 * opens only after loading. To be called under the lock of the data directory, before the database is opened.
 */
export async function dropUnfinishedDemo(dataDir: string): Promise<void> {
  const cutOff = await access(join(dataDir, LOADING)).then(
    () => true,
    () => false,
  )
  if (!cutOff) return
  for (const name of MADE) await rm(join(dataDir, name), { recursive: true, force: true })
  await rm(join(dataDir, LOADING))
}

interface Cast {
  readonly readers: ReadonlyMap<string, Reader>
  readonly services: Services
  readonly deps: Deps
  setDay(day: Day): void
}

const officerOf = (cast: Cast, department: string, other?: string): Reader | undefined =>
  [...cast.readers.values()].find(
    (reader) =>
      reader.departmentId === department && reader.roles.includes('officer') && reader.memberId !== other,
  )

interface FiledStory {
  readonly caseNo: string
  readonly tipId: string
  readonly keys: KeyPair
  readonly receiptCode: string
}

async function fileStory(cast: Cast, story: DemoStory): Promise<FiledStory> {
  const { services, deps } = cast
  const keys = await createTipKeys()
  const tipId = deps.random.uuid()
  const receiptCode = createReceiptCode((n) => deps.random.bytes(n))
  const photo = await services.photos.seal(await drawing(story.scene), {
    tipId,
    recipient: keys.recipient,
    part: 0,
  })
  const filed = await services.tips.file({
    id: tipId,
    keys,
    facts: {
      category: story.category,
      answer: story.answer,
      area: story.area,
      when: story.when,
      urgency: story.urgency,
      accused: story.accused ?? null,
    },
    narrative: {
      description: story.description,
      place: story.place,
      callback: story.callback,
      checklist: [],
    },
    named: story.named ?? null,
    photos: [photo],
    receiptCode,
    idempotencyKey: deps.random.uuid(),
    fingerprint: tipId,
    lane: 'normal',
    draftId: null,
  })
  return { caseNo: filed.caseNo, tipId, keys, receiptCode }
}

/** The tip's secret wrapped anew for another department, as an officer's browser does it. */
async function wrapsFor(
  { services }: Cast,
  { tipId, keys }: FiledStory,
  department: string,
): Promise<NewWrap[]> {
  const key = (await services.keys.recipients()).get(department)
  if (!key) return []
  const address = { tip: tipId, department, epoch: key.epoch }
  return [{ tipId, epoch: key.epoch, wrapped: await wrapTipKey(address, keys.identity, key.recipient) }]
}

/** Asks who a named reporter is, as an officer's browser does it; nobody has answered yet. */
async function askWho(
  { services }: Cast,
  officer: Reader,
  { caseNo, tipId, keys }: FiledStory,
  why: string,
): Promise<void> {
  const roles = await services.keys.twoRoles('tip.identity')
  if (!roles) return
  const sealedReason = await sealPart({
    recipients: [roles.keeper.recipient, roles.approver.recipient, keys.recipient],
    purpose: 'tip.request',
    tip: tipId,
    part: 0,
    bytes: utf8(why),
  })
  const session = { ...officer, username: '', displayName: '', sessionId: '', factorAt: null }
  const request = { tipId, kind: 'read', reason: 'clarify', sealedReason } as const
  await services.identity.ask(session, caseNo, request)
}

/** Sealed as the officer's browser does it. */
async function officerWrites(
  { services, deps }: Cast,
  officer: Reader,
  { caseNo, tipId }: FiledStory,
  text: string,
): Promise<NewMessage> {
  const tip = (await services.cases.detail(officer, caseNo)).tips.find(({ id }) => id === tipId)
  if (!tip) throw new Error('the story has lost its tip')
  const number = tip.messages.length + 1
  const recipients = [tip.recipient, tip.reporterRecipient]
  const sealed = await sealMessage({ tip: tipId, number, from: 'officer' }, recipients, { text, photos: [] })
  return { tipId, number, key: deps.random.uuid(), sealed, photos: [] }
}

async function playThread(
  cast: Cast,
  { thread = [] }: DemoStory,
  filed: FiledStory,
  officer: Reader,
  { version, day, today }: { version: number; day: Day; today: Day },
): Promise<void> {
  const { services, deps } = cast
  for (const [index, { from, text, asks }] of thread.entries()) {
    const at = addDays(day, index)
    cast.setDay(at > today ? today : at)
    if (from === 'reporter') {
      const recipients = (await services.cases.threadOf(filed.tipId))?.recipients ?? []
      await services.cases.answer(filed.tipId, { key: deps.random.uuid(), text, photos: [], recipients })
      continue
    }
    const message = await officerWrites(cast, officer, filed, text)
    if (asks) await services.cases.act(officer, filed.caseNo, { action: 'ask_reporter', version, message })
    else await services.cases.write(officer, filed.caseNo, message)
  }
}

/** Plays a case as far as it has come; answers it. `before` is the case that an attached one joins. */
async function playStory(
  cast: Cast,
  story: DemoStory,
  today: Day,
  before: string | null,
): Promise<FiledStory> {
  const { services } = cast
  const started = addDays(today, -story.daysAgo)
  const later = (days: number): Day => {
    const day = addDays(started, days)
    return day > today ? today : day
  }
  cast.setDay(started)
  const filed = await fileStory(cast, story)
  const { caseNo } = filed
  const found = await cast.deps.db
    .selectFrom('case_file')
    .select('holder_id')
    .where('case_no', '=', caseNo)
    .executeTakeFirstOrThrow()
  const holder = found.holder_id
  const officer = officerOf(cast, holder)
  if (story.until === 'routed' || !officer) return filed
  let version = 1
  const act = async (
    reader: Reader | undefined,
    request: Omit<Parameters<Services['cases']['act']>[2], 'version'>,
  ): Promise<void> => {
    if (reader) version = (await services.cases.act(reader, caseNo, { ...request, version })).version
  }
  cast.setDay(later(1))
  const via = story.via ?? holder
  if (story.until === 'attached') {
    await act(officer, { action: 'attach', ...(before === null ? {} : { attachTo: before }) })
    return filed
  }
  if (story.until === 'handed-over') {
    await act(officer, { action: 'hand_over', target: via, wraps: await wrapsFor(cast, filed, via) })
    return filed
  }
  if (story.until === 'arbitration') {
    // There and back, and once more: two returns in all, then the dispatcher decides.
    for (const [from, to] of [
      [holder, via],
      [via, holder],
      [holder, via],
    ] as const) {
      await act(officerOf(cast, from), {
        action: 'return',
        reason: 'other-department',
        target: to,
        wraps: await wrapsFor(cast, filed, to),
      })
    }
    return filed
  }
  await act(officer, { action: 'accept' })
  if (story.asks !== undefined) await askWho(cast, officer, filed, story.asks)
  if (story.until === 'accepted') {
    await playThread(cast, story, filed, officer, { version, day: later(2), today })
    return filed
  }
  cast.setDay(later(4))
  await act(officer, { action: 'work' })
  if (story.until === 'working') {
    await playThread(cast, story, filed, officer, { version, day: later(4), today })
    return filed
  }
  const concluded = story.concludedAfter ?? 9
  cast.setDay(later(concluded))
  await services.cases.addProof(officer, caseNo, {
    kind: 'decision-number',
    caption: story.proof ?? '',
    blobKey: null,
  })
  await services.cases.addProof(officer, caseNo, {
    kind: 'photo',
    caption: '检查现场（演示绘图）',
    blobKey: await services.photos.proof(await drawing(story.found ?? story.scene)),
    review: 'checked',
  })
  await act(officer, {
    action: 'conclude',
    ...(story.outcome ? { outcome: story.outcome } : {}),
    ...(story.statement ? { statement: story.statement } : {}),
  })
  const publisher = [...cast.readers.values()].find((reader) => reader.roles.includes('publisher'))
  if (story.until === 'concluded') return filed
  cast.setDay(later(concluded + 2))
  await act(publisher, { action: 'publish' })
  if (story.until !== 'disputed') return filed
  cast.setDay(later(concluded + 5))
  await services.cases.dispute(filed.tipId)
  return filed
}

/** How many entries a proposal of the demonstration brings. */
const BATCH = 5
const BATCH_DAYS = 14

/** Fictional entries, proposed and approved by two people like every other; some have left the list again. */
async function fillLists(cast: Cast, today: Day): Promise<void> {
  const { lists } = cast.services
  const publisher = [...cast.readers.values()].find((reader) => reader.roles.includes('publisher'))
  for (const { list, department, rows } of [
    { list: 'non-compliant', department: 'qu-huanbao', rows: NON_COMPLIANT },
    { list: 'dust-blacklist', department: 'qu-jianshe', rows: DUST_BLACKLIST },
  ]) {
    const officer = officerOf(cast, department)
    if (!officer || !publisher) return
    let leaves = ''
    for (let start = 0; start < rows.length; start += BATCH) {
      const day = addDays(today, -BATCH_DAYS * ((rows.length - start) / BATCH) + BATCH_DAYS - 5)
      cast.setDay(day)
      const cells = rows
        .slice(start, start + BATCH)
        .map((row) => ({ ...row, decidedOn: addDays(day, -7), listedOn: day }))
      const change = { action: 'enter', rows: cells } as const
      const id = await lists.propose(officer, list, change, '演示数据：按决定书列入。')
      // One proposal waits for the second person, so that there is something to decide on.
      if (list === 'dust-blacklist' && start + BATCH >= rows.length) break
      const entryNos = await lists.approve(publisher, id)
      if (start === 0) leaves = entryNos[1] ?? ''
    }
    cast.setDay(addDays(today, -3))
    const remove = { action: 'remove', entryNo: leaves, revision: 1 } as const
    await lists.approve(
      publisher,
      await lists.propose(officer, list, remove, '演示数据：整改完成，经复查达标。'),
    )
  }
}

async function hireCast(
  deps: Deps,
  services: Services,
): Promise<{ readers: Map<string, Reader>; logins: DemoLogin[] }> {
  const { escrowIdentity, approverEscrowIdentity } = await services.keys.init()
  const random = (n: number): Uint8Array => deps.random.bytes(n)
  const readers = new Map<string, Reader>()
  const logins: DemoLogin[] = []
  for (const account of DEMO_ACCOUNTS) {
    const passphrase = generatePassphrase(random)
    const salt = random(SALT_BYTES)
    const { identity: _identity, ...made } = await createMemberKeys({
      username: account.username,
      passphrase,
      salt,
      params: KDF,
      random,
    })
    const { token } = await services.staff.createEnrolment({
      username: account.username,
      displayName: account.displayName,
      departmentId: account.department,
      roles: account.roles,
      createdBy: null,
    })
    await services.staff.enrol({ token, salt, kdf: KDF, ...made })
    for (const owner of ownersOf({ departmentId: account.department, roles: account.roles })) {
      const escrow = owner === ownerOf('approver') ? approverEscrowIdentity : escrowIdentity
      await services.keys.grantFromEscrow(escrow, account.username, owner)
    }
    const row = await deps.db
      .selectFrom('member')
      .select('id')
      .where('username', '=', account.username)
      .executeTakeFirstOrThrow()
    readers.set(account.username, {
      memberId: row.id,
      departmentId: account.department,
      roles: account.roles,
    })
    logins.push({ ...account, passphrase })
  }
  return { readers, logins }
}

async function inventHotlines(deps: Deps): Promise<void> {
  const departments = await deps.db.selectFrom('department').select(['id', 'kind']).orderBy('id').execute()
  await deps.db.transaction().execute(async (tx) => {
    for (const [index, { id }] of departments.entries()) {
      // 0371-0000-00xx: no exchange has such numbers.
      await tx
        .updateTable('department')
        .set({
          hotline: `0371-000000${String(index + 1).padStart(2, '0')}（演示）`,
          mailbox: `${id}@example.invalid`,
        })
        .where('id', '=', id)
        .execute()
    }
    await deps.versions.bump(tx, 'plan')
  })
  deps.versions.expire()
}

/**
 * Fills an empty database with a fictional district: members, keys, cases in every state, two lists. Everything goes
 * through the same verbs as real work, on a clock that is set back. Does nothing when there are members already.
 */
export async function loadDemo(real: Deps, dataDir: string): Promise<void> {
  const somebody = await real.db.selectFrom('member').select('id').limit(1).executeTakeFirst()
  if (somebody) return
  await writeFile(join(dataDir, LOADING), '', { mode: 0o600 })
  const today = dayOf(real.clock.now())
  let now = real.clock.now()
  const deps: Deps = { ...real, clock: { now: () => now } }
  const services = createServices(deps)
  const { readers, logins } = await hireCast(deps, services)
  await inventHotlines(deps)
  const cast: Cast = {
    readers,
    services,
    deps,
    setDay: (day) => {
      now = new Date(Math.min(startOfDay(day).getTime() + MORNING_MS, real.clock.now().getTime()))
    },
  }
  let before: string | null = null
  let asked = ''
  for (const story of DEMO_STORIES) {
    const { caseNo, receiptCode } = await playStory(cast, story, today, before)
    before = caseNo
    if (story.thread?.at(-1)?.asks) asked = formatReceiptCode(receiptCode)
  }
  await fillLists(cast, today)
  const receipt = formatReceiptCode(await playRewards(cast, today))
  await writeFile(join(dataDir, RECEIPT_TXT), receipt, { mode: 0o600 })
  await writeFile(join(dataDir, ASKED_TXT), asked, { mode: 0o600 })
  // What time alone does: the older ones' dispute windows are over.
  now = real.clock.now()
  await services.cases.tick()
  // What came and what is late lies in the outbox from the first minute; a district writes it as the days go by.
  await services.notices.collectArrivals()
  await services.notices.collectDue()
  real.versions.expire()
  const lines = logins.map(
    ({ username, displayName, roles, passphrase }) =>
      `${username}  ${displayName} (${roles.join(', ')})  ${passphrase}`,
  )
  await writeFile(
    join(dataDir, 'demo-accounts.txt'),
    `Demonstration accounts (/staff/):\n${lines.join('\n')}\nReceipt code of a reward to claim (/track/):\n${receipt}\nReceipt code of a case that waits for its reporter's answer (/track/):\n${asked}\n`,
    { mode: 0o600 },
  )
  await writeFile(join(dataDir, ACCOUNTS_JSON), JSON.stringify(logins), { mode: 0o600 })
  await rm(join(dataDir, LOADING))
}
