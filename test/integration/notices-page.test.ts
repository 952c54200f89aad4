import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Role } from '../../src/domain/case.ts'
import { signInAs, type TestMember } from '../support/app.ts'
import { prepareData, startServer, type TestServer } from '../support/server.ts'

const HOLDER = 'qu-huanbao'
const DEAD = randomUUID()

// The built program with its own embedded database: the engine under test does not matter.
describe.runIf(inject('testDatabase').engine === 'pglite')('the console’s page of notices', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'lantian-notices-'))
  const who: Partial<Record<Role, TestMember>> = {}
  let server: TestServer

  beforeAll(async () => {
    await prepareData(dataDir, async ({ services, deps }) => {
      for (const role of ['admin', 'auditor', 'officer'] as const) {
        who[role] = await signInAs({ services }, 'qu-daqiban', [role])
      }
      await deps.db
        .updateTable('department')
        .set({ mailbox: 'huanbao@example.gov.cn' })
        .where('id', '=', HOLDER)
        .execute()
      await deps.db
        .insertInto('mail')
        .values({
          id: DEAD,
          kind: 'arrivals',
          department_id: HOLDER,
          day: '2026-11-23',
          items: JSON.stringify([{ caseNo: 'ZY-2611-7QK3F', step: null, stage: null }]),
          state: 'dead',
          attempts: 11,
          fault: 'unreachable',
          message_key: null,
        })
        .execute()
    })
    server = await startServer({ dataDir, env: { DEMO: 'off' } })
  })
  afterAll(async () => {
    await server.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })

  const ask = (role: Role | null, path = '', init: RequestInit = {}): Promise<Response> =>
    fetch(`${server.url}/staff/notices/${path}`, {
      redirect: 'manual',
      ...init,
      headers: { ...(role === null ? {} : { cookie: who[role]?.cookie ?? '' }), ...init.headers },
    })
  const page = async (role: Role, path = ''): Promise<string> => (await ask(role, path)).text()
  const replay = (role: Role, fields: Readonly<Record<string, string>>): Promise<Response> =>
    ask(role, '', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: server.url },
      body: new URLSearchParams(fields).toString(),
    })

  it('is for administrators and auditors; only the former may send again', async () => {
    expect((await ask(null)).headers.get('location')).toBe('/staff/sign-in/')
    expect((await ask('officer')).status).toBe(403)
    expect((await ask('officer', `${DEAD}.eml`)).status).toBe(403)
    expect((await ask(null, `${DEAD}.eml`)).status).toBe(403)
    const seen = await page('auditor', '?tab=dead')
    expect(seen).toContain('ZY-2611-7QK3F')
    expect(seen).toContain('连不上发信服务器')
    expect(seen).toContain('40 个单位没有可用的信箱')
    expect(seen).not.toContain('重发')
    expect(await page('admin', '?tab=dead')).toContain('重发')
    expect(await page('admin', '?tab=sent')).not.toContain('ZY-2611-7QK3F')
  })

  it('refuses what did not come from its own form, or is no dead mail', async () => {
    expect((await replay('admin', { id: DEAD })).status).toBe(403)
    expect((await replay('admin', { id: DEAD, token: who.auditor?.token ?? '' })).status).toBe(403)
    expect((await replay('auditor', { id: DEAD, token: who.auditor?.token ?? '' })).status).toBe(403)
    const gone = await replay('admin', { id: randomUUID(), token: who.admin?.token ?? '' })
    expect(gone.status).toBe(404)
    expect(await gone.text()).toContain('没有这封邮件')
    expect((await ask('admin', `${DEAD}.eml`)).status).toBe(404)
    expect(await page('admin', '?tab=dead')).toContain('ZY-2611-7QK3F')
  })

  it('sends a dead mail again, and shows what was written', async () => {
    const reply = await replay('admin', { id: DEAD, token: who.admin?.token ?? '' })
    expect([reply.status, reply.headers.get('location')]).toEqual([
      303,
      '/staff/notices/?tab=waiting&replayed=1',
    ])
    expect(await page('admin', '?tab=dead')).not.toContain('ZY-2611-7QK3F')
    await expect.poll(() => page('admin', '?tab=sent'), { timeout: 30_000 }).toContain('已写入发件箱')
    const file = await ask('auditor', `${DEAD}.eml`)
    expect(file.headers.get('content-type')).toBe('message/rfc822')
    expect(await file.text()).toContain('To: huanbao@example.gov.cn')
    expect(readdirSync(join(dataDir, 'outbox'))).toEqual([expect.stringContaining(DEAD)])
    const audit = await fetch(`${server.url}/staff/audit/`, {
      headers: { cookie: who.auditor?.cookie ?? '' },
    })
    expect(await audit.text()).toMatch(new RegExp(`重发邮件[\\s\\S]*${DEAD}`))
  })
})
