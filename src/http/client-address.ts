import { isIP } from 'node:net'

/** `::ffff:203.0.113.5` is 203.0.113.5 on a socket that speaks both. */
const unmapped = (address: string): string => address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')

/** The first four groups of an IPv6 address: what one household or one phone is given. */
function network64(address: string): string {
  const [head = '', tail = ''] = (address.split('%')[0] ?? '').split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const before = groups(head)
  const after = groups(tail)
  const zeros = address.includes('::')
    ? Array.from({ length: 8 - before.length - after.length }, () => '0')
    : []
  const first = [...before, ...zeros, ...after].slice(0, 4)
  return `${first.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.')

/**
 * Whose request it is, for the rate limits alone: an IPv4 address, or the /64 of an IPv6 address. Null when nobody can
 * be told apart: the trusted proxy did not say, or the request came straight from this machine, so it is a program of
 * the operator's or a proxy that `TRUSTED_PROXY` does not name, and one bucket for the whole city would refuse everybody.
 *
 * The answer is for an HMAC at once (services/limits.ts); it stands in no log and no row.
 * @param remote the other end of the connection
 * @param forwardedFor `X-Forwarded-For`; only its last entry counts, and only from the trusted proxy, since everything
 *   before it is the sender's own word
 */
export function clientAddress(
  remote: string | undefined,
  forwardedFor: string | null,
  trustedProxy: string | null,
): string | null {
  const peer = unmapped(remote ?? '')
  const fromProxy = trustedProxy !== null && peer === unmapped(trustedProxy)
  const address = fromProxy ? unmapped(forwardedFor?.split(',').at(-1)?.trim() ?? '') : peer
  if (isIP(address) === 0 || (!fromProxy && isLoopback(address))) return null
  return isIP(address) === 4 ? address : network64(address)
}
