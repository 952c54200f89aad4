/** As far as this page uses it; TypeScript's own types do not know it. */
interface Policy {
  createScriptURL(address: string): string
}
interface TrustedTypes {
  createPolicy(name: string, rules: Policy): Policy
}

// A page may make a policy of one name once.
let policy: Policy | undefined

/**
 * Starts a worker of ours. Where Trusted Types are enforced its address passes the one policy that the form's pages
 * allow (http/headers.ts), which lets through what this build made and nothing else.
 * @param address as a `?worker&url` import gives it
 */
export function startWorker(address: string): Worker {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes }
  policy ??= trustedTypes?.createPolicy('report-worker', {
    createScriptURL(given) {
      if (new URL(given, location.href).origin !== location.origin)
        throw new TypeError('not a worker of ours')
      return given
    },
  })
  return new Worker(policy?.createScriptURL(address) ?? address, { type: 'module' })
}
