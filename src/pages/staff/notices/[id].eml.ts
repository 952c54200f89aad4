import type { APIRoute } from 'astro'
import { DomainError } from '../../../domain/errors.ts'
import { mayVisit } from '../../../domain/roles.ts'

/** A mail as it was written to the folder, to look at. */
export const GET: APIRoute = async ({ params, locals: { staff, services } }) => {
  if (!staff || !mayVisit('/staff/notices/[id].eml', staff.roles)) {
    return new Response('没有权限', { status: 403 })
  }
  try {
    const bytes = await services.notices.written(staff, params['id'] ?? '')
    return new Response(bytes.slice(), {
      headers: {
        'content-type': 'message/rfc822',
        'content-disposition': `attachment; filename="${params['id'] ?? ''}.eml"`,
      },
    })
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not-found') return new Response(null, { status: 404 })
    throw error
  }
}
