/** Shows only the categories that contain what is being typed; without JavaScript the search button does the same. */
const box = document.querySelector<HTMLInputElement>('[data-filter="categories"]')
const groups = [...document.querySelectorAll<HTMLElement>('[data-group]')]

box?.addEventListener('input', () => {
  const typed = box.value.trim()
  for (const group of groups) {
    const items = [...group.querySelectorAll<HTMLElement>('[data-item]')]
    for (const item of items) {
      const picked = item.querySelector('input')?.checked ?? false
      item.hidden = typed !== '' && !picked && !(item.dataset['item'] ?? '').includes(typed)
    }
    group.hidden = items.every((item) => item.hidden)
  }
})
