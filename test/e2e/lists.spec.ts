import { AxeBuilder } from '@axe-core/playwright'
import { expect, test, type Page } from '@playwright/test'

const base = () => process.env['LANTIAN_E2E_URL'] ?? ''
const LIST = '/lists/dust-blacklist/'

async function noAxeFinding(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([])
}

test.describe('the public lists', () => {
  test('lead from the kinds over a search to an entry with its history', async ({ page }, { project }) => {
    test.slow()
    const axe = project.name === 'no-js' ? () => Promise.resolve() : noAxeFinding
    await page.goto(`${base()}/lists/`)
    await axe(page)
    await page.getByRole('link', { name: '扬尘黑名单', exact: true }).click()
    await axe(page)
    await page.getByLabel('名称或代码').fill('虚构土石方')
    await page.getByRole('button', { name: '查找' }).click()
    await expect(page.locator('tbody tr')).toHaveCount(1)
    await page.locator('tbody').getByRole('link').click()
    await expect(page.getByRole('heading', { level: 1 })).toContainText('虚构土石方')
    await expect(page.getByText('禁止参加政府投资项目的招投标').first()).toBeVisible()
    await expect(page.getByText('第1版：列入')).toBeVisible()
    await expect(page.locator('meta[name=ArticleTitle]')).toHaveAttribute('content', /虚构土石方/)
    expect(await page.locator('script').count()).toBe(0)
    await axe(page)
  })

  test('tell of a wrong credit code and a wrong page position, and keep what was typed', async ({ page }) => {
    const wrong = await page.goto(`${base()}${LIST}?q=91350100M000100Y44&state=all`)
    expect(wrong?.status()).toBe(422)
    await expect(page.getByRole('alert')).toContainText('校验位')
    await expect(page.getByLabel('名称或代码')).toHaveValue('91350100M000100Y44')
    await expect(page.getByLabel('状态')).toHaveValue('all')
    const lost = await page.goto(`${base()}${LIST}?cursor=nonsense&q=示例`)
    expect(lost?.status()).toBe(400)
    await expect(page.getByRole('alert')).toContainText('翻页位置无效')
    await expect(page.getByLabel('名称或代码')).toHaveValue('示例')
  })

  test('come as a file for spreadsheets', async ({ request }) => {
    const reply = await request.get(`${base()}${LIST}entries.csv?q=示例建筑`)
    expect(reply.headers()['content-type']).toBe('text/csv; charset=utf-8')
    const text = (await reply.body()).toString('utf8')
    expect(text.startsWith('\ufeff编号,状态,')).toBe(true)
    expect(text.trimEnd().split('\r\n')).toHaveLength(2)
    expect((await request.get(`${base()}/lists/nothing/entries.csv`)).status()).toBe(404)
  })
})
