import sharp from 'sharp'
import { parseReceiptCode } from '../../src/domain/receipt.ts'
import { plainTip, tipForm } from '../support/app.ts'
import { receiptCodeOf, startWalk, tokenOf } from '../support/form-walk.ts'
import type { Dice } from './settings.ts'

/** What the server owes the sender of a tip once it has said so. */
export interface Receipt {
  /** Canonical, 24 symbols. */
  readonly code: string
  /** Null when the connection ended between the answer and the page with the number. */
  readonly caseNo: string | null
}

/** What came of one attempt. */
export type Outcome =
  | { readonly got: 'receipt' }
  /** Not taken, and said so. */
  | { readonly got: 'refusal'; readonly status: number; readonly why: string }
  /** The connection ended before the answer: taken or not, nobody knows. */
  | { readonly got: 'nothing' }

/** One tip as its sender sees it; all of them together are the client's ledger. */
export interface SentTip {
  readonly by: 'api' | 'form'
  readonly description: string
  readonly photos: readonly Uint8Array[]
  /** Kept from the first 201 or 303 on. */
  readonly receipt: Receipt | null
  /**
   * Sends it, or sends it again: a form goes on where it stood.
   * @throws {Error} for an answer that is neither a receipt nor a refusal by an error status
   */
  send(): Promise<Outcome>
  /** The same request once more, after the receipt. */
  repeat(): Promise<Receipt>
}

const PATIENCE_MS = 90_000

/** Small pictures that differ, with what a phone writes into them. */
export async function takePhotos(dice: Dice, count: number): Promise<readonly Uint8Array[]> {
  const photos: Uint8Array[] = []
  for (let taken = 0; taken < count; taken += 1) {
    const [width, height] = [96 + 16 * dice.below(8), 96 + 16 * dice.below(8)]
    const pixels = sharp(dice.bytes(width * height * 3), { raw: { width, height, channels: 3 } })
    const photo = pixels.withExif({ IFD0: { ImageDescription: `photo ${taken}` } }).jpeg({ quality: 85 })
    photos.push(new Uint8Array(await photo.toBuffer()))
  }
  return photos
}

function problemIn(reply: Response, text: string): string {
  const type = reply.headers.get('content-type') ?? ''
  if (!type.startsWith('application/problem+json')) {
    throw new Error(`${reply.status} without a problem document: ${text.slice(0, 200)}`)
  }
  return (JSON.parse(text) as { type: string }).type
}

/** A connection that broke is an outcome; everything else is passed on. */
async function orNothing(attempt: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await attempt()
  } catch (error) {
    const broken = error instanceof TypeError && /fetch failed|terminated/.test(error.message)
    if (broken) return { got: 'nothing' }
    throw error
  }
}

const canonical = (code: string): string => {
  const parsed = parseReceiptCode(code)
  if (parsed === null) throw new Error(`${code} is no receipt code`)
  return parsed
}

/** A program: one request, JSON or a form with photos, under one idempotency key. */
export function apiTip(
  at: () => string,
  dice: Dice,
  description: string,
  photos: readonly Uint8Array[],
): SentTip {
  const key = Buffer.from(dice.bytes(16)).toString('hex')
  const plain = plainTip({ description })
  let receipt: Receipt | null = null

  async function post(): Promise<{ reply: Response; text: string }> {
    const json = photos.length === 0
    const reply = await fetch(`${at()}/api/v1/tips`, {
      method: 'POST',
      headers: { 'idempotency-key': key, ...(json ? { 'content-type': 'application/json' } : {}) },
      body: json ? JSON.stringify({ plain }) : tipForm(plain, photos),
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
    return { reply, text: await reply.text() }
  }
  const receiptIn = (text: string): Receipt => {
    const { caseNo, receiptCode } = JSON.parse(text) as { caseNo: string; receiptCode: string }
    return { caseNo, code: canonical(receiptCode) }
  }

  return {
    by: 'api',
    description,
    photos,
    get receipt() {
      return receipt
    },
    send: () =>
      orNothing(async () => {
        const { reply, text } = await post()
        if (reply.status >= 400) {
          return { got: 'refusal', status: reply.status, why: problemIn(reply, text) }
        }
        if (reply.status !== 201 && reply.status !== 200) throw new Error(`${reply.status}: ${text}`)
        receipt = receiptIn(text)
        return { got: 'receipt' }
      }),
    async repeat() {
      const { reply, text } = await post()
      if (reply.status !== 200) throw new Error(`a repeat was answered ${reply.status}: ${text}`)
      return receiptIn(text)
    },
  }
}

/** A browser without JavaScript: page after page, then the button. */
export function formTip(at: () => string, description: string, photos: readonly Uint8Array[]): SentTip {
  const walk = startWalk(at)
  let step = 0
  let sealed: { readonly token: string; readonly code: string } | null = null
  let receipt: Receipt | null = null

  const STEPS: readonly [path: string, fields: Record<string, string>, next: string][] = [
    ['/report/', { category: 'boiler-coal' }, '/report/where/'],
    ['/report/where/', { area: '410102001', place: '', when: 'now', urgency: 'soon' }, '/report/what/'],
    ['/report/what/', { description }, '/report/contact/'],
    ['/report/contact/', { callback: '' }, '/report/check/'],
  ]
  const refusal = (status: number, path: string, html: string): Outcome => {
    if (status < 400) throw new Error(`${path} answered ${status}`)
    const said = /<p class="error"[^>]*>([^<]*)/.exec(html)?.[1] ?? /<h1[^>]*>\s*([^<]*)/.exec(html)?.[1]
    if (!said) throw new Error(`${path} answered ${status} and did not say why: ${html.slice(0, 200)}`)
    return { got: 'refusal', status, why: said.trim() }
  }
  const sentPage = (html: string, promised: string): Receipt => {
    const code = canonical(receiptCodeOf(html))
    if (code !== promised) throw new Error('the receipt is not the one of the check page')
    return { code, caseNo: /ZY-\d{4}-[0-9A-Z]{5}/.exec(html)?.[0] ?? null }
  }

  async function press(token: string): Promise<Outcome> {
    const reply = await walk.post('/report/check/', token, {})
    const html = await reply.text()
    if (reply.status !== 303) return refusal(reply.status, '/report/check/', html)
    const to = reply.headers.get('location')
    if (to !== '/report/sent/') throw new Error(`the button led to ${String(to)}`)
    return { got: 'receipt' }
  }

  /** Photos one by one, as phones do over a weak network; null when all are there. */
  async function addPhotos(): Promise<Outcome | null> {
    const path = '/report/what/'
    for (;;) {
      // What came through before the connection broke is on the page.
      const page = await walk.get(path)
      if (page.status !== 200) return refusal(page.status, path, page.html)
      const next = photos[page.html.match(/data-part="/g)?.length ?? 0]
      if (!next) return null
      const reply = await walk.post(path, tokenOf(page.html), { description, upload: '1' }, [next])
      const html = await reply.text()
      if (reply.status !== 200) return refusal(reply.status, path, html)
    }
  }

  /** Null when the whole form was taken step by step. */
  async function fill(): Promise<Outcome | null> {
    for (let next = STEPS[step]; next; next = STEPS[step]) {
      const [path, fields, to] = next
      const stopped = path === '/report/what/' ? await addPhotos() : null
      if (stopped) return stopped
      const page = await walk.get(path)
      if (page.status !== 200) return refusal(page.status, path, page.html)
      const reply = await walk.post(path, tokenOf(page.html), fields)
      const html = await reply.text()
      if (reply.status !== 303) return refusal(reply.status, path, html)
      const location = reply.headers.get('location')
      if (location !== to) throw new Error(`${path} led to ${String(location)} instead of ${to}`)
      step += 1
    }
    return null
  }

  return {
    by: 'form',
    description,
    photos,
    get receipt() {
      return receipt
    },
    send: () =>
      orNothing(async () => {
        if (sealed) {
          // The button was pressed and no answer came: a reload tells whether it was sent.
          const sent = await walk.get('/report/sent/')
          if (sent.status === 200) {
            receipt = sentPage(sent.html, sealed.code)
            return { got: 'receipt' }
          }
          if (sent.status !== 303) return refusal(sent.status, '/report/sent/', sent.html)
        }
        const stopped = await fill()
        if (stopped) return stopped
        const check = await walk.get('/report/check/')
        if (check.status !== 200) return refusal(check.status, '/report/check/', check.html)
        const shown = check.html.match(/src="\/report\/photos\//g)?.length ?? 0
        if (shown !== photos.length)
          throw new Error(`${shown} photos on the check page, not ${photos.length}`)
        sealed = { token: tokenOf(check.html), code: canonical(receiptCodeOf(check.html)) }
        const pressed = await press(sealed.token)
        if (pressed.got !== 'receipt') return pressed
        receipt = { code: sealed.code, caseNo: null }
        const sent = await walk.get('/report/sent/')
        if (sent.status === 200) receipt = sentPage(sent.html, sealed.code)
        return { got: 'receipt' }
      }),
    async repeat() {
      if (!sealed) throw new Error('was not sent')
      const again = await press(sealed.token)
      if (again.got !== 'receipt') throw new Error(`a repeat was answered ${JSON.stringify(again)}`)
      const sent = await walk.get('/report/sent/')
      return sentPage(sent.html, sealed.code)
    },
  }
}
