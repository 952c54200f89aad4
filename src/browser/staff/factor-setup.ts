import { lockMember } from '../../sealing/member-keys.ts'
import { qrPath } from '../qr.ts'
import { canUsePasskeys, makePasskey } from './passkey.ts'
import { postJson, random, toBase64Url } from './session.ts'

const SVG = 'http://www.w3.org/2000/svg'

/** Who sets a factor up. */
export interface Owner {
  /** One-time link; absent for whoever is signed in. */
  readonly link?: string
  /** The member's name and, when it is at hand, the identity that a passkey may unlock too. */
  identity(): Promise<{ readonly username: string; readonly identity: string } | null>
}

/** The markup of FactorSetup.astro. */
interface Parts {
  readonly root: HTMLElement
  readonly owner: Owner
  readonly say: (text: string) => void
}

function drawQr(box: Element | null, text: string): void {
  const { path, size } = qrPath(text)
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`)
  svg.setAttribute('width', '220')
  svg.setAttribute('height', '220')
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', '给验证器扫的二维码')
  const ground = document.createElementNS(SVG, 'rect')
  ground.setAttribute('width', String(size))
  ground.setAttribute('height', String(size))
  ground.setAttribute('fill', '#fff')
  const squares = document.createElementNS(SVG, 'path')
  squares.setAttribute('d', path)
  svg.append(ground, squares)
  box?.replaceChildren(svg)
}

async function offerTotp({ root, owner }: Parts): Promise<string> {
  const offer = await postJson<{ secret: string; uri: string; sealed: string }>(
    '/api/v1/staff/factors/totp-offer',
    { link: owner.link },
  )
  drawQr(root.querySelector('[data-qr]'), offer.uri)
  const secret = root.querySelector('[data-secret]')
  if (secret) secret.textContent = offer.secret.replace(/(.{4})(?=.)/g, '$1 ')
  root.querySelector('[data-totp]')?.removeAttribute('hidden')
  root.querySelector('[data-totp-start]')?.setAttribute('hidden', '')
  root.querySelector<HTMLInputElement>('[name="code"]')?.focus()
  return offer.sealed
}

async function addPasskey({ root, owner }: Parts): Promise<void> {
  const name = root.querySelector<HTMLInputElement>('[data-passkey-name]')?.value.trim() ?? ''
  if (name === '') throw new Error('请给通行密钥起个名字，例如“办公室电脑”。')
  const own = await owner.identity()
  const options = await postJson<Parameters<typeof makePasskey>[0]>('/api/v1/staff/factors/passkey-offer', {
    link: owner.link,
  })
  const { response, wrapKey } = await makePasskey(options, own !== null)
  const wrapped = own && wrapKey && (await lockMember({ ...own, wrapKey, random }))
  await postJson('/api/v1/staff/factors/passkey', {
    link: owner.link,
    response,
    name,
    wrappedIdentity: wrapped && toBase64Url(wrapped),
  })
}

/** Lets the member set up one factor of either kind; resolves when one is in force. */
export function setUpFactor(parts: Parts): Promise<void> {
  const { root, owner, say } = parts
  root.hidden = false
  const canPasskey = canUsePasskeys()
  root.querySelector('[data-passkey-setup]')?.toggleAttribute('hidden', !canPasskey)
  root.querySelector('[data-no-passkey]')?.toggleAttribute('hidden', canPasskey)
  let sealed = ''
  return new Promise((resolve) => {
    const attempt = (doing: string, work: () => Promise<unknown>, done: () => void): void => {
      say(doing)
      work()
        .then(() => {
          say('')
          done()
        })
        .catch((error: unknown) => {
          say(error instanceof Error ? error.message : '没有成功，请重试。')
        })
    }
    root.querySelector('[data-totp-start]')?.addEventListener('click', () => {
      const start = async (): Promise<void> => {
        sealed = await offerTotp(parts)
      }
      attempt('正在准备……', start, () => undefined)
    })
    root.querySelector('[data-totp]')?.addEventListener('submit', (event) => {
      event.preventDefault()
      const code = root.querySelector<HTMLInputElement>('[name="code"]')?.value ?? ''
      attempt(
        '正在验证……',
        () => postJson('/api/v1/staff/factors/totp', { link: owner.link, sealed, code }),
        resolve,
      )
    })
    root.querySelector('[data-passkey-setup]')?.addEventListener('submit', (event) => {
      event.preventDefault()
      attempt('请按浏览器的提示操作……', () => addPasskey(parts), resolve)
    })
  })
}
