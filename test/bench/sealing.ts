import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium } from '@playwright/test'
import type { RecipientEntry } from '../../src/sealing/recipient-list.ts'
import { findChromium } from '../support/browser.ts'
import { newSecrets, sealedTip } from '../support/sealed.ts'

const ASSETS = fileURLToPath(new URL('../../dist/client/assets', import.meta.url))

/** Requests of browsers that have sealed already: what is left to measure is the server. */
export async function sealedRequests(site: string, count: number): Promise<RequestInit[]> {
  const { items } = (await (await fetch(`${site}/api/v1/recipients`)).json()) as { items: RecipientEntry[] }
  const routing = await fetch(`${site}/api/v1/routing?category=road-dust&area=unsure`)
  const { readers } = (await routing.json()) as { readers: string[] }
  const keys = readers.map((department) => {
    const key = items.findLast(({ owner }) => owner === department)
    if (!key) throw new Error(`no key of ${department}`)
    return { department, epoch: key.epoch, recipient: key.recipient }
  })
  const requests: RequestInit[] = []
  for (let made = 0; made < count; made += 1) {
    const secrets = await newSecrets()
    const sealed = await sealedTip(secrets, keys, { category: 'road-dust', area: 'unsure' })
    requests.push({
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': secrets.idempotencyKey },
      body: JSON.stringify({ sealed }),
    })
  }
  return requests
}

/** Milliseconds of a real browser's worker: 3 MB sealed and checked; nine photos looked at, stripped, sealed twice. */
export interface BrowserSealing {
  readonly threeMb: number
  readonly ninePhotos: number
}

/** Null where there is no Chromium. @param photo one of the nine */
export async function sealInBrowser(site: string, photo: Uint8Array): Promise<BrowserSealing | null> {
  const executablePath = findChromium()
  const asset = readdirSync(ASSETS).find((name) => name.startsWith('seal-worker'))
  if (executablePath === null || asset === undefined) return null
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  try {
    const page = await browser.newPage()
    await page.goto(`${site}/report/`)
    return await page.evaluate(
      async ([address, base64]) => {
        const { trustedTypes } = globalThis as unknown as {
          trustedTypes: {
            createPolicy: (
              name: string,
              rules: { createScriptURL: (url: string) => string },
            ) => { createScriptURL: (url: string) => string }
          }
        }
        const policy = trustedTypes.createPolicy('report-worker', { createScriptURL: (url) => url })
        const worker = new Worker(policy.createScriptURL(address), { type: 'module' })
        const ask = (job: string, given: unknown): Promise<never> =>
          new Promise((resolve, reject) => {
            worker.onmessage = ({ data }: MessageEvent<{ made?: never; failed?: string }>) => {
              if (data.failed === undefined) resolve(data.made as never)
              else reject(new Error(data.failed))
            }
            worker.postMessage({ id: 1, job, given })
          })
        const secrets = await ask('begin', null)
        const seal = (part: number, purpose: string, bytes: Uint8Array) =>
          ask('photo', { secrets, purpose, part, bytes })
        let from = performance.now()
        await seal(0, 'tip.original', new Uint8Array(3_000_000))
        const threeMb = performance.now() - from
        const photo = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0))
        from = performance.now()
        for (let part = 1; part <= 9; part += 1) {
          const { working } = await ask('look', { bytes: photo })
          await seal(part, 'tip.photo', working)
          await seal(part, 'tip.original', photo)
        }
        return { threeMb, ninePhotos: performance.now() - from }
      },
      [`/assets/${asset}`, Buffer.from(photo).toString('base64')] as const,
    )
  } finally {
    await browser.close()
  }
}
