import { resolve } from 'node:path'
import { z } from 'zod'

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
})

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
}

/** The environment is wrong; the message is one line that names the setting and the reason. */
export class ConfigError extends Error {}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1'])

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
  }
}
