/** A cookie that only this origin can set or read: `__Host-`, Secure, whole site, no domain. */
export interface HostCookie {
  readonly name: string
  read(request: Request): string | null
  set(value: string, maxAgeSeconds?: number): string
  clear(): string
}

function hostCookie(name: string, sameSite: 'Strict' | 'Lax'): HostCookie {
  const attributes = `Path=/; Secure; HttpOnly; SameSite=${sameSite}`
  return {
    name,
    read(request) {
      for (const part of (request.headers.get('cookie') ?? '').split(/;\s*/)) {
        if (part.startsWith(`${name}=`)) return part.slice(name.length + 1)
      }
      return null
    },
    set: (value, maxAgeSeconds) =>
      `${name}=${value}; ${attributes}${maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`}`,
    clear: () => `${name}=; ${attributes}; Max-Age=0`,
  }
}

/** The console's session token. */
export const SESSION_COOKIE = hostCookie('__Host-sid', 'Strict')
/** Says that somebody of the staff has signed in from this browser; outlasts the session (services/slow-down.ts). */
export const BROWSER_COOKIE = hostCookie('__Host-browser', 'Strict')
/** The draft's id and key: without it nobody, the server included, reads what was typed so far. */
export const DRAFT_COOKIE = hostCookie('__Host-draft', 'Lax')
/** An opened receipt. */
export const RECEIPT_COOKIE = hostCookie('__Host-receipt', 'Strict')
