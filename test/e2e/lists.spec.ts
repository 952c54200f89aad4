import { expect, test, type Page } from '@playwright/test'
import { axeFindings, serverUrl, staffPage } from '../support/e2e.ts'

const LIST = '/lists/dust-blacklist/'

async function noAxeFinding(page: Page): Promise<void> {
  expect(await axeFindings(page)).toEqual([])
}

test.describe('the public lists', () => {
  test('lead from the kinds over a search to an entry with its history', async ({ page }) => {
    test.slow()
    await page.goto(`/lists/`)
    await noAxeFinding(page)
    await page.getByRole('link', { name: '扬尘黑名单', exact: true }).click()
    await noAxeFinding(page)
    await page.getByLabel('名称或代码').fill('虚构土石方')
    await page.getByRole('button', { name: '查找' }).click()
    await expect(page.locator('tbody tr')).toHaveCount(1)
    await page.locator('tbody').getByRole('link').click()
    await expect(page.getByRole('heading', { level: 1 })).toContainText('虚构土石方')
    await expect(page.getByText('禁止参加政府投资项目的招投标').first()).toBeVisible()
    await expect(page.getByText('第1版：列入')).toBeVisible()
    await expect(page.locator('meta[name=ArticleTitle]')).toHaveAttribute('content', /虚构土石方/)
    expect(await page.locator('script').count()).toBe(0)
    await noAxeFinding(page)
  })

  test('tell of a wrong credit code and a wrong page position, and keep what was typed', async ({ page }) => {
    const wrong = await page.goto(`${LIST}?q=91350100M000100Y44&state=all`)
    expect(wrong?.status()).toBe(422)
    await expect(page.getByRole('alert')).toContainText('校验位')
    await expect(page.getByLabel('名称或代码')).toHaveValue('91350100M000100Y44')
    await expect(page.getByLabel('状态')).toHaveValue('all')
    const lost = await page.goto(`${LIST}?cursor=nonsense&q=示例`)
    expect(lost?.status()).toBe(400)
    await expect(page.getByRole('alert')).toContainText('翻页位置无效')
    await expect(page.getByLabel('名称或代码')).toHaveValue('示例')
  })

  test('come as a file for spreadsheets', async ({ request }) => {
    const reply = await request.get(`${LIST}entries.csv?q=示例建筑`)
    expect(reply.headers()['content-type']).toBe('text/csv; charset=utf-8')
    const text = (await reply.body()).toString('utf8')
    expect(text.startsWith('\ufeff编号,状态,')).toBe(true)
    expect(text.trimEnd().split('\r\n')).toHaveLength(2)
    expect((await request.get(`/lists/nothing/entries.csv`)).status()).toBe(404)
  })
})

test('an officer uploads, a publisher approves, the entry is ended', async ({ browser }) => {
  // Two sign-ins, each made slow on purpose, and a whole life of an entry.
  test.setTimeout(240_000)
  const officer = await staffPage(browser, 'jianshe-1')
  const publisher = await staffPage(browser, 'fabu-1')
  const heading = '主体类型,主体名称,工程项目,工地位置,违法事实,依据,决定文号,决定机关'
  const row = (no: number) =>
    `企业,上传${no}号公司,上传项目,上传路口,"<script>alert(${no})</script>",《某法》第一条,示建扬〔2024〕${no}号,区建设局`
  const upload = async (...rows: string[]) => {
    await officer.goto(`/staff/lists/dust-blacklist/`)
    await officer.getByLabel('CSV 文件', { exact: true }).setInputFiles({
      name: 'a.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from([heading, ...rows].join('\n')),
    })
    await officer.getByRole('button', { name: '检查并预览' }).click()
  }

  await officer.goto(`/staff/lists/`)
  await noAxeFinding(officer)
  await upload(row(901), '企业,,上传项目,上传路口,事实,某法,示建扬〔2024〕902号,区建设局')
  await expect(officer.getByRole('heading', { name: '文件里有2处问题，什么都没有提交' })).toBeVisible()
  await noAxeFinding(officer)

  await upload(row(901), row(902))
  await expect(officer.getByRole('heading', { name: '预览：将要列入2条' })).toBeVisible()
  await noAxeFinding(officer)
  await officer.getByRole('button', { name: '提交核准' }).click()
  await expect(officer.getByRole('alert')).toContainText('请写明理由')
  await officer.getByLabel('列入理由').fill('按决定书列入')
  await officer.getByRole('button', { name: '提交核准' }).click()
  await expect(officer.getByText('等待另一位发布员核准')).toBeVisible()
  await expect(officer.getByRole('button', { name: '核准并公布' })).toHaveCount(0)

  const anybody = await (await browser.newContext({ baseURL: serverUrl() })).newPage()
  await anybody.goto(`${LIST}?q=上传901`)
  await expect(anybody.getByText('没有符合这些条件的条目')).toBeVisible()

  await publisher.goto(officer.url())
  await noAxeFinding(publisher)
  await publisher.getByRole('button', { name: '核准并公布' }).click()
  await expect(publisher.getByText('已核准并公布')).toBeVisible()
  await anybody.reload()
  await expect(anybody.locator('tbody tr')).toHaveCount(1)
  await expect(anybody.getByText('<script>alert(901)</script>')).toBeVisible()

  await officer.goto(`/staff/lists/dust-blacklist/?q=上传901`)
  await officer.getByRole('link', { name: /上传901号公司/ }).click()
  await noAxeFinding(officer)
  await officer.getByLabel('移出理由').fill('整改完成，经复查达标')
  await officer.getByRole('button', { name: '提议移出' }).click()
  await publisher.goto(officer.url())
  await publisher.getByRole('button', { name: '核准并公布' }).click()
  await expect(publisher.getByText('已核准并公布')).toBeVisible()
  await anybody.goto(`${LIST}?q=上传901&state=past`)
  await anybody.locator('tbody').getByRole('link').click()
  await expect(anybody.getByText('理由：整改完成，经复查达标')).toBeVisible()
  await expect(anybody.getByText('第1版：列入')).toBeVisible()
})
