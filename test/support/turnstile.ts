import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a token makes the stand-in do; the token of the widget is `pass` and a number. */
export type TurnstileMood =
  | 'pass'
  | 'refuse'
  | 'other-host'
  | 'other-action'
  | 'no-host'
  | 'hang'
  | 'garbage'
  | 'broken'
  | 'redirect'
  | 'flood'

export interface FakeTurnstile {
  /** For TURNSTILE_URL. */
  readonly url: string
  /** Every form that asked for a verification. */
  readonly asked: readonly URLSearchParams[]
  close(): Promise<void>
}

// As the real one does: a hidden field in the form around it.
const WIDGET = `
for (const place of document.querySelectorAll('.cf-turnstile')) {
  const field = document.createElement('input')
  Object.assign(field, { type: 'hidden', name: 'cf-turnstile-response', value: 'pass-' + performance.now() })
  const frame = document.createElement('p')
  frame.textContent = place.dataset.sitekey + ' ' + place.dataset.action
  place.append(field, frame)
}
`

/** Stands in for Cloudflare Turnstile on loopback: its script and its verification. */
export async function startTurnstile(secret: string, action: string): Promise<FakeTurnstile> {
  const asked: URLSearchParams[] = []
  const seen = new Set<string>()
  const server = createServer((req, res) => {
    if (req.url === '/turnstile/v0/api.js') {
      res.setHeader('content-type', 'text/javascript').end(WIDGET)
      return
    }
    let text = ''
    req.on('data', (chunk: Buffer) => (text += chunk.toString()))
    req.on('end', () => {
      const form = new URLSearchParams(text)
      asked.push(form)
      const token = form.get('response') ?? ''
      const mood = token.replace(/-?[\d.]+$/, '') as TurnstileMood
      const again = seen.has(token)
      seen.add(token)
      const good = { success: true, hostname: 'localhost', action }
      const say = (value: unknown): void => {
        res.setHeader('content-type', 'application/json').end(JSON.stringify(value))
      }
      if (form.get('secret') !== secret) say({ success: false, 'error-codes': ['invalid-input-secret'] })
      else if (again) say({ success: false, 'error-codes': ['timeout-or-duplicate'] })
      else if (mood === 'pass') say(good)
      else if (mood === 'other-host') say({ ...good, hostname: 'elsewhere.example' })
      else if (mood === 'no-host') say({ success: true, action })
      else if (mood === 'other-action') say({ ...good, action: 'login' })
      else if (mood === 'garbage') res.end('<html>busy</html>')
      else if (mood === 'broken') res.writeHead(500).end(JSON.stringify(good))
      else if (mood === 'redirect') res.writeHead(307, { location: '/turnstile/v0/siteverify' }).end()
      else if (mood === 'flood') say({ ...good, padding: 'x'.repeat(100_000) })
      else if (mood !== 'hang') say({ success: false, 'error-codes': ['invalid-input-response'] })
    })
  })
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
