import { createMemberKeys, MEMBER_KDF, SALT_BYTES } from '../../sealing/member-keys.ts'
import { checkPassphrase, generatePassphrase } from '../../sealing/passphrase.ts'
import { postJson, random, toBase64Url } from './session.ts'

const token = location.hash.slice(1)
const status = document.querySelector<HTMLElement>('[data-status]')
const form = document.querySelector<HTMLFormElement>('[data-enrol]')
const who = document.querySelector<HTMLElement>('[data-who]')
const passphrase = document.querySelector<HTMLInputElement>('#passphrase')
const repeated = document.querySelector<HTMLInputElement>('#repeated')
const suggestion = document.querySelector<HTMLElement>('[data-suggestion]')
const say = (text: string): void => {
  if (status) status.textContent = text
}
if (suggestion) suggestion.textContent = generatePassphrase(random)

let username = ''
if (token === '') {
  say('链接不完整。请打开管理员给您的整个链接。')
} else {
  postJson<{ username: string; displayName: string }>('/api/v1/staff/enrolment', { token })
    .then((found) => {
      username = found.username
      if (who) who.textContent = `${found.displayName}（用户名 ${found.username}）`
      form?.removeAttribute('hidden')
    })
    .catch((error: unknown) => {
      say(error instanceof Error ? error.message : '链接无效。')
    })
}

async function enrol(): Promise<void> {
  const chosen = passphrase?.value ?? ''
  const problem = checkPassphrase(chosen)
  if (problem !== null) throw new Error(problem)
  if (chosen !== repeated?.value) throw new Error('两次输入的口令不一样。')
  say('正在生成密钥……')
  const salt = random(SALT_BYTES)
  const keys = await createMemberKeys({ username, passphrase: chosen, salt, params: MEMBER_KDF, random })
  await postJson('/api/v1/staff/enrol', {
    token,
    salt: toBase64Url(salt),
    kdf: MEMBER_KDF,
    auth: keys.auth,
    recipient: keys.recipient,
    wrappedIdentity: toBase64Url(keys.wrappedIdentity),
  })
  location.assign('/staff/sign-in/')
}

form?.addEventListener('submit', (event) => {
  event.preventDefault()
  enrol().catch((error: unknown) => {
    say(error instanceof Error ? error.message : '没有成功。')
  })
})
