import { expect, test, type Page } from '@playwright/test'
import { axeFindings, sendTip, shownCode, staffPage } from '../support/e2e.ts'
import { jpegWithExif } from '../support/images.ts'

// An officer has a key to derive.
test.setTimeout(180_000)

const WORDS = '夜里一点金丝雀罐车往沟里倒油。'
const PLACE = '金丝雀巷 57 号后门'
const PHONE = '13912345678'
const EXIF = 'exif-canary-5d1c'
const SECRETS = [WORDS, PLACE, PHONE, EXIF, 'CanaryPhone', '2026:11:20']

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name })
const next = (page: Page) => page.locator('.actions').getByRole('button', { name: '下一步' }).click()

async function untilWhat(page: Page, at = '/report/'): Promise<void> {
  await page.goto(at)
  await page.getByLabel('建设工地扬尘').check()
  // Without its script the question is a page of its own.
  const question = page.getByLabel('房屋建设')
  if (!at.includes('plain') || (await question.isVisible())) await question.check()
  await next(page)
  await heading(page, '在哪里、什么时候？').waitFor()
  await page.getByLabel('在哪个街道？').selectOption('建设路街道')
  await page.getByLabel('具体地点').fill(PLACE)
  await page.getByLabel('正在发生').check()
  await next(page)
  await heading(page, '您看到了什么？').waitFor()
}

async function untilCheck(page: Page): Promise<void> {
  await untilWhat(page)
  await page.getByLabel('请写下您看到').fill(WORDS)
  await next(page)
  await page.getByLabel('电话').fill(PHONE)
  await next(page)
  await heading(page, '核对后提交').waitFor()
}

/** Everything that leaves the page, from now on. */
function watchSent(page: Page): { readonly bodies: Buffer[]; readonly posts: string[] } {
  const sent = { bodies: [] as Buffer[], posts: [] as string[] }
  page.on('request', (request) => {
    sent.bodies.push(Buffer.from(request.url() + JSON.stringify(request.headers())))
    const body = request.postDataBuffer()
    if (body) sent.bodies.push(body)
    if (request.method() !== 'GET') sent.posts.push(`${request.method()} ${new URL(request.url()).pathname}`)
  })
  return sent
}

test('words, place, phone, photos and code leave the browser sealed, and the officer opens them', async ({
  page,
  browser,
}) => {
  const sent = watchSent(page)
  await untilWhat(page)
  await page.getByLabel('请写下您看到').fill(WORDS)
  await page.getByLabel('沙土、石料、土堆没有盖').check()
  // The line breaks after the first piece of the first file; the rest follows from where it stands.
  let pieces = 0
  await page.route('**/api/v1/uploads/*', (route) => {
    if (route.request().method() !== 'PATCH') return route.continue()
    pieces += 1
    return pieces === 2 || pieces === 3 ? route.abort() : route.continue()
  })
  const photos = await Promise.all(
    [
      { width: 1800, height: 1400, text: EXIF },
      { orientation: 6, text: EXIF },
    ].map(async (options, index) => ({
      name: `${index}.jpg`,
      mimeType: 'image/jpeg',
      buffer: Buffer.from(await jpegWithExif(options)),
    })),
  )
  expect(photos[0]?.buffer.length).toBeGreaterThan(1.1 * 1024 * 1024)
  await page.getByLabel('选择照片').setInputFiles(photos)
  await expect(page.getByRole('button', { name: /^去掉/ })).toHaveCount(2)
  expect(pieces).toBeGreaterThan(5)
  await expect(page.getByText('照片里记着：拍摄时间 2026-11-20').first()).toBeVisible()
  await page.getByLabel('把这个时间和地点写进举报').first().check()
  await page.getByLabel('原片也密封').nth(1).uncheck()
  await expect(page.getByLabel('原片也密封').nth(1)).not.toBeChecked()
  expect(await axeFindings(page)).toEqual([])
  await next(page)
  await page.getByLabel('电话').fill('139')
  await next(page)
  await expect(page.locator('.error-summary')).toBeFocused()
  await expect(page.locator('#callback-error')).toContainText('电话号码不完整')
  await page.getByLabel('电话').fill(PHONE)
  await next(page)
  await heading(page, '核对后提交').waitFor()

  // A reload loses nothing, and what rests in the tab is not readable there.
  const code = await shownCode(page)
  await page.reload()
  await expect(page.locator('[data-held="description"]')).toContainText(WORDS)
  expect(await shownCode(page)).toBe(code)
  const rested = await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }))
  for (const secret of [...SECRETS, code, code.replaceAll('-', '')]) expect(rested).not.toContain(secret)
  const { caseNo } = await sendTip(page)
  expect(await shownCode(page)).toBe(code)

  for (const secret of [...SECRETS, code, code.replaceAll('-', '')]) {
    for (const text of [
      secret,
      Buffer.from(secret).toString('base64').slice(0, -4),
      encodeURIComponent(secret),
    ]) {
      expect(sent.bodies.some((body) => body.includes(text))).toBe(false)
    }
  }

  const officer = await staffPage(browser, 'jianshe-1')
  await officer.goto(`/staff/cases/${caseNo}/`)
  const sealed = officer.locator('[data-sealed]')
  for (const word of [WORDS, PLACE, PHONE, '沙土、石料、土堆没有盖', '第 1 张：拍摄时间 2026-11-20 08:15']) {
    await expect(sealed).toContainText(word)
  }
  await expect(sealed).not.toContainText('第 2 张：')
  await expect(sealed.locator('img')).toHaveCount(2)
  for (const image of await sealed.locator('img').all()) {
    await expect.poll(() => image.evaluate((node: HTMLImageElement) => node.naturalWidth)).toBeGreaterThan(0)
  }

  // A photo that was damaged where it lies is told in words, and the rest is shown.
  await officer.route('**/tip.photo/0', async (route) => {
    const reply = await route.fetch()
    const body = await reply.body()
    const middle = body.length >> 1
    body[middle] = (body[middle] ?? 0) ^ 1
    await route.fulfill({ response: reply, body })
  })
  await officer.reload()
  await expect(sealed.locator('.notice-warn')).toHaveText('举报照片 1没有显示：密封的内容损坏了，打不开。')
  await expect(sealed).toContainText(WORDS)
  await expect(sealed.getByAltText('举报照片 2')).toBeVisible()
  await expect(sealed.locator('img')).toHaveCount(1)
  await officer.context().close()
})

test('where the browser cannot seal, nothing goes out and the form without a script is offered', async ({
  page,
}) => {
  await page.route('**/seal-worker*', (route) => route.abort())
  const sent = watchSent(page)
  await page.goto('/report/')
  await page.getByLabel('建设工地扬尘').check()
  await page.getByLabel('房屋建设').check()
  await next(page)
  const failure = page.getByRole('alert').filter({ hasText: '没能在您的设备上密封' })
  await expect(failure).toBeFocused()
  await expect(page.getByLabel('具体地点')).toBeDisabled()
  expect(await axeFindings(page)).toEqual([])
  const before = sent.posts.length
  await next(page)
  expect(sent.posts).toHaveLength(before)

  await failure.getByRole('link', { name: '不用脚本的表单' }).click()
  await expect(page.getByText('由服务器在内存里密封，不留明文')).toBeVisible()
  await untilWhat(page, '/report/?plain=1')
  await page.getByLabel('请写下您看到').fill(WORDS)
  await next(page)
  await next(page)
  await expect(page.getByText('本站服务器在内存里把上面的内容密封')).toBeVisible()
  await sendTip(page)
  await expect(page.getByText('内容由本站服务器在内存里密封')).toBeVisible()
})

test('a worker that never answers is given up, and nothing goes out', async ({ page }) => {
  await page.clock.install()
  await page.route('**/seal-worker*', (route) => route.fulfill({ contentType: 'text/javascript', body: '' }))
  const sent = watchSent(page)
  await page.goto('/report/')
  await page.getByLabel('建设工地扬尘').check()
  await page.getByLabel('房屋建设').check()
  const asked = page.waitForRequest('**/seal-worker*')
  await next(page)
  await asked
  const failure = page.getByRole('alert').filter({ hasText: '没能在您的设备上密封' })
  await page.clock.fastForward(60_000)
  await expect(failure).toBeFocused()
  await expect(failure.getByRole('link', { name: '不用脚本的表单' })).toHaveAttribute(
    'href',
    '/report/?plain=1',
  )
  await expect(page.getByLabel('具体地点')).toBeDisabled()
  const before = sent.posts.length
  await next(page)
  expect(sent.posts).toHaveLength(before)
})

test('a page whose script never came keeps the fields shut', async ({ page }) => {
  await page.goto('/report/')
  await page.getByLabel('其他或不清楚').check()
  await next(page)
  await heading(page, '在哪里、什么时候？').waitFor()
  await page.route('**/assets/*.js', (route) => route.abort())
  await page.reload()
  await expect(page.getByLabel('具体地点')).toBeDisabled()
  await expect(page.getByRole('link', { name: '不用脚本的表单' })).toBeVisible()
  await page.goto('/report/')
  await page.getByLabel('其他或不清楚').check()
  await next(page)
  await expect(page.locator('.error-summary')).toContainText('什么都没有收下')
  await expect(page.getByRole('link', { name: '改用不用脚本的表单' })).toBeVisible()
})

test('a key that is not the signed one is refused, and nothing is sealed to it', async ({ page }) => {
  await untilCheck(page)
  const sent = watchSent(page)
  await page.route('**/api/v1/recipients', async (route) => {
    const reply = await route.fetch()
    const list = (await reply.json()) as { items: { owner: string; recipient: string }[] }
    const [one, two] = ['qu-jianshe', 'qu-daqiban'].map((id) => list.items.find(({ owner }) => owner === id))
    if (one && two) one.recipient = two.recipient
    await route.fulfill({ json: list })
  })
  await page.getByRole('button', { name: '提交' }).click()
  await expect(page.getByRole('alert').filter({ hasText: '没能在您的设备上密封' })).toBeFocused()
  expect(sent.posts).toEqual([])
  await page.unroute('**/api/v1/recipients')

  // The page is from before the route changed: it says so, and nothing is filed before the reporter has seen to whom.
  const readers = page.locator('[data-readers]')
  const present = (await readers.getAttribute('data-readers')) ?? ''
  await readers.evaluate((node) => node.setAttribute('data-readers', 'qu-huanbao qu-daqiban'))
  await page.getByRole('button', { name: '提交' }).click()
  await expect(page.getByRole('alert').filter({ hasText: '刚才没有提交：承办单位变了' })).toBeVisible()
  await expect(readers).toHaveAttribute('data-readers', present)

  // The keys changed while the page lay open: it seals to the new ones by itself.
  const problem = { type: '/problems/stale-recipients/', title: '收件的钥匙变了', status: 409 }
  await page.route('**/api/v1/tips', (route) => route.fulfill({ status: 409, json: problem }), { times: 1 })
  await sendTip(page)
})
