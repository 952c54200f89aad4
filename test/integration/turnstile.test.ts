import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTurnstile } from '../../src/adapters/turnstile.ts'
import type { GateBinding } from '../../src/domain/gate.ts'
import type { ThirdPartyGate } from '../../src/services/ports.ts'
import { startTurnstile, type FakeTurnstile, type TurnstileMood } from '../support/turnstile.ts'

const FORM: GateBinding = { purpose: 'form', holder: 'a draft' }
const NOW = new Date('2026-11-25T02:00:00Z')
const clock = { now: () => NOW }

let service: FakeTurnstile
let gate: ThirdPartyGate
const settings = (url: string) => ({ siteKey: 'site', secretKey: 'secret', url, hostnames: ['localhost'] })

beforeAll(async () => {
  service = await startTurnstile('secret', 'lantian-form')
  gate = createTurnstile(settings(service.url), { clock, timeoutMs: 300 })
})
afterAll(async () => {
  await service.close()
})

describe('Turnstile', () => {
  it('vouches for a token of this site and this form, and learns nothing but the token', async () => {
    const verdict = await gate.verify('pass-1', FORM)
    expect(verdict).toMatchObject({ state: 'proven', until: new Date('2026-11-25T02:05:00Z') })
    if (verdict.state === 'proven') expect(verdict.id).toHaveLength(32)
    expect(Object.fromEntries(service.asked.at(-1) ?? [])).toEqual({ secret: 'secret', response: 'pass-1' })
  })

  it('takes no token twice', async () => {
    expect((await gate.verify('pass-2', FORM)).state).toBe('proven')
    expect((await gate.verify('pass-2', FORM)).state).toBe('refused')
  })

  it.each<TurnstileMood>([
    'refuse',
    'other-host',
    'no-host',
    'other-action',
    'garbage',
    'broken',
    'redirect',
    'flood',
    'hang',
  ])('that answers as in “%s” proves nothing', async (mood) => {
    expect(await gate.verify(`${mood}-1`, FORM)).toEqual({ state: 'refused' })
    expect(service.asked.at(-1)?.get('response')).toBe(`${mood}-1`)
  })

  it('refuses a token that was made for another purpose', async () => {
    expect(await gate.verify('pass-3', { purpose: 'tip', holder: '' })).toEqual({ state: 'refused' })
  })

  it.each(['', 'with space', 'x'.repeat(2049), '换行\n'])('is not asked about “%.20s”', async (token) => {
    const before = service.asked.length
    expect(await gate.verify(token, FORM)).toEqual({ state: 'refused' })
    expect(service.asked.length).toBe(before)
  })

  it('with a wrong secret, or out of reach, proves nothing', async () => {
    const wrong = createTurnstile({ ...settings(service.url), secretKey: 'other' }, { clock })
    expect(await wrong.verify('pass-4', FORM)).toEqual({ state: 'refused' })
    const closed = createTurnstile(settings('http://127.0.0.1:1'), { clock })
    expect(await closed.verify('pass-5', FORM)).toEqual({ state: 'refused' })
  })
})
