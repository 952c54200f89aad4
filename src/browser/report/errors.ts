import type { FieldError } from '../../domain/errors.ts'
import { element } from './dom.ts'

const MARK = '错误：'

/** Takes away what {@link showErrors} put on a page. */
export function clearErrors(page: HTMLElement): void {
  for (const shown of page.querySelectorAll('[data-own-error], .error-summary')) shown.remove()
  for (const field of page.querySelectorAll('[data-own-invalid]')) {
    field.removeAttribute('aria-invalid')
    field.removeAttribute('data-own-invalid')
  }
  if (document.title.startsWith(MARK)) document.title = document.title.slice(MARK.length)
}

/** Shows what is wrong as the server would (ErrorSummary.astro): a summary with the focus, and each at its field. */
export function showErrors(page: HTMLElement, errors: readonly FieldError[], title = '有几处需要修改'): void {
  clearErrors(page)
  const list = element('ul')
  for (const { field, message } of errors) {
    const control = field === '' ? null : page.querySelector(`#${CSS.escape(field)}`)
    list.append(element('li', {}, control ? element('a', { href: `#${field}` }, message) : message))
    if (!control) continue
    const id = `${field}-error`
    control.before(element('p', { class: 'error', id, 'data-own-error': '' }, message))
    control.setAttribute('aria-invalid', 'true')
    control.setAttribute('data-own-invalid', '')
    const described = new Set((control.getAttribute('aria-describedby') ?? '').split(' ')).add(id)
    control.setAttribute('aria-describedby', [...described].join(' ').trim())
  }
  const summary = element(
    'div',
    { class: 'error-summary', role: 'alert', 'aria-labelledby': 'error-summary-title', tabindex: '-1' },
    element('h2', { id: 'error-summary-title' }, title),
    list,
  )
  page.querySelector('h1')?.after(summary)
  document.title = MARK + document.title
  summary.focus()
}
