import { gzipSync } from 'node:zlib'
import { expect, test, type APIRequestContext, type Page } from '@playwright/test'
import { parseReceiptCode } from '../../src/domain/receipt.ts'
import {
  axeFindings,
  fact,
  overflow,
  serverUrl,
  staffPage,
  track,
  watch,
  withoutScript,
  type Filed,
} from '../support/e2e.ts'
import { jpegWithExif } from '../support/images.ts'

// An officer and a reporter, one with a key to derive.
test.setTimeout(120_000)

const KILOBYTE = 1024
const QUESTION = '请问黄烟是从左边还是右边那根烟囱出来的？'
const ANSWER = '左边那根，靠着红色水塔，昨天夜里又冒了。'

async function fileTip(request: APIRequestContext): Promise<Filed> {
  const reply = await request.post(`${serverUrl()}/api/v1/tips`, {
    headers: { 'idempotency-key': crypto.randomUUID(), origin: serverUrl() },
    data: {
      plain: {
        category: 'industrial-emission',
        area: '410102012',
        when: 'recurring',
        description: '（测试）夜里冒黄烟。',
      },
    },
  })
  const { caseNo, receiptCode: code } = (await reply.json()) as { caseNo: string; receiptCode: string }
  return { caseNo, code }
}

/** The officer accepts the case and asks; the case then waits. */
async function ask(officer: Page, caseNo: string): Promise<void> {
  await officer.goto(`/staff/cases/${caseNo}/`)
  await expect(officer.locator('[data-sealed]')).toContainText('黄烟')
  await officer.getByRole('button', { name: '受理', exact: true }).click()
  await expect(officer.locator('[data-status]')).toHaveText('已受理。')
  await officer.getByLabel('给举报人留言').fill(QUESTION)
  await officer.getByLabel('要举报人补充').check()
  const send = officer.getByRole('button', { name: '密封并发出' })
  const photos = officer.getByLabel('照片（可以不加')
  await photos.setInputFiles({ name: '1.heic', mimeType: 'image/heic', buffer: Buffer.from('no photo') })
  await send.click()
  await expect(officer.locator('.error-summary')).toBeFocused()
  await expect(officer.locator('.error-summary')).toContainText('1.heic：这个文件的内容不是照片')
  await expect(officer.getByLabel('给举报人留言')).toHaveValue(QUESTION)
  await photos.setInputFiles(await photo())
  await send.click()
  await expect(officer.locator('.thread')).toContainText(QUESTION)
  await expectPhoto(officer, '承办单位的照片 1')
  await expect(officer.locator('main header .badge-active')).toHaveText('等待举报人补充')
}

/** What forms with files in them send, which the browser's tools do not tell: noted as the page hands it over. */
async function noteForms(page: Page, sent: string[]): Promise<void> {
  await page.exposeFunction('noteSent', (text: string) => void sent.push(text))
  await page.addInitScript(() => {
    const { noteSent } = window as unknown as { noteSent: (text: string) => Promise<void> }
    const real = window.fetch.bind(window)
    window.fetch = async (input, init) => {
      if (init?.body instanceof FormData) {
        for (const value of init.body.values()) {
          await noteSent(
            typeof value === 'string' ? value : new TextDecoder().decode(await value.arrayBuffer()),
          )
        }
      }
      return real(input, init)
    }
  })
}

async function photo() {
  return {
    name: 'IMG_1.jpg',
    mimeType: 'image/jpeg',
    buffer: Buffer.from(await jpegWithExif({ make: 'CanaryPhone' })),
  }
}

/** A picture of the thread that the browser could draw. */
async function expectPhoto(page: Page, alt: string): Promise<void> {
  await expect
    .poll(() => page.getByRole('img', { name: alt }).evaluate((img: HTMLImageElement) => img.naturalWidth))
    .toBeGreaterThan(100)
}

/** The officer finds the case by its mark, and the answer with its photo in it. */
async function expectAnswered(officer: Page, caseNo: string): Promise<void> {
  await officer.goto('/staff/queue/?tab=unanswered')
  await expect(officer.locator('tr', { hasText: caseNo })).toContainText('有新留言')
  await officer.goto(`/staff/cases/${caseNo}/`)
  await expect(officer.locator('.thread')).toContainText(ANSWER)
  await expect(officer.locator('main header .badge-active')).toHaveText('办理中')
  await expectPhoto(officer, '举报人的照片 1')
  const sent = await (await officer.request.get(officer.url())).text()
  for (const word of [QUESTION, ANSWER]) expect(sent).not.toContain(word)
}

test('officer and reporter exchange messages, the reporter without JavaScript', async ({
  browser,
  request,
}) => {
  const { caseNo, code } = await fileTip(request)
  const officer = await staffPage(browser, 'huanbao-1')
  const seen = watch(officer)
  const sent: string[] = []
  await noteForms(officer, sent)
  officer.on('request', (one) => sent.push(one.postData() ?? ''))
  await ask(officer, caseNo)
  expect(sent.join('\n')).toContain('age-encryption.org')
  for (const secret of [QUESTION, 'CanaryPhone']) expect(sent.join('\n')).not.toContain(secret)

  const citizen = await (await withoutScript(browser)).newPage()
  await track(citizen, code)
  await expect(citizen.locator('main')).toContainText('提问，等您答复到')
  await expect(citizen.locator('.thread')).toContainText(QUESTION)
  const asked = await citizen.request.get((await citizen.locator('.thread img').getAttribute('src')) ?? '')
  expect((await asked.body()).subarray(0, 3).toString('hex')).toBe('ffd8ff')
  expect((await asked.body()).includes('CanaryPhone')).toBe(false)
  expect(await overflow(citizen)).toBe(0)
  await citizen.getByRole('button', { name: '密封并答复' }).click()
  await expect(citizen.locator('.error-summary')).toContainText('请写几个字')
  await citizen.getByLabel('回答').fill(ANSWER)
  await citizen.getByLabel('照片').setInputFiles(await photo())
  await citizen.getByRole('button', { name: '密封并答复' }).click()
  await expect(citizen.locator('.thread li')).toHaveCount(2)
  await expect(citizen.locator('.thread')).toContainText(ANSWER)
  await expect(fact(citizen, '现在')).toHaveText('办理中')
  const own = citizen.locator('.message.reporter img')
  const shown = await citizen.request.get((await own.getAttribute('src')) ?? '')
  expect((await shown.body()).includes('CanaryPhone')).toBe(false)

  await expectAnswered(officer, caseNo)
  expect(seen.errors).toEqual([])
  await citizen.context().close()
  await officer.context().close()
})

test('with JavaScript neither the code nor the words leave the reporter’s browser', async ({
  browser,
  request,
}) => {
  const { caseNo, code } = await fileTip(request)
  const officer = await staffPage(browser, 'huanbao-1')
  await ask(officer, caseNo)

  const context = await browser.newContext({ baseURL: serverUrl() })
  const citizen = await context.newPage()
  const seen = watch(citizen)
  const sent: string[] = []
  let scripts = 0
  await noteForms(citizen, sent)
  citizen.on('request', (one) => {
    sent.push(one.url(), one.postDataBuffer()?.toString('utf8') ?? '', JSON.stringify(one.headers()))
  })
  citizen.on('response', (reply) => {
    if (reply.request().resourceType() !== 'script') return
    void reply.body().then((bytes) => (scripts += gzipSync(bytes).length))
  })
  await citizen.goto('/track/')
  expect(await axeFindings(citizen)).toEqual([])
  expect(scripts).toBeLessThan(20 * KILOBYTE)

  // By keyboard alone.
  await citizen.getByLabel('查询码').focus()
  await citizen.keyboard.type(code.toLowerCase())
  await citizen.keyboard.press('Enter')
  await expect(citizen.getByRole('heading', { level: 1, name: caseNo })).toBeFocused()
  await expect(citizen.locator('.thread')).toContainText(QUESTION)
  expect(await axeFindings(citizen)).toEqual([])
  await citizen.getByLabel('照片').setInputFiles(await photo())
  await citizen.getByLabel('回答').focus()
  await citizen.keyboard.type(ANSWER)
  await citizen.getByRole('button', { name: '密封并答复' }).focus()
  await citizen.keyboard.press('Enter')
  await expect(citizen.getByRole('heading', { name: '和承办单位的留言' })).toBeFocused()
  await expect(citizen.locator('.thread li')).toHaveCount(2)
  await expect(citizen.locator('.thread')).toContainText(ANSWER)
  await expect(citizen.locator('.message.reporter img')).toHaveCount(1)
  await expect(citizen.locator('.message.officer img')).toHaveCount(1)
  await expect(fact(citizen, '现在')).toHaveText('办理中')

  const everything = sent.join('\n')
  for (const secret of [
    code,
    code.toLowerCase(),
    parseReceiptCode(code) ?? '',
    ANSWER,
    'CanaryPhone',
    'AGE-SECRET',
  ]) {
    expect(everything).not.toContain(secret)
  }
  expect(everything).toContain('age-encryption.org')
  expect(seen.errors).toEqual([])
  expect(new URL(citizen.url()).pathname).toBe('/track/')

  // Kept nowhere: after a reload the messages are closed until the code is typed again.
  await citizen.reload()
  await expect(citizen.locator('main')).not.toContainText(ANSWER)
  await expect(citizen.getByLabel('查询码')).toBeVisible()

  // What cannot be sealed is not sent another way.
  await citizen.route('**/assets/sealing.*', (route) => route.abort())
  await citizen.reload()
  await citizen.getByLabel('查询码').fill(code)
  sent.length = 0
  await citizen.getByRole('button', { name: '查看' }).click()
  await expect(citizen.locator('[data-problem]')).toContainText('查询码没有送出')
  expect(sent.join('\n')).not.toContain(code)

  await expectAnswered(officer, caseNo)
  await context.close()
  await officer.context().close()
})
