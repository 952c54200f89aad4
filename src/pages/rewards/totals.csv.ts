import type { APIRoute } from 'astro'
import { BYTE_ORDER_MARK, csvRecord } from '../../domain/csv.ts'
import { yuanFigure } from '../../domain/money.ts'

const HEADING = ['起始月份', '截止月份', '部门', '笔数', '金额（元）']

/** The published sums of what was paid, one a line, for spreadsheets. */
export const GET: APIRoute = async ({ locals }) => {
  const { groups } = await locals.services.rewards.public()
  const { departments } = await locals.services.plan.current()
  const style = { excel: true }
  const rows = groups.map(({ from, until, department, payments, amountFen }) => [
    from,
    until,
    department === null ? '合并' : (departments.get(department)?.name ?? department),
    String(payments),
    yuanFigure(amountFen),
  ])
  return new Response(BYTE_ORDER_MARK + [HEADING, ...rows].map((row) => csvRecord(row, style)).join(''), {
    headers: {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': 'attachment; filename="rewards.csv"',
    },
  })
}
