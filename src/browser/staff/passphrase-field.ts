import { checkPassphrase, generatePassphrase } from '../../sealing/passphrase.ts'
import { random } from './session.ts'

/**
 * The two fields of NewPassphrase.astro and their six generated words.
 * @returns what answers the chosen passphrase, or throws with the reason for the member
 */
export function passphraseFields(root: ParentNode): () => string {
  const chosen = root.querySelector<HTMLInputElement>('[data-new-passphrase]')
  const repeated = root.querySelector<HTMLInputElement>('[data-repeated]')
  const words = root.querySelector<HTMLElement>('[data-words]')
  const generate = (): void => {
    if (words) words.textContent = generatePassphrase(random)
  }
  generate()
  root.querySelector('[data-generate]')?.addEventListener('click', generate)
  root.querySelector('[data-use]')?.addEventListener('click', () => {
    if (chosen) chosen.value = words?.textContent ?? ''
    // Typed once by the member, so that the words are on paper and not only on the screen.
    repeated?.focus()
  })
  return () => {
    const passphrase = chosen?.value ?? ''
    const problem = checkPassphrase(passphrase)
    if (problem !== null) {
      chosen?.focus()
      throw new Error(problem)
    }
    if (passphrase !== repeated?.value) {
      repeated?.focus()
      throw new Error('两次输入的口令不一样。')
    }
    return passphrase
  }
}
