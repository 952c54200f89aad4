const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** What a request says of where it comes from. */
export interface Origin {
  readonly method: string
  readonly host: string | null
  readonly origin: string | null
  readonly fetchSite: string | null
}

/** False when the request names a host that is not ours (a rebound DNS name, a mistyped proxy). */
export function isOwnHost(host: string | null, publicUrl: string | null): boolean {
  if (host === null) return false
  if (publicUrl !== null) return host === new URL(publicUrl).host || LOOPBACK.has(host.replace(/:\d+$/, ''))
  return LOOPBACK.has(host.replace(/:\d+$/, ''))
}

/**
 * The one rule for every request that changes something: it comes from a page of ours, or from a program that
 * is no browser. Browsers always send `Origin` or `Sec-Fetch-Site` with a cross-site POST.
 */
export function isCrossSite(request: Origin, publicUrl: string | null): boolean {
  if (SAFE.has(request.method)) return false
  if (request.fetchSite !== null && request.fetchSite !== 'same-origin' && request.fetchSite !== 'none')
    return true
  if (request.origin === null) return false
  if (publicUrl !== null && request.origin === publicUrl) return false
  try {
    const from = new URL(request.origin)
    return !(isOwnHost(from.host, publicUrl) && from.host === request.host)
  } catch {
    // `null`: a sandboxed frame or a data: page.
    return true
  }
}
