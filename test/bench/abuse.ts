/**
 * Eight abusive clients, each from an address of its own, as fast as they are answered; a program of its own so that
 * their work is not counted as the honest visitors'. `node test/bench/abuse.ts URL` goes on until it is ended, and
 * then prints what they were answered.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { constants, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'

/** Requests that one abusive client has under way. */
const AT_ONCE = 4
const PATIENCE_MS = 30_000

const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...headers },
  body: JSON.stringify(body),
})
const plain = { category: 'road-dust', area: 'unsure', when: 'now', description: '刷屏刷屏刷屏' }
const forged = Buffer.from('{"challenge":{"parameters":{},"signature":""},"solution":{}}').toString('base64')
function pick<T>(list: readonly [T, ...T[]]): T {
  return list[randomBytes(1).readUInt8() % list.length] ?? list[0]
}

function upload(bytes: Uint8Array<ArrayBuffer>, gate: string | null): RequestInit {
  const body = new FormData()
  if (gate !== null) body.set('gate', gate)
  body.set('plain', JSON.stringify(plain))
  body.append('photos', new Blob([bytes]), 'photo.jpg')
  return { method: 'POST', headers: { 'idempotency-key': randomUUID() }, body }
}

const noise = new Uint8Array(randomBytes(4_000_000))
/** Looks like a JPEG to whoever reads its first bytes only. */
const mockJpeg = new Uint8Array(noise)
mockJpeg.set([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0])

const search = (): string =>
  new URLSearchParams({
    q: pick(['有限公司', '公司', '限', '东', '建', '号', '%', 'WD-2611']),
    state: pick(['listed', 'past', 'all']),
    ...(pick([true, false]) ? { authority: pick(['qu-jianshe', 'qu-huanbao', 'none']) } : {}),
    n: randomUUID(),
  }).toString()

type Abuse = () => readonly [path: string, init?: RequestInit]

/** What each of them does, by name. */
const ABUSES: Readonly<Record<string, Abuse>> = {
  'forged proofs': () => ['/api/v1/tips', json({ plain, gate: forged })],
  'tips without end': () => ['/api/v1/tips', json({ plain })],
  'junk uploads': () => ['/api/v1/tips', upload(noise, null)],
  'broken photos': () => ['/api/v1/tips', upload(mockJpeg, null)],
  'worst searches': () => [`/api/v1/lists/non-compliant/entries?limit=200&${search()}`],
  'uncached pages': () => [`/lists/non-compliant/?${search()}`],
  'receipt guesses': () => ['/api/v1/receipts/open', json({ auth: randomBytes(32).toString('base64url') })],
  challenges: () => ['/api/v1/challenges?purpose=tip'],
}

async function run(url: string): Promise<void> {
  // On one machine with the server: what is measured is the server's work, not theirs.
  setPriority(constants.priority.PRIORITY_LOW)
  const answered = new Map<string, number>()
  let going = true
  process.once('SIGTERM', () => {
    going = false
    console.log([...answered].map(([what, count]) => `${what}: ${count}`).join('; '))
    process.exit()
  })
  const client = async (name: string, abuse: Abuse, address: string): Promise<void> => {
    while (going) {
      const [path, init] = abuse()
      let outcome = 'broken'
      try {
        const headers = new Headers(init?.headers)
        headers.set('x-forwarded-for', address)
        const reply = await fetch(`${url}${path}`, {
          ...init,
          headers,
          signal: AbortSignal.timeout(PATIENCE_MS),
        })
        await reply.arrayBuffer()
        outcome = String(reply.status)
      } catch {
        // An answer in the middle of an upload ends the connection: that is the answer.
      }
      const key = `${name} ${outcome}`
      answered.set(key, (answered.get(key) ?? 0) + 1)
    }
  }
  await Promise.all(
    Object.entries(ABUSES).flatMap(([name, abuse], index) =>
      Array.from({ length: AT_ONCE }, () => client(name, abuse, `127.77.0.${index + 1}`)),
    ),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await run(process.argv[2] ?? '')
