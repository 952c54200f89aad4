import { z } from 'zod'
import { REQUEST_KINDS, REQUEST_REASONS } from '../domain/identity.ts'
import { bytes } from './staff.ts'

const layer = bytes(4096)
const text = bytes(20_000)

export const askBody = z.object({
  caseNo: z.string().max(20),
  tipId: z.uuid(),
  kind: z.enum(REQUEST_KINDS),
  reason: z.enum(REQUEST_REASONS),
  sealedReason: text,
})
export const stripBody = z.object({ inner: layer })
export const passBody = z.object({ passed: layer })
export const reissueBody = z.object({
  auth: z.string().max(100),
  recipient: z.string().max(120),
  recipientMac: z.string().max(100).nullable(),
  signature: z.string().max(100),
  sealedNote: text,
})
