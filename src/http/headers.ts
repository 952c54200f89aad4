const COMMON: Readonly<Record<string, string>> = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  // Not no-referrer: Chromium would then send `Origin: null` on every form, and no-JS posts would be refused.
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'permissions-policy':
    'accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()',
}

const page = (scripts: string, trustedTypes = "'none'"): string =>
  [
    "default-src 'none'",
    `script-src ${scripts}`,
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "font-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "object-src 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    `trusted-types ${trustedTypes}`,
  ].join('; ')

const CITIZEN = page("'self'")
// A worker is started by an address, which Trusted Types take for a script: one policy lets our own through.
const FORM = page("'self'", 'report-worker')
// Argon2id is WebAssembly; only the console needs it.
const STAFF = page("'self' 'wasm-unsafe-eval'")
const API = "default-src 'none'; frame-ancestors 'none'; sandbox"

/** The one page on which a third party's script runs. Nothing a citizen wrote is shown there. */
export const THIRD_PARTY_PAGE = '/report/verify/'

/**
 * What the third party needs, and no more: its script and frame, no connection (its script shall not fetch our pages),
 * no script of ours. Embedding and Trusted Types give way, since we cannot make its code keep them; the referrer
 * becomes this site's bare name, by which it knows for whom it works.
 * @source developers.cloudflare.com/turnstile/reference/content-security-policy
 */
function thirdPartyHeaders(origin: string): Record<string, string> {
  const { 'cross-origin-embedder-policy': _, ...rest } = COMMON
  return {
    ...rest,
    'referrer-policy': 'strict-origin',
    'content-security-policy': [
      "default-src 'none'",
      `script-src ${origin}`,
      `frame-src ${origin}`,
      "style-src 'self'",
      "img-src 'self'",
      "font-src 'self'",
      "form-action 'self'",
      "base-uri 'none'",
      "object-src 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
  }
}

function policyOf(path: string): string {
  if (path.startsWith('/api/')) return API
  if (path.startsWith('/staff/')) return STAFF
  return path.startsWith('/report/') ? FORM : CITIZEN
}

/**
 * The security headers of a reply, by the path asked for.
 * @param https adds HSTS
 * @param thirdParty origin of the third party's bot gate, when there is one
 */
export function securityHeaders(
  path: string,
  https: boolean,
  thirdParty: string | null = null,
): Record<string, string> {
  return {
    ...(thirdParty !== null && path === THIRD_PARTY_PAGE
      ? thirdPartyHeaders(thirdParty)
      : { ...COMMON, 'content-security-policy': policyOf(path) }),
    ...(https ? { 'strict-transport-security': 'max-age=63072000; includeSubDomains' } : {}),
  }
}
