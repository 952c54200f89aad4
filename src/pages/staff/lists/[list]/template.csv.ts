import type { APIRoute } from 'astro'
import { listKind } from '../../../../domain/lists/index.ts'
import { mayVisit } from '../../../../domain/roles.ts'
import { csvTemplate } from '../../../../schemas/list.ts'

/** An empty file with the headings of a list. */
export const GET: APIRoute = ({ params, locals: { staff } }) => {
  const kind = listKind(params['list'] ?? '')
  if (!staff || !mayVisit('/staff/lists/[list]/template.csv', staff.roles)) {
    return new Response('没有权限', { status: 403 })
  }
  if (!kind) return new Response(null, { status: 404 })
  return new Response(csvTemplate(kind), {
    headers: {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="${kind.id}-template.csv"`,
    },
  })
}
