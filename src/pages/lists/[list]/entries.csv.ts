import type { APIRoute } from 'astro'
import { problemResponse } from '../../../api/problem.ts'
import { DomainError, RateLimitedError } from '../../../domain/errors.ts'
import { entryFilterOf } from '../../../schemas/list.ts'

/** A list, or what a filter leaves of it, as a file that spreadsheets open without running anything. */
export const GET: APIRoute = ({ params, locals, url }) => {
  const list = params['list'] ?? ''
  let records: AsyncIterable<string>
  try {
    const filter = entryFilterOf(url.searchParams)
    if (filter.q) locals.services.limits.take('searches', locals.client)
    records = locals.services.lists.csv(list, filter, true)
  } catch (error) {
    if (error instanceof RateLimitedError) return problemResponse(error)
    if (error instanceof DomainError) return new Response(null, { status: 404 })
    throw error
  }
  const encoder = new TextEncoder()
  const iterator = records[Symbol.asyncIterator]()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await iterator.next()
      if (next.done) controller.close()
      else controller.enqueue(encoder.encode(next.value))
    },
    async cancel() {
      await iterator.return?.()
    },
  })
  return new Response(body, {
    headers: {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="${list}.csv"`,
      'cache-control': 'no-cache',
    },
  })
}
