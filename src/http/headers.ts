// What a browser can be asked for and we never ask: named one by one, since there is no word for “all”. Only such as
// Chromium knows: it complains about others on every page.
const FEATURES = [
  ...['accelerometer', 'autoplay', 'camera', 'clipboard-read', 'clipboard-write', 'display-capture'],
  ...[
    'encrypted-media',
    'fullscreen',
    'gamepad',
    'geolocation',
    'gyroscope',
    'hid',
    'identity-credentials-get',
  ],
  ...[
    'idle-detection',
    'keyboard-map',
    'local-fonts',
    'magnetometer',
    'microphone',
    'midi',
    'otp-credentials',
  ],
  ...['payment', 'picture-in-picture', 'publickey-credentials-create', 'publickey-credentials-get'],
  ...['screen-wake-lock', 'serial', 'storage-access', 'sync-xhr', 'usb', 'window-management'],
  'xr-spatial-tracking',
]

const permissions = (own: RegExp | null): string =>
  FEATURES.map((feature) => `${feature}=(${own?.test(feature) ? 'self' : ''})`).join(', ')

const NO_FEATURES = permissions(null)
// Passkeys.
const STAFF_FEATURES = permissions(/^publickey-credentials-/)

const COMMON: Readonly<Record<string, string>> = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  // Not no-referrer: Chromium would then send `Origin: null` on every form, and no-JS posts would be refused.
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'permissions-policy': NO_FEATURES,
}

const page = (scripts: string, trustedTypes = "'none'"): string =>
  [
    "default-src 'none'",
    `script-src ${scripts}`,
    "style-src 'self'",
    "img-src 'self' blob:",
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
// Should a browser ever take a picture for a page, that page can do nothing.
const IMAGE = "sandbox; default-src 'none'"

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

function policyOf(path: string, contentType: string | null): string {
  if (contentType?.startsWith('image/')) return IMAGE
  if (path.startsWith('/api/')) return API
  if (path.startsWith('/staff/')) return STAFF
  return path.startsWith('/report/') ? FORM : CITIZEN
}

/**
 * The security headers of a reply, by the path asked for.
 * There is no `report-uri`: a report names the address and what was blocked, sent by the citizen's own browser.
 * @param https adds HSTS
 * @param thirdParty origin of the third party's bot gate, when there is one
 * @param contentType of the reply, when it has one
 */
export function securityHeaders(
  path: string,
  https: boolean,
  thirdParty: string | null = null,
  contentType: string | null = null,
): Record<string, string> {
  return {
    ...(thirdParty !== null && path === THIRD_PARTY_PAGE
      ? thirdPartyHeaders(thirdParty)
      : {
          ...COMMON,
          ...(path.startsWith('/staff/') ? { 'permissions-policy': STAFF_FEATURES } : {}),
          'content-security-policy': policyOf(path, contentType),
        }),
    ...(https ? { 'strict-transport-security': 'max-age=63072000; includeSubDomains' } : {}),
  }
}
