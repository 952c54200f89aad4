import { expect, test, type Browser, type BrowserContext, type Page } from '@playwright/test'
import { axeFindings, fillTip, overflow, sendTip, signIn, track, type Filed } from '../support/e2e.ts'
import { startServer, type TestServer } from '../support/server.ts'

// Seven people, one after another, most with a key to derive; and a month that has to pass.
test.setTimeout(300_000)

// A server of its own: its clock goes on to the next month, from which there is no way back.
let server: TestServer
test.beforeAll(async () => {
  const clock = new URL('../support/movable-clock.ts', import.meta.url).href
  server = await startServer({ env: { DEMO: 'on', NODE_OPTIONS: `--import=${clock}` } })
})
test.afterAll(async () => {
  await server.stop()
})

const context = (
  browser: Browser,
  part: Parameters<Browser['newContext']>[0] = {},
): Promise<BrowserContext> => browser.newContext({ ...test.info().project.use, baseURL: server.url, ...part })

/** Opens a page as a member of staff, in a browser of their own. */
async function staff(browser: Browser, username: string): Promise<Page> {
  const page = await (await context(browser)).newPage()
  await signIn(page, username)
  return page
}

const PHONE = { javaScriptEnabled: false, viewport: { width: 390, height: 844 } }

const stateOf = (page: Page) => page.locator('main header .badge-active')
const DECISION = '原环罚〔2026〕88号'

/** Accepts, proves and concludes as true; another person publishes. */
async function concludeAndPublish(browser: Browser, { caseNo }: Filed): Promise<Page> {
  const officer = await staff(browser, 'huanbao-1')
  await officer.goto(`/staff/cases/${caseNo}/`)
  await officer.getByRole('button', { name: '受理', exact: true }).click()
  await expect(stateOf(officer)).toHaveText('已受理')
  await officer.getByText('写一条记录').click()
  await officer.locator('#note').fill('现场已看。')
  await officer.getByRole('button', { name: '保存' }).click()
  await expect(stateOf(officer)).toHaveText('办理中')
  await officer.getByText('增加佐证').click()
  await officer.locator('#kind').selectOption('decision-number')
  await officer.locator('#text').fill(DECISION)
  await officer.locator('[data-proof-text] button[type=submit]').click()
  await expect(officer.locator('section[aria-labelledby="proofs"]')).toContainText(DECISION)
  await officer.locator('#outcome-substantiated').check()
  await officer.locator('#statement').fill('已责令停产整改，并处罚款。')
  await officer.getByRole('button', { name: '办结' }).click()
  await expect(stateOf(officer)).toHaveText('已办结，待公开')

  const publisher = await staff(browser, 'fabu-1')
  await publisher.goto(`/staff/cases/${caseNo}/`)
  await publisher.getByRole('button', { name: '公开', exact: true }).click()
  await expect(stateOf(publisher)).toHaveText('已公开')
  await publisher.context().close()
  return officer
}

test('a tip-off earns a reward: proposed, approved, claimed, paid, and summed up a month later', async ({
  browser,
}) => {
  const citizen = await (await context(browser, PHONE)).newPage()
  // Whatever goes over the wire as an address, a referrer or a place to go to.
  const addresses: string[] = []
  citizen.on('request', (request) => addresses.push(request.url(), request.headers()['referer'] ?? ''))
  citizen.on('response', (response) => addresses.push(response.headers()['location'] ?? ''))
  await fillTip(citizen, {
    category: 'industrial-emission',
    area: '410102012',
    place: '示例工业园 3 号门',
    description: '夜里十一点以后烟囱冒黄烟，白天没有。',
    photos: 0,
  })
  const filed = await sendTip(citizen)
  await track(citizen, filed.code)
  await expect(citizen.locator('section[aria-labelledby="reward"]')).toContainText('结果公开以后')
  const officer = await concludeAndPublish(browser, filed)

  const address =
    await test.step('the officer states what was found, reads the lines and proposes', async () => {
      await officer.goto('/staff/rewards/')
      await officer.getByRole('link', { name: filed.caseNo }).click()
      await officer.getByRole('button', { name: '计算' }).click()
      await expect(officer.getByRole('alert')).toContainText('处理结果')
      await officer.getByLabel('处理结果').selectOption('fine')
      await officer.getByLabel('罚款多少元').fill('250,000')
      await officer.getByLabel('举报以前是否已经掌握').selectOption('new')
      await officer.getByLabel('线索起了什么作用').selectOption('led')
      await officer.getByRole('button', { name: '计算' }).click()
      await expect(officer.locator('#result')).toHaveText('核定结果：3,000元')
      await expect(officer.locator('.reward-lines')).toContainText(DECISION)
      expect(await axeFindings(officer)).toEqual([])
      await officer.getByRole('button', { name: '提交审批' }).click()
      await expect(officer.locator('main')).toContainText('等待审批人处理')
      await expect(officer.getByRole('button', { name: '批准奖励' })).toHaveCount(0)
      return new URL(officer.url()).pathname
    })

  await test.step('the reporter learns nothing before the approval', async () => {
    await track(citizen, filed.code)
    const reward = citizen.locator('section[aria-labelledby="reward"]')
    await expect(reward).not.toContainText('3,000元')
    await expect(reward.getByRole('button')).toHaveCount(0)
  })

  await test.step('another person approves', async () => {
    const approver = await staff(browser, 'shenpi-1')
    await expect(approver).toHaveURL('/staff/rewards/')
    await approver.getByRole('link', { name: filed.caseNo }).click()
    await expect(approver).toHaveURL(address)
    await approver.getByRole('button', { name: '批准奖励' }).click()
    await expect(approver.locator('.badge-active')).toHaveText('已批准，待领取')
    await approver.context().close()
    // Who proposed sees it, and can do nothing more.
    await officer.reload()
    await expect(officer.locator('.badge-active')).toHaveText('已批准，待领取')
    await officer.context().close()
  })

  const code = await test.step('the reporter reads why and claims; the code is shown once', async () => {
    await track(citizen, filed.code)
    const reward = citizen.locator('section[aria-labelledby="reward"]')
    await expect(reward.locator('.reward-amount')).toContainText('3,000元')
    await expect(reward.locator('.reward-amount')).toContainText('最晚')
    await expect(reward.locator('.reward-lines')).toContainText('第一个举报人')
    await reward.getByRole('button', { name: '领取' }).click()
    const shown = reward.locator('.reward-code')
    await expect(shown).toHaveText(/^\s*[0-9A-Z]{5}-[0-9A-Z]{5}\s*$/)
    const first = (await shown.textContent())?.trim() ?? ''
    expect(citizen.url()).not.toContain(first)
    // Sent again, the same page shows the same; opened anew, none.
    await citizen.reload()
    await expect(shown).toContainText(first)
    await citizen.goto('/track/')
    await expect(shown).toHaveCount(0)
    expect(await citizen.content()).not.toContain(first)
    await reward.getByRole('button', { name: '换一个新的领取码' }).click()
    const second = (await shown.textContent())?.trim() ?? ''
    expect(second).not.toBe(first)
    return { first, second }
  })

  const before: unknown = await (await citizen.request.get('/api/v1/rewards/ledger')).json()
  await test.step('the desk pays against the code, once, and never sees the case', async () => {
    const finance = await staff(browser, 'caiwu-1')
    await finance.goto('/staff/rewards/desk/')
    await finance.getByLabel('领取码').fill(code.first)
    await finance.getByRole('button', { name: '查看' }).click()
    await expect(finance.getByRole('alert')).toContainText('没有这个领取码')
    await finance.getByLabel('领取码').fill(code.second.toLowerCase().replace('-', ' '))
    await finance.getByRole('button', { name: '查看' }).click()
    await expect(finance.locator('#pay')).toHaveText('应发3,000元')
    expect(await finance.content()).not.toContain(filed.caseNo)
    await finance.getByLabel('付款凭证号').fill('E2E-88')
    await finance.getByRole('button', { name: '记账' }).click()
    await expect(finance.getByRole('alert')).toContainText('身份证件')
    await finance.getByLabel('已核对领取人的身份证件').check()
    expect(await axeFindings(finance)).toEqual([])
    await finance.getByRole('button', { name: '记账' }).click()
    await expect(finance.getByRole('status')).toContainText('发放3,000元')
    await finance.getByLabel('领取码').fill(code.second)
    await finance.getByRole('button', { name: '查看' }).click()
    await expect(finance.locator('.notice-danger')).toContainText('已发放')
    await finance.context().close()
  })

  await test.step('the books have it, to the day', async () => {
    const auditor = await staff(browser, 'shenji-1')
    await auditor.goto('/staff/rewards/ledger/')
    const entry = auditor.locator('tbody tr', { hasText: 'E2E-88' })
    await expect(entry).toContainText('3,000元')
    await expect(entry).toContainText('演示员丑')
    expect(await entry.textContent()).not.toMatch(/\d{1,2}:\d{2}/)
    await auditor.context().close()
  })

  await test.step('the reporter reads that it was paid', async () => {
    await track(citizen, filed.code)
    await expect(citizen.locator('.reward-amount')).toContainText('已经领取')
  })

  await test.step('no code was ever part of an address, a referrer or a redirect', () => {
    expect(addresses.some((address) => address.includes('/report/check/'))).toBe(true)
    for (const secret of [filed.code, code.first, code.second]) {
      const bare = secret.replaceAll('-', '')
      const told = addresses.filter((address) => {
        const upper = decodeURIComponent(address).toUpperCase()
        return upper.includes(secret) || upper.includes(bare)
      })
      expect(told).toEqual([])
    }
  })

  await test.step('the public sees no payment of this month, then the sum of the month', async () => {
    expect(await (await citizen.request.get('/api/v1/rewards/ledger')).json()).toEqual(before)
    const rows = async (): Promise<number> => {
      // A day and a quarter each.
      process.kill(server.pid, 'SIGUSR2')
      const reply = await citizen.request.get('/api/v1/rewards/ledger')
      return ((await reply.json()) as { items: unknown[] }).items.length
    }
    const known = (before as { items: unknown[] }).items.length
    await expect.poll(rows, { timeout: 60_000, intervals: [50] }).toBe(known + 1)

    await citizen.goto('/rewards/')
    const newest = citizen
      .locator('main table')
      .filter({ hasText: '已发放的奖励' })
      .locator('tbody tr')
      .first()
    // Four of the demonstration and this one, of two departments.
    await expect(newest).toContainText('各部门合计')
    await expect(newest).toContainText('5')
    expect(await overflow(citizen)).toBeLessThanOrEqual(0)
    const csv = await (await citizen.request.get('/rewards/totals.csv')).text()
    expect(csv.trimEnd().split('\r\n')).toHaveLength(known + 2)
    for (const text of [csv, await citizen.content()])
      for (const word of [filed.caseNo, 'E2E-88', DECISION, code.second]) expect(text).not.toContain(word)
  })
  await citizen.context().close()
})

test('the calculator works without JavaScript and tells what is missing', async ({ browser }) => {
  const page = await (await context(browser, PHONE)).newPage()
  await page.goto('/rewards/')
  await page.getByLabel('举报的是什么').selectOption('open-bbq')
  await page.getByLabel('部门怎么处理的').selectOption('fine')
  await page.getByRole('button', { name: '计算' }).click()
  await expect(page.getByRole('alert')).toContainText('请填写罚款多少元')
  await expect(page.getByLabel('举报的是什么')).toHaveValue('open-bbq')
  await page.getByLabel('罚款多少元').fill('30000')
  await page.getByLabel('查实情况').selectOption('partly')
  await page.getByRole('button', { name: '计算' }).click()
  await expect(page.locator('.reward-amount')).toContainText('500元')
  await page.getByLabel('举报的是什么').selectOption('department-inaction')
  await page.getByRole('button', { name: '计算' }).click()
  await expect(page.locator('.reward-amount')).toContainText('不奖励')
  await page.context().close()
})

test('a schedule is proposed by one person and confirmed by another', async ({ browser }) => {
  const admin = await staff(browser, 'guanli-1')
  await admin.goto('/staff/rewards/schedules/')
  await admin.getByText('打开表单').click()
  await admin.getByLabel('名称').fill('第二版示例标准')
  await admin.getByLabel('依据的文件').fill('演示〔2026〕2号')
  await admin.getByLabel('生效日期').fill('2030-01-01')
  await admin.getByLabel('每件最多（元）').fill('六千')
  await admin.getByRole('button', { name: '提交，等另一个人确认' }).click()
  await expect(admin.getByRole('alert')).toContainText('请填写金额')
  await expect(admin.getByLabel('名称')).toHaveValue('第二版示例标准')
  await admin.getByLabel('每件最多（元）').fill('6000')
  await admin.getByRole('button', { name: '提交，等另一个人确认' }).click()
  const card = (page: Page) => page.getByRole('article', { name: '第二版示例标准' })
  await expect(card(admin)).toContainText('要由另一个人确认')
  await expect(card(admin).getByRole('button')).toHaveCount(0)
  await admin.context().close()

  const approver = await staff(browser, 'shenpi-1')
  await approver.goto('/staff/rewards/schedules/')
  await expect(card(approver)).toContainText('6,000元')
  await card(approver).getByRole('button', { name: '确认，到期生效' }).click()
  await expect(approver.getByRole('status')).toContainText('已提交')
  await approver.goto('/rewards/')
  await expect(approver.getByRole('heading', { name: '2030年1月1日起的新标准' })).toBeVisible()
  await approver.context().close()
})
