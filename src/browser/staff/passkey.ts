import {
  browserSupportsWebAuthn,
  startAuthentication,
  startRegistration,
  WebAuthnError,
  type AuthenticationResponseJSON,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  type RegistrationResponseJSON,
} from '@simplewebauthn/browser'
import { toBase64Url } from '../../sealing/bytes.ts'
import { PASSKEY_INPUT, passkeyWrapKey, unlockMember } from '../../sealing/member-keys.ts'
import { bytes, fetchKeys, openKeys, random } from './session.ts'

/** Whether passkeys can be used here: they belong to a name, so an address will not do. */
export function canUsePasskeys(): boolean {
  return browserSupportsWebAuthn() && !/^[\d.]+$|:/.test(location.hostname)
}

const PRF = { prf: { eval: { first: PASSKEY_INPUT } } }

// The names of the extension's results are younger than the DOM's types.
interface PrfResults {
  readonly prf?: { readonly enabled?: boolean; readonly results?: { readonly first?: ArrayBuffer } }
}

function prfOf(results: unknown): { enabled: boolean; output: Uint8Array | null } {
  const { prf } = results as PrfResults
  const first = prf?.results?.first
  return { enabled: prf?.enabled === true, output: first ? new Uint8Array(first) : null }
}

async function said<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const code = error instanceof WebAuthnError ? error.code : ''
    if (code === 'ERROR_AUTHENTICATOR_PREVIOUSLY_REGISTERED') throw new Error('这个通行密钥已经登记过了。')
    throw new Error('没有完成通行密钥的验证，可以再试一次。', { cause: error })
  }
}

/** Shows a passkey to the server. What the passkey derives is not asked for. */
export async function showPasskey(
  options: PublicKeyCredentialRequestOptionsJSON,
): Promise<AuthenticationResponseJSON> {
  return said(startAuthentication({ optionsJSON: options }))
}

/** What one of these passkeys derives, for use in this browser alone: nothing of it goes to the server. */
async function evaluate(
  credentialIds: readonly string[],
): Promise<{ id: string; output: Uint8Array } | null> {
  const answer = await said(
    startAuthentication({
      optionsJSON: {
        challenge: toBase64Url(random(32)),
        rpId: location.hostname,
        allowCredentials: credentialIds.map((id) => ({ id, type: 'public-key' })),
        userVerification: 'required',
        extensions: PRF,
      },
    }),
  )
  const { output } = prfOf(answer.clientExtensionResults)
  return output && { id: answer.id, output }
}

/** Makes a passkey. With `derive`, also what wraps the member's identity, if this passkey can. */
export async function makePasskey(
  options: PublicKeyCredentialCreationOptionsJSON,
  derive: boolean,
): Promise<{ response: RegistrationResponseJSON; wrapKey: Uint8Array | null }> {
  const made = await said(
    startRegistration({ optionsJSON: derive ? { ...options, extensions: PRF } : options }),
  )
  const { enabled, output } = prfOf(made.clientExtensionResults)
  // Security keys derive nothing while a passkey is made, only when it is used.
  const derived = output ?? (derive && enabled ? ((await evaluate([made.id]))?.output ?? null) : null)
  return { response: { ...made, clientExtensionResults: {} }, wrapKey: derived && passkeyWrapKey(derived) }
}

/** Opens the keys in a tab that has none, with a passkey in the place of the passphrase. */
export async function unlockWithPasskey(): Promise<void> {
  const reply = await fetchKeys()
  const used = await evaluate(reply.passkeys.map(({ credentialId }) => credentialId))
  const stored = reply.passkeys.find(({ credentialId }) => credentialId === used?.id)
  if (!used || !stored) throw new Error('这个通行密钥不能解锁，请用口令。')
  const identity = await unlockMember({
    username: reply.username,
    wrapKey: passkeyWrapKey(used.output),
    wrappedIdentity: bytes(stored.wrappedIdentity),
  })
  await openKeys(identity, reply)
}
