import type { APIRoute } from 'astro'
import { DRAFT_COOKIE } from '../../../http/session-cookie.ts'

/** A photo of the draft, for the person whose cookie opens it. */
export const GET: APIRoute = async ({ request, params, locals }) => {
  const cookie = DRAFT_COOKIE.read(request)
  const photo = cookie && (await locals.services.drafts.photo(cookie, Number(params['part'])))
  if (!photo) return new Response(null, { status: 404 })
  return new Response(new Uint8Array(photo), { headers: { 'content-type': 'image/jpeg' } })
}
