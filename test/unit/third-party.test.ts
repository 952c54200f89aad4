import { describe, expect, it } from 'vitest'
import { ConfigError, readConfig } from '../../src/config.ts'
import { securityHeaders, THIRD_PARTY_PAGE } from '../../src/http/headers.ts'

const ORIGIN = 'https://challenges.cloudflare.com'
const KEYS = { TURNSTILE_SITE_KEY: 'site', TURNSTILE_SECRET_KEY: 'secret' }

function refusal(env: Record<string, string>): string {
  try {
    readConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
  }
  throw new Error('not refused')
}

describe('the settings of the bot gate', () => {
  it('leave the third party out unless both keys are there', () => {
    expect(readConfig({}).turnstile).toBeNull()
    expect(readConfig({ TURNSTILE_SITE_KEY: '', TURNSTILE_SECRET_KEY: '' }).turnstile).toBeNull()
    expect(readConfig({ ...KEYS, PUBLIC_URL: 'https://lantian.example.gov.cn/' }).turnstile).toEqual({
      siteKey: 'site',
      secretKey: 'secret',
      url: ORIGIN,
      hostnames: ['lantian.example.gov.cn'],
    })
    expect(readConfig(KEYS).turnstile?.hostnames).toContain('localhost')
  })

  it('stop the start when only half of it is there, in one line that shows no secret', () => {
    const withoutSite = refusal({ TURNSTILE_SECRET_KEY: 'top-secret' })
    expect(withoutSite).toBe('TURNSTILE_SITE_KEY: required together with TURNSTILE_SECRET_KEY')
    expect(refusal({ TURNSTILE_SITE_KEY: 'site' })).toBe(
      'TURNSTILE_SECRET_KEY: required together with TURNSTILE_SITE_KEY',
    )
  })

  it('take a proxy by its address only', () => {
    for (const address of ['127.0.0.1', '10.0.0.1', '::1', '2001:db8::1']) {
      expect(readConfig({ TRUSTED_PROXY: address }).trustedProxy).toBe(address)
    }
    for (const wrong of ['proxy', '10.0.0', '10.0.0.0/8', 'true']) {
      expect(refusal({ TRUSTED_PROXY: wrong })).toMatch(/^TRUSTED_PROXY: must be an IP address/)
    }
  })
})

describe('the headers', () => {
  const PATHS = [
    ...['/', '/report/', '/report/check/', '/report/verify/x', '/report/sent/', '/track/', '/lists/'],
    ...['/staff/queue/', '/api/v1/tips', '/api/v1/challenges', '/assets/form.js'],
  ]

  it('name the third party on its own page only, and there only when it is configured', () => {
    for (const path of PATHS) {
      expect(securityHeaders(path, true, ORIGIN)).toEqual(securityHeaders(path, true))
      expect(JSON.stringify(securityHeaders(path, true, ORIGIN))).not.toContain('cloudflare')
    }
    expect(JSON.stringify(securityHeaders(THIRD_PARTY_PAGE, true))).not.toContain('cloudflare')
    const csp = securityHeaders(THIRD_PARTY_PAGE, true, ORIGIN)['content-security-policy'] ?? ''
    const directives = new Map(csp.split('; ').map((text) => [text.split(' ')[0], text]))
    expect(directives.get('script-src')).toBe(`script-src ${ORIGIN}`)
    expect(directives.get('frame-src')).toBe(`frame-src ${ORIGIN}`)
    expect(directives.get('default-src')).toBe("default-src 'none'")
    // Its script shall not fetch the pages on which the citizen's words stand.
    expect(directives.has('connect-src')).toBe(false)
    expect(csp).not.toMatch(/unsafe|\*/)
  })

  it('let the form start its worker and nothing more', () => {
    const form = securityHeaders('/report/check/', true)['content-security-policy'] ?? ''
    const reading = securityHeaders('/cases/', true)['content-security-policy'] ?? ''
    expect(form.replace('trusted-types report-worker', "trusted-types 'none'")).toBe(reading)
    expect(form).toContain("worker-src 'self'")
  })
})
