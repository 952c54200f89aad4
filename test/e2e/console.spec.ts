import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, type Browser, type Page } from '@playwright/test'
import { mayVisit } from '../../src/domain/roles.ts'
import type { Role } from '../../src/domain/case.ts'
import { serverUrl } from '../support/e2e.ts'
import { jpegWithExif, truncatedJpeg } from '../support/images.ts'

// Several people, each with a key to derive.
test.setTimeout(120_000)

// What does not depend on the width is done once.
const DESK = { tag: '@desk' }

interface Login {
  readonly username: string
  readonly passphrase: string
  readonly roles: readonly Role[]
}

const WORDS = '（测试）锅炉房后面的烟囱每天半夜冒黑烟，气味呛人。'

const logins = (): readonly Login[] =>
  JSON.parse(
    readFileSync(join(process.env['LANTIAN_E2E_DATA'] ?? '', 'demo-accounts.json'), 'utf8'),
  ) as Login[]

/** As the project's machine, with the form filled in by hand. */
async function signIn(browser: Browser, username: string, passphrase?: string): Promise<Page> {
  const login = logins().find((one) => one.username === username)
  const page = await newPage(browser)
  await page.goto('/staff/sign-in/')
  await page.getByLabel('用户名').fill(username)
  await page.getByLabel('口令').fill(passphrase ?? login?.passphrase ?? '')
  await page.getByRole('button', { name: '登录', exact: true }).click()
  await page.waitForURL((at) => !at.pathname.startsWith('/staff/sign-in/'))
  return page
}

const newPage = async (browser: Browser): Promise<Page> =>
  (await browser.newContext({ ...test.info().project.use, baseURL: serverUrl() })).newPage()

/** A tip by way of the API: a category and an area decide whose it is. */
async function fileTip(page: Page, category = 'industrial-emission'): Promise<string> {
  const reply = await page.request.post('/api/v1/tips', {
    headers: { 'idempotency-key': crypto.randomUUID(), origin: serverUrl() },
    data: {
      plain: { category, area: '410102012', when: 'recurring', urgency: 'normal', description: WORDS },
    },
  })
  expect(reply.status(), await reply.text()).toBeLessThan(300)
  return ((await reply.json()) as { caseNo: string }).caseNo
}

async function openCase(page: Page, caseNo: string): Promise<void> {
  await page.goto(`/staff/cases/${caseNo}/`)
  await expect(page.locator('[data-sealed]')).toContainText(WORDS)
}

const saved = (page: Page) => page.locator('[data-status]')

async function returnTo(page: Page, target: string): Promise<void> {
  await page.getByText('退单：不归本单位').click()
  await page.getByLabel('理由').selectOption({ label: '按方案由其他单位牵头' })
  await page.getByLabel('应当由谁办').selectOption({ label: target })
  await page.getByRole('button', { name: '退单' }).click()
}

test(
  'a new member enrols by link, is granted the key by a colleague, and opens a case',
  DESK,
  async ({ browser }) => {
    const username = `xinren-${Date.now().toString(36)}`
    const passphrase = 'huanying xinlai de tongshi'
    const admin = await signIn(browser, 'guanli-1')
    await admin.goto('/staff/members/')
    await admin.getByLabel('用户名').fill(username)
    await admin.getByLabel('姓名').fill('新来的')
    await admin.getByLabel('单位', { exact: true }).selectOption('qu-huanbao')
    await admin.getByLabel('承办员').check()
    await admin.getByRole('button', { name: '生成注册链接' }).click()
    const link = await admin.locator('.notice .code').innerText()

    const page = await newPage(browser)
    await page.goto(link)
    await expect(page.locator('[data-who]')).toContainText('新来的')
    await page.getByLabel('口令').fill(passphrase)
    await page.getByLabel('再输入一次').fill(passphrase)
    await page.getByRole('button', { name: '注册' }).click()
    // The second factor has a file of its own (second-factor.spec.ts).
    await page.getByRole('link', { name: /演示中可以先不设/ }).click()
    await page.waitForURL('**/staff/sign-in/')

    const colleague = await signIn(browser, 'huanbao-1')
    const caseNo = await fileTip(colleague)
    const member = await signIn(browser, username, passphrase)
    await member.goto(`/staff/cases/${caseNo}/`)
    await expect(member.locator('[data-sealed]')).toContainText('还没有本单位的钥匙')
    await expect(member.locator('[data-sealed]')).not.toContainText(WORDS)

    await colleague.goto('/staff/members/')
    const waiting = colleague.getByRole('listitem').filter({ hasText: username })
    await waiting.getByLabel('当面或电话核对').check()
    await waiting.getByRole('button').click()
    await expect(colleague.getByText(username)).toHaveCount(0)
    await member.context().close()
    const again = await signIn(browser, username, passphrase)
    await openCase(again, caseNo)
    // The link was good once.
    await page.goto('about:blank')
    await page.goto(link)
    await expect(page.locator('[data-status]')).toContainText('失效')
  },
)

test('two returns lead to the dispatcher, who decides for everybody', DESK, async ({ browser }) => {
  const huanbao = await signIn(browser, 'huanbao-1')
  const caseNo = await fileTip(huanbao)
  await openCase(huanbao, caseNo)
  await huanbao.getByText('退单：不归本单位').click()
  await huanbao.getByRole('button', { name: '退单' }).click()
  await expect(huanbao.getByLabel('应当由谁办')).toBeFocused()
  await huanbao.getByText('退单：不归本单位').click()
  await returnTo(huanbao, '区行政执法局')
  await expect(huanbao.locator('main')).toContainText(`${caseNo} 已交出`)
  const zhifa = await signIn(browser, 'zhifa-1')
  await openCase(zhifa, caseNo)
  await returnTo(zhifa, '区环保局')
  await expect(zhifa.locator('main')).toContainText(`${caseNo} 已交出`)
  await openCase(huanbao, caseNo)
  await returnTo(huanbao, '区行政执法局')
  await expect(huanbao.locator('.case-head')).toContainText('待裁定')

  const dispatcher = await signIn(browser, 'diaodu-1')
  await dispatcher.goto('/staff/queue/')
  await expect(dispatcher.getByRole('link', { name: '待裁定' })).toHaveAttribute('aria-current', 'page')
  await dispatcher.getByRole('link', { name: caseNo }).click()
  await expect(dispatcher.locator('[data-sealed]')).toContainText(WORDS)
  await dispatcher.getByText('裁定', { exact: true }).click()
  await dispatcher.getByLabel('交给').selectOption({ label: '区行政执法局' })
  await dispatcher.getByRole('button', { name: '确定' }).click()
  await expect(saved(dispatcher)).toContainText('已裁定')
  await openCase(zhifa, caseNo)
  await expect(zhifa.getByText('退单：不归本单位')).toHaveCount(0)
})

test('a statement that repeats the reporter is held back, and a slower colleague loses nothing', async ({
  browser,
}) => {
  const page = await signIn(browser, 'huanbao-1')
  const caseNo = await fileTip(page)
  await openCase(page, caseNo)
  // By keyboard alone.
  await page.getByRole('button', { name: '受理' }).press('Enter')
  await expect(saved(page)).toContainText('已受理')
  await expect(saved(page)).toBeFocused()
  await page.getByRole('button', { name: '开始办理' }).press('Enter')
  await expect(page.locator('.case-head')).toContainText('办理中')

  await page.getByText('增加佐证').click()
  await page.getByLabel(/检查照片/).setInputFiles({
    name: 'photo.jpg',
    mimeType: 'image/jpeg',
    buffer: Buffer.from(await truncatedJpeg()).subarray(0, 400),
  })
  await page.getByRole('button', { name: '遮挡并上传' }).press('Enter')
  await expect(saved(page)).toContainText('已损坏')
  await page.getByLabel(/检查照片/).setInputFiles({
    name: 'photo.jpg',
    mimeType: 'image/jpeg',
    buffer: Buffer.from(await jpegWithExif({ text: 'proof-exif-canary' })),
  })
  await page.getByRole('button', { name: '遮挡并上传' }).press('Enter')
  const editor = page.getByRole('dialog', { name: '公开前先遮挡' })
  await editor.getByRole('button', { name: '加一个框' }).press('Enter')
  const move = editor.getByRole('button', { name: '移动框 1' })
  await expect(move).toBeFocused()
  const left = editor.getByRole('spinbutton', { name: '左' })
  await expect(left).toHaveValue('240')
  await page.keyboard.press('ArrowRight')
  await expect(left).toHaveValue('256')
  await page.keyboard.press('Shift+ArrowDown')
  await expect(editor.getByRole('spinbutton', { name: '高' })).toHaveValue('144')
  await editor.getByRole('button', { name: '撤销' }).press('Enter')
  await expect(editor.getByRole('spinbutton', { name: '高' })).toHaveValue('128')
  await editor.getByRole('button', { name: '去掉框 1' }).press('Enter')
  await editor.getByRole('checkbox', { name: '已检查，无需遮挡' }).press('Space')
  // Only once the picture is made again does Enter send it.
  await expect(editor.getByRole('button', { name: '用这张作佐证' })).toBeEnabled()
  await editor.getByLabel('说明').press('Enter')
  await expect(saved(page)).toContainText('照片已上传')
  const photo = page.locator('img[src^="/proof/"]').first()
  const bytes = await (await page.request.get((await photo.getAttribute('src')) ?? '')).body()
  expect(bytes.includes('proof-exif-canary')).toBe(false)
  const stranger = await newPage(browser)
  expect((await stranger.request.get((await photo.getAttribute('src')) ?? '')).status()).toBe(404)

  await page.getByLabel('属实', { exact: true }).check()
  const statement = page.getByLabel('向社会公开的说明')
  await statement.fill(`经查，${WORDS}联系人 13812345678。`)
  await page.getByRole('button', { name: /^办结/ }).click()
  await expect(page.locator('[data-leaks]')).toContainText('13812345678')
  await expect(page.locator('[data-leaks]')).toContainText('原话')
  await statement.fill('经查属实，已责令停炉整改。')
  await expect(page.locator('[data-leaks]')).toBeHidden()

  // A colleague notes something meanwhile.
  const colleague = await signIn(browser, 'huanbao-2')
  await openCase(colleague, caseNo)
  await colleague.getByText('写一条记录').click()
  await colleague.getByLabel('记录', { exact: true }).fill('同事的记录')
  await colleague.getByRole('button', { name: '保存' }).click()
  await expect(colleague.locator('[data-sealed]')).toContainText('同事的记录')

  await page.getByRole('button', { name: /^办结/ }).click()
  await expect(saved(page)).toContainText('更新过')
  await expect(statement).toHaveValue('经查属实，已责令停炉整改。')
  await expect(page.getByLabel('属实', { exact: true })).toBeChecked()
  await expect(page.locator('[data-sealed]')).toContainText('同事的记录')
  await page.getByRole('button', { name: /^办结/ }).click()
  await expect(page.locator('.case-head')).toContainText('待公开')
})

test('a hotline edited in the console stands on the public pages', DESK, async ({ browser }) => {
  const page = await signIn(browser, 'ducha-1')
  const hotline = `0371-0000${String(Date.now()).slice(-4)}`
  await page.goto('/staff/departments/')
  await page.getByLabel('热线').fill('<script>')
  await page.getByRole('button', { name: '保存' }).first().click()
  await expect(page.getByRole('alert')).toContainText('热线')
  await expect(page.getByLabel('热线')).toHaveValue('<script>')
  await page.getByLabel('热线').fill(hotline)
  await page.getByLabel('信箱').fill('ducha@example.invalid')
  await page.getByRole('button', { name: '保存' }).first().click()
  await expect(page.getByRole('status').first()).toContainText('已保存')
  await page.goto('/departments/qu-duchashi/')
  await expect(page.locator('main')).toContainText(hotline)
  await expect(page.locator('main')).toContainText('ducha@example.invalid')
})

test('every role opens its own pages and is told about the others', DESK, async ({ browser }) => {
  test.slow()
  for (const username of ['huanbao-1', 'diaodu-1', 'fabu-1', 'shenji-1', 'guanli-1']) {
    const page = await signIn(browser, username)
    const roles = logins().find((one) => one.username === username)?.roles ?? []
    for (const path of ['/staff/queue/', '/staff/departments/', '/staff/members/', '/staff/audit/']) {
      const reply = await page.request.get(path, { maxRedirects: 0 })
      expect(`${username} ${path} ${reply.status()}`).toBe(
        `${username} ${path} ${mayVisit(path, roles) ? 200 : path === '/staff/queue/' ? 302 : 403}`,
      )
    }
    await page.getByRole('button', { name: '退出' }).click()
    await page.waitForURL('**/staff/sign-in/')
    expect((await page.request.get('/api/v1/staff/keys')).status()).toBe(401)
    await page.context().close()
  }
})
