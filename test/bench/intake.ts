import { randomUUID } from 'node:crypto'
import { percentile } from './figures.ts'

export interface Intake {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** What went wrong, one line each. */
  readonly failures: readonly string[]
  /** Case numbers that were given twice. */
  readonly duplicates: number
  readonly sent: number
  readonly receiptCodes: readonly string[]
}

const PLAIN = {
  category: 'road-dust',
  area: 'unsure',
  when: 'now',
  description: '道路扬尘很大，没有洒水，一整天都是这样。',
  place: '示例路与样例街交叉口东北角',
}

function request(photo: Uint8Array<ArrayBuffer> | null): RequestInit {
  const headers = { 'idempotency-key': randomUUID() }
  const plain = JSON.stringify(PLAIN)
  if (photo === null) {
    return {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: `{"plain":${plain}}`,
    }
  }
  const body = new FormData()
  body.append('plain', plain)
  body.append('photos', new Blob([photo], { type: 'image/jpeg' }), 'photo.jpg')
  return { method: 'POST', headers, body }
}

/** So many submitters at once, each sending its tips one after another. */
export async function submit(
  url: string,
  submitters: number,
  each: number,
  photo: Uint8Array<ArrayBuffer> | null,
): Promise<Intake> {
  const latencies: number[] = []
  const caseNumbers: string[] = []
  const receiptCodes: string[] = []
  const failures: string[] = []
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: submitters }, async () => {
      for (let sent = 0; sent < each; sent += 1) {
        const sentAt = performance.now()
        try {
          const reply = await fetch(url, { ...request(photo), signal: AbortSignal.timeout(30_000) })
          const text = await reply.text()
          if (reply.status === 201) {
            const filed = JSON.parse(text) as { caseNo: string; receiptCode: string }
            caseNumbers.push(filed.caseNo)
            receiptCodes.push(filed.receiptCode)
          } else failures.push(`${reply.status} ${text}`)
        } catch (error) {
          failures.push(`${String(error)}; ${String((error as Error).cause)}`)
        }
        latencies.push(performance.now() - sentAt)
      }
    }),
  )
  const seconds = (performance.now() - startedAt) / 1000
  return {
    perSecond: caseNumbers.length / seconds,
    p50: percentile(latencies, 0.5) ?? 0,
    p99: percentile(latencies, 0.99) ?? 0,
    failures,
    duplicates: caseNumbers.length - new Set(caseNumbers).size,
    sent: submitters * each,
    receiptCodes,
  }
}
