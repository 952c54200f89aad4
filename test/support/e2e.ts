import { AxeBuilder } from '@axe-core/playwright'
import { join } from 'node:path'
import { devices, expect, type Browser, type BrowserContext, type Locator, type Page } from '@playwright/test'
import { jpegWithExif } from './images.ts'

/** The one server of the run, started by `e2e-setup.ts`. */
export function serverUrl(): string {
  const url = process.env['LANTIAN_E2E_URL']
  if (url === undefined) throw new Error('no server: run through playwright.config.ts')
  return url
}

/** Moves the server's clock past the next morning batch. For the project `next-morning` only: there is no way back. */
export function skipToNextMorning(): void {
  process.kill(Number(process.env['LANTIAN_E2E_PID']), 'SIGUSR2')
}

/** A phone without JavaScript. */
export const withoutScript = (browser: Browser): Promise<BrowserContext> =>
  browser.newContext({
    ...devices['Desktop Chrome'],
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
    javaScriptEnabled: false,
    baseURL: serverUrl(),
    locale: 'zh-CN',
    timezoneId: 'Asia/Shanghai',
  })

/** Signs a demonstration account in, with the button the demonstration offers, and waits for the console. */
export async function signIn(page: Page, username: string): Promise<void> {
  await page.goto('/staff/sign-in/')
  await page.locator(`[data-login="${username}"]`).click()
  await page.waitForURL(/\/staff\/(?!sign-in)/)
}

/** A browser of its own for one member of staff, signed in. */
export async function staffPage(browser: Browser, username: string): Promise<Page> {
  const context = await browser.newContext({ baseURL: serverUrl(), viewport: { width: 1280, height: 800 } })
  const page = await context.newPage()
  await signIn(page, username)
  return page
}

/** What is wrong with the accessibility of a page, one line each. */
export async function axeFindings(page: Page): Promise<string[]> {
  // Legacy mode opens no second page for each look; it differs for frames of other origins only, and there are none.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze()
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`)
}

export interface PageWatch {
  /** Errors on the console (refusals of the content policy among them) and uncaught ones. */
  readonly errors: string[]
  /** Every address asked for. */
  readonly requests: string[]
  /** Scripts that were loaded. */
  readonly scripts: string[]
}

/** Listens to a page from now on. */
export function watch(page: Page): PageWatch {
  const seen: PageWatch = { errors: [], requests: [], scripts: [] }
  page.on('console', (message) => {
    if (message.type() === 'error') seen.errors.push(message.text())
  })
  page.on('pageerror', (error) => {
    seen.errors.push(error.message)
  })
  page.on('request', (request) => {
    seen.requests.push(request.url())
    if (request.resourceType() === 'script') seen.scripts.push(request.url())
  })
  return seen
}

/** How many pixels a page is wider than its window. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate((width) => document.documentElement.scrollWidth - width, page.viewportSize()?.width ?? 0)

export interface Tip {
  readonly category: string
  readonly answer?: string
  readonly area: string
  readonly place: string
  readonly description: string
  readonly callback?: string
  readonly photos: number
}

export interface Filed {
  readonly caseNo: string
  /** Six groups of four, with hyphens. */
  readonly code: string
}

/** The cases that a day's work leaves for the morning after. */
export interface Journey {
  readonly published: Filed
  readonly handedOver: Filed
}

export const journeyFile = (): string => join(process.env['LANTIAN_E2E_DATA'] ?? '', 'journey.json')

/** What stands beside a word in a list of facts. */
export const fact = (within: Page | Locator, name: string): Locator =>
  within.locator(`dt:text-is("${name}") + dd`)

const next = (page: Page): Promise<void> => page.getByRole('button', { name: '下一步' }).click()

/** Walks the steps of the form up to the check page, where everything stands once more. */
export async function fillTip(page: Page, tip: Tip): Promise<void> {
  await page.goto('/report/')
  await page.locator(`#category-${tip.category}`).check()
  await next(page)
  if (tip.answer !== undefined) {
    await page.locator(`#answer-${tip.answer}`).check()
    await next(page)
  }
  await page.getByLabel('在哪个街道？').selectOption(tip.area)
  await page.getByLabel('具体地点').fill(tip.place)
  await page.locator('#when-today').check()
  await page.locator('#urgency-soon').check()
  await next(page)
  await page.getByLabel('请写下您看到、听到、闻到的').fill(tip.description)
  if (tip.photos > 0) {
    const files = await Promise.all(
      Array.from({ length: tip.photos }, async (_, index) => ({
        name: `IMG_${index + 1}.jpg`,
        mimeType: 'image/jpeg',
        buffer: Buffer.from(await jpegWithExif({ width: 640 + 32 * index, text: `exif-${index + 1}` })),
      })),
    )
    await page.getByLabel('选择照片').setInputFiles(files)
    await page.getByRole('button', { name: '上传照片，留在这一页' }).click()
    await expect(page.locator('.photo-list li')).toHaveCount(tip.photos)
  }
  await next(page)
  if (tip.callback !== undefined) await page.getByLabel('电话（可以不填）').fill(tip.callback)
  await next(page)
  await expect(page).toHaveURL(/\/report\/check\/$/)
}

/** The receipt code as the page shows it, in groups. */
export async function shownCode(page: Page): Promise<string> {
  return (await page.locator('.receipt-code span').allTextContents()).join('-')
}

/** Sends what {@link fillTip} has filled in. */
export async function sendTip(page: Page): Promise<Filed> {
  await page.getByRole('button', { name: '提交' }).click()
  await expect(page).toHaveURL(/\/report\/sent\/$/)
  const caseNo = (await page.locator('.lede .num').textContent()) ?? ''
  return { caseNo, code: await shownCode(page) }
}

/** Opens a case with its receipt code; leaves the one that this browser has open. */
export async function track(page: Page, code: string): Promise<void> {
  await page.goto('/track/')
  const leave = page.getByRole('button', { name: '退出' })
  if (await leave.isVisible()) await leave.click()
  await page.getByLabel('查询码').fill(code)
  await page.getByRole('button', { name: '查看' }).click()
}
