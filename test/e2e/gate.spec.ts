import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, type Browser, type Page } from '@playwright/test'
import {
  axeFindings,
  fillTip,
  sendTip,
  serverUrl,
  staffPage,
  watch,
  withoutScript,
  type Tip,
} from '../support/e2e.ts'
import { tokenOf } from '../support/form-walk.ts'
import { prepareData, startServer } from '../support/server.ts'
import { startTurnstile } from '../support/turnstile.ts'

// Several people with keys to derive.
test.setTimeout(240_000)

const TIP: Tip = {
  category: 'boiler-coal',
  area: '410102001',
  place: '建设路 12 号院内',
  description: '锅炉房冒黑烟，一早上没有停。',
  photos: 0,
}
/** How long a person takes at least (services/drafts.ts), and a little more. */
const A_PERSONS_PACE_MS = 5500

const status = (page: Page) => page.locator('[data-gate]')

/** The form with its scripts, up to the check page. */
async function fillWithScript(page: Page, at = ''): Promise<void> {
  const next = (): Promise<void> => page.locator('.actions').getByRole('button', { name: '下一步' }).click()
  await page.goto(`${at}/report/`)
  await page.locator(`#category-${TIP.category}`).check()
  await page.locator('.asked').getByRole('button', { name: '下一步' }).click()
  await page.getByLabel('在哪个街道？').selectOption(TIP.area)
  await page.locator('#when-today').check()
  await next()
  await page.getByLabel('请写下您看到、听到、闻到的').fill(TIP.description)
  await next()
  await page.getByLabel('电话（可以不填）').waitFor()
  await next()
  await expect(page).toHaveURL(/\/report\/check\/$/)
}

/** In which queue of its department a new case waits. */
async function queueOf(browser: Browser, caseNo: string): Promise<string[]> {
  const officer = await staffPage(browser, 'huanbao-1')
  const found: string[] = []
  for (const tab of ['new', 'unverified']) {
    await officer.goto(`/staff/queue/?tab=${tab}`)
    await expect(officer.locator('.tabs [aria-current]')).toBeVisible()
    if ((await officer.getByRole('link', { name: caseNo }).count()) > 0) found.push(tab)
  }
  await officer.context().close()
  return found
}

test('with JavaScript the proof is found while the page is read, and the tip is one of the normal ones', async ({
  page,
  browser,
}) => {
  const seen = watch(page)
  await fillWithScript(page)
  await expect(status(page)).toContainText('做好了')
  expect(await page.locator('input[name="gate"]').inputValue()).toMatch(/^[A-Za-z0-9+/]{300,}=*$/)
  expect(await axeFindings(page)).toEqual([])
  const { caseNo } = await sendTip(page)
  expect(seen.errors).toEqual([])
  expect(seen.requests.filter((url) => !url.startsWith(serverUrl()))).toEqual([])
  expect(await queueOf(browser, caseNo)).toEqual(['new'])
})

test('the form’s scripts, the worker’s among them, and those that seal, stay within 90 kB', async ({
  page,
}) => {
  const seen = watch(page)
  await fillWithScript(page)
  await expect(status(page)).toContainText('做好了')
  const scripts = [...new Set(seen.requests.filter((url) => url.endsWith('.js')))]
  expect(scripts.some((url) => url.includes('worker'))).toBe(true)
  let total = 0
  for (const url of scripts) {
    const reply = await page.request.get(url, { headers: { 'accept-encoding': 'gzip' } })
    total += Number(reply.headers()['content-length'])
  }
  expect(total).toBeGreaterThan(1000)
  expect(total).toBeLessThanOrEqual(90 * 1000)
})

test('pressed before the proof is found, the button waits for it', async ({ page, browser }) => {
  let answer = (): void => {}
  const pressed = new Promise<void>((resolve) => (answer = resolve))
  await page.route('**/api/v1/challenges*', async (route) => {
    await pressed
    await route.continue()
  })
  await fillWithScript(page)
  await expect(status(page)).toContainText('不用您操作')
  await page.getByRole('button', { name: '提交' }).click()
  await expect(page.getByRole('button', { name: '正在发送…' })).toBeVisible()
  answer()
  await expect(page).toHaveURL(/\/report\/sent\/$/)
  const caseNo = (await page.locator('.lede .num').textContent()) ?? ''
  expect(await queueOf(browser, caseNo)).toEqual(['new'])
})

test('when the proof cannot be found the page says so and sends the tip all the same', async ({ page }) => {
  await page.route('**/gate-worker*', (route) => route.abort())
  await fillWithScript(page)
  await expect(status(page)).toContainText('没有做成')
  expect(await page.locator('input[name="gate"]').inputValue()).toBe('')
  await sendTip(page)
})

test('when it takes long the page offers to go on without', async ({ page }) => {
  await page.clock.install()
  await page.route('**/api/v1/challenges*', () => {})
  await fillWithScript(page)
  await expect(status(page)).toContainText('不用您操作')
  const goOn = page.getByRole('button', { name: '不等了，现在就发' })
  await expect(goOn).toBeHidden()
  await page.getByRole('button', { name: '提交' }).click()
  await page.clock.fastForward(10_000)
  await expect(status(page)).toContainText('比平时慢')
  await goOn.press('Enter')
  await expect(page).toHaveURL(/\/report\/sent\/$/)
})

test('without JavaScript a form at a person’s pace is normal, a hasty one waits to be looked at', async ({
  browser,
}) => {
  const slow = await (await withoutScript(browser)).newPage()
  await fillTip(slow, TIP)
  const filledAt = Date.now()
  await expect(status(slow)).toContainText('照样有人看')
  await expect.poll(() => Date.now() - filledAt, { timeout: 20_000 }).toBeGreaterThan(A_PERSONS_PACE_MS)
  const { caseNo: normal } = await sendTip(slow)

  // As a program does: every page but the last is sent without being looked at.
  const context = await withoutScript(browser)
  const hasty = await context.newPage()
  const steps: readonly [string, Readonly<Record<string, string>>][] = [
    ['/report/', { category: TIP.category }],
    ['/report/where/', { area: TIP.area, when: 'today', urgency: 'soon', place: TIP.place }],
    ['/report/what/', { description: TIP.description }],
    ['/report/contact/', { callback: '' }],
  ]
  for (const [path, fields] of steps) {
    const token = tokenOf(await (await context.request.get(path)).text())
    await context.request.post(path, {
      multipart: { token, sealing: 'server', ...fields },
      headers: { origin: serverUrl() },
    })
  }
  await hasty.goto('/report/check/')
  const { caseNo: unverified } = await sendTip(hasty)

  expect(await queueOf(browser, normal)).toEqual(['new'])
  expect(await queueOf(browser, unverified)).toEqual(['unverified'])
})

test('the third party is met on its own page only, when the citizen chooses it', async ({ page }) => {
  const service = await startTurnstile('secret', 'lantian-form')
  const dataDir = mkdtempSync(join(tmpdir(), 'lantian-turnstile-'))
  await prepareData(dataDir)
  const server = await startServer({
    dataDir,
    env: {
      DEMO: 'off',
      TURNSTILE_SITE_KEY: 'site-key',
      TURNSTILE_SECRET_KEY: 'secret',
      TURNSTILE_URL: service.url,
    },
  })
  try {
    const seen = watch(page)
    const others = () => seen.requests.filter((url) => !url.startsWith(server.url))
    // Our own proof cannot be had: what follows is the third party's.
    await page.route('**/gate-worker*', (route) => route.abort())
    await fillWithScript(page, server.url)
    expect(others()).toEqual([])
    await page.getByRole('link', { name: '改用 Cloudflare Turnstile 验证' }).click()
    await expect(page).toHaveURL(/\/report\/verify\/$/)
    await expect(page.locator('main')).toContainText('这一页有第三方参与')
    await expect(page.locator('main')).not.toContainText(TIP.description)
    await expect(page.getByText('site-key lantian-form')).toBeVisible()
    expect(await axeFindings(page)).toEqual([])
    expect(others()).toEqual([`${service.url}/turnstile/v0/api.js`])
    await page.getByRole('button', { name: '验证好了，继续' }).click()
    await expect(page).toHaveURL(/\/report\/check\/$/)
    await expect(page.locator('main')).toContainText('已经证明')
    // The token and our secret, and nothing of the citizen.
    expect([...(service.asked[0]?.keys() ?? [])]).toEqual(['secret', 'response'])
    expect(service.asked[0]?.get('response')).toMatch(/^pass-/)
    await sendTip(page)
    expect(others()).toHaveLength(1)
  } finally {
    await server.stop()
    await service.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
})
