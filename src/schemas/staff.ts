import { z } from 'zod'
import { fromBase64Url } from '../sealing/bytes.ts'

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
export const enrolBody = z.object({
  token: z.string().max(100),
  salt: bytes(16),
  kdf,
  auth: z.string().min(20).max(100),
  recipient: z.string().max(120),
  wrappedIdentity: bytes(1000),
})
export const grantBody = z.object({
  memberId: z.uuid(),
  epoch: z.number().int().min(1),
  wrapped: bytes(4096),
})
