import { createServer } from 'node:net'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { createOutboxMailer } from '../../src/adapters/outbox-mailer.ts'
import { createResendMailer } from '../../src/adapters/resend-mailer.ts'
import { createSmtpMailer } from '../../src/adapters/smtp-mailer.ts'
import { MailError, type MailMessage } from '../../src/services/mailer.ts'
import {
  headerOf,
  RESEND_KEY,
  startResend,
  startSmtp,
  type Mood,
  type ResendStandIn,
  type SmtpStandIn,
} from '../support/mail-servers.ts'

const SENDER = { name: '蓝天', address: 'noreply@lantian.example.gov.cn' }
const message = (part: Partial<MailMessage> = {}): MailMessage => ({
  to: 'huanbao@example.gov.cn',
  subject: '新到举报 2 件（蓝天）',
  text: '区环保局：\n\nZY-2611-7QK3F  https://lantian.example.gov.cn/staff/cases/ZY-2611-7QK3F/\n.\n',
  html: '<p>区环保局：</p>',
  key: '00000000-0000-4000-8000-000000000001-0123456789abcdef',
  ...part,
})
const forever = new AbortController().signal

const failureOf = async (sending: Promise<void>): Promise<string> => {
  try {
    await sending
    return 'accepted'
  } catch (error) {
    if (!(error instanceof MailError)) throw error
    return error.final ? `${error.code} for good` : error.code
  }
}

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

// No database in it: one engine is enough.
describe.runIf(inject('testDatabase').engine === 'pglite')('mail', () => {
  describe('through Resend', () => {
    let server: ResendStandIn
    beforeAll(async () => {
      server = await startResend()
    })
    afterEach(() => {
      server.mood = 'accept'
    })
    afterAll(() => server.close())
    const mailer = (baseUrl = server.url, apiKey = RESEND_KEY) =>
      createResendMailer({ apiKey, baseUrl }, SENDER)

    it('is accepted as it was written', async () => {
      const sent = message({ key: 'a0000000-1' })
      await mailer().send(sent, forever)
      expect(server.delivered.get('a0000000-1')).toEqual({
        from: '蓝天 <noreply@lantian.example.gov.cn>',
        to: [sent.to],
        subject: sent.subject,
        text: sent.text,
        html: sent.html,
        headers: { 'Auto-Submitted': 'auto-generated' },
      })
    })

    it.each<[Mood, string]>([
      ['refuse', 'refused for good'],
      ['busy', 'busy'],
      ['credentials', 'credentials'],
      ['accept-then-drop', 'unreachable'],
    ])('that meets %s fails as %s', async (mood, failure) => {
      server.mood = mood
      expect(await failureOf(mailer().send(message({ key: `b0000000-${mood.length}` }), forever))).toBe(
        failure,
      )
    })

    it('is not sent twice when the answer was lost', async () => {
      const sent = message({ key: 'c0000000-1' })
      server.mood = 'accept-then-drop'
      expect(await failureOf(mailer().send(sent, forever))).toBe('unreachable')
      server.mood = 'accept'
      const before = server.delivered.size
      await mailer().send(sent, forever)
      expect(server.delivered.size).toBe(before)
    })

    it('that hangs ends with its signal', async () => {
      server.mood = 'hang'
      expect(await failureOf(mailer().send(message(), AbortSignal.timeout(200)))).toBe('timeout')
      const stop = new AbortController()
      const sending = failureOf(mailer().send(message(), stop.signal))
      stop.abort()
      expect(await sending).toBe('interrupted')
    })

    it('finds nobody, or not with this key', async () => {
      const nowhere = `http://127.0.0.1:${await closedPort()}`
      expect(await failureOf(mailer(nowhere).send(message(), forever))).toBe('unreachable')
      expect(await failureOf(mailer(server.url, 're_wrong').send(message(), forever))).toBe('credentials')
    })
  })

  describe('over SMTP', () => {
    let server: SmtpStandIn
    beforeAll(async () => {
      server = await startSmtp()
    })
    afterEach(() => {
      server.mood = 'accept'
    })
    afterAll(() => server.close())
    const mailer = (port = server.port, tls: 'none' | 'starttls' | 'implicit' = 'none') =>
      createSmtpMailer({ host: '127.0.0.1', port, tls, user: null, password: null }, SENDER)

    it('is accepted, with a Message-ID that follows from the key', async () => {
      await mailer().send(message({ key: 'a0000000-1' }), forever)
      const mail = server.taken.at(-1)
      expect(mail).toMatchObject({ from: SENDER.address, to: ['huanbao@example.gov.cn'] })
      const header = (name: string) => headerOf(mail?.data ?? '', name)
      expect(header('Message-ID')).toBe('<a0000000-1@lantian.example.gov.cn>')
      expect(header('To')).toBe('huanbao@example.gov.cn')
      expect(header('From')).toMatch(/^=\?UTF-8\?\S+\?= <noreply@lantian\.example\.gov\.cn>$/)
      expect(header('Auto-Submitted')).toBe('auto-generated')
      expect(header('Bcc')).toBeNull()
      expect(header('Content-Type')).toMatch(/^multipart\/alternative/)
    })

    it.each<[Mood, string]>([
      ['refuse', 'refused for good'],
      ['busy', 'busy'],
      ['credentials', 'credentials'],
      ['accept-then-drop', 'unreachable'],
    ])('that meets %s fails as %s', async (mood, failure) => {
      server.mood = mood
      expect(await failureOf(mailer().send(message(), forever))).toBe(failure)
    })

    it('that had to be sent twice is one mail to its reader', async () => {
      const sent = message({ key: 'c0000000-1' })
      server.mood = 'accept-then-drop'
      await failureOf(mailer().send(sent, forever))
      server.mood = 'accept'
      const before = server.ids()
      await mailer().send(sent, forever)
      expect(server.ids()).toEqual(before)
    })

    it('that hangs ends with its signal', async () => {
      server.mood = 'hang'
      expect(await failureOf(mailer().send(message(), AbortSignal.timeout(300)))).toBe('timeout')
      const stop = new AbortController()
      const sending = failureOf(mailer().send(message(), stop.signal))
      await server.someoneWaits()
      stop.abort()
      expect(await sending).toBe('interrupted')
    })

    it('goes to nobody who offers no encryption where it is asked for', async () => {
      const before = server.taken.length
      expect(await failureOf(mailer(server.port, 'starttls').send(message(), forever))).toBe('tls')
      expect(server.taken.length).toBe(before)
    })

    it('finds nobody', async () => {
      expect(await failureOf(mailer(await closedPort()).send(message(), forever))).toBe('unreachable')
    })
  })

  describe('into a folder', () => {
    const root = mkdtempSync(join(tmpdir(), 'lantian-outbox-'))
    const dir = join(root, 'outbox')
    afterAll(() => {
      rmSync(root, { recursive: true, force: true })
    })

    it('is one whole file that only its owner reads, however often it is sent', async () => {
      const mailer = createOutboxMailer(dir, SENDER)
      await mailer.send(message(), forever)
      await mailer.send(message(), forever)
      expect(readdirSync(dir)).toEqual([`${message().key}.eml`])
      const path = join(dir, `${message().key}.eml`)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      const data = readFileSync(path, 'utf8')
      expect(headerOf(data, 'To')).toBe('huanbao@example.gov.cn')
      expect(headerOf(data, 'Message-ID')).toBe(`<${message().key}@lantian.example.gov.cn>`)
      expect(await mailer.written(message().key)).toEqual(readFileSync(path))
      expect(await mailer.written('00000000-9')).toBeNull()
    })

    it('fails for now when the folder cannot be made, and takes no path for a key', async () => {
      writeFileSync(join(root, 'file'), '')
      const blocked = createOutboxMailer(join(root, 'file'), SENDER)
      expect(await failureOf(blocked.send(message(), forever))).toBe('unreachable')
      await expect(createOutboxMailer(dir, SENDER).written('../../etc/passwd')).rejects.toThrow(TypeError)
    })
  })

  // The services let no such address through; whoever carries the mail must not believe it either.
  describe.each([
    '\r\nBcc: evil@example.com',
    ', evil@example.com',
    '>\r\nRCPT TO:<evil@example.com',
    '<evil@example.com>',
  ])('to an address that goes on with %j', (tail) => {
    it('has no further header and no further recipient', async () => {
      const server = await startSmtp()
      const to = `huanbao@example.gov.cn${tail}`
      const mailer = createSmtpMailer(
        { host: '127.0.0.1', port: server.port, tls: 'none', user: null, password: null },
        SENDER,
      )
      await failureOf(mailer.send(message({ to, subject: `新到${tail}` }), forever))
      for (const { to: recipients, data } of server.taken) {
        expect(recipients.length).toBeLessThanOrEqual(1)
        expect(recipients).not.toContain('evil@example.com')
        expect(headerOf(data, 'Bcc')).toBeNull()
        headerOf(data, 'To')
        headerOf(data, 'Subject')
      }
      await server.close()
    })
  })
})
