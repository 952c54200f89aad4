import { SEALED_FIELD_NAMES } from '../../domain/tip.ts'
import { watchCategories } from './categories.ts'
import { element } from './dom.ts'
import { watchGate, type GateField } from './gate.ts'
import { clearErrors, showErrors } from './errors.ts'
import { request, type ReportPage } from './request.ts'
import { watchRetype } from './retype.ts'
import { watchArea } from './routing.ts'
import type { Sealer } from './sealer.ts'
import { countWords } from './words.ts'

// The form as one fluent page: the same pages and the same posts as without JavaScript, put in place without loading
// anew, so that there is one form to keep right. What is told in confidence stays here until it is sealed (sealer.ts);
// where that cannot be, nothing is sent, and a form that does without this script is offered.

let sealer: Sealer | null = null
/** Done when the page that is shown has what is held for it. */
let entered: Promise<boolean> = Promise.resolve(true)
let gate: GateField | null = null
let isBusy = false
let shown = location.pathname + location.search

const root = (): HTMLElement | null => document.querySelector('[data-report]')

function watchCount(page: HTMLElement): void {
  for (const area of page.querySelectorAll<HTMLTextAreaElement>('textarea[data-limit]')) {
    const limit = Number(area.dataset['limit'])
    const count = element('p', { class: 'hint' })
    const tell = (): void => {
      const { words, over } = countWords(area.value, limit)
      count.className = over ? 'error' : 'hint'
      // Heard only where it matters; read out at every key it would drown the text.
      count.setAttribute('role', over ? 'alert' : 'note')
      count.textContent = words
    }
    area.after(count)
    area.addEventListener('input', tell)
    tell()
  }
}

function enhance(page: HTMLElement): void {
  watchCategories(page)
  watchArea(page)
  watchCount(page)
  gate = watchGate(page)
  entered = enter(page)
  watchRetype(page)
  const print = page.querySelector<HTMLElement>('[data-print]')
  if (print) {
    print.hidden = false
    print.addEventListener('click', () => window.print())
  }
}

/** Whether this page's tip is sealed by the server, as its reporter chose: then the script only helps. */
const isPlain = (): boolean => root()?.dataset['sealing'] === 'server'

/** Says why nothing can go on here, and what can. Nothing that was typed goes out by itself. */
function offerPlain(page: HTMLElement): void {
  page.querySelector('[data-sealing-wait]')?.remove()
  const box = element(
    'div',
    { class: 'error-summary', role: 'alert', tabindex: '-1', 'data-sealing-failed': '' },
    element('h2', {}, '没能在您的设备上密封'),
    element('p', {}, '所以什么都没有发出去。可以刷新本页再试一次，或者换一个浏览器。'),
    element(
      'p',
      {},
      '也可以改用',
      element('a', { href: '/report/?plain=1', rel: 'external' }, '不用脚本的表单'),
      '：由本站服务器在内存里密封，不留明文；不同的是，密封前的那一刻服务器能看到内容，照片也由服务器去掉拍摄信息。已经写的要重新填。',
    ),
  )
  page.querySelector('h1')?.after(box)
  box.focus()
}

const CAN_SEAL = ['ReadableStream', 'TransformStream', 'Worker', 'Blob'] as const

/** Gives a page what is held for it. Answers false where sealing is not to be had. */
async function enter(page: HTMLElement): Promise<boolean> {
  const { sealing, report } = page.dataset
  if (sealing !== 'browser' && !page.querySelector('[data-receipt]')) return true
  if (report === 'category' || report === 'question') return true
  try {
    if (!('subtle' in crypto) || CAN_SEAL.some((name) => !(name in globalThis))) {
      throw new Error('this browser cannot seal')
    }
    sealer ??= (await import('./sealer.ts')).createSealer(() => {
      const shown = root()
      if (shown) offerPlain(shown)
    })
    await sealer.enter(page)
    return true
  } catch {
    // The tip is sent; only its code cannot be shown once more.
    if (report === 'sent') return true
    offerPlain(page)
    return false
  }
}

function show(page: ReportPage, isNew: boolean): void {
  const old = root()
  if (!old) return
  sealer?.leave()
  gate?.leave()
  document.querySelector('.crumbs')?.remove()
  const crumbs = page.document.querySelector('.crumbs')
  if (crumbs) document.querySelector('main')?.before(document.adoptNode(crumbs))
  const fresh = document.adoptNode(page.root)
  old.replaceWith(fresh)
  document.title = page.document.title
  const { pathname, search } = new URL(page.address)
  const address = pathname + search
  if (isNew && address !== shown) {
    // After sending, “back” shall not lead to a draft that is gone.
    if (fresh.dataset['report'] === 'sent') history.replaceState(null, '', address)
    else history.pushState(null, '', address)
  }
  shown = address
  enhance(fresh)
  window.scrollTo(0, document.querySelector<HTMLElement>('main')?.offsetTop ?? 0)
  const target = fresh.querySelector<HTMLElement>('.error-summary') ?? fresh.querySelector<HTMLElement>('h1')
  target?.focus()
}

/** Says that nothing went out, keeps the page as it is and offers to try again. */
function offerRetry(again: () => void): void {
  const button = element('button', { class: 'button-secondary', type: 'button' }, '重试')
  const box = element(
    'div',
    { class: 'error-summary', role: 'alert', tabindex: '-1', 'data-retry': '' },
    element('h2', {}, '没有发出去'),
    element('p', {}, '网络断了，或者本站没有回答。您填写的都还在这一页。'),
    button,
  )
  button.addEventListener('click', () => {
    box.remove()
    again()
  })
  const actions = root()?.querySelector('.actions')
  if (actions) actions.before(box)
  else root()?.prepend(box)
  box.focus()
}

/** A page of the form about to be sent. */
interface Sending {
  readonly form: HTMLFormElement
  readonly submitter: HTMLElement | null
}

/** A page as it may leave the browser: without what is told in confidence. */
function bodyOf({ form, submitter }: Sending): FormData {
  const body = new FormData(form, submitter)
  for (const name of SEALED_FIELD_NAMES) body.delete(name)
  body.delete('photos')
  body.set('sealing', 'browser')
  return body
}

/**
 * Does what comes before a page is sent, and sends the tip from the last.
 * @returns false when the page stays; a page that is to be shown instead of the answer
 */
async function prepare({ form, submitter }: Sending): Promise<boolean | ReportPage> {
  const page = root()
  if (!(await entered) || !page) return false
  if (!(await (sealer?.settle() ?? true))) return false
  await gate?.settle()
  const { report } = page.dataset
  if (!sealer || report === 'category' || report === 'question') return true
  clearErrors(page)
  if (report === 'check') {
    const { RefusedError } = await import('./sealer.ts')
    try {
      const changed = await sealer.send(page)
      return changed ?? (await request('/report/sent/', null))
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      showErrors(page, error.errors.length > 0 ? error.errors : [{ field: '', message: error.message }])
      return false
    }
  }
  const problems = await sealer.take(form)
  const goesOn = submitter?.getAttribute('name') !== 'back'
  if (problems.length === 0 || !goesOn) return true
  showErrors(page, problems)
  return false
}

async function go(
  address: string,
  sending: Sending | null,
  isNew: boolean,
  pressed: HTMLElement | null = null,
): Promise<void> {
  if (isBusy) return
  isBusy = true
  root()?.querySelector('[data-retry]')?.remove()
  const label = pressed?.textContent ?? ''
  pressed?.setAttribute('aria-disabled', 'true')
  if (pressed) pressed.textContent = '正在发送…'
  const release = (): void => {
    isBusy = false
    pressed?.removeAttribute('aria-disabled')
    if (pressed) pressed.textContent = label
  }
  try {
    const ready = sending ? await prepare(sending) : true
    if (ready === false) return release()
    const page = ready === true ? await request(address, sending && bodyOf(sending)) : ready
    release()
    show(page, isNew)
  } catch (error) {
    release()
    const page = root()
    if (page && error instanceof Error && error.name === 'SealingError') return offerPlain(page)
    offerRetry(() => void go(address, sending, isNew, pressed))
  }
}

document.addEventListener('submit', (event) => {
  const form = event.target
  if (event.defaultPrevented || !(form instanceof HTMLFormElement) || !root()?.contains(form)) return
  if (isPlain()) return
  event.preventDefault()
  const { submitter } = event
  const isVisible = submitter && !submitter.classList.contains('visually-hidden')
  const pressed = isVisible ? submitter : form.querySelector<HTMLElement>('.actions .button')
  void go(form.action, { form, submitter }, true, pressed)
})

document.addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest('a') : null
  const isOrdinary =
    event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
  if (!link || !isOrdinary || isPlain() || !link.closest('[data-report], .crumbs')) return
  if (link.origin !== location.origin || !link.pathname.startsWith('/report/') || link.hash !== '') return
  // A page under a content policy of its own has to be loaded as one.
  if (link.rel === 'external') return
  event.preventDefault()
  void go(link.href, null, true)
})

window.addEventListener('popstate', () => {
  const address = location.pathname + location.search
  // A link to a field of the page moves through history too.
  if (address !== shown) void (isPlain() ? location.reload() : go(address, null, false))
})

const first = root()
if (first) enhance(first)
