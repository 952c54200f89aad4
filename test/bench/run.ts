/**
 * How fast the program is, as ratios to what bare Hono does in the same run (D§10). No figure fails anything: the
 * goals stand beside the figures, and a person reads them.
 */
import { randomBytes } from 'node:crypto'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { brotliCompressSync, constants } from 'node:zlib'
import autocannon from 'autocannon'
import { createReceiptCode } from '../../src/domain/receipt.ts'
import { build, isBuilt } from '../../src/cli/build.ts'
import { administer, databaseUrl } from '../support/database.ts'
import { jpegWithExif } from '../support/images.ts'
import { findPostgres } from '../support/postgres.ts'
import { startServer, type TestServer } from '../support/server.ts'
import type { BareAnswer } from './bare.ts'
import { asFigure, asPercent, median, ratio, table } from './figures.ts'
import { submit, type Intake } from './intake.ts'
import { cpuMs, memoryMib, otherLoad } from './machine.ts'
import { receiptsPerSecond, receiptTiming, type Timing } from './receipts.ts'
import { fillDatabase, WANTED } from './seed.ts'
import { visit, type Visits } from './visitors.ts'

const HELP = `
Usage: npm run bench [-- --quick | --large] [-- --busy]

Measures the built program on PostgreSQL (TEST_DATABASE_URL, else 127.0.0.1:5432), or on the embedded database where
none answers. Prints one table and writes test/results/bench.json. Takes about eight minutes at most.

  --quick   one short round on small lists: shows that every line works, no figures to quote
  --large   1,000,000 entries and 100,000 cases in place of 100,000 and 10,000; some minutes more
  --busy    measure although other programs use the machine (else such runs are skipped)
  --help    show this
`

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const RESULTS = join(ROOT, 'test/results')
const CONNECTIONS = 16
const MOST_OTHER_LOAD = 0.15
const SAMPLE_MS = 400
const PHOTO_BYTES = 1_000_000
const ENTRIES = '/api/v1/lists/non-compliant/entries'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    large: { type: 'boolean', default: false },
    busy: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (options.help) {
  console.log(HELP.trim())
  process.exit(0)
}
const SIZES = options.quick ? [500, 2000] : [10_000, options.large ? 1_000_000 : 100_000]
/** After so long, what is left is skipped; the bench ends by itself. */
const LIMIT_MS = (options.large ? 12 : 7) * 60_000
const ROUNDS = options.quick ? 1 : 3
const SECONDS = options.quick ? 1 : 2

/** One line of the result. */
interface Row {
  readonly what: string
  readonly figure: string
  readonly bare: string
  readonly ratio: string
  readonly goal: string
}

/** Values of every run by its name; what was skipped is not among them. */
const taken = new Map<string, number[]>()
const note = (name: string, value: number | null): void => {
  if (value !== null) taken.set(name, [...(taken.get(name) ?? []), value])
}
const middle = (name: string): number | null => median(taken.get(name) ?? [])
let skipped = 0
const startedAt = performance.now()

/** Runs when the machine is ours; else waits a little, then skips. */
async function measured(work: () => Promise<void>): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    if (performance.now() - startedAt > LIMIT_MS) break
    if (options.busy || (await otherLoad(SAMPLE_MS)) <= MOST_OTHER_LOAD) {
      await work()
      return
    }
    await sleep(1000)
  }
  skipped += 1
}

const undo: (() => unknown)[] = []

/** A filled database with a program running on it. */
interface Site {
  readonly server: TestServer
  readonly databaseUrl: string | null
  readonly env: Readonly<Record<string, string>>
  readonly dataDir: string
}

async function openSite(server: string | null, entries: number): Promise<Site> {
  const dataDir = mkdtempSync(join(tmpdir(), 'lantian-bench-'))
  undo.push(() => {
    rmSync(dataDir, { recursive: true, force: true })
  })
  const name = `lantian_bench_${process.pid}_${entries}`
  if (server !== null) {
    await administer(server, `create database ${name}`)
    undo.push(() => administer(server, `drop database if exists ${name} with (force)`))
  }
  const url = server === null ? null : databaseUrl(server, name)
  await fillDatabase({ databaseUrl: url, dataDir }, entries)
  const env = { DATA_DIR: dataDir, DEMO: 'off', ...(url === null ? {} : { DATABASE_URL: url }) }
  await promisify(execFile)(process.execPath, [join(ROOT, 'src/cli/keys.ts'), 'init'], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], ...env },
  })
  const running = await startServer({ env, dataDir })
  undo.push(() => running.stop())
  return { server: running, databaseUrl: url, env, dataDir }
}

/** The program's answer to a request as bare Hono will give it. */
async function answerOf(server: TestServer, path: string, as: string, coding: string): Promise<BareAnswer> {
  const get = () => fetch(`${server.url}${path}`, { headers: { 'accept-encoding': coding } })
  // The second asking makes the packed variant, beside its answer.
  for (let asking = 0; asking < 2; asking += 1) await (await get()).arrayBuffer()
  await sleep(500)
  const reply = await get()
  const body = Buffer.from(await reply.arrayBuffer())
  if (reply.status !== 200) throw new Error(`${path} answers ${reply.status}`)
  const headers = Object.fromEntries(
    [...reply.headers].filter(
      ([name]) => !['date', 'connection', 'keep-alive', 'content-length'].includes(name),
    ),
  )
  if (!headers['content-encoding']) return { path: as, headers, body: body.toString('base64') }
  // fetch has unpacked it.
  const packed = brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } })
  return { path: as, headers, body: packed.toString('base64') }
}

async function startBare(answers: readonly BareAnswer[], url: string | null): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'lantian-bare-'))
  const file = join(dir, 'answers.json')
  writeFileSync(file, JSON.stringify(answers))
  const child: ChildProcess = spawn(
    process.execPath,
    [join(ROOT, 'test/bench/bare.ts'), file, ...(url === null ? [] : [url])],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  undo.push(() => {
    child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  })
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => {
      reject(new Error(`bare Hono ended with ${String(code)}`))
    })
    child.stdout?.on('data', (chunk: Buffer) => {
      const found = /Listening on (\S+)/.exec(chunk.toString())?.[1]
      if (found) resolve(found)
    })
  })
}

let asked = 0
/** Fires requests for a while; notes how many a second were answered well, and the slow ones' time. */
async function fire(name: string, url: string, { fresh = false, coding = 'identity' } = {}): Promise<void> {
  await measured(async () => {
    const path = new URL(url).pathname + new URL(url).search
    const result = await autocannon({
      url,
      connections: CONNECTIONS,
      duration: SECONDS,
      headers: { 'accept-encoding': coding },
      // An address never asked for before is in no cache.
      ...(fresh
        ? {
            requests: [
              {
                setupRequest: (request) => {
                  asked += 1
                  return { ...request, path: `${path}${path.includes('?') ? '&' : '?'}n=${asked}` }
                },
              },
            ],
          }
        : {}),
    })
    const wrong = result.errors + result.non2xx
    if (wrong > 0) throw new Error(`${name}: ${wrong} of ${result.requests.total} requests failed`)
    note(name, result.requests.total / result.duration)
    note(`${name} p99`, result.latency.p99)
  })
}

const rows: Row[] = []
const perSecond = (name: string): string => asFigure(middle(name), '/s')

async function reading(site: Site): Promise<string> {
  const lists = '/lists/non-compliant/'
  const list = (await fetch(`${site.server.url}${lists}`)).status === 200 ? lists : '/cases/'
  const targets = [
    { name: 'home', path: '/' },
    { name: 'measure page', path: '/measures/2017-14/' },
    { name: `list page ${list}`, path: list },
    { name: '/api/v1/measures', path: '/api/v1/measures' },
  ]
  const answers: BareAnswer[] = []
  for (const [index, { path }] of targets.entries()) {
    answers.push(await answerOf(site.server, path, `/bare/${index}`, 'identity'))
    answers.push(await answerOf(site.server, path, `/bare/${index}/packed`, 'br'))
  }
  const bare = await startBare(answers, site.databaseUrl)
  for (let round = 0; round < ROUNDS; round += 1) {
    if (site.databaseUrl !== null) await fire('bare list', `${bare}/bare/list`)
    for (const [index, { name, path }] of targets.entries()) {
      const url = `${site.server.url}${path}`
      await fire(`${name} bare`, `${bare}/bare/${index}`)
      await fire(`${name} cached`, url)
      await fire(`${name} uncached`, url, { fresh: true })
      if (index > 0) continue
      await fire(`${name} packed bare`, `${bare}/bare/${index}/packed`, { coding: 'br' })
      await fire(`${name} packed`, url, { coding: 'br' })
    }
  }
  const compare = (what: string, own: string, other: string, goal: string): void => {
    rows.push({
      what,
      figure: perSecond(own),
      bare: perSecond(other),
      ratio: asPercent(ratio(middle(own), middle(other))),
      goal,
    })
  }
  for (const [index, { name }] of targets.entries()) {
    compare(`${name}, cached`, `${name} cached`, `${name} bare`, '>= 60 %')
    if (index === 0) {
      compare(`${name}, cached, compressed`, `${name} packed`, `${name} packed bare`, '>= 60 %')
      const within = ratio(middle(`${name} packed`), middle(`${name} cached`))
      rows.push({
        what: `${name}, compressed against plain`,
        figure: perSecond(`${name} packed`),
        bare: '',
        ratio: asPercent(within),
        goal: '>= 90 %',
      })
    }
    compare(`${name}, uncached`, `${name} uncached`, `${name} bare`, '')
    if (site.databaseUrl !== null) {
      compare(`${name}, uncached, to bare + list query`, `${name} uncached`, 'bare list', '>= 30 %')
    }
  }
  return bare
}

async function listing(sites: readonly Site[]): Promise<void> {
  const queries = [
    { name: 'first page', path: `${ENTRIES}?limit=50` },
    { name: 'search by name, 40 hits', path: `${ENTRIES}?limit=50&q=${encodeURIComponent(WANTED)}` },
    { name: 'search by name, many hits', path: `${ENTRIES}?limit=50&q=${encodeURIComponent('建材')}` },
  ]
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { name, path } of queries) {
      for (const [index, site] of sites.entries()) {
        await fire(`${name} ${SIZES[index]}`, `${site.server.url}${path}`, { fresh: true })
      }
    }
  }
  for (const { name } of queries) {
    const [small, large] = SIZES.map((size) => middle(`${name} ${size} p99`))
    for (const size of SIZES) {
      rows.push({
        what: `${name} of ${size.toLocaleString('en')} entries, p99`,
        figure: asFigure(middle(`${name} ${size} p99`), 'ms'),
        bare: perSecond(`${name} ${size}`),
        ratio: size === SIZES[1] ? asPercent(ratio(large ?? null, small ?? null)) : '',
        goal: size === SIZES[1] ? '<= 300 % of the smaller list' : '',
      })
    }
  }
}

async function intake(site: Site, bare: string): Promise<void> {
  const url = `${site.server.url}/api/v1/tips`
  const photo = new Uint8Array(await photoOf(PHOTO_BYTES))
  const counts = options.quick
    ? { 1: [5, 2], 8: [3, 1], 32: [2, 1] }
    : { 1: [40, 5], 8: [25, 4], 32: [20, 2] }
  const plans = [1, 8, 32].flatMap((submitters) =>
    [null, photo].map((picture, index) => ({
      name: `tip ${picture ? 'with one 1 MB photo' : 'without photo'}, ${submitters} at once`,
      submitters,
      picture,
      each: counts[submitters as 1 | 8 | 32][index] ?? 1,
    })),
  )
  const last = new Map<string, Intake>()
  const failures = new Map<string, number>()
  for (let round = 0; round < ROUNDS; round += 1) {
    if (site.databaseUrl !== null) {
      await measured(async () => {
        note('bare insert', (await submit(`${bare}/bare/insert`, 8, options.quick ? 5 : 100, null)).perSecond)
      })
    }
    for (const { name, submitters, each, picture } of plans) {
      await measured(async () => {
        const before = cpuMs(site.server.pid)
        const result = await submit(url, submitters, each, picture)
        const after = cpuMs(site.server.pid)
        note(name, result.perSecond)
        note(`${name} p50`, result.p50)
        note(`${name} p99`, result.p99)
        if (before !== null && after !== null) note(`${name} cpu`, (after - before) / result.sent)
        failures.set(name, (failures.get(name) ?? 0) + result.failures.length + result.duplicates)
        for (const failure of result.failures) console.log(`${name}: ${failure}`)
        last.set(name, result)
      })
    }
  }
  for (const { name, submitters, picture } of plans) {
    const compared = submitters === 8 && picture === null && site.databaseUrl !== null
    rows.push({
      what: name,
      figure: perSecond(name),
      bare: compared ? perSecond('bare insert') : '',
      ratio: compared ? asPercent(ratio(middle(name), middle('bare insert'))) : '',
      goal: compared ? '>= 20 % sealed in the browser; here the server seals' : '',
    })
    rows.push({
      what: '  CPU per tip',
      figure: asFigure(middle(`${name} cpu`), 'ms'),
      bare: '',
      ratio: '',
      goal: picture ? '<= 200 ms' : '<= 2.5 ms sealed in the browser, about 4.5 ms here',
    })
    rows.push({
      what: '  failures and duplicate numbers; p99 to p50',
      figure: last.has(name) ? String(failures.get(name)) : 'skipped',
      bare: '',
      ratio: asPercent(ratio(middle(`${name} p99`), middle(`${name} p50`))),
      goal: submitters === 32 && picture === null ? '0; <= 1000 %' : '0',
    })
  }
}

/** Receipts that there are and others that there are not: how many in a second, and whether time tells them apart. */
async function receipts(site: Site): Promise<void> {
  const { url } = site.server
  const { receiptCodes: right } = await submit(`${url}/api/v1/tips`, 4, options.quick ? 5 : 25, null)
  const wrong = right.map(() => createReceiptCode((length) => randomBytes(length)))
  const timings: Timing[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    await measured(async () => {
      note(
        'receipts',
        await receiptsPerSecond(url, [...right, ...wrong], CONNECTIONS, options.quick ? 5 : 100),
      )
    })
    await measured(async () => {
      const timing = await receiptTiming(url, right, wrong, options.quick ? 100 : 2000)
      timings.push(timing)
      note('receipt hit', timing.hit)
      note('receipt miss', timing.miss)
      note('receipt t', timing.t)
    })
  }
  rows.push({ what: 'receipts opened', figure: perSecond('receipts'), bare: '', ratio: '', goal: '' })
  rows.push({
    what: `  a right code against a wrong one, ${timings[0]?.samples ?? 0} samples a run`,
    figure: `${asFigure(middle('receipt hit'), 'ms')} / ${asFigure(middle('receipt miss'), 'ms')}`,
    bare: '',
    ratio: `Welch t ${timings.map(({ t }) => t.toFixed(1)).join(', ')}`,
    goal: '|t| < 4.5',
  })
}

/** What the server holds while several large photos come in at once. */
async function holding(site: Site): Promise<void> {
  const at = 4
  const photo = new Uint8Array(await photoOf(options.quick ? PHOTO_BYTES : 8 * PHOTO_BYTES))
  const url = `${site.server.url}/api/v1/tips`
  // Once before, so that what is only loaded once is not counted.
  await submit(url, at, 1, photo)
  for (let round = 0; round < ROUNDS; round += 1) {
    await measured(async () => {
      const before = memoryMib(site.server.pid)
      if (before === null) return
      let most = before
      const watch = setInterval(() => {
        most = Math.max(most, memoryMib(site.server.pid) ?? 0)
      }, 20)
      await submit(url, at, 2, photo)
      clearInterval(watch)
      note('held', ((most - before) * 1024 * 1024) / (photo.length * at))
    })
  }
  rows.push({
    what: `memory for ${at} photos of ${asFigure(photo.length / 1e6, 'MB')} at once`,
    figure: asPercent(middle('held')),
    bare: '',
    ratio: '',
    goal: '<= 150 % of what comes in',
  })
}

/** The cursor of a list's page 1,000, of pages of fifty. */
async function farCursor(site: Site): Promise<string | null> {
  let cursor: string | null = ''
  for (let rows = 0; rows < 999 * 50 && cursor !== null;) {
    const limit = Math.min(200, 999 * 50 - rows)
    const reply = await fetch(`${site.server.url}${ENTRIES}?limit=${limit}${cursor && `&cursor=${cursor}`}`)
    const page = (await reply.json()) as { items: unknown[]; next: string | null }
    rows += page.items.length
    cursor = page.next
  }
  return cursor
}

/** What grows with the lists: a far page, the whole list as a file, and the ledger of the cases. */
async function growing(site: Site): Promise<void> {
  const cursor = await farCursor(site)
  const pages = [
    ...(cursor === null
      ? []
      : [{ name: 'page 1,000 of a list', path: `${ENTRIES}?limit=50&cursor=${cursor}` }]),
    { name: 'page 1 of a list', path: `${ENTRIES}?limit=50` },
    { name: 'page 1 of the ledger', path: '/api/v1/cases?limit=50' },
    { name: 'a rare case in the ledger', path: '/api/v1/cases?limit=50&category=road-dust&outcome=partly' },
  ]
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { name, path } of pages) await fire(name, `${site.server.url}${path}`, { fresh: true })
    await measured(async () => {
      const before = memoryMib(site.server.pid)
      let most = before
      let bytes = 0
      const from = performance.now()
      const reply = await fetch(`${site.server.url}/lists/non-compliant/entries.csv`)
      let next = 0
      for await (const chunk of reply.body ?? []) {
        bytes += chunk.length
        if (bytes < next) continue
        next += 10_000_000
        most = Math.max(most ?? 0, memoryMib(site.server.pid) ?? 0)
      }
      note('export seconds', (performance.now() - from) / 1000)
      note('export bytes', bytes)
      if (before !== null && most !== null) note('export growth', most - before)
    })
  }
  const first = middle('page 1 of a list p99')
  for (const { name } of pages) {
    const far = name.startsWith('page 1,000')
    rows.push({
      what: `${name}, p99`,
      figure: asFigure(middle(`${name} p99`), 'ms'),
      bare: perSecond(name),
      ratio: far ? asPercent(ratio(middle(`${name} p99`), first)) : '',
      goal: far ? '<= 150 % of page 1' : '<= 250 ms',
    })
  }
  rows.push({
    what: `the whole list as CSV, ${asFigure(middle('export bytes'), 'bytes')}`,
    figure: asFigure(middle('export seconds'), 's'),
    bare: '',
    ratio: asFigure(middle('export growth'), 'MiB more'),
    goal: '<= 50 MiB more',
  })
}

/** A JPEG of about so many bytes. */
async function photoOf(bytes: number): Promise<Uint8Array> {
  let side = 600
  for (;;) {
    const photo = await jpegWithExif({ width: side, height: Math.round(side * 0.75) })
    if (photo.length >= bytes) return photo
    side = Math.ceil(side * Math.max(1.05, Math.sqrt(bytes / photo.length)))
  }
}

async function starting(site: Site): Promise<void> {
  let { dataDir } = site
  if (site.databaseUrl === null) {
    // The embedded database is opened by one program only: this one gets its own.
    dataDir = mkdtempSync(join(tmpdir(), 'lantian-bench-'))
    undo.push(() => {
      rmSync(dataDir, { recursive: true, force: true })
    })
    await fillDatabase({ databaseUrl: null, dataDir }, 0)
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    await measured(async () => {
      const from = performance.now()
      const server = await startServer({ env: { ...site.env, DATA_DIR: dataDir }, dataDir })
      await (await fetch(`${server.url}/`)).arrayBuffer()
      note('start', performance.now() - from)
      await sleep(options.quick ? 0 : 2000)
      note('memory', memoryMib(server.pid))
      await server.stop()
    })
  }
  const onPostgres = site.databaseUrl !== null
  const figure = (what: string, name: string, unit: string, goal: string): void => {
    rows.push({
      what,
      figure: asFigure(middle(name), unit),
      bare: '',
      ratio: '',
      goal: onPostgres ? goal : '',
    })
  }
  figure('start to first page', 'start', 'ms', '<= 1000 ms')
  figure('memory soon after the start (PSS)', 'memory', 'MiB', '<= 120 MiB')
}

/** What honest visitors notice of eight abusive clients: in the first seconds, while limits fill, and from then on. */
async function abuse(site: Site): Promise<void> {
  const visits = (['cached page', 'uncached page', 'tip'] as const).map((what) => `${what} of a visitor`)
  const take = async (when: string, ms: number): Promise<void> => {
    const found: Visits = await visit(url, ms)
    for (const [what, p99] of Object.entries(found)) note(`${what} of a visitor, ${when}`, p99)
  }
  const phases = options.quick
    ? { quiet: 500, first: 500, then: 500 }
    : { quiet: 4000, first: 4000, then: 8000 }
  // Told apart by what a proxy says of them.
  const server = await startServer({
    env: { ...site.env, TRUSTED_PROXY: '127.0.0.1' },
    dataDir: site.dataDir,
  })
  const { url } = server
  try {
    await visit(url, 500)
    for (let round = 0; round < ROUNDS; round += 1) {
      await measured(async () => {
        await take('quiet', phases.quiet)
        const abusers = spawn(process.execPath, [join(ROOT, 'test/bench/abuse.ts'), url], {
          stdio: 'inherit',
        })
        try {
          await sleep(options.quick ? 200 : 800)
          await take('at first', phases.first)
          await take('then', phases.then)
        } finally {
          abusers.kill('SIGTERM')
          await new Promise((resolve) => abusers.once('exit', resolve))
        }
      })
    }
  } finally {
    await server.stop()
  }
  for (const visited of visits) {
    const quiet = middle(`${visited}, quiet`)
    for (const when of ['at first', 'then']) {
      const under = middle(`${visited}, ${when}`)
      rows.push({
        what: `${visited} under eight abusive clients, ${when}, p99`,
        figure: asFigure(under, 'ms'),
        bare: asFigure(quiet, 'ms quiet'),
        ratio: asPercent(ratio(under, quiet)),
        goal: when === 'then' ? '<= 300 % of quiet' : '',
      })
    }
  }
}

async function bench(): Promise<string> {
  const found = await findPostgres()
  const server = 'url' in found ? found.url : null
  if ('reason' in found) console.log(`No PostgreSQL answers (${found.reason}): on the embedded database`)
  if (!isBuilt()) await build()
  const say = (text: string): void => {
    console.log(`${Math.round((performance.now() - startedAt) / 1000)} s  ${text}`)
  }
  const sites: Site[] = []
  for (const size of SIZES) {
    say(`filling a database with ${size.toLocaleString('en')} entries and a tenth as many cases`)
    sites.push(await openSite(server, size))
  }
  const [site] = sites
  if (!site) throw new Error('no database')
  say('start to first page')
  await starting(site)
  say('reading')
  const bare = await reading(site)
  say('lists')
  await listing(sites)
  const largest = sites.at(-1)
  if (largest) {
    say('what grows')
    await growing(largest)
  }
  say('intake')
  await intake(site, bare)
  say('receipts')
  await receipts(site)
  say('large photos')
  await holding(site)
  if (server !== null) {
    say('abuse')
    await abuse(site)
  }
  say('done')
  return server === null ? 'PGlite' : 'PostgreSQL'
}

/** Ends what was started and drops what was made, the last first. */
async function cleanUp(): Promise<void> {
  for (const step of undo.splice(0).reverse()) await step()
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void cleanUp().finally(() => process.exit(1))
  })
}

try {
  const engine = await bench()
  const conditions = [
    `${engine}, Node ${process.version}, ${availableParallelism()} processors, ${CONNECTIONS} connections`,
    options.quick ? 'one short round' : `median of ${ROUNDS}`,
    ...(options.busy ? ['other load was ignored'] : []),
    `${skipped} runs skipped`,
  ].join('; ')
  console.log(`\n${conditions}\n`)
  const heading: Row = {
    what: 'what',
    figure: 'here',
    bare: 'bare Hono, or rate',
    ratio: 'ratio',
    goal: 'goal',
  }
  console.log(table([heading, ...rows].map((row) => [row.what, row.figure, row.bare, row.ratio, row.goal])))
  mkdirSync(RESULTS, { recursive: true })
  const file = join(RESULTS, 'bench.json')
  const report = { at: new Date().toISOString(), conditions, rows, runs: Object.fromEntries(taken) }
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`)
  console.log(`\n${file.slice(ROOT.length)}`)
} finally {
  await cleanUp()
}
