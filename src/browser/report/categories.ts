import { element } from './dom.ts'
import { foretell } from './routing.ts'
import { foundWords } from './words.ts'

/** Shows only the categories that contain what is being typed, and says how many. */
function watchSearch(root: HTMLElement): void {
  const form = root.querySelector<HTMLFormElement>('form.find')
  const box = form?.querySelector('input')
  const found = form?.querySelector('[data-found]')
  if (!form || !box || !found) return
  const groups = [...root.querySelectorAll<HTMLElement>('[data-group]')]

  box.addEventListener('input', () => {
    const typed = box.value.trim()
    let count = 0
    for (const group of groups) {
      const items = [...group.querySelectorAll<HTMLElement>('[data-item]')]
      for (const item of items) {
        const matches = (item.dataset['item'] ?? '').includes(typed)
        if (matches) count += 1
        // What is chosen stays in sight.
        item.hidden = !matches && !(item.querySelector('input')?.checked ?? false)
      }
      group.hidden = items.every((item) => item.hidden)
    }
    found.textContent = typed === '' ? '' : foundWords(count)
  })
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    root.querySelector<HTMLElement>('[data-item]:not([hidden]) input')?.focus()
  })
}

/** Under the chosen category: its question, who would get it, and the way on. */
export function watchCategories(root: HTMLElement): void {
  const list = root.querySelector<HTMLElement>('#category')
  if (!list) return
  watchSearch(root)
  const { area = '', someArea = '' } = list.dataset
  const region = element('p', { class: 'foretold', role: 'status' })
  const panel = element('div', { class: 'asked' })

  const value = (selector: string): string =>
    panel.querySelector<HTMLInputElement | HTMLSelectElement>(selector)?.value ?? ''
  const tell = (category: string): void => {
    const answer = value('[name="answer"]:checked')
    const accused = value('[name="accused"]')
    const unanswered = panel.querySelector('[name="accused"]') !== null && accused === ''
    if (unanswered) region.textContent = ''
    else {
      void foretell(
        region,
        { category, answer, accused, area: area || 'unsure' },
        area === '' && accused === '' ? someArea : '',
      )
    }
  }
  const show = (radio: HTMLInputElement): void => {
    const question = root.querySelector<HTMLTemplateElement>(`template[data-asks="${radio.value}"]`)
    region.textContent = ''
    panel.replaceChildren(
      ...(question ? [document.importNode(question.content, true)] : []),
      region,
      element('button', { class: 'button', type: 'submit' }, '下一步'),
    )
    radio.closest('.choice')?.after(panel)
    tell(radio.value)
  }
  const chosen = (): HTMLInputElement | null => list.querySelector('[name="category"]:checked')

  list.addEventListener('change', ({ target }) => {
    const radio = chosen()
    if (!radio) return
    if (target === radio) show(radio)
    else tell(radio.value)
  })
  const before = chosen()
  if (before) show(before)
}
