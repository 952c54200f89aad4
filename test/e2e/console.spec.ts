import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, type Browser, type Page } from '@playwright/test'

interface Login {
  readonly username: string
  readonly passphrase: string
}

const url = (path: string): string => `${process.env['LANTIAN_E2E_URL'] ?? ''}${path}`

const logins = (): readonly Login[] =>
  JSON.parse(
    readFileSync(join(process.env['LANTIAN_E2E_DATA'] ?? '', 'demo-accounts.json'), 'utf8'),
  ) as Login[]

async function signIn(browser: Browser, username: string, passphrase?: string): Promise<Page> {
  const login = logins().find((one) => one.username === username)
  const page = await (await browser.newContext(test.info().project.use)).newPage()
  await page.goto(url('/staff/sign-in/'))
  await page.getByLabel('用户名').fill(username)
  await page.getByLabel('口令').fill(passphrase ?? login?.passphrase ?? '')
  await page.getByRole('button', { name: '登录' }).click()
  await page.waitForURL((at) => !at.pathname.startsWith('/staff/sign-in/'))
  return page
}

test('a hotline edited in the console stands on the public pages', async ({ browser }) => {
  const page = await signIn(browser, 'ducha-1')
  const hotline = `0371-0000${String(Date.now()).slice(-4)}`
  await page.goto(url('/staff/departments/'))
  await page.getByLabel('热线').fill('<script>')
  await page.getByRole('button', { name: '保存' }).first().click()
  await expect(page.getByRole('alert')).toContainText('热线')
  await expect(page.getByLabel('热线')).toHaveValue('<script>')
  await page.getByLabel('热线').fill(hotline)
  await page.getByLabel('信箱').fill('ducha@example.invalid')
  await page.getByRole('button', { name: '保存' }).first().click()
  await expect(page.getByRole('status').first()).toContainText('已保存')
  await page.goto(url('/departments/qu-duchashi/'))
  await expect(page.locator('main')).toContainText(hotline)
  await expect(page.locator('main')).toContainText('ducha@example.invalid')
})
