import { readFile, writeFile } from 'node:fs/promises'
import { expect, test, type Page } from '@playwright/test'
import sharp from 'sharp'
import {
  fact,
  fillTip,
  journeyFile,
  sendTip,
  shownCode,
  staffPage,
  track,
  withoutScript,
  type Journey,
  type Tip,
} from '../support/e2e.ts'
import { extrasOfJpeg } from '../support/metadata.ts'

// Several people, one after another, each with a key to derive.
test.setTimeout(240_000)

const TIP: Tip = {
  category: 'construction-dust',
  answer: 'building',
  area: '410102011',
  place: '棉纺路金丝雀巷 88 号东门',
  description: '夜里十一点以后铲车倒土，一点水没有洒。\n守门的老王可以作证。',
  callback: '13912345678',
  photos: 2,
}
/** What only the reporter and those who hold a key may read. */
const SECRETS = ['铲车倒土', '守门的老王', '金丝雀巷', '13912345678']
const NOTE = '现场笔录：与工地负责人赵某当面核对。'
const STATEMENT = '检查时土方作业没有洒水，已责令当日整改，复查合格。'
const CAPTION = '整改后的现场'

function expectNone(text: string, words: readonly string[]): void {
  for (const word of words) expect(text).not.toContain(word)
}

/** Draws a box in the open editor; corners as shares of the picture's width and height. */
async function cover(
  page: Page,
  from: readonly [x: number, y: number],
  to: readonly [x: number, y: number],
): Promise<void> {
  const canvas = page.getByRole('img', { name: '待遮挡的照片' })
  const seen = await canvas.boundingBox()
  if (!seen) throw new Error('no picture to draw on')
  const at = ([x, y]: readonly [number, number]) =>
    [seen.x + x * seen.width, seen.y + y * seen.height] as const
  await page.mouse.move(...at(from))
  await page.mouse.down()
  await page.mouse.move(...at(to), { steps: 3 })
  await page.mouse.up()
}

/** The published picture: nothing beside its pixels, and those under the drawn box all alike. */
async function expectCovered(picture: Uint8Array): Promise<void> {
  expect(extrasOfJpeg(picture)).toEqual([])
  for (const trace of ['CanaryPhone', 'Exif', 'exif-canary'])
    expect(Buffer.from(picture).includes(trace)).toBe(false)
  const spread = async (left: number, top: number): Promise<number> => {
    const part = sharp(picture).extract({ left, top, width: 156, height: 116 }).raw()
    const values = [...(await part.toBuffer())]
    return Math.max(...values) - Math.min(...values)
  }
  expect((await sharp(picture).metadata()).width).toBe(640)
  // A quarter to a half of 640 × 480. A decoder lets colour run two pixels over an edge, from outside in.
  expect(await spread(162, 122)).toBeLessThanOrEqual(1)
  expect(await spread(400, 300)).toBeGreaterThan(60)
}

/** Opens a case as an officer does: through the queue. */
async function openFromQueue(page: Page, caseNo: string): Promise<void> {
  // Whether a form without scripts was filled in fast enough to look like a person's is not asked here.
  await page.goto('/staff/queue/?tab=all')
  await page.getByRole('link', { name: caseNo }).click()
  await expect(page).toHaveURL(`/staff/cases/${caseNo}/`)
}

/** The state in the head of a console case; the publisher's preview below has one of its own. */
const stateOf = (page: Page) => page.locator('main header .badge-active')

/** The page as it left the server, before any script ran. */
async function sentByServer(page: Page): Promise<string> {
  return (await page.request.get(page.url())).text()
}

test('a tip filed without JavaScript is opened, worked and published', async ({ browser }) => {
  const citizen = await (await withoutScript(browser)).newPage()
  const { caseNo, code } =
    await test.step('the reporter reads who gets it and until when, then sends', async () => {
      await fillTip(citizen, TIP)
      const who = citizen.locator('section[aria-labelledby="who"]')
      await expect(fact(who, '承办')).toContainText('区建设局')
      await expect(who.locator('a[href="/departments/qu-jianshe/"]')).toBeVisible()
      await expect(fact(who, '依据')).toContainText('construction-dust:building')
      await expect(who.locator('a[href="/measures/2017-23/"]').first()).toBeVisible()
      const dates = [
        await fact(who, '受理期限').textContent(),
        await fact(who, '办结期限').textContent(),
      ].map((text) => text?.trim() ?? '')
      for (const date of dates) expect(date).toMatch(/^20\d\d-\d\d-\d\d$/)
      const filled = citizen.locator('section[aria-labelledby="tip"]')
      await expect(filled).toContainText('守门的老王可以作证。')
      await expect(fact(filled, '照片')).toHaveText('2 张')
      const before = await shownCode(citizen)
      expect(before).toMatch(/^(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}$/)

      const filed = await sendTip(citizen)
      expect(filed.caseNo).toMatch(/^ZY-\d{4}-[0-9A-Z]{5}$/)
      // The code that was copied by hand before is the one that opens the case.
      expect(filed.code).toBe(before)
      await expect(fact(citizen, '受理期限')).toHaveText(dates[0] ?? '')
      await expect(fact(citizen, '办结期限')).toHaveText(dates[1] ?? '')

      await track(citizen, filed.code.toLowerCase().replaceAll('-', ' '))
      await expect(citizen.locator('h1')).toContainText(filed.caseNo)
      await expect(fact(citizen, '现在')).toHaveText('已派单')
      await expect(fact(citizen, '承办')).toContainText('区建设局')
      await expect(fact(citizen, '类别')).toContainText('建设工地扬尘')
      await expect(fact(citizen, '应当受理')).toContainText(dates[0] ?? '')
      await expect(fact(citizen, '应当办结')).toHaveText(dates[1] ?? '')
      expectNone(await citizen.content(), [...SECRETS, filed.code])
      expect(citizen.url()).not.toContain(filed.code)
      return filed
    })

  await test.step('a code that nobody has opens nothing', async () => {
    const stranger = await (await withoutScript(browser)).newPage()
    const wrong = code.startsWith('0') ? `1${code.slice(1)}` : `0${code.slice(1)}`
    await track(stranger, wrong)
    await expect(stranger.locator('.error-summary')).toContainText('没有找到')
    await expect(stranger.locator('body')).not.toContainText(caseNo)
    // Received today: for the public it does not exist before the morning.
    expect((await stranger.request.get(`/cases/${caseNo}/`)).status()).toBe(404)
    expect((await stranger.request.get(`/api/v1/cases/${caseNo}`)).status()).toBe(404)
    await stranger.context().close()
  })

  const officer = await staffPage(browser, 'jianshe-1')
  await test.step('the officer opens in the browser what the server cannot', async () => {
    const answers: Promise<string>[] = []
    officer.on('response', (response) => {
      if (['document', 'fetch', 'xhr'].includes(response.request().resourceType()))
        answers.push(response.text().catch(() => ''))
    })
    await openFromQueue(officer, caseNo)
    const sealed = officer.locator('[data-sealed]')
    for (const word of SECRETS) await expect(sealed).toContainText(word)
    const photos = sealed.locator('img')
    await expect(photos).toHaveCount(2)
    for (const photo of await photos.all()) {
      await expect(photo).toHaveAttribute('src', /^blob:/)
      await expect
        .poll(() => photo.evaluate((img: HTMLImageElement) => img.naturalWidth))
        .toBeGreaterThan(600)
    }
    expectNone((await Promise.all(answers)).join('\n'), SECRETS)
    expectNone(await sentByServer(officer), SECRETS)

    const download = officer.waitForEvent('download')
    await officer.getByRole('button', { name: '下载证据原件' }).first().click()
    const original = await readFile(await (await download).path())
    expect(original.includes('CanaryPhone')).toBe(true)
  })

  await test.step('accepts, notes, proves and concludes', async () => {
    await officer.getByRole('button', { name: '受理', exact: true }).click()
    await expect(stateOf(officer)).toHaveText('已受理')

    await officer.getByText('写一条记录').click()
    await officer.locator('#note').fill(NOTE)
    await officer.getByRole('button', { name: '保存' }).click()
    await expect(officer.locator('[data-sealed]')).toContainText(NOTE)
    await expect(stateOf(officer)).toHaveText('办理中')
    expectNone(await sentByServer(officer), [NOTE, ...SECRETS])

    await officer.getByRole('button', { name: '遮挡后作为佐证' }).first().click()
    const editor = officer.getByRole('dialog', { name: '公开前先遮挡' })
    await editor.getByLabel('说明').fill(CAPTION)
    await editor.getByRole('button', { name: '用这张作佐证' }).click()
    await expect(editor.getByRole('alert')).toContainText('已检查，无需遮挡')
    await cover(officer, [0.25, 0.25], [0.5, 0.5])
    await expect(editor.getByRole('group', { name: '框 1' })).toBeVisible()
    await editor.getByRole('button', { name: '用这张作佐证' }).click()
    await expect(officer.locator('img[src^="/proof/"]')).toHaveCount(1)

    await expect(officer.locator('[data-sealed] .card').first()).toBeVisible()
    await officer.locator('#outcome-substantiated').check()
    await officer.locator('#statement').fill(`${STATEMENT}举报人电话 13912345678。`)
    await officer.getByRole('button', { name: '办结' }).click()
    await expect(officer.locator('[data-leaks]')).toContainText('电话')
    await officer.locator('#statement').fill(STATEMENT)
    await officer.getByRole('button', { name: '办结' }).click()
    await expect(stateOf(officer)).toHaveText('已办结，待公开')
    await officer.context().close()
  })

  await test.step('until it is published, the reporter sees no decision', async () => {
    await track(citizen, code)
    await expect(fact(citizen, '现在')).toHaveText('已办结，待公开')
    expectNone(await citizen.content(), [STATEMENT, CAPTION])
  })

  await test.step('the publisher previews and publishes', async () => {
    const publisher = await staffPage(browser, 'fabu-1')
    await openFromQueue(publisher, caseNo)
    const preview = publisher.locator('section[aria-labelledby="preview"]')
    await expect(preview).toContainText(STATEMENT)
    await expect(preview).toContainText(CAPTION)
    // Fewer than five alike: neither the street nor the exact category.
    await expect(fact(preview, '街道')).toContainText('全区')
    expectNone(await publisher.content(), [NOTE, ...SECRETS])
    await expect(publisher.locator('[data-sealed]')).toHaveCount(0)
    await publisher.getByRole('button', { name: '公开', exact: true }).click()
    await expect(stateOf(publisher)).toHaveText('已公开')
    await publisher.context().close()
  })

  await test.step('the reporter sees the decision at once', async () => {
    await track(citizen, code)
    await expect(fact(citizen, '现在')).toHaveText('已公开')
    await expect(citizen.locator('#result')).toContainText('属实')
    await expect(citizen.locator('main')).toContainText(STATEMENT)
    await expect(citizen.locator('main')).toContainText(CAPTION)
    const picture = await citizen.locator('img[src^="/proof/"]').getAttribute('src')
    await expectCovered(await (await citizen.request.get(picture ?? '')).body())
    await expect(citizen.getByRole('button', { name: '提出异议' })).toBeVisible()
    expectNone(await citizen.content(), [NOTE, ...SECRETS])
  })

  await citizen.context().close()
  await remember({ published: { caseNo, code } })
})

test('a hand-over opens a case for the new department and closes it for the old', async ({ browser }) => {
  const words = '后厨排烟口没有净化，整条过道都是油。'
  const citizen = await (await withoutScript(browser)).newPage()
  await fillTip(citizen, {
    category: 'cooking-fume',
    answer: 'open',
    area: '410102004',
    place: '样本里 7 号',
    description: words,
    photos: 1,
  })
  const { caseNo, code } = await sendTip(citizen)

  const third = await staffPage(browser, 'huanbao-1')
  const first = await staffPage(browser, 'zhifa-1')
  const target = await staffPage(browser, 'jianshe-1')
  const refused = async (page: Page): Promise<void> => {
    expect((await page.goto(`/staff/cases/${caseNo}/`))?.status()).toBe(404)
    expect((await page.request.get(`/api/v1/staff/cases/${caseNo}`)).status()).toBe(404)
    await page.goto('/staff/queue/?tab=all')
    await expect(page.locator('main')).not.toContainText(caseNo)
  }
  await refused(third)
  await refused(target)

  await openFromQueue(first, caseNo)
  await expect(first.locator('[data-sealed]')).toContainText(words)
  await first.getByText('转办', { exact: true }).click()
  await first.locator('#target').selectOption('qu-jianshe')
  await first.getByRole('button', { name: '确定' }).click()
  await expect(first.locator('[data-sealed]')).toHaveCount(0)

  await openFromQueue(target, caseNo)
  await expect(target.locator('[data-sealed]')).toContainText(words)
  await expect(target.locator('[data-sealed] img')).toHaveCount(1)
  await refused(first)
  await refused(third)

  await track(citizen, code)
  await expect(fact(citizen, '承办')).toContainText('区建设局')
  await expect(fact(citizen, '经过').locator('li')).toHaveCount(2)
  expectNone(await citizen.content(), [words])

  for (const page of [citizen, first, target, third]) await page.context().close()
  await remember({ handedOver: { caseNo, code } })
})

/** Leaves the cases for the morning after. */
async function remember(part: Partial<Journey>): Promise<void> {
  const known = await readFile(journeyFile(), 'utf8').catch(() => '{}')
  await writeFile(journeyFile(), JSON.stringify({ ...(JSON.parse(known) as Journey), ...part }))
}
