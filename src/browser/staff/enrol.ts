import { createMemberKeys, MEMBER_KDF, SALT_BYTES } from '../../sealing/member-keys.ts'
import { setUpFactor } from './factor-setup.ts'
import { passphraseFields } from './passphrase-field.ts'
import { postJson, random, toBase64Url } from './session.ts'

const token = location.hash.slice(1)
const status = document.querySelector<HTMLElement>('[data-status]')
const form = document.querySelector<HTMLFormElement>('[data-enrol]')
const who = document.querySelector<HTMLElement>('[data-who]')
const setup = document.querySelector<HTMLElement>('[data-factor-setup]')
const say = (text: string): void => {
  if (status) status.textContent = text
}
const tell = (error: unknown): void => {
  say(error instanceof Error ? error.message : '没有成功，请重试。')
}
const chosen = passphraseFields(document)

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
    .catch(tell)
}

async function enrol(): Promise<void> {
  const passphrase = chosen()
  say('正在生成密钥……')
  const salt = random(SALT_BYTES)
  const { identity, ...keys } = await createMemberKeys({
    username,
    passphrase,
    salt,
    params: MEMBER_KDF,
    random,
  })
  const { link } = await postJson<{ link: string }>('/api/v1/staff/enrol', {
    token,
    salt: toBase64Url(salt),
    kdf: MEMBER_KDF,
    auth: keys.auth,
    recipient: keys.recipient,
    wrappedIdentity: toBase64Url(keys.wrappedIdentity),
  })
  form?.setAttribute('hidden', '')
  say('')
  if (!setup) return
  // A reload goes on with the second factor: the link for the passphrase is spent.
  history.replaceState(null, '', `/staff/factor/#${link}`)
  await setUpFactor({
    root: setup,
    owner: { link, identity: () => Promise.resolve({ username, identity }) },
    say,
  })
  location.assign('/staff/sign-in/')
}

form?.addEventListener('submit', (event) => {
  event.preventDefault()
  enrol().catch(tell)
})
