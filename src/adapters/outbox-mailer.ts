import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { assertMailKey, MailError, type Mailer } from '../services/mailer.ts'
import { envelopeOf, type Sender } from './mail-envelope.ts'

/**
 * Writes each mail to `dir/<key>.eml` instead of sending it. The file appears whole or not at all; a repeat takes the
 * place of the one before.
 */
export function createOutboxMailer(dir: string, sender: Sender): Mailer {
  const pathOf = (key: string): string => {
    assertMailKey(key)
    return join(dir, `${key}.eml`)
  }
  return {
    kind: 'outbox',
    async send(message) {
      const path = pathOf(message.key)
      const { createTransport } = await import('nodemailer')
      const writer = createTransport({ streamTransport: true, buffer: true, newline: 'windows' })
      const { message: bytes } = await writer.sendMail(envelopeOf(message, sender))
      try {
        await mkdir(dir, { recursive: true, mode: 0o700 })
        const file = await open(`${path}.part`, 'w', 0o600)
        try {
          await file.writeFile(bytes as Buffer)
          await file.datasync()
        } finally {
          await file.close()
        }
        await rename(`${path}.part`, path)
      } catch {
        // The disk is full or not ours: the next try may do better.
        throw new MailError('unreachable')
      }
    },
    async written(key) {
      try {
        return await readFile(pathOf(key))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
        throw error
      }
    },
  }
}
