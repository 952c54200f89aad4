import { MAX_MESSAGE, MAX_MESSAGE_PHOTOS, type Side } from '../../domain/message.ts'
import { parseReceiptCode } from '../../domain/receipt.ts'
import { cleanText } from '../../domain/tip.ts'
import { fromBase64Url, toBase64Url } from '../../sealing/bytes.ts'
import type * as Sealing from './sealing.ts'
import { ask, mainOf, Refusal, requestPage, type TrackPage } from './request.ts'

// The receipt code stays on this device: what goes out is a value derived from it, by which the server finds the case
// but opens nothing. The key to the messages lives in this page's memory; a reload asks for the code again.

interface Thread {
  readonly tip: string
  readonly recipients: readonly string[]
  readonly recipientMac: string | null
  readonly next: number
  readonly messages: readonly { readonly number: number; readonly from: Side; readonly sealed: string }[]
}

const SEND_TRIES = 3

let keys: Awaited<ReturnType<typeof Sealing.deriveReceipt>> | null = null
let isBusy = false
let previews: string[] = []

const root = (): HTMLElement | null => mainOf(document)
const loadSealing = (): Promise<typeof Sealing> => import('./sealing.ts')

function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}

// Outside of what is replaced, so that it is heard.
const status = element('p', { class: 'visually-hidden', role: 'status' })
document.body.append(status)

function say(text: string): void {
  status.textContent = text
}

/** Says at the form what went wrong. Nothing is sent another way by itself. */
function complain(form: HTMLFormElement, text: string, offer?: { words: string; run: () => void }): void {
  form.querySelector('[data-problem]')?.remove()
  const box = element(
    'div',
    { class: 'error-summary', role: 'alert', tabindex: '-1', 'data-problem': '' },
    element('p', {}, text),
  )
  if (offer) {
    const button = element('button', { class: 'button-secondary', type: 'button' }, offer.words)
    button.addEventListener('click', offer.run)
    box.append(button)
  }
  form.prepend(box)
  box.focus()
}

async function show(page: TrackPage, focus: string): Promise<void> {
  for (const address of previews) URL.revokeObjectURL(address)
  previews = []
  const fresh = document.adoptNode(page.root)
  root()?.replaceWith(fresh)
  document.title = page.document.title
  if (fresh.querySelector('[data-track="closed"]')) keys = null
  enhance(fresh)
  if (keys) await openThread(fresh, keys.identity)
  const target = fresh.querySelector<HTMLElement>('.error-summary') ?? fresh.querySelector<HTMLElement>(focus)
  target?.focus()
}

function enhance(page: HTMLElement): void {
  for (const hint of page.querySelectorAll<HTMLElement>('[data-stays]')) hint.hidden = false
  // Loaded while the code is being typed.
  page.querySelector('#code')?.addEventListener('input', () => void loadSealing().catch(() => {}), {
    once: true,
  })
}

const opaque = (text: string): Uint8Array<ArrayBuffer> => {
  const bytes = fromBase64Url(text)
  if (!bytes) throw new Error('服务器的回答无法识别。')
  return new Uint8Array(bytes)
}

/** Puts the texts in their places. */
async function openThread(page: HTMLElement, key: string): Promise<void> {
  const section = page.querySelector('[data-thread]')
  if (!section) return
  section.querySelector('[data-locked]')?.remove()
  const rows = [...section.querySelectorAll<HTMLElement>('[data-number]')]
  if (rows.length === 0) return
  try {
    const { openMessage, openMessagePhoto } = await loadSealing()
    const { tip, messages } = await ask<Thread>('current/messages')
    for (const row of rows) {
      const place = row.querySelector('[data-text]')
      const number = Number(row.dataset['number'])
      const message = messages.find((one) => one.number === number)
      if (!place || !message) continue
      try {
        const { text, photos } = await openMessage(
          { tip, number, from: message.from },
          key,
          opaque(message.sealed),
        )
        const lines = text.split('\n').filter((line) => line.trim() !== '')
        place.replaceChildren(...lines.map((line) => element('p', {}, line)))
        for (const [index, photo] of photos.entries()) {
          const reply = await fetch(`/track/photos/${photo}/`)
          const sealed = new Uint8Array(await reply.arrayBuffer())
          const { redraw } = await import('./picture.ts')
          const picture = await redraw(new Blob([await openMessagePhoto({ tip, photo }, key, sealed)]))
          const address = URL.createObjectURL(picture)
          previews.push(address)
          place.append(element('img', { src: address, alt: `留言照片 ${index + 1}` }))
        }
      } catch {
        const words = '这一条打不开：它不是原来封好的样子。请向办理单位的热线反映。'
        place.append(element('p', { class: 'error' }, words))
      }
    }
  } catch {
    section.append(
      element('p', { class: 'error', role: 'alert' }, '留言没有取到，请刷新页面，再输入一次查询码。'),
    )
  }
}

async function openWithCode(form: HTMLFormElement): Promise<void> {
  const code = parseReceiptCode(form.querySelector<HTMLInputElement>('input[name="code"]')?.value ?? '')
  if (code === null) {
    complain(form, '没有找到。请检查有没有抄错；查询码是 24 个字母和数字。')
    return
  }
  let derived: Awaited<ReturnType<typeof Sealing.deriveReceipt>>
  try {
    derived = await (await loadSealing()).deriveReceipt(code)
  } catch {
    complain(
      form,
      '这个浏览器打不开封好的内容，查询码没有送出。可以改用普通方式：查询码送到服务器，在内存里打开，不保存。',
      { words: '改用普通方式打开', run: () => form.submit() },
    )
    return
  }
  await ask('open', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: derived.auth }),
  })
  keys = derived
  await show(await requestPage(), 'h1')
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

const orEnded = (error: unknown): never => {
  if (!(error instanceof Refusal) || error.status !== 404) throw error
  throw new Error('打开的时间（20 分钟）到了，没有发出。请先复制您写的，再刷新页面，输入查询码。')
}

/** Seals what the form holds and sends it; sealed anew when the department wrote in between. */
async function sendSealed(form: HTMLFormElement, text: string): Promise<void> {
  const files = [...(form.querySelector<HTMLInputElement>('input[type="file"]')?.files ?? [])]
  if (files.length > MAX_MESSAGE_PHOTOS) throw new Error(`照片最多 ${MAX_MESSAGE_PHOTOS} 张，请少选几张。`)
  const { areOwnRecipients, sealMessage, sealMessagePhoto } = await loadSealing().catch(() => {
    throw new Error('封装程序没有取到，什么都没有发出。请检查网络后再试，您写的还在。')
  })
  const { strip } = await import('./picture.ts')
  const pictures: Uint8Array[] = []
  for (const file of files) pictures.push(await strip(file))
  // The same for every try of this form: it is one message, however often the line breaks.
  form.dataset['key'] ??= toBase64Url(crypto.getRandomValues(new Uint8Array(24)))
  for (let attempt = 1; ; attempt += 1) {
    const thread = await ask<Thread>('current/messages').catch(orEnded)
    const { tip, recipients, next } = thread
    if (!keys && thread.recipientMac !== null) {
      throw new Error('这一页还没有钥匙，不能核对收件人，没有发出。请先复制您写的，再输入一次查询码。')
    }
    if (keys && !areOwnRecipients(keys, thread)) {
      throw new Error(
        '本站给的收件钥匙和您交举报时的不一样，没有发出。请刷新页面再试；还是这样，请拨打热线。',
      )
    }
    const photos = pictures.map(() => hex(crypto.getRandomValues(new Uint8Array(16))))
    const address = { tip, number: next, from: 'reporter' } as const
    const sealed = toBase64Url(await sealMessage(address, recipients, { text, photos }))
    const body = new FormData()
    body.append('sealed', JSON.stringify({ number: next, sealed, photos }))
    for (const [index, picture] of pictures.entries()) {
      const photo = photos[index] ?? ''
      body.append('photos', new Blob([await sealMessagePhoto({ tip, photo }, recipients, picture)]), 'photo')
    }
    try {
      await ask('current/messages', {
        method: 'POST',
        headers: { 'idempotency-key': form.dataset['key'] },
        body,
      })
      return
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 409 || attempt === SEND_TRIES) throw error
      const { next: then } = await ask<Thread>('current/messages')
      if (then === next) throw error
    }
  }
}

async function submit(form: HTMLFormElement, submitter: HTMLElement | null): Promise<void> {
  if ('open' in form.dataset) {
    await openWithCode(form)
    return
  }
  const kind = form.dataset['seals']
  const body = new FormData(form, submitter)
  if (kind !== undefined) {
    const area = form.querySelector('textarea')
    const text = cleanText(area?.value ?? '')
    if (Array.from(text).length > MAX_MESSAGE) throw new Error(`最多 ${MAX_MESSAGE} 个字，请删减。`)
    if (text === '' && kind === 'message') throw new Error('请写几个字。')
    if (text !== '') await sendSealed(form, text)
    if (kind === 'message') {
      await show(await requestPage(), '[data-thread] h2')
      say('已密封发出。')
      return
    }
    // The words have gone out sealed; the form goes on without them.
    body.delete('text')
  }
  await show(await requestPage(body), 'h1')
}

document.addEventListener('submit', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || !root()?.contains(form)) return
  event.preventDefault()
  if (isBusy) return
  isBusy = true
  say('正在处理……')
  const pressed = event.submitter
  pressed?.setAttribute('aria-disabled', 'true')
  submit(form, pressed)
    .catch((error: unknown) => {
      say('')
      complain(form, error instanceof Error ? error.message : '没有成功，请再试一次。')
    })
    .finally(() => {
      isBusy = false
      pressed?.removeAttribute('aria-disabled')
    })
})

// What was changed after a try that failed is another message.
document.addEventListener('input', (event) => {
  const form = event.target instanceof Element ? event.target.closest('form') : null
  if (form) delete form.dataset['key']
})

const first = root()
if (first) enhance(first)
