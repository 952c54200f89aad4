import { canUsePasskeys, showPasskey } from './passkey.ts'
import { postJson, signIn, type BegunSignIn, type FactorWanted } from './session.ts'

const form = document.querySelector<HTMLFormElement>('[data-sign-in]')
const factor = document.querySelector<HTMLFormElement>('[data-factor]')
const status = document.querySelector<HTMLElement>('[data-status]')
const username = document.querySelector<HTMLInputElement>('#username')
const passphrase = document.querySelector<HTMLInputElement>('#passphrase')
const code = document.querySelector<HTMLInputElement>('#code')
const passkey = document.querySelector<HTMLButtonElement>('[data-passkey]')

const say = (text: string): void => {
  if (status) status.textContent = text
}

/** Runs one step with its buttons off, and tells what went wrong. */
function step(within: HTMLElement | null, doing: string, work: () => Promise<void>): void {
  const buttons = [...(within?.querySelectorAll('button') ?? [])]
  for (const button of buttons) button.disabled = true
  say(doing)
  work()
    .catch((error: unknown) => {
      say(error instanceof Error ? error.message : '没有登录成功。')
    })
    .finally(() => {
      for (const button of buttons) button.disabled = false
      const field = within?.querySelector<HTMLInputElement>('[name="code"], [type="password"]')
      if (within?.hidden === false) field?.focus()
    })
}

let begun: BegunSignIn | null = null

async function finish(): Promise<void> {
  say('正在打开您的钥匙……')
  await begun?.open()
  location.assign('/staff/queue/')
}

function askFactor(wanted: FactorWanted): void {
  form?.setAttribute('hidden', '')
  document.querySelector('[data-demo]')?.setAttribute('hidden', '')
  factor?.removeAttribute('hidden')
  for (const part of factor?.querySelectorAll('[data-code]') ?? []) {
    part.toggleAttribute('hidden', !wanted.totp)
  }
  passkey?.toggleAttribute('hidden', !wanted.passkey || !canUsePasskeys())
  say(wanted.totp || canUsePasskeys() ? '' : '这个地址不能使用通行密钥，请用本站的域名打开。')
  if (wanted.totp) code?.focus()
  else passkey?.focus()
}

for (const button of document.querySelectorAll<HTMLButtonElement>('[data-login]')) {
  button.addEventListener('click', () => {
    if (username) username.value = button.dataset['login'] ?? ''
    if (passphrase) passphrase.value = button.dataset['passphrase'] ?? ''
    form?.requestSubmit()
  })
}

form?.addEventListener('submit', (event) => {
  event.preventDefault()
  step(form, '正在登录，需要几秒钟……', async () => {
    begun = await signIn(username?.value.trim() ?? '', passphrase?.value ?? '')
    if (begun.wanted) askFactor(begun.wanted)
    else await finish()
  })
})

factor?.addEventListener('submit', (event) => {
  event.preventDefault()
  step(factor, '正在验证……', async () => {
    const ticket = begun?.wanted?.ticket
    await postJson('/api/v1/staff/sign-in/code', { ticket, code: code?.value ?? '' })
    await finish()
  })
})

passkey?.addEventListener('click', () => {
  step(factor, '请按浏览器的提示操作……', async () => {
    const ticket = begun?.wanted?.ticket
    const options = await postJson<Parameters<typeof showPasskey>[0]>(
      '/api/v1/staff/sign-in/passkey-options',
      { ticket },
    )
    await postJson('/api/v1/staff/sign-in/passkey', { ticket, response: await showPasskey(options) })
    await finish()
  })
})

document.querySelector('[data-again]')?.addEventListener('click', () => {
  location.reload()
})
