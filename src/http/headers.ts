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

const page = (scripts: string): string =>
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
    "trusted-types 'none'",
  ].join('; ')

const CITIZEN = page("'self'")
// Argon2id is WebAssembly; only the console needs it.
const STAFF = page("'self' 'wasm-unsafe-eval'")
const API = "default-src 'none'; frame-ancestors 'none'; sandbox"

/** The security headers of a reply, by the path asked for. `https` adds HSTS. */
export function securityHeaders(path: string, https: boolean): Record<string, string> {
  const policy = path.startsWith('/api/') ? API : path.startsWith('/staff/') ? STAFF : CITIZEN
  return {
    ...COMMON,
    'content-security-policy': policy,
    ...(https ? { 'strict-transport-security': 'max-age=63072000; includeSubDomains' } : {}),
  }
}
