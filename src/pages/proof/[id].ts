import type { APIRoute } from 'astro'

/** The picture of a proof: for everybody once the case is published, before that for those who may see the case. */
export const GET: APIRoute = async ({ params, locals }) => {
  const photo = await locals.services.cases.proofPhoto(locals.staff, params['id'] ?? '')
  if (!photo) return new Response(null, { status: 404 })
  return new Response(new Uint8Array(photo), {
    headers: { 'content-type': 'image/jpeg', 'content-disposition': 'inline; filename="proof.jpg"' },
  })
}
