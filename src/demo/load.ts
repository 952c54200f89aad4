import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { addDays, dayOf, startOfDay, type Day } from '../domain/day.ts'
import { createReceiptCode, formatReceiptCode } from '../domain/receipt.ts'
import { createTipKeys, wrapTipKey } from '../sealing/tip-keys.ts'
import { createMemberKeys, SALT_BYTES } from '../sealing/member-keys.ts'
import { generatePassphrase } from '../sealing/passphrase.ts'
import type { KeyPair } from '../sealing/age-identity.ts'
import type { Reader } from '../services/case-access.ts'
import { createServices, type Services } from '../services/index.ts'
import type { Deps } from '../services/ports.ts'
import { DEMO_ACCOUNTS, type DemoAccount } from './accounts.ts'
import { DUST_BLACKLIST, NON_COMPLIANT } from './entries.ts'
import { playRewards } from './rewards.ts'
import { DEMO_STORIES, type DemoStory } from './stories.ts'

/** A demonstration account as the sign-in page offers it. */
export interface DemoLogin extends DemoAccount {
  readonly passphrase: string
}

const ACCOUNTS_JSON = 'demo-accounts.json'
const RECEIPT_TXT = 'demo-receipt.txt'
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

/** A drawn picture, no photograph of anything. */
async function drawing(text: string): Promise<Uint8Array> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="960" height="640"><rect width="960" height="640" fill="#dfe7ee"/>
<rect y="430" width="960" height="210" fill="#a79c8c"/><rect x="150" y="250" width="180" height="180" fill="#7c8894"/>
<rect x="240" y="120" width="50" height="310" fill="#5b6570"/><circle cx="300" cy="95" r="46" fill="#9aa3ab"/>
<circle cx="370" cy="70" r="64" fill="#b3bac0"/><text x="40" y="600" font-size="34" fill="#333">${text}</text></svg>`
  return new Uint8Array(await sharp(Buffer.from(svg)).jpeg({ quality: 80 }).toBuffer())
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

async function fileStory(
  cast: Cast,
  story: DemoStory,
): Promise<{ caseNo: string; tipId: string; keys: KeyPair; receiptCode: string }> {
  const { services, deps } = cast
  const keys = await createTipKeys()
  const tipId = deps.random.uuid()
  const receiptCode = createReceiptCode((n) => deps.random.bytes(n))
  const photo = await services.photos.seal(await drawing('DEMO'), {
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
    photos: [photo],
    receiptCode,
    idempotencyKey: deps.random.uuid(),
    fingerprint: tipId,
    lane: 'normal',
    draftId: null,
  })
  return { caseNo: filed.caseNo, tipId, keys, receiptCode }
}

async function playStory(cast: Cast, story: DemoStory, today: Day): Promise<void> {
  const { services } = cast
  const started = addDays(today, -story.daysAgo)
  const later = (days: number): Day => {
    const day = addDays(started, days)
    return day > today ? today : day
  }
  cast.setDay(started)
  const { caseNo } = await fileStory(cast, story)
  if (story.until === 'routed') return
  const found = await cast.deps.db
    .selectFrom('case_file')
    .select('holder_id')
    .where('case_no', '=', caseNo)
    .executeTakeFirstOrThrow()
  const officer = officerOf(cast, found.holder_id)
  if (!officer) return
  let version = 1
  const act = async (
    reader: Reader,
    request: Omit<Parameters<Services['cases']['act']>[2], 'version'>,
  ): Promise<void> => {
    version = (await services.cases.act(reader, caseNo, { ...request, version })).version
  }
  cast.setDay(later(1))
  await act(officer, { action: 'accept' })
  if (story.until === 'accepted') return
  cast.setDay(later(4))
  await act(officer, { action: 'work' })
  if (story.until === 'working') return
  cast.setDay(later(9))
  await services.cases.addProof(officer, caseNo, {
    kind: 'decision-number',
    caption: story.proof ?? '',
    blobKey: null,
  })
  await services.cases.addProof(officer, caseNo, {
    kind: 'photo',
    caption: '检查现场（演示绘图）',
    blobKey: await services.photos.proof(await drawing('DEMO')),
  })
  await act(officer, {
    action: 'conclude',
    ...(story.outcome ? { outcome: story.outcome } : {}),
    ...(story.statement ? { statement: story.statement } : {}),
  })
  const publisher = [...cast.readers.values()].find((reader) => reader.roles.includes('publisher'))
  if (story.until === 'concluded' || !publisher) return
  cast.setDay(later(11))
  await act(publisher, { action: 'publish' })
}

/** A case that came to the wrong desk and was handed on: its secret is wrapped anew for the new department. */
async function playHandOver(cast: Cast, today: Day): Promise<void> {
  cast.setDay(addDays(today, -6))
  const { caseNo, tipId, keys } = await fileStory(cast, {
    daysAgo: 6,
    category: 'mud-carry-out',
    answer: 'yes',
    area: '410102011',
    when: 'this-week',
    urgency: 'normal',
    description: '（演示）工地门口一路泥，下雨更厉害。',
    place: '（演示）示例路北段',
    callback: null,
    until: 'handed-over',
  })
  const officer = officerOf(cast, 'qu-jianshe')
  const target = 'qu-zhifa'
  const key = (await cast.services.keys.recipients()).get(target)
  if (!officer || !key) return
  cast.setDay(addDays(today, -5))
  const wrapped = await wrapTipKey(
    { tip: tipId, department: target, epoch: key.epoch },
    keys.identity,
    key.recipient,
  )
  await cast.services.cases.act(officer, caseNo, {
    version: 1,
    action: 'hand_over',
    target,
    wraps: [{ tipId, epoch: key.epoch, wrapped }],
  })
}

/** Fictional entries, proposed and approved by two people like every other. */
async function fillLists(cast: Cast, today: Day): Promise<void> {
  const publisher = [...cast.readers.values()].find((reader) => reader.roles.includes('publisher'))
  const lists = [
    { list: 'non-compliant', department: 'qu-huanbao', rows: NON_COMPLIANT },
    { list: 'dust-blacklist', department: 'qu-jianshe', rows: DUST_BLACKLIST },
  ]
  for (const { list, department, rows } of lists) {
    const officer = officerOf(cast, department)
    if (!officer || !publisher) return
    for (const [index, row] of rows.entries()) {
      const day = addDays(today, -5 * (rows.length - index))
      cast.setDay(day)
      const cells = { ...row, decidedOn: addDays(day, -7), listedOn: day }
      const id = await cast.services.lists.propose(
        officer,
        list,
        { action: 'enter', rows: [cells] },
        '演示数据：按决定书列入。',
      )
      // One proposal waits for the second person, so that there is something to decide on.
      const waits = list === 'dust-blacklist' && index === rows.length - 1
      if (!waits) await cast.services.lists.approve(publisher, id)
    }
  }
}

async function hireCast(
  deps: Deps,
  services: Services,
): Promise<{ readers: Map<string, Reader>; logins: DemoLogin[] }> {
  const { escrowIdentity } = await services.keys.init()
  const random = (n: number): Uint8Array => deps.random.bytes(n)
  const readers = new Map<string, Reader>()
  const logins: DemoLogin[] = []
  for (const account of DEMO_ACCOUNTS) {
    const passphrase = generatePassphrase(random)
    const salt = random(SALT_BYTES)
    const made = await createMemberKeys({ username: account.username, passphrase, salt, params: KDF, random })
    const { token } = await services.staff.createEnrolment({
      username: account.username,
      displayName: account.displayName,
      departmentId: account.department,
      roles: account.roles,
      createdBy: null,
    })
    await services.staff.enrol({ token, salt, kdf: KDF, ...made })
    if (account.roles.includes('officer') || account.roles.includes('dispatcher')) {
      await services.keys.grantFromEscrow(escrowIdentity, account.username)
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
  for (const story of DEMO_STORIES) await playStory(cast, story, today)
  await playHandOver(cast, today)
  await fillLists(cast, today)
  const receipt = formatReceiptCode(await playRewards(cast, today))
  await writeFile(join(dataDir, RECEIPT_TXT), receipt, { mode: 0o600 })
  real.versions.expire()
  const lines = logins.map(
    ({ username, displayName, roles, passphrase }) =>
      `${username}  ${displayName} (${roles.join(', ')})  ${passphrase}`,
  )
  await writeFile(
    join(dataDir, 'demo-accounts.txt'),
    `Demonstration accounts (/staff/):\n${lines.join('\n')}\nReceipt code of a reward to claim (/track/):\n${receipt}\n`,
    { mode: 0o600 },
  )
  // Last: its presence says that the demonstration is whole.
  await writeFile(join(dataDir, ACCOUNTS_JSON), JSON.stringify(logins), { mode: 0o600 })
}
