import type { Problem } from './session.ts'

/** Puts each refused field's message beside the field and the focus on the first; what was typed stays. */
export function showErrors(form: HTMLFormElement, fields: readonly Problem[]): void {
  clearErrors(form)
  let first: HTMLElement | null = null
  for (const { field, message } of fields) {
    const control = form.querySelector<HTMLElement>(`[name="${CSS.escape(field)}"]`)
    const box = control?.closest('.field')
    if (!control || !box) continue
    const text = document.createElement('p')
    text.className = 'error'
    text.id = `error-${field}`
    text.textContent = message
    box.querySelector('label, legend')?.after(text)
    control.setAttribute('aria-invalid', 'true')
    control.setAttribute('aria-describedby', text.id)
    first ??= control
  }
  first?.focus()
}

export function clearErrors(form: HTMLFormElement): void {
  for (const old of form.querySelectorAll('.error')) old.remove()
  for (const control of form.querySelectorAll('[aria-invalid]')) {
    control.removeAttribute('aria-invalid')
    control.removeAttribute('aria-describedby')
  }
}
