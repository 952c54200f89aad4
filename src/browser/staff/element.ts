/** A new element with its text, at the end of its parent. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  text = '',
  parent?: Element,
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name)
  made.textContent = text
  parent?.append(made)
  return made
}
