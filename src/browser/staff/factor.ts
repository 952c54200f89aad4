import { setUpFactor } from './factor-setup.ts'
import { postJson } from './session.ts'

const link = location.hash.slice(1)
const status = document.querySelector<HTMLElement>('[data-status]')
const who = document.querySelector<HTMLElement>('[data-who]')
const root = document.querySelector<HTMLElement>('[data-factor-setup]')
const say = (text: string): void => {
  if (status) status.textContent = text
}

async function begin(): Promise<void> {
  if (link === '' || !root) throw new Error('链接不完整。请打开管理员给您的整个链接。')
  const found = await postJson<{ username: string; displayName: string }>('/api/v1/staff/factors/link', {
    link,
  })
  if (who) who.textContent = `${found.displayName}（用户名 ${found.username}）`
  await setUpFactor({ root, owner: { link, identity: () => Promise.resolve(null) }, say })
  location.assign('/staff/sign-in/')
}

begin().catch((error: unknown) => {
  say(error instanceof Error ? error.message : '链接无效。')
})
