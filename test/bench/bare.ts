/**
 * What everything is compared with: Hono on @hono/node-server that knows its answers beforehand. Started with a file
 * that holds them, and the address of a database for the two routes that read or write one row set.
 */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import pg from 'pg'

/** One answer: exactly the bytes and headers of the program under test. */
export interface BareAnswer {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Base64. */
  readonly body: string
}

const [file = '', databaseUrl = ''] = process.argv.slice(2)
const answers = JSON.parse(readFileSync(file, 'utf8')) as readonly BareAnswer[]

const app = new Hono()
for (const { path, headers, body } of answers) {
  const bytes = new Uint8Array(Buffer.from(body, 'base64'))
  app.get(path, () => new Response(bytes, { headers }))
}
if (databaseUrl !== '') {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
  app.get('/bare/list', async (c) => {
    const { rows } = await pool.query<object>(
      `select entry_no, subject_name, authority, listed_on, data from entry
         where list = 'non-compliant' order by listed_on desc, entry_no desc limit 50`,
    )
    return c.json(rows)
  })
  app.post('/bare/insert', async (c) => {
    const body: unknown = await c.req.json()
    const { rows } = await pool.query<{ id: number }>(
      'insert into bench_insert (body) values ($1) returning id',
      [JSON.stringify(body)],
    )
    return c.json({ caseNo: String(rows[0]?.id) }, 201)
  })
}
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, (info: AddressInfo) => {
  console.log(`Listening on http://127.0.0.1:${info.port}`)
})
