import { signIn } from './session.ts'

const form = document.querySelector<HTMLFormElement>('[data-sign-in]')
const status = document.querySelector<HTMLElement>('[data-status]')
const username = document.querySelector<HTMLInputElement>('#username')
const passphrase = document.querySelector<HTMLInputElement>('#passphrase')

for (const button of document.querySelectorAll<HTMLButtonElement>('[data-login]')) {
  button.addEventListener('click', () => {
    if (username) username.value = button.dataset['login'] ?? ''
    if (passphrase) passphrase.value = button.dataset['passphrase'] ?? ''
    form?.requestSubmit()
  })
}

form?.addEventListener('submit', (event) => {
  event.preventDefault()
  if (!username || !passphrase || !status) return
  const button = form.querySelector('button')
  button?.setAttribute('disabled', '')
  status.textContent = '正在登录，需要几秒钟……'
  signIn(username.value.trim(), passphrase.value)
    .then(() => {
      location.assign('/staff/queue/')
    })
    .catch((error: unknown) => {
      status.textContent = error instanceof Error ? error.message : '没有登录成功。'
      passphrase.focus()
    })
    .finally(() => {
      button?.removeAttribute('disabled')
    })
})
