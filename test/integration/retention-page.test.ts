import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Role } from '../../src/domain/case.ts'
import { addDays, dayOf, type Day } from '../../src/domain/day.ts'
import { createReceiptCode } from '../../src/domain/receipt.ts'
import { createTipKeys } from '../../src/sealing/tip-keys.ts'
import { signInAs, type TestMember } from '../support/app.ts'
import { startWalk } from '../support/form-walk.ts'
import { prepareData, startServer, type TestServer } from '../support/server.ts'

// The built program with its own embedded database: the engine under test does not matter.
describe.runIf(inject('testDatabase').engine === 'pglite')('the pages about what is kept', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'lantian-retention-'))
  const who: Partial<Record<Role, TestMember>> = {}
  const today = dayOf(new Date())
  let server: TestServer
  let caseNo = ''
  let code = ''
  let due: Day = ''

  beforeAll(async () => {
    await prepareData(dataDir, async ({ services, deps, random }) => {
      for (const role of ['admin', 'auditor', 'officer'] as const) {
        who[role] = await signInAs({ services }, 'qu-duchashi', [role])
      }
      code = createReceiptCode((n) => random.bytes(n))
      const filed = await services.tips.file({
        id: random.uuid(),
        keys: await createTipKeys(),
        facts: {
          category: 'boiler-coal',
          answer: null,
          area: '410102001',
          when: 'now',
          urgency: 'normal',
          accused: null,
        },
        narrative: { description: '锅炉冒黑烟，气味很大。', place: '', callback: null, checklist: [] },
        photos: [],
        receiptCode: code,
        idempotencyKey: randomUUID(),
        fingerprint: 'test',
        lane: 'normal',
        draftId: null,
      })
      caseNo = filed.caseNo
      const closed = addDays(today, -355)
      due = addDays(closed, 365)
      await deps.db
        .updateTable('case_file')
        .set({ state: 'closed', closed_day: closed, published_day: closed })
        .where('case_no', '=', caseNo)
        .execute()
    })
    server = await startServer({ dataDir, env: { DEMO: 'off' } })
  })
  afterAll(async () => {
    await server.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })

  const ask = (role: Role | null, init: RequestInit = {}): Promise<Response> =>
    fetch(`${server.url}/staff/retention/`, {
      redirect: 'manual',
      ...init,
      headers: { ...(role === null ? {} : { cookie: who[role]?.cookie ?? '' }), ...init.headers },
    })
  const page = async (role: Role): Promise<string> => (await ask(role)).text()
  const post = (role: Role, fields: Readonly<Record<string, string>>): Promise<Response> =>
    ask(role, {
      method: 'POST',
      headers: { origin: server.url },
      body: new URLSearchParams({ token: who[role]?.token ?? '', ...fields }),
    })
  const track = async (): Promise<string> => {
    const walk = startWalk(server.url)
    await walk.get('/track/')
    await walk.send('/track/', { code })
    return (await walk.get('/track/')).html
  }

  it('tell the reporter, the auditor and the administrator, each what is theirs', async () => {
    expect(await track()).toContain(`<time datetime="${due}">`)
    expect(await track()).toContain('之后只留公开的办理结果')
    const auditor = await page('auditor')
    expect(auditor).toContain(caseNo)
    expect(auditor).toContain('1 件')
    expect(auditor).not.toContain('更改期限')
    const admin = await page('admin')
    expect(admin).not.toContain(caseNo)
    expect(admin).toContain('1 件')
    expect(admin).toContain('更改期限')
    expect(await page('officer')).not.toContain(caseNo)
    expect((await ask('officer')).status).toBe(403)
    expect((await ask(null)).headers.get('location')).toBe('/staff/sign-in/')
  })

  it('hold a case and let it go again; the reporter reads it', async () => {
    expect((await post('auditor', { step: 'hold', caseNo, reason: 'audit', token: 'junk' })).status).toBe(403)
    expect((await post('admin', { step: 'hold', caseNo, reason: 'audit' })).status).toBe(403)
    const without = await post('auditor', { step: 'hold', caseNo, reason: '' })
    expect(without.status).toBe(422)
    // What was typed is still there.
    expect(await without.text()).toContain(`value="${caseNo}"`)
    expect((await post('auditor', { step: 'hold', caseNo, reason: 'audit' })).status).toBe(303)
    expect(await track()).toContain('暂缓销毁')
    expect(await track()).not.toContain('之后只留公开的办理结果')
    expect(await page('auditor')).toContain(`解除 ${caseNo} 的暂缓`)
    expect((await post('auditor', { step: 'lift', caseNo })).status).toBe(303)
    expect(await track()).toContain(`<time datetime="${addDays(today, 14)}">`)
  })

  it('take a new term, two weeks ahead at the earliest', async () => {
    const rule = { step: 'rule', class: 'case', days: '400', from: addDays(today, 14) }
    expect((await post('auditor', rule)).status).toBe(403)
    const early = await post('admin', { ...rule, from: today })
    expect(early.status).toBe(422)
    expect(await early.text()).toContain('value="400"')
    expect((await post('admin', rule)).status).toBe(303)
    expect(await page('admin')).toContain('起 400 天')
  })
})
