import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test, type Browser, type Page } from '@playwright/test'
import { axeFindings, serverUrl } from '../support/e2e.ts'

// Three people, each with a key to derive.
test.setTimeout(120_000)

interface Login {
  readonly username: string
  readonly passphrase: string
}

const NAME = '（测试）实名的人'
const CONTACT = 'named@example.invalid'

async function signIn(browser: Browser, username: string): Promise<Page> {
  const logins = JSON.parse(
    readFileSync(join(process.env['LANTIAN_E2E_DATA'] ?? '', 'demo-accounts.json'), 'utf8'),
  ) as Login[]
  const context = await browser.newContext({ ...test.info().project.use, baseURL: serverUrl() })
  const page = await context.newPage()
  await page.goto('/staff/sign-in/')
  await page.getByLabel('用户名').fill(username)
  await page.getByLabel('口令').fill(logins.find((one) => one.username === username)?.passphrase ?? '')
  await page.getByRole('button', { name: '登录', exact: true }).click()
  await page.waitForURL((at) => !at.pathname.startsWith('/staff/sign-in/'))
  return page
}

const next = (page: Page) => page.getByRole('button', { name: '下一步' }).last().click()

/** Files a tip with a name, without JavaScript; answers its number and receipt code. */
async function fileNamed(browser: Browser): Promise<{ caseNo: string; code: string; page: Page }> {
  const context = await browser.newContext({
    ...test.info().project.use,
    baseURL: serverUrl(),
    javaScriptEnabled: false,
  })
  const page = await context.newPage()
  await page.goto('/report/?category=industrial-emission')
  await next(page)
  await page.getByLabel('街道').selectOption('410102012')
  await page.getByLabel('正在发生').check()
  await next(page)
  await page.locator('#description').fill('（测试）夜里冒黄烟，味道呛人。')
  await next(page)
  await expect(page.getByLabel('匿名', { exact: true })).toBeChecked()
  await page.getByLabel('实名', { exact: true }).check()
  await page.getByLabel('姓名').fill(NAME)
  await next(page)
  await expect(page.locator('#contact-error')).toContainText('联系方式')
  await expect(page.getByLabel('姓名')).toHaveValue(NAME)
  await page.getByLabel('联系方式').fill(CONTACT)
  await next(page)
  await expect(page.getByText(`实名：${NAME}`)).toBeVisible()
  await page.getByRole('button', { name: /^提交/ }).last().click()
  await expect(page).toHaveURL(/\/report\/sent\//)
  return {
    page,
    caseNo: /ZY-\d{4}-\w{5}/.exec(await page.locator('main').innerText())?.[0] ?? '',
    code: (await page.locator('.receipt-code span').allInnerTexts()).join('-'),
  }
}

test(
  'three people learn who a reporter is, and the reporter sees it',
  { tag: '@desk' },
  async ({ browser }) => {
    const { caseNo, code, page: citizen } = await fileNamed(browser)
    const [officer, approver, custodian] = await Promise.all([
      signIn(browser, 'huanbao-1'),
      signIn(browser, 'shenpi-1'),
      signIn(browser, 'baoguan-1'),
    ])

    await officer.goto(`/staff/cases/${caseNo}/`)
    await expect(officer.locator('[data-sealed]')).toContainText('黄烟')
    await expect(officer.locator('main')).not.toContainText(NAME)
    await officer.getByText('申请查看身份，或补办查询码').click()
    await officer.getByRole('button', { name: '申请', exact: true }).click()
    await expect(officer.getByText('请写明为什么需要。')).toBeVisible()
    await officer.getByLabel('申请的理由').selectOption({ label: '核实情况，要当面或者打电话问举报人' })
    await officer.getByLabel(/写明为什么需要/).fill('问清是哪几天')
    await officer.getByRole('button', { name: '申请', exact: true }).click()
    await expect(officer.getByText('等审批人', { exact: true })).toBeVisible()

    await approver.goto('/staff/identity/')
    expect(await axeFindings(approver)).toEqual([])
    await approver.getByRole('link', { name: caseNo }).click()
    await expect(approver.getByText('问清是哪几天')).toBeVisible()
    expect(await axeFindings(approver)).toEqual([])
    await approver.getByRole('button', { name: '同意，打开外层' }).click()
    await expect(approver.getByText('审批人已同意，等身份保管人')).toBeVisible()
    await expect(approver.locator('main')).not.toContainText(NAME)

    await custodian.goto('/staff/identity/')
    await custodian.getByRole('link', { name: caseNo }).click()
    await custodian.getByRole('button', { name: '转交给申请人' }).click()
    await expect(custodian.getByText('已转给申请人')).toBeVisible()
    await expect(custodian.locator('main')).not.toContainText(NAME)

    await officer.reload()
    await officer.getByRole('button', { name: '打开', exact: true }).click()
    await expect(officer.getByText(`姓名：${NAME}；联系方式：${CONTACT}`)).toBeVisible()
    expect(await axeFindings(officer)).toEqual([])

    await citizen.goto('/track/')
    await citizen.getByLabel('查询码').fill(code)
    await citizen.getByRole('button', { name: '查看' }).click()
    const told = citizen.getByRole('region', { name: '您的身份' })
    await expect(told).toContainText('申请查看：核实情况')
    await expect(told).toContainText('审批人和身份保管人都同意了')
    await expect(told).not.toContainText('演示员')
  },
)
