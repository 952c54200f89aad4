import { element } from './element.ts'
import type { Problem } from './session.ts'

/**
 * Puts each refused field's message beside the field and the focus on the first; what was typed stays. A form marked
 * `data-summary` also gets a summary with links to the fields, which then has the focus.
 */
export function showErrors(form: HTMLFormElement, fields: readonly Problem[]): void {
  clearErrors(form)
  let first: HTMLElement | null = null
  const links: HTMLAnchorElement[] = []
  for (const { field, message } of fields) {
    const control = form.querySelector<HTMLElement>(`[name="${CSS.escape(field)}"]`)
    const box = control?.closest('.field')
    if (!control || !box) continue
    const text = element('p', message)
    text.className = 'error'
    text.id = `error-${field}`
    box.querySelector('label, legend')?.after(text)
    control.setAttribute('aria-invalid', 'true')
    control.setAttribute('aria-describedby', text.id)
    const link = element('a', message)
    link.href = `#${control.id}`
    links.push(link)
    first ??= control
  }
  if ('summary' in form.dataset && links.length > 0) first = summaryOf(form, links)
  first?.focus()
}

function summaryOf(form: HTMLFormElement, links: readonly HTMLAnchorElement[]): HTMLElement {
  const box = element('div')
  box.className = 'error-summary'
  box.tabIndex = -1
  box.setAttribute('role', 'alert')
  element('p', '有几处需要修改', box)
  const list = element('ul', '', box)
  for (const link of links) element('li', '', list).append(link)
  form.prepend(box)
  return box
}

export function clearErrors(form: HTMLFormElement): void {
  for (const old of form.querySelectorAll('.error, .error-summary')) old.remove()
  for (const control of form.querySelectorAll('[aria-invalid]')) {
    control.removeAttribute('aria-invalid')
    control.removeAttribute('aria-describedby')
  }
}
