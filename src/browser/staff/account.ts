import { pairOf } from '../../sealing/age-identity.ts'
import {
  lockMember,
  MEMBER_KDF,
  SALT_BYTES,
  stretchPassphrase,
  unlockMember,
} from '../../sealing/member-keys.ts'
import { fingerprintOf } from '../../sealing/recipient-list.ts'
import { setUpFactor } from './factor-setup.ts'
import { passphraseFields } from './passphrase-field.ts'
import {
  bytes,
  fetchKeys,
  ownIdentity,
  postJson,
  random,
  stretch,
  toBase64Url,
  wakeOwnIdentity,
} from './session.ts'
import { ensureRecent } from './step-up.ts'

const status = document.querySelector<HTMLElement>('[data-status]')
const form = document.querySelector<HTMLFormElement>('[data-passphrase]')
const setup = document.querySelector<HTMLElement>('[data-factor-setup]')
const own = document.querySelector<HTMLInputElement>('#own-passphrase')
const username = document.querySelector<HTMLElement>('[data-username]')?.dataset['username'] ?? ''
const say = (text: string): void => {
  if (status) status.textContent = text
}
const tell = (error: unknown): void => {
  say(error instanceof Error ? error.message : '没有成功，请重试。')
}
const chosen = form ? passphraseFields(form) : null

/** The same identity under another passphrase: what was granted stays granted. */
async function changePassphrase(old: string): Promise<void> {
  const passphrase = chosen?.() ?? ''
  await ensureRecent()
  say('正在更换口令……')
  const before = await stretch(username, old)
  const { wrappedIdentity } = await fetchKeys()
  const identity = await unlockMember({
    username,
    wrapKey: before.wrapKey,
    wrappedIdentity: bytes(wrappedIdentity),
  }).catch(() => {
    throw new Error('现在的口令不对。')
  })
  const salt = random(SALT_BYTES)
  const after = await stretchPassphrase(passphrase, salt, MEMBER_KDF)
  await postJson('/api/v1/staff/passphrase', {
    oldAuth: before.auth,
    salt: toBase64Url(salt),
    kdf: MEMBER_KDF,
    auth: after.auth,
    wrappedIdentity: toBase64Url(await lockMember({ username, identity, wrapKey: after.wrapKey, random })),
  })
  form?.reset()
  say('口令已更换。您在别处的登录都已结束。')
}

form?.addEventListener('submit', (event) => {
  event.preventDefault()
  changePassphrase(form.querySelector<HTMLInputElement>('[data-old]')?.value ?? '').catch(tell)
})

/** Of the key that is at hand here, not of what the database names. */
async function showFingerprint(): Promise<void> {
  const place = document.querySelector<HTMLElement>('[data-own-fingerprint]')
  if (!place) return
  const identity = await wakeOwnIdentity().catch(() => null)
  place.textContent =
    identity === null
      ? '这个标签页里没有您的钥匙，请退出后重新登录再看。'
      : fingerprintOf((await pairOf(identity)).recipient)
}
void showFingerprint()

for (const button of document.querySelectorAll<HTMLButtonElement>('[data-remove-factor]')) {
  button.addEventListener('click', () => {
    postJson('/api/v1/staff/factors/remove', { factor: button.dataset['removeFactor'] })
      .then(() => {
        location.reload()
      })
      .catch(tell)
  })
}

if (setup) {
  setUpFactor({
    root: setup,
    owner: {
      identity: async () =>
        own?.value ? { username, identity: await ownIdentity(username, own.value) } : null,
    },
    say,
  })
    .then(() => {
      location.reload()
    })
    .catch(tell)
}
