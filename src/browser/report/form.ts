import { watchCategories } from './categories.ts'
import { element } from './dom.ts'
import { watchGate, type GateField } from './gate.ts'
import { watchPhotos, type PhotoField } from './photos.ts'
import { request, type ReportPage } from './request.ts'
import { watchRetype } from './retype.ts'
import { watchArea } from './routing.ts'
import { countWords } from './words.ts'

// The form as one fluent page: the same pages and the same posts as without JavaScript, put in place without loading
// anew, so that there is one form to keep right.

let photos: PhotoField | null = null
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
  photos = watchPhotos(page)
  gate = watchGate(page)
  watchRetype(page)
  const print = page.querySelector<HTMLElement>('[data-print]')
  if (print) {
    print.hidden = false
    print.addEventListener('click', () => window.print())
  }
}

function show(page: ReportPage, isNew: boolean): void {
  const old = root()
  if (!old) return
  photos?.leave()
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

async function go(
  address: string,
  body: (() => FormData) | null,
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
    if (body && photos && !(await photos.settle())) return release()
    if (body) await gate?.settle()
    const page = await request(address, body ? body() : null)
    release()
    show(page, isNew)
  } catch {
    release()
    offerRetry(() => void go(address, body, isNew, pressed))
  }
}

document.addEventListener('submit', (event) => {
  const form = event.target
  if (event.defaultPrevented || !(form instanceof HTMLFormElement) || !root()?.contains(form)) return
  event.preventDefault()
  const { submitter } = event
  const isVisible = submitter && !submitter.classList.contains('visually-hidden')
  const pressed = isVisible ? submitter : form.querySelector<HTMLElement>('.actions .button')
  void go(form.action, () => new FormData(form, submitter), true, pressed)
})

document.addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest('a') : null
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
  if (!link || !isPlain || !link.closest('[data-report], .crumbs')) return
  if (link.origin !== location.origin || !link.pathname.startsWith('/report/') || link.hash !== '') return
  // A page under a content policy of its own has to be loaded as one.
  if (link.rel === 'external') return
  event.preventDefault()
  void go(link.href, null, true)
})

window.addEventListener('popstate', () => {
  const address = location.pathname + location.search
  // A link to a field of the page moves through history too.
  if (address !== shown) void go(address, null, false)
})

const first = root()
if (first) enhance(first)
