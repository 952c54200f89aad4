import { describe, expect, it } from 'vitest'
import { ConfigError, readConfig } from '../../src/config.ts'

type Env = Readonly<Record<string, string>>
const PUBLIC: Env = { PUBLIC_URL: 'https://lantian.example.gov.cn' }
const SMTP: Env = { ...PUBLIC, SMTP_URL: 'smtp://mail.example.gov.cn', MAIL_FROM: 'noreply@example.gov.cn' }
const RESEND: Env = { ...PUBLIC, RESEND_API_KEY: 're_1', MAIL_FROM: '蓝天 <noreply@example.gov.cn>' }

function refusal(env: Env): string {
  try {
    readConfig(env)
    return 'accepted'
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message
  }
}

describe('settings of mail', () => {
  it('are a folder when nothing is set', () => {
    expect(readConfig({}).mail).toEqual({
      kind: 'outbox',
      sender: { name: '', address: 'noreply@localhost.invalid' },
    })
    expect(readConfig({ MAIL_FROM: '蓝天 <a@b.cn>' }).mail).toEqual({
      kind: 'outbox',
      sender: { name: '蓝天', address: 'a@b.cn' },
    })
  })

  it('are Resend with its key', () => {
    expect(readConfig(RESEND).mail).toEqual({
      kind: 'resend',
      sender: { name: '蓝天', address: 'noreply@example.gov.cn' },
      account: { apiKey: 're_1', baseUrl: 'https://api.resend.com' },
    })
    const local = readConfig({ ...RESEND, RESEND_BASE_URL: 'http://127.0.0.1:8025/v1/' }).mail
    expect(local).toMatchObject({ account: { baseUrl: 'http://127.0.0.1:8025/v1' } })
  })

  it.each([
    ['smtp://mail.example.gov.cn', { port: 587, tls: 'starttls', user: null, password: null }],
    ['smtp://mail.example.gov.cn:25?tls=off', { port: 25, tls: 'none' }],
    ['smtp://127.0.0.1:25', { host: '127.0.0.1', tls: 'none' }],
    ['smtp://[::1]:25', { host: '::1', tls: 'none' }],
    ['smtps://u%40x:p%2F@mail.example.gov.cn', { port: 465, tls: 'implicit', user: 'u@x', password: 'p/' }],
  ])('are the SMTP server %s', (url, server) => {
    expect(readConfig({ ...SMTP, SMTP_URL: url }).mail).toMatchObject({ kind: 'smtp', server })
  })

  it('end the demonstration, which writes to nobody', () => {
    expect(readConfig({}).demo).toBe(true)
    expect(readConfig(SMTP).demo).toBe(false)
    expect(readConfig(RESEND).demo).toBe(false)
  })

  it.each<[string, Env]>([
    ['SMTP_URL: set it or RESEND_API_KEY', { ...RESEND, ...SMTP }],
    ['MAIL_FROM: required with SMTP_URL', { ...SMTP, MAIL_FROM: '' }],
    ['MAIL_FROM: required with RESEND_API_KEY', { ...RESEND, MAIL_FROM: '' }],
    ['PUBLIC_URL: required with SMTP_URL', { ...SMTP, PUBLIC_URL: '' }],
    ['MAIL_FROM: must look like', { ...SMTP, MAIL_FROM: 'nobody' }],
    ['MAIL_FROM: must look like', { ...SMTP, MAIL_FROM: 'a@b.cn\r\nBcc: c@d.cn' }],
    ['MAIL_FROM: must look like', { ...SMTP, MAIL_FROM: 'a\r\nBcc: c <a@b.cn>' }],
    ['MAIL_FROM: must look like', { ...SMTP, MAIL_FROM: 'a <a@b.cn>, <c@d.cn>' }],
    ['SMTP_URL: must look like', { ...SMTP, SMTP_URL: 'mail.example.gov.cn:25' }],
    ['SMTP_URL: must look like', { ...SMTP, SMTP_URL: 'https://mail.example.gov.cn' }],
    ['SMTP_URL: ?tls=off', { ...SMTP, SMTP_URL: 'smtp://mail.example.gov.cn?tls=no' }],
    ['SMTP_URL: ?tls=off', { ...SMTP, SMTP_URL: 'smtps://mail.example.gov.cn?tls=off' }],
    ['RESEND_API_KEY: must be the key alone', { ...RESEND, RESEND_API_KEY: 're 1' }],
    ['RESEND_BASE_URL: must be https://', { ...RESEND, RESEND_BASE_URL: 'http://mail.example.gov.cn' }],
  ])('stop the start with one line: %s', (line, env) => {
    expect(refusal(env)).toContain(line)
    expect(refusal(env)).not.toContain('\n')
  })
})

describe('the role', () => {
  it('is one process for everything, or one of several on PostgreSQL', () => {
    const DATABASE_URL = 'postgres://lantian@db/lantian'
    expect(readConfig({}).role).toBe('all')
    for (const ROLE of ['all', 'web', 'worker']) expect(readConfig({ ROLE, DATABASE_URL }).role).toBe(ROLE)
    expect(refusal({ ROLE: 'worker' })).toContain('ROLE: worker needs DATABASE_URL')
    expect(refusal({ ROLE: 'web' })).toContain('ROLE: web needs DATABASE_URL')
    expect(refusal({ ROLE: 'king', DATABASE_URL })).toContain('ROLE: ')
  })
})
