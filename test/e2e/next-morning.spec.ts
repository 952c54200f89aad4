import { readFile } from 'node:fs/promises'
import { expect, test } from '@playwright/test'
import { fact, journeyFile, skipToNextMorning, type Journey } from '../support/e2e.ts'

test('the next morning the public sees what the table allows and no more', async ({ page }) => {
  const { published, handedOver } = JSON.parse(await readFile(journeyFile(), 'utf8')) as Journey
  expect((await page.goto(`/cases/${published.caseNo}/`))?.status()).toBe(404)
  skipToNextMorning()

  await test.step('a published case', async () => {
    // The server takes the signal between two things that it does; a request may be quicker.
    await expect.poll(async () => (await page.goto(`/cases/${published.caseNo}/`))?.status()).toBe(200)
    await expect(fact(page, '承办部门')).toHaveText('区建设局')
    await expect(page.locator('#result')).toContainText('属实')
    await expect(page.locator('main')).toContainText('已责令当日整改，复查合格。')
    await expect(page.locator('figcaption')).toContainText('整改后的现场')
    // Promises and receipt by the week; too few alike for the street or the exact category.
    await expect(fact(page, '收到')).toContainText('周')
    await expect(fact(page, '最晚办结')).toContainText('周')
    await expect(fact(page, '污染类别')).not.toContainText('建设工地扬尘')
    await expect(fact(page, '街道')).toContainText('全区')
    const photo = await page.request.get((await page.locator('figure img').getAttribute('src')) ?? '')
    expect(photo.headers()['content-type']).toBe('image/jpeg')
    const bytes = await photo.body()
    expect(bytes.includes('OfficerPhone')).toBe(false)
    expect(bytes.includes('Exif')).toBe(false)
  })

  await test.step('a case in hand', async () => {
    expect((await page.goto(`/cases/${handedOver.caseNo}/`))?.status()).toBe(200)
    await expect(fact(page, '承办部门')).toHaveText('区建设局')
    await expect(fact(page, '转办次数')).toContainText('1次')
    await expect(fact(page, '污染类别')).toHaveText('办结公开后显示')
    await expect(fact(page, '街道')).toHaveText('办结公开后显示')
    await expect(page.locator('#result')).toHaveCount(0)
  })

  await test.step('nothing of the reporter, on any public surface', async () => {
    const surfaces = [published.caseNo, handedOver.caseNo]
      .flatMap((caseNo) => [`/cases/${caseNo}/`, `/api/v1/cases/${caseNo}`])
      .concat('/', '/cases/', '/api/v1/cases')
    for (const surface of surfaces) {
      const reply = await page.request.get(surface)
      expect(reply.status(), surface).toBe(200)
      const text = await reply.text()
      const told = [
        '铲车倒土',
        '守门的老王',
        '金丝雀巷',
        '13912345678',
        '现场笔录',
        '后厨排烟口',
        '样本里 7 号',
      ]
      const people = ['演示员', 'jianshe-1', 'fabu-1', 'zhifa-1']
      for (const word of [...told, ...people, published.code, handedOver.code])
        expect(text, `${word} in ${surface}`).not.toContain(word)
    }
    const open = (await (await page.request.get(`/api/v1/cases/${handedOver.caseNo}`)).json()) as object
    expect(open).toMatchObject({ category: null, area: null, outcome: null, statement: null, proof: [] })
  })

  await test.step('the receipt code opens what it opened before', async () => {
    await page.goto('/track/')
    await page.getByLabel('查询码').fill(published.code)
    await page.getByRole('button', { name: '查看' }).click()
    await expect(page.locator('h1')).toContainText(published.caseNo)
    await expect(page.locator('main')).toContainText('整改后的现场')
  })

  await test.step('the reporter disputes the decision, with words for whoever takes it up again', async () => {
    const words = '昨天夜里又倒了两车土，没有洒水。'
    const sent: string[] = []
    page.on('request', (request) => sent.push(request.postData() ?? ''))
    await page.getByLabel('哪里不对').fill(words)
    await page.getByRole('button', { name: '提出异议' }).click()
    await expect(fact(page, '现在')).toHaveText('已派单')
    await expect(page.locator('.thread')).toContainText(words)
    expect(sent.join('\n')).not.toContain(words)
  })
})
