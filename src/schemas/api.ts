import { z } from 'zod'

/** A page of a collection. */
export const paging = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(400).optional(),
})

export const routingQuery = z.object({
  category: z.string().max(40),
  area: z.string().max(40),
  answer: z.string().max(40).optional(),
  accused: z.string().max(40).optional(),
})

export const ledgerQuery = paging.extend({
  state: z.string().max(20).optional(),
  department: z.string().max(40).optional(),
  group: z.string().max(40).optional(),
  category: z.string().max(40).optional(),
  area: z.string().max(40).optional(),
  outcome: z.string().max(20).optional(),
  overdue: z.enum(['1', 'true']).optional(),
})

export const receiptOpen = z.union([
  z.object({ code: z.string().max(200) }),
  z.object({ auth: z.string().max(100) }),
])
