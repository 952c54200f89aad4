import { resolve } from 'node:path'
import { z } from 'zod'
import { isMailAddress } from './domain/mail-address.ts'

const flag = z.enum(['on', 'off'])

const schema = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(4321),
  DATA_DIR: z.string().min(1).default('data'),
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, error: 'must look like postgres://user@host:5432/name' })
    .optional(),
  PUBLIC_URL: z.url({ protocol: /^https?$/, error: 'must look like https://example.gov.cn' }).optional(),
  TRUSTED_PROXY: z
    .union([z.ipv4(), z.ipv6()], { error: 'must be an IP address, such as 127.0.0.1' })
    .optional(),
  TURNSTILE_SITE_KEY: z.string().max(200).optional(),
  TURNSTILE_SECRET_KEY: z.string().max(200).optional(),
  TURNSTILE_URL: z.url({ protocol: /^https?$/ }).default('https://challenges.cloudflare.com'),
  DEMO: flag.optional(),
  SITE_NAME: z.string().min(1).default('蓝天：中原区大气污染防治公开与举报'),
  SITE_ID_CODE: z.string().default(''),
  ROLE: z.enum(['all', 'web', 'worker']).default('all'),
  RESEND_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'must be the key alone')
    .optional(),
  RESEND_BASE_URL: z.url({ protocol: /^https?$/ }).default('https://api.resend.com'),
  SMTP_URL: z
    .url({ protocol: /^smtps?$/, error: 'must look like smtp://user:password@mail.example.gov.cn:587' })
    .optional(),
  MAIL_FROM: z.string().optional(),
})

/** Who mails come from; the name may be empty. */
export interface MailSender {
  readonly name: string
  readonly address: string
}

/** How mails leave the house; `outbox` writes them to a folder. */
export type MailSettings =
  | { readonly kind: 'outbox'; readonly sender: MailSender }
  | {
      readonly kind: 'resend'
      readonly sender: MailSender
      readonly account: { readonly apiKey: string; readonly baseUrl: string }
    }
  | {
      readonly kind: 'smtp'
      readonly sender: MailSender
      readonly server: {
        readonly host: string
        readonly port: number
        readonly tls: 'implicit' | 'starttls' | 'none'
        readonly user: string | null
        readonly password: string | null
      }
    }

export interface Config {
  readonly host: string
  readonly port: number
  /** Absolute path of the folder that holds the embedded database, keys and files. */
  readonly dataDir: string
  readonly databaseUrl: string | null
  /** Origin without a trailing slash, e.g. `https://example.gov.cn`; null on loopback. */
  readonly publicUrl: string | null
  /** Address of the proxy whose `X-Forwarded-For` is believed. */
  readonly trustedProxy: string | null
  /** Cloudflare Turnstile as a second way through the bot gate; null unless both keys are set. */
  readonly turnstile: {
    readonly siteKey: string
    readonly secretKey: string
    /** Origin of the service, without a trailing slash. */
    readonly url: string
    /** Names of this site, for one of which a token must have been made. */
    readonly hostnames: readonly string[]
  } | null
  readonly demo: boolean
  readonly siteName: string
  /** 网站标识码, given by the authority; empty when there is none (never invented). */
  readonly siteIdCode: string
  /** Whether this process serves, works the queue of jobs, or both. */
  readonly role: 'all' | 'web' | 'worker'
  readonly mail: MailSettings
}

/** The environment is wrong; the message is one line that names the setting and the reason. */
export class ConfigError extends Error {}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1', '[::1]'])

type Parsed = z.infer<typeof schema>

function readSender(text: string): MailSender {
  const [, name = '', address = text] = /^([^\p{Cc}<>()[\]\\"@,;:.]*)<([^<>]+)>$/u.exec(text.trim()) ?? []
  const sender = { name: name.trim(), address: address.trim() }
  if (!isMailAddress(sender.address)) {
    throw new ConfigError('MAIL_FROM: must look like 蓝天 <noreply@example.gov.cn>')
  }
  return sender
}

function readSmtpServer(text: string) {
  const url = new URL(text)
  const tls = url.searchParams.get('tls')
  if (url.hostname === '') throw new ConfigError('SMTP_URL: names no server')
  if ((tls !== null && tls !== 'off') || (tls === 'off' && url.protocol === 'smtps:')) {
    throw new ConfigError('SMTP_URL: ?tls=off is all that can be said, and of smtp:// only')
  }
  const implicit = url.protocol === 'smtps:'
  const plain = tls === 'off' || LOOPBACK.has(url.hostname)
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (implicit ? 465 : 587) : Number(url.port),
    tls: implicit ? 'implicit' : plain ? 'none' : 'starttls',
    user: url.username === '' ? null : decodeURIComponent(url.username),
    password: url.password === '' ? null : decodeURIComponent(url.password),
  } as const
}

function readMail(value: Parsed): MailSettings {
  const { RESEND_API_KEY: apiKey, SMTP_URL: smtp, MAIL_FROM: from } = value
  if (apiKey !== undefined && smtp !== undefined) {
    throw new ConfigError('SMTP_URL: set it or RESEND_API_KEY, not both')
  }
  const sender = from === undefined ? null : readSender(from)
  const setting = apiKey !== undefined ? 'RESEND_API_KEY' : smtp !== undefined ? 'SMTP_URL' : null
  if (setting === null)
    return { kind: 'outbox', sender: sender ?? { name: '', address: 'noreply@localhost.invalid' } }
  if (sender === null) throw new ConfigError(`MAIL_FROM: required with ${setting}`)
  if (!value.PUBLIC_URL) throw new ConfigError(`PUBLIC_URL: required with ${setting}, since mails link to it`)
  if (smtp !== undefined) return { kind: 'smtp', sender, server: readSmtpServer(smtp) }
  const { protocol, hostname, origin, pathname } = new URL(value.RESEND_BASE_URL)
  if (protocol !== 'https:' && !LOOPBACK.has(hostname)) {
    throw new ConfigError('RESEND_BASE_URL: must be https:// off localhost, since the key is sent to it')
  }
  const baseUrl = `${origin}${pathname.replace(/\/$/, '')}`
  return { kind: 'resend', sender, account: { apiKey: apiKey ?? '', baseUrl } }
}

/**
 * Reads the settings from the environment, once.
 * @throws {ConfigError} naming the first wrong setting
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  // An empty setting is an absent one, as in every shell script.
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  )
  const parsed = schema.safeParse(given)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new ConfigError(`${issue?.path.join('.') ?? 'environment'}: ${issue?.message ?? 'is wrong'}`)
  }
  const value = parsed.data
  const loopback = LOOPBACK.has(value.HOST)
  const open = value.DATABASE_URL !== undefined || value.PUBLIC_URL !== undefined || !loopback
  if (value.ROLE !== 'all' && value.DATABASE_URL === undefined) {
    throw new ConfigError(
      `ROLE: ${value.ROLE} needs DATABASE_URL, since one process alone opens the embedded database`,
    )
  }
  if (value.DEMO === 'on' && open) {
    throw new ConfigError(
      'DEMO: demonstration data never loads with DATABASE_URL, PUBLIC_URL or a HOST that is not loopback',
    )
  }
  if (!loopback && !value.PUBLIC_URL) {
    throw new ConfigError(
      'PUBLIC_URL: required when HOST is not loopback, since cookies and WebCrypto need HTTPS',
    )
  }
  if (
    value.PUBLIC_URL &&
    !value.PUBLIC_URL.startsWith('https://') &&
    !LOOPBACK.has(new URL(value.PUBLIC_URL).hostname)
  ) {
    throw new ConfigError('PUBLIC_URL: must be https:// off localhost, since cookies and WebCrypto need it')
  }
  const { TURNSTILE_SITE_KEY: siteKey, TURNSTILE_SECRET_KEY: secretKey } = value
  if ((siteKey === undefined) !== (secretKey === undefined)) {
    const [given, missing] =
      siteKey === undefined
        ? ['TURNSTILE_SECRET_KEY', 'TURNSTILE_SITE_KEY']
        : ['TURNSTILE_SITE_KEY', 'TURNSTILE_SECRET_KEY']
    throw new ConfigError(`${missing}: required together with ${given}`)
  }
  return {
    host: value.HOST,
    port: value.PORT,
    dataDir: resolve(value.DATA_DIR),
    databaseUrl: value.DATABASE_URL ?? null,
    publicUrl: value.PUBLIC_URL ? new URL(value.PUBLIC_URL).origin : null,
    trustedProxy: value.TRUSTED_PROXY ?? null,
    turnstile:
      siteKey === undefined || secretKey === undefined
        ? null
        : {
            siteKey,
            secretKey,
            url: new URL(value.TURNSTILE_URL).origin,
            hostnames: value.PUBLIC_URL ? [new URL(value.PUBLIC_URL).hostname] : [...LOOPBACK],
          },
    demo: !open && value.DEMO !== 'off',
    siteName: value.SITE_NAME,
    siteIdCode: value.SITE_ID_CODE,
    role: value.ROLE,
    mail: readMail(value),
  }
}
