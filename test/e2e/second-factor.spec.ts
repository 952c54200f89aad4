import { expect, test, type Browser, type Page } from '@playwright/test'
import { createAuthenticator } from '../support/authenticator.ts'
import { axeFindings, overflow, watch } from '../support/e2e.ts'
import { openStaffSite, type StaffSite } from '../support/staff-site.ts'

// A server of its own, several people, each with a key to derive.
test.describe.configure({ mode: 'serial', timeout: 240_000 })

const WORDS = '（测试）锅炉房后面的烟囱每天半夜冒黑烟，气味呛人。'

let site: StaffSite
test.beforeAll(async () => {
  site = await openStaffSite([
    { username: 'admin-1', department: 'qu-daqiban', roles: ['admin'] },
    { username: 'officer-1', department: 'qu-huanbao', roles: ['officer'] },
    { username: 'officer-2', department: 'qu-huanbao', roles: ['officer'] },
    { username: 'publisher-1', department: 'qu-daqiban', roles: ['publisher'] },
  ])
})
test.afterAll(async () => {
  await site.close()
})

const newPage = async (browser: Browser): Promise<Page> =>
  (await browser.newContext({ ...test.info().project.use, baseURL: site.site })).newPage()

const isConsole = (at: URL): boolean => /^\/staff\/(?:queue|departments|lists|members)/.test(at.pathname)

async function typePassphrase(page: Page, username: string, passphrase: string): Promise<void> {
  await page.goto('/staff/sign-in/')
  await page.getByLabel('用户名').fill(username)
  await page.getByLabel('口令').fill(passphrase)
  await page.getByRole('button', { name: '登录', exact: true }).click()
}

async function signIn(browser: Browser, username: string): Promise<Page> {
  const member = site.members[username]
  if (!member) throw new Error(`nobody is called ${username}`)
  const page = await newPage(browser)
  await typePassphrase(page, username, member.passphrase)
  // On a slow machine a code may be too old by the time it arrives; whoever sits there types the next one.
  await expect(async () => {
    if (isConsole(new URL(page.url()))) return
    await page.getByLabel('六位数字').fill(member.authenticator.code(), { timeout: 5000 })
    await page.getByRole('button', { name: '继续' }).click()
    await page.waitForURL(isConsole, { timeout: 15_000 })
  }).toPass()
  return page
}

/** A link that the administrator gets for somebody new. */
async function invite(admin: Page, username: string): Promise<string> {
  await admin.goto('/staff/members/')
  await admin.getByLabel('用户名').fill(username)
  await admin.getByLabel('姓名').fill(`新来的${username}`)
  await admin.getByLabel('单位', { exact: true }).selectOption('qu-huanbao')
  await admin.getByLabel('承办员').check()
  await admin.getByRole('button', { name: '生成注册链接' }).click()
  return admin.locator('.notice .code').innerText()
}

async function fileTip(page: Page): Promise<string> {
  const reply = await page.request.post('/api/v1/tips', {
    headers: { 'idempotency-key': crypto.randomUUID(), origin: site.site },
    data: {
      plain: {
        category: 'industrial-emission',
        area: '410102012',
        when: 'recurring',
        urgency: 'normal',
        description: WORDS,
      },
    },
  })
  expect(reply.status(), await reply.text()).toBeLessThan(300)
  return ((await reply.json()) as { caseNo: string }).caseNo
}

async function openCase(page: Page, caseNo: string): Promise<void> {
  await page.goto(`/staff/cases/${caseNo}/`)
  await expect(page.locator('[data-sealed]')).toContainText(WORDS)
}

/** As on a phone: nothing sticks out, and nothing is wrong with the accessibility. */
async function expectSound(page: Page): Promise<void> {
  const size = page.viewportSize()
  await page.setViewportSize({ width: 390, height: 844 })
  expect(await overflow(page)).toBeLessThanOrEqual(0)
  expect(await axeFindings(page)).toEqual([])
  if (size) await page.setViewportSize(size)
}

const saved = (page: Page) => page.locator('[data-status]')

test('a new member takes six words and an authenticator, and needs both to sign in', async ({ browser }) => {
  const admin = await signIn(browser, 'admin-1')
  const link = await invite(admin, 'words-1')
  const page = await newPage(browser)
  const seen = watch(page)
  await page.goto(link)
  await expect(page.locator('[data-who]')).toContainText('新来的')
  const words = page.locator('[data-words]')
  const first = await words.innerText()
  expect(first.split(' ')).toHaveLength(6)
  await page.getByRole('button', { name: '换六个词' }).click()
  await expect(words).not.toHaveText(first)
  // Fewer than fifteen characters are refused.
  await page.getByLabel('口令', { exact: true }).fill('too short')
  await page.getByLabel('再输入一次').fill('too short')
  await page.getByRole('button', { name: '注册' }).click()
  await expect(saved(page)).toContainText('至少 15 个字符')
  await expectSound(page)
  await page.getByRole('button', { name: '用这六个词' }).click()
  const passphrase = await words.innerText()
  await page.getByLabel('再输入一次').fill(passphrase)
  await page.getByRole('button', { name: '注册' }).click()

  await expect(page.getByRole('heading', { name: '还差一步' })).toBeVisible()
  await page.getByRole('button', { name: '显示二维码' }).click()
  await expect(page.getByRole('img', { name: /二维码/ })).toBeVisible()
  await expectSound(page)
  const secret = (await page.locator('[data-secret]').innerText()).replaceAll(' ', '')
  const authenticator = createAuthenticator(secret, site.clock)
  await page.getByLabel('六位数字').fill('000000')
  await page.getByRole('button', { name: '确认' }).click()
  await expect(saved(page)).toContainText('验证码不对')
  await page.getByLabel('六位数字').fill(authenticator.code())
  await page.getByRole('button', { name: '确认' }).click()
  await page.waitForURL('**/staff/sign-in/')

  await typePassphrase(page, 'words-1', passphrase)
  const code = page.getByLabel('六位数字')
  await expect(code).toBeFocused()
  expect((await page.request.get('/api/v1/staff/keys')).status()).toBe(401)
  await expectSound(page)
  const used = authenticator.code()
  await code.fill(used)
  await page.getByRole('button', { name: '继续' }).click()
  await page.waitForURL(isConsole)
  // The same code opens nothing a second time.
  const thief = await newPage(browser)
  await typePassphrase(thief, 'words-1', passphrase)
  await thief.getByLabel('六位数字').fill(used)
  await thief.getByRole('button', { name: '继续' }).click()
  await expect(saved(thief)).toContainText('已经用过')
  await page.goto('/staff/account/')
  await expect(page.locator('main')).toContainText('口令已经被别人知道')
  const problems = seen.errors.filter((text) => !/40[13]|422/.test(text))
  expect(problems).toEqual([])
})

test('a passkey signs in, unlocks a new tab without the passphrase, and is asked for again', async ({
  browser,
}) => {
  const admin = await signIn(browser, 'admin-1')
  const link = await invite(admin, 'passkey-1')
  const page = await newPage(browser)
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('WebAuthn.enable')
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      hasPrf: true,
    },
  })
  const passphrase = 'huanying xinlai de tongshi'
  await page.goto(link)
  await page.getByLabel('口令', { exact: true }).fill(passphrase)
  await page.getByLabel('再输入一次').fill(passphrase)
  await page.getByRole('button', { name: '注册' }).click()
  await page.getByLabel('给它起个名字').fill('测试密钥')
  await page.getByRole('button', { name: '登记通行密钥' }).click()
  await page.waitForURL('**/staff/sign-in/')

  const colleague = await signIn(browser, 'officer-1')
  const caseNo = await fileTip(colleague)
  await colleague.goto('/staff/members/')
  const waiting = colleague.getByRole('listitem').filter({ hasText: 'passkey-1' })
  await waiting.getByRole('button', { name: '授予钥匙' }).click()
  await expect(saved(colleague)).toContainText('核对指纹')
  await expectSound(colleague)
  const fingerprint = await waiting.locator('[data-their-fingerprint]').innerText()
  await waiting.getByLabel('当面或电话核对').check()
  await waiting.getByRole('button', { name: '授予钥匙' }).click()
  await expect(colleague.getByText('（passkey-1）')).toHaveCount(0)

  await typePassphrase(page, 'passkey-1', passphrase)
  await page.getByRole('button', { name: '用通行密钥' }).click()
  await page.waitForURL(isConsole)
  await page.goto('/staff/account/')
  await expect(page.locator('[data-own-fingerprint]')).toHaveText(fingerprint)
  await openCase(page, caseNo)
  // As in a new tab: nothing rests there.
  await page.evaluate(() => {
    sessionStorage.clear()
  })
  await page.goto(`/staff/cases/${caseNo}/`)
  await page.getByRole('button', { name: '用通行密钥解锁' }).click()
  await expect(page.locator('[data-sealed]')).toContainText(WORDS)

  site.passElevenMinutes()
  await page.goto('/staff/account/')
  await expect(page.locator('main')).toContainText('通行密钥“测试密钥”')
  await page.getByText('再登记一个').click()
  await page.getByRole('button', { name: '显示二维码' }).click()
  await page.getByRole('dialog').getByRole('button', { name: '用通行密钥验证' }).click()
  await expect(page.getByRole('img', { name: /二维码/ })).toBeVisible()
})

test('publishing asks for the second factor again when the last one is old', async ({ browser }) => {
  const officer = await signIn(browser, 'officer-1')
  const caseNo = await fileTip(officer)
  await openCase(officer, caseNo)
  await officer.getByRole('button', { name: '受理' }).click()
  await expect(saved(officer)).toContainText('已受理')
  await officer.getByRole('button', { name: '开始办理' }).click()
  await expect(officer.locator('.case-head')).toContainText('办理中')
  await officer.getByText('增加佐证').click()
  await officer.locator('[data-proof-text]').getByLabel('内容').fill('原环罚〔2026〕1号')
  await officer.locator('[data-proof-text]').getByRole('button', { name: '增加' }).click()
  await expect(saved(officer)).toContainText('佐证已增加')
  await officer.getByLabel('属实', { exact: true }).check()
  await officer.getByLabel('向社会公开的说明').fill('经查属实，已责令停炉整改。')
  await officer.getByRole('button', { name: /^办结/ }).click()
  await expect(officer.locator('.case-head')).toContainText('待公开')

  const publisher = await signIn(browser, 'publisher-1')
  await publisher.goto(`/staff/cases/${caseNo}/`)
  site.passElevenMinutes()
  const publish = publisher.locator('[data-form="publish"]').getByRole('button')
  await publish.click()
  const dialog = publisher.getByRole('dialog')
  await expect(dialog.getByLabel('六位数字')).toBeFocused()
  await expectSound(publisher)
  await dialog.getByRole('button', { name: '取消' }).click()
  await expect(saved(publisher)).toContainText('没有验证')
  await expect(publisher.locator('.case-head')).toContainText('待公开')
  await publish.click()
  await dialog.getByLabel('六位数字').fill('000000')
  await dialog.getByRole('button', { name: '确认' }).click()
  await expect(dialog).toContainText('验证码不对')
  await dialog.getByLabel('六位数字').fill(site.members['publisher-1']?.authenticator.code() ?? '')
  await dialog.getByRole('button', { name: '确认' }).click()
  await expect(publisher.locator('.case-head')).toContainText('已公开')
})

test('an officer leaves: a colleague changes the key, later tips open for who stays', async ({ browser }) => {
  const leaver = await signIn(browser, 'officer-2')
  const before = await fileTip(leaver)
  await openCase(leaver, before)

  const admin = await signIn(browser, 'admin-1')
  await admin.goto('/staff/members/')
  const row = admin.getByRole('listitem').filter({ hasText: '（officer-2）' })
  await row.getByText('管理', { exact: true }).click()
  await row.getByRole('button', { name: '移除' }).click()
  await expect(admin.locator('main')).toContainText('这些单位的钥匙要更换')
  expect((await leaver.request.get('/api/v1/staff/keys')).status()).toBe(401)

  const stays = await signIn(browser, 'officer-1')
  await stays.goto('/staff/queue/')
  await expect(stays.locator('main')).toContainText('区环保局的钥匙要更换')
  const between = await fileTip(stays)
  await stays.getByRole('link', { name: '去更换钥匙' }).click()
  await expectSound(stays)
  await stays.getByRole('button', { name: '更换钥匙' }).click()
  await expect(stays.locator('main')).toContainText('现在用的是第 2 把')
  await expect(stays.locator('main')).not.toContainText('用以前的钥匙封着')
  const after = await fileTip(stays)
  for (const caseNo of [before, between, after]) await openCase(stays, caseNo)
  await admin.reload()
  await expect(admin.locator('main')).not.toContainText('这些单位的钥匙要更换')
})

test('a member ends the own session elsewhere, and an administrator resets a lost factor', async ({
  browser,
}) => {
  const one = await signIn(browser, 'publisher-1')
  const other = await signIn(browser, 'publisher-1')
  await one.goto('/staff/account/')
  await expectSound(one)
  // The latest comes first: that is the other one.
  const end = one.getByRole('button', { name: '结束' })
  const before = await end.count()
  await end.first().click()
  await expect(end).toHaveCount(before - 1)
  expect((await other.request.get('/api/v1/staff/keys')).status()).toBe(401)

  const admin = await signIn(browser, 'admin-1')
  await admin.goto('/staff/members/')
  const row = admin.getByRole('listitem').filter({ hasText: '（publisher-1）' })
  await row.getByText('管理', { exact: true }).click()
  await row.getByRole('button', { name: '重置第二因素' }).click()
  const link = await admin.locator('.notice .code').innerText()
  expect((await one.request.get('/api/v1/staff/keys')).status()).toBe(401)
  await typePassphrase(other, 'publisher-1', site.members['publisher-1']?.passphrase ?? '')
  await expect(saved(other)).toContainText('还没有设置第二因素')
  await other.goto(link)
  await expect(other.locator('[data-who]')).toContainText('publisher-1')
  await other.getByRole('button', { name: '显示二维码' }).click()
  await expect(other.getByRole('img', { name: /二维码/ })).toBeVisible()
})
