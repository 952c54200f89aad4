import { matchesEnd } from '../../domain/receipt.ts'
import { element } from './dom.ts'

/** Tells at once whether the end of the code was copied right; the server looks again, and says so without this. */
export function watchRetype(page: HTMLElement): void {
  const input = page.querySelector<HTMLInputElement>('[data-retype] input')
  const shown = page.querySelector('.receipt-code')
  if (!input || !shown) return
  const code = (shown.textContent ?? '').replace(/\s/g, '')
  const verdict = element('p', { class: 'hint', role: 'status' })
  input.after(verdict)
  input.addEventListener('change', () => {
    const typed = input.value.trim()
    const isRight = matchesEnd(code, typed)
    verdict.className = typed === '' || isRight ? 'hint' : 'error'
    verdict.textContent =
      typed === '' ? '' : isRight ? '一样，抄对了。' : '和上面的最后一组不一样，请对照着看看。'
  })
}
