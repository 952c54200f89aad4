import { expect, test, type Page } from '@playwright/test'
import { isoMedia } from '../support/images.ts'

const at = (path: string): string => `${process.env['LANTIAN_E2E_URL'] ?? ''}${path}`
const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name })
const next = (page: Page) => page.locator('.actions').getByRole('button', { name: '下一步' }).click()

/** Until the page that asks what was seen. */
async function tellWhatAndWhere(page: Page): Promise<void> {
  await page.goto(at('/report/'))
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
