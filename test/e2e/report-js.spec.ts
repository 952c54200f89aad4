import { gzipSync } from 'node:zlib'
import { expect, test, type Locator, type Page } from '@playwright/test'
import { axeFindings, shownCode } from '../support/e2e.ts'
import { isoMedia, jpegWithExif } from '../support/images.ts'

// axe looks at 45 categories, and machines are busy.
test.setTimeout(90_000)

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name })
const next = (page: Page) => page.locator('.actions').getByRole('button', { name: '下一步' }).click()

async function jpeg(name: string) {
  return { name, mimeType: 'image/jpeg', buffer: Buffer.from(await jpegWithExif()) }
}

async function expectAccessible(page: Page): Promise<void> {
  expect(await axeFindings(page)).toEqual([])
}

/** Until the page that asks what was seen. */
async function tellWhatAndWhere(page: Page): Promise<void> {
  await page.goto('/report/')
  await page.getByLabel('建设工地扬尘').check()
  await page.getByLabel('房屋建设').check()
  await next(page)
  await heading(page, '在哪里、什么时候？').waitFor()
  await page.getByLabel('在哪个街道？').selectOption('建设路街道')
  await page.getByLabel('具体地点').fill('桐柏路路口东北角')
  await page.getByLabel('正在发生').check()
  await next(page)
  await heading(page, '您看到了什么？').waitFor()
}

async function untilCheck(page: Page): Promise<void> {
  await tellWhatAndWhere(page)
  await page.getByLabel('请写下您看到').fill('渣土没有盖网，尘土飞扬。')
  await next(page)
  await heading(page, '匿名，还是实名？').waitFor()
  await next(page)
  await heading(page, '核对后提交').waitFor()
}

test('a tip with two photos is filed without one page load', async ({ page }) => {
  let loads = 0
  page.on('domcontentloaded', () => (loads += 1))
  const problems: string[] = []
  page.on('pageerror', ({ message }) => problems.push(message))
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text())
  })

  await page.goto('/report/')
  await expectAccessible(page)
  await page.getByLabel('找类别').fill('工地')
  await expect(page.locator('[data-found]')).toHaveText(/^找到 \d+ 个类别$/)
  await expect(page.getByLabel('烟花爆竹')).toBeHidden()
  await page.getByLabel('建设工地扬尘').check()
  await page.getByLabel('房屋建设').check()
  await expect(page.locator('.foretold')).toContainText('会派给区建设局')
  await expectAccessible(page)
  await next(page)

  await expect(heading(page, '在哪里、什么时候？')).toBeFocused()
  await expect(page).toHaveURL('/report/where/')
  await expect(page).toHaveTitle(/^在哪里、什么时候？/)
  await page.getByLabel('在哪个街道？').selectOption('建设路街道')
  await expect(page.locator('.foretold')).toContainText('会派给区建设局')
  await page.getByLabel('具体地点').fill('桐柏路路口东北角')
  await page.getByLabel('正在发生').check()
  await expectAccessible(page)
  await next(page)

  await heading(page, '您看到了什么？').waitFor()
  const words = page.getByLabel('请写下您看到')
  await words.fill('渣土没有盖网，尘土飞扬。')
  await expect(page.getByText('已写 12 字，还可以写 2988 字')).toBeVisible()
  await page.getByLabel('沙土、石料、土堆没有盖').check()
  await page.getByLabel('选择照片').setInputFiles([await jpeg('一.jpg'), await jpeg('二.jpg')])
  const removers = page.getByRole('button', { name: /^去掉/ })
  await expect(removers).toHaveCount(2)
  await removers.first().click()
  await expect(removers).toHaveCount(1)
  await page.getByLabel('选择照片').setInputFiles([await jpeg('三.jpg')])
  await expect(removers).toHaveCount(2)
  await expect(words).toHaveValue('渣土没有盖网，尘土飞扬。')
  await expectAccessible(page)
  await next(page)

  await heading(page, '匿名，还是实名？').waitFor()
  await expectAccessible(page)
  await next(page)

  await heading(page, '核对后提交').waitFor()
  const main = page.getByRole('main')
  await expect(main.getByRole('link', { name: '区建设局' })).toBeVisible()
  for (const told of ['桐柏路路口东北角', '渣土没有盖网', '房屋建设', '沙土、石料、土堆没有盖', '2 张']) {
    await expect(main).toContainText(told)
  }
  const code = await shownCode(page)
  expect(code).toMatch(/^[0-9A-Z]{4}(-[0-9A-Z]{4}){5}$/)
  await expectAccessible(page)
  await page.getByRole('button', { name: '提交' }).click()

  await heading(page, '已经收到').waitFor()
  const caseNo = (await page.locator('.lede .num').textContent()) ?? ''
  expect(caseNo).toMatch(/^ZY-\d{4}-[0-9A-Z]{5}$/)
  expect(await shownCode(page)).toBe(code)
  await expectAccessible(page)
  expect(loads).toBe(1)
  expect(problems).toEqual([])

  await main.getByRole('link', { name: '查进度' }).click()
  await page.getByLabel('查询码').fill(code)
  await page.getByRole('button', { name: '查看' }).click()
  await expect(heading(page, caseNo)).toBeVisible()
})

test('a HEIC photo is refused with how to convert it, and nothing is sent', async ({ page }) => {
  await tellWhatAndWhere(page)
  let posts = 0
  page.on('request', (request) => (posts += request.method() === 'POST' ? 1 : 0))
  const heic = Buffer.from(isoMedia('heic', 'mif1'))
  await page
    .getByLabel('选择照片')
    .setInputFiles([{ name: 'IMG_1.HEIC', mimeType: 'image/heic', buffer: heic }])
  const alert = page.getByRole('alert').filter({ hasText: 'IMG_1.HEIC' })
  await expect(alert).toContainText('兼容性最佳')
  expect(posts).toBe(0)
})

test('a photo the server refuses is named, the others stay', async ({ page }) => {
  await tellWhatAndWhere(page)
  const cut = await jpeg('坏的.jpg')
  await page
    .getByLabel('选择照片')
    .setInputFiles([{ ...cut, buffer: cut.buffer.subarray(0, 400) }, await jpeg('好的.jpg')])
  await expect(page.getByRole('alert').filter({ hasText: '坏的.jpg' })).toContainText('已损坏')
  await expect(page.getByRole('button', { name: /^去掉/ })).toHaveCount(1)
})

test('what is missing is named, focused and linked, and the rest kept', async ({ page }) => {
  await page.goto('/report/')
  await next(page)
  const summary = page.locator('.error-summary')
  await expect(summary).toBeFocused()
  await expect(page).toHaveTitle(/^错误：/)
  await expectAccessible(page)
  await page.getByLabel('其他或不清楚').check()
  await next(page)
  await heading(page, '在哪里、什么时候？').waitFor()
  await page.getByLabel('具体地点').fill('桐柏路')
  await next(page)
  await expect(summary.getByRole('link')).toHaveCount(2)
  await expect(page.getByLabel('具体地点')).toHaveValue('桐柏路')
  await summary.getByRole('link', { name: '请选择街道' }).click()
  await expect(page.getByLabel('在哪个街道？')).toBeFocused()
})

test('a lost connection keeps the page and offers to try again', async ({ page }) => {
  await tellWhatAndWhere(page)
  await page.getByLabel('请写下您看到').fill('工地夜里还在施工。')
  await page.route('**/report/what/', (route) => route.abort())
  await next(page)
  const failure = page.getByRole('alert').filter({ hasText: '没有发出去' })
  await expect(failure).toBeFocused()
  await expect(page.getByLabel('请写下您看到')).toHaveValue('工地夜里还在施工。')
  await page.getByLabel('选择照片').setInputFiles([await jpeg('一.jpg')])
  await expect(page.getByText('一.jpg 没有传上')).toBeVisible()
  await page.unroute('**/report/what/')
  await page.getByRole('listitem').getByRole('button', { name: '重试' }).click()
  await expect(page.getByRole('button', { name: /^去掉/ })).toHaveCount(1)
  await failure.getByRole('button', { name: '重试' }).click()
  await expect(heading(page, '匿名，还是实名？')).toBeVisible()
})

test('going back and correcting keep what was typed', async ({ page }) => {
  await tellWhatAndWhere(page)
  await page.getByLabel('请写下您看到').fill('还没写完')
  await page.getByRole('button', { name: '上一步' }).click()
  await expect(page.getByLabel('具体地点')).toHaveValue('桐柏路路口东北角')
  await next(page)
  await expect(page.getByLabel('请写下您看到')).toHaveValue('还没写完')
  await page.goBack()
  await expect(heading(page, '在哪里、什么时候？')).toBeVisible()
  await page.goForward()
  await page.getByLabel('请写下您看到').fill('写完了，尘土飞扬。')
  await next(page)
  await heading(page, '匿名，还是实名？').waitFor()
  await next(page)
  await page.getByRole('link', { name: /^修改\s*地点和时间/ }).click()
  await page.getByLabel('经常发生').check()
  await next(page)
  await expect(heading(page, '核对后提交')).toBeVisible()
  await expect(page.getByRole('main')).toContainText('经常发生')
})

test('one tip sent fifty times at once is one case', async ({ page }) => {
  await untilCheck(page)
  const answers = await page.evaluate(async () => {
    const form = document.querySelector<HTMLFormElement>('form[action="/report/check/"]')
    if (!form) return []
    const send = async () => {
      const reply = await fetch(form.action, { method: 'POST', body: new FormData(form) })
      return /ZY-\d{4}-[0-9A-Z]{5}/.exec(await reply.text())?.[0] ?? String(reply.status)
    }
    return Promise.all(Array.from({ length: 50 }, send))
  })
  expect(answers).toHaveLength(50)
  expect(answers[0]).toMatch(/^ZY-/)
  expect([...new Set(answers)]).toHaveLength(1)
  // And once more by hand, with the draft long gone.
  await page.getByRole('button', { name: '提交' }).click()
  await expect(page.locator('.lede .num')).toHaveText(answers[0] ?? '')
})

// A phone has no keyboard.
test('the form can be filled by keyboard alone', { tag: '@desk' }, async ({ page }) => {
  const tabTo = async (target: Locator) => {
    for (let presses = 0; presses < 40; presses += 1) {
      if (await target.evaluate((node) => node === document.activeElement)) return
      await page.keyboard.press('Tab')
    }
    await expect(target).toBeFocused()
  }
  await page.goto('/report/')
  await tabTo(page.getByLabel('找类别'))
  await page.keyboard.type('围挡')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Space')
  await expect(page.getByLabel('建设工地扬尘')).toBeChecked()
  await tabTo(page.getByLabel('看不出'))
  await page.keyboard.press('ArrowUp')
  await expect(page.getByLabel('农业、农村')).toBeChecked()
  await page.keyboard.press('Enter')

  await expect(heading(page, '在哪里、什么时候？')).toBeFocused()
  await tabTo(page.getByLabel('在哪个街道？'))
  await page.keyboard.press('ArrowDown')
  await tabTo(page.getByLabel('正在发生'))
  await page.keyboard.press('Space')
  await page.keyboard.press('Enter')

  await expect(heading(page, '您看到了什么？')).toBeFocused()
  await tabTo(page.getByLabel('请写下您看到'))
  await page.keyboard.type('渣土没有盖网。')
  await tabTo(page.locator('.actions').getByRole('button', { name: '下一步' }))
  await page.keyboard.press('Enter')

  await expect(heading(page, '匿名，还是实名？')).toBeFocused()
  await tabTo(page.getByLabel('电话'))
  await page.keyboard.press('Enter')

  await expect(heading(page, '核对后提交')).toBeFocused()
  await tabTo(page.getByRole('button', { name: '提交' }))
  await page.keyboard.press('Enter')
  await expect(heading(page, '已经收到')).toBeFocused()
})

test('the script stays small and is never inline', async ({ page }) => {
  const scripts: Promise<Buffer>[] = []
  page.on('response', (response) => {
    if (response.request().resourceType() === 'script') scripts.push(response.body())
  })
  await page.goto('/report/', { waitUntil: 'networkidle' })
  const bytes = (await Promise.all(scripts)).reduce((sum, body) => sum + gzipSync(body).length, 0)
  expect(bytes).toBeGreaterThan(0)
  expect(bytes).toBeLessThanOrEqual(20 * 1024)
  expect(await page.locator('script:not([src])').count()).toBe(0)
})
