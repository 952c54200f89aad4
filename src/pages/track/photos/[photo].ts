import type { APIRoute } from 'astro'
import { RECEIPT_COOKIE } from '../../../http/session-cookie.ts'

/** A photo of the thread: opened in memory when the cookie carries the key, else as it is sealed. */
export const GET: APIRoute = async ({ request, params, locals }) => {
  const found = await locals.services.receipts.photo(RECEIPT_COOKIE.read(request), params['photo'] ?? '')
  if (!found) return new Response(null, { status: 404 })
  return new Response(new Uint8Array(found.bytes), {
    headers: { 'content-type': found.sealed ? 'application/octet-stream' : 'image/jpeg' },
  })
}
