import { z } from 'zod'
import { fromBase64Url } from '../sealing/bytes.ts'
import { TWO_LAYER_PURPOSES } from '../sealing/two-layer.ts'

/** Bytes as base64url in JSON. */
export const bytes = (max: number) =>
  z
    .string()
    .max(Math.ceil((max * 4) / 3) + 4)
    .transform((text, context) => {
      const decoded = fromBase64Url(text)
      if (decoded) return decoded
      context.addIssue({ code: 'custom', message: '不是有效的 base64url。' })
      return z.NEVER
    })

const kdf = z.object({
  memoryKiB: z.number().int().min(47_104).max(1_048_576),
  iterations: z.number().int().min(1).max(20),
  parallelism: z.literal(1),
})

export const kdfQuery = z.object({ username: z.string().max(64) })
export const signInBody = z.object({ username: z.string().max(64), auth: z.string().max(100) })
export const enrolmentQuery = z.object({ token: z.string().max(100) })
const passphrase = {
  salt: bytes(16),
  kdf,
  auth: z.string().min(20).max(100),
  wrappedIdentity: bytes(1000),
}
export const enrolBody = z.object({
  token: z.string().max(100),
  recipient: z.string().max(120),
  ...passphrase,
})
export const passphraseBody = z.object({ oldAuth: z.string().max(100), ...passphrase })

const wrapped = bytes(4096)
const epoch = z.number().int().min(1)
/** That a recipient is a member's own. */
const voucher = z.string().max(100)
/** Whose key: a department's or a role's. */
const owner = z.string().max(40).optional()
export const ownerQuery = z.object({ owner })
export const grantBody = z.object({
  owner,
  memberId: z.uuid(),
  grants: z.array(z.object({ epoch, wrapped })).min(1).max(100),
  voucher,
})
export const madeKeyBody = z.object({
  owner,
  epoch,
  recipient: z.string().max(120),
  grants: z
    .array(z.object({ memberId: z.uuid(), wrapped, voucher }))
    .min(1)
    .max(200),
  escrow: wrapped,
  voucher: z.object({
    previous: z.string().max(50),
    day: z.iso.date(),
    verifier: z.string().max(50),
    signature: z.string().max(100),
  }),
})
export const rewrapBody = z.object({
  owner,
  wraps: z
    .array(
      z.object({
        purpose: z.enum(['tip.key', ...TWO_LAYER_PURPOSES]).default('tip.key'),
        tipId: z.uuid(),
        epoch,
        wrapped,
      }),
    )
    .min(1)
    .max(200),
})

const code = z.string().max(20)
const ticket = z.string().max(100)
const text = z.string().max(4096)
// WebAuthn Level 3 in JSON, without the extension results: what a passkey derives stays in the browser.
const credential = { id: z.string().max(1400), rawId: z.string().max(1400), type: z.literal('public-key') }
const assertion = z
  .object({
    ...credential,
    response: z.object({ authenticatorData: text, clientDataJSON: text, signature: text }),
  })
  .transform((given) => ({ ...given, clientExtensionResults: {} }))
const attestation = z
  .object({
    ...credential,
    response: z.object({
      attestationObject: z.string().max(20_000),
      clientDataJSON: text,
      transports: z.array(z.string().max(20)).max(8).default([]),
    }),
  })
  .transform((given) => ({ ...given, clientExtensionResults: {} }))

export const ticketBody = z.object({ ticket })
export const ticketCodeBody = z.object({ ticket, code })
export const ticketPasskeyBody = z.object({ ticket, response: assertion })
export const codeBody = z.object({ code })
export const passkeyBody = z.object({ response: assertion })

/** With the member's link, or without one by whoever is signed in. */
const link = z.string().max(100).optional()
export const linkBody = z.object({ link })
export const newTotpBody = z.object({ link, sealed: z.string().max(1000), code })
export const newPasskeyBody = z.object({
  link,
  response: attestation,
  name: z
    .string()
    .trim()
    .min(1)
    .max(40)
    .regex(/^\P{Cc}*$/u),
  wrappedIdentity: bytes(1000).nullable(),
})
export const removeFactorBody = z.object({ factor: z.string().max(40) })
