import { readdirSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test, type Page } from '@playwright/test'
import { axeFindings, overflow, serverUrl, signIn, watch } from '../support/e2e.ts'

/** How one template is looked at, with data in it. */
interface Row {
  /** The address, or the page that links to one and the selector of that link. */
  readonly at: string | { readonly on: string; readonly through: string }
  /** The member of staff who looks. */
  readonly as?: string
  readonly status?: number
  /** What must have appeared: a page that is empty by mistake proves nothing. */
  readonly shows: string
  /** The page works without its scripts, or says why not; pages without this word must have none at all. */
  readonly scripted?: true
  /** The console alone goes elsewhere when one is (not) signed in. */
  readonly goesTo?: string
}

const ROWS: Readonly<Record<string, Row>> = {
  '/': { at: '/', shows: 'main section' },
  '/404/': { at: '/no-such-page/', status: 404, shows: 'main a[href="/measures/"]' },
  '/500/': { at: '/500/', status: 500, shows: 'main' },
  '/about/': { at: '/about/', shows: 'main h2' },
  '/about/api/': { at: '/about/api/', shows: 'main section' },
  '/about/keys/': { at: '/about/keys/', shows: 'main table tbody tr' },
  '/about/routing/': { at: '/about/routing/', shows: 'main table tbody tr' },
  '/cases/': { at: '/cases/', shows: 'main table tbody tr' },
  '/cases/[caseNo]/': {
    at: { on: '/cases/?outcome=substantiated', through: 'main a[href^="/cases/ZY-"]' },
    shows: '#result',
  },
  '/departments/': { at: '/departments/', shows: 'main a[href="/departments/qu-huanbao/"]' },
  '/departments/[id]/': { at: '/departments/qu-huanbao/', shows: 'main a[href^="/measures/"]' },
  '/departments/hotlines/': { at: '/departments/hotlines/', shows: 'main table tbody tr' },
  '/lists/': { at: '/lists/', shows: 'main a[href="/lists/non-compliant/"]' },
  '/lists/[list]/': { at: '/lists/dust-blacklist/', shows: 'main a[href^="/lists/dust-blacklist/"]' },
  '/lists/[list]/[entry]/': {
    at: { on: '/lists/non-compliant/', through: 'main a[href^="/lists/non-compliant/"]:not([href*="."])' },
    shows: 'main dl',
  },
  '/measures/': { at: '/measures/', shows: 'main a[href="/measures/2017-14/"]' },
  '/measures/[id]/': { at: '/measures/2017-14/', shows: 'main a[href^="/departments/"]' },
  '/problems/': { at: '/problems/', shows: 'main a[href^="/problems/"]' },
  '/problems/[code]/': { at: '/problems/not-found/', shows: 'main li' },
  '/report/[...step]/': { at: '/report/', shows: 'main input[type=radio]', scripted: true },
  // There only when the third party is configured.
  '/report/verify/': { at: '/report/verify/', status: 404, shows: 'main a[href="/measures/"]' },
  '/rewards/': {
    at: '/rewards/?category=open-bbq&outcome=substantiated&penalty=none&fine=',
    shows: '.reward-estimate',
  },
  '/track/': { at: '/track/', shows: '#code', scripted: true },
  '/staff/': { at: '/staff/', goesTo: '/staff/sign-in/', shows: '#username', scripted: true },
  '/staff/sign-in/': { at: '/staff/sign-in/', shows: '#username', scripted: true },
  '/staff/enrol/': { at: '/staff/enrol/', shows: '[data-status]:not(:empty)', scripted: true },
  '/staff/factor/': { at: '/staff/factor/', shows: '[data-status]:not(:empty)', scripted: true },
  '/staff/account/': { at: '/staff/account/', as: 'huanbao-1', shows: 'main li', scripted: true },
  '/staff/forbidden/': {
    at: '/staff/audit/',
    as: 'huanbao-1',
    status: 403,
    shows: 'main a[href="/staff/"]',
    scripted: true,
  },
  '/staff/queue/': {
    at: '/staff/queue/?tab=all',
    as: 'zhifa-1',
    shows: 'main tbody tr',
    scripted: true,
  },
  '/staff/cases/[caseNo]/': {
    at: { on: '/staff/queue/?tab=working', through: 'main tbody a[href^="/staff/cases/"]' },
    as: 'zhifa-1',
    shows: '[data-sealed] img',
    scripted: true,
  },
  '/staff/departments/': { at: '/staff/departments/', as: 'huanbao-1', shows: 'main form', scripted: true },
  '/staff/members/': { at: '/staff/members/', as: 'guanli-1', shows: 'main li', scripted: true },
  '/staff/notices/': { at: '/staff/notices/', as: 'guanli-1', shows: 'main tbody tr', scripted: true },
  '/staff/retention/': { at: '/staff/retention/', as: 'shenji-1', shows: 'main tbody tr', scripted: true },
  '/staff/audit/': { at: '/staff/audit/', as: 'shenji-1', shows: 'main tbody tr', scripted: true },
  '/staff/lists/[list]/': {
    at: '/staff/lists/non-compliant/',
    as: 'huanbao-1',
    shows: 'main form',
    scripted: true,
  },
  '/staff/lists/[list]/[entry]/': {
    at: {
      on: '/staff/lists/non-compliant/',
      through: 'main a[href^="/staff/lists/non-compliant/"]:not([href*="."], [href*="?"])',
    },
    as: 'huanbao-1',
    shows: 'main form',
    scripted: true,
  },
  '/staff/lists/proposals/[id]/': {
    at: { on: '/staff/lists/', through: 'main a[href^="/staff/lists/proposals/"]' },
    as: 'fabu-1',
    shows: 'main form',
    scripted: true,
  },
  '/staff/identity/': {
    at: '/staff/identity/',
    as: 'shenpi-1',
    shows: 'main .list a[href^="/staff/identity/"]',
    scripted: true,
  },
  '/staff/identity/[id]/': {
    at: { on: '/staff/identity/', through: 'main .list a[href^="/staff/identity/"]' },
    as: 'shenpi-1',
    shows: 'main [data-request] dd',
    scripted: true,
  },
  '/staff/rewards/transfers/': {
    at: '/staff/rewards/transfers/',
    as: 'caiwu-1',
    shows: 'main .empty',
    scripted: true,
  },
  '/staff/rewards/': {
    at: '/staff/rewards/',
    as: 'shenpi-1',
    shows: 'main .list a[href^="/staff/rewards/"]',
    scripted: true,
  },
  '/staff/rewards/cases/[caseNo]/': {
    at: { on: '/staff/rewards/', through: 'main a[href^="/staff/rewards/cases/"]' },
    as: 'zhifa-1',
    shows: 'main form',
    scripted: true,
  },
  '/staff/rewards/[id]/': {
    at: { on: '/staff/rewards/', through: 'main .list a[href^="/staff/rewards/"]' },
    as: 'shenpi-1',
    shows: '.reward-lines li',
    scripted: true,
  },
  '/staff/rewards/desk/': { at: '/staff/rewards/desk/', as: 'caiwu-1', shows: '#code', scripted: true },
  '/staff/rewards/schedules/': {
    at: '/staff/rewards/schedules/',
    as: 'guanli-1',
    shows: '#history + .list li',
    scripted: true,
  },
  '/staff/rewards/ledger/': {
    at: '/staff/rewards/ledger/',
    as: 'shenji-1',
    shows: 'main table tbody tr',
    scripted: true,
  },
  '/staff/lists/': {
    at: '/staff/lists/',
    as: 'huanbao-1',
    shows: 'main a[href="/staff/lists/non-compliant/"]',
    scripted: true,
  },
}

/** The page files, as addresses with their parameters: `/cases/[caseNo]/`. */
function templates(): string[] {
  const pages = fileURLToPath(new URL('../../src/pages', import.meta.url))
  return readdirSync(pages, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.astro'))
    .map((entry) => join(entry.parentPath, entry.name).slice(pages.length).split(sep).join('/'))
    .map((file) => file.replace(/(?:\/index)?\.astro$/, '/'))
    .sort()
}

async function addressOf(page: Page, { at }: Row): Promise<string> {
  if (typeof at === 'string') return at
  await page.goto(at.on)
  const link = page.locator(at.through).first()
  return (await link.getAttribute('href')) ?? ''
}

test('every template has a row here', () => {
  expect(templates().filter((template) => !(template in ROWS))).toEqual([])
})

for (const template of templates()) {
  const row = ROWS[template]
  if (!row) continue
  const { status = 200 } = row

  test(`${template} is whole`, async ({ page }) => {
    if (row.as !== undefined) await signIn(page, row.as)
    const address = await addressOf(page, row)
    const seen = watch(page)
    const response = await page.goto(address)
    expect(response?.status()).toBe(status)
    expect(new URL(page.url()).pathname).toBe(new URL(row.goesTo ?? address, serverUrl()).pathname)
    await expect(page.locator(row.shows).first()).toBeVisible()

    await expect(page.locator('h1')).toHaveCount(1)
    await expect(page.locator('main')).toHaveCount(1)
    expect(await page.title()).not.toBe('')
    expect(await overflow(page)).toBeLessThanOrEqual(0)
    expect(await axeFindings(page)).toEqual([])

    expect(
      seen.requests.filter((url) => !/^(?:blob|data):/.test(url) && !url.startsWith(serverUrl())),
    ).toEqual([])
    if (!row.scripted) {
      expect(seen.scripts).toEqual([])
      await expect(page.locator('script')).toHaveCount(0)
    }
    // The browser reports the status of a page that is refused on purpose as an error of its own.
    expect(seen.errors.filter((text) => status === 200 || !text.includes(`status of ${status}`))).toEqual([])

    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur())
    await page.keyboard.press('Tab')
    await expect(page.locator('a.skip')).toBeFocused()
  })
}
