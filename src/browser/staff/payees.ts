import type { Payee } from '../../domain/payee.ts'
import { ownerOf, type KeyRole } from '../../domain/roles.ts'
import { fromUtf8 } from '../../sealing/bytes.ts'
import { openPart } from '../../sealing/envelope.ts'
import { openInner, stripOuter, type RoleIdentity } from '../../sealing/two-layer.ts'
import { bytes, getJson, postJson, toBase64Url, wakeDepartmentKeys } from './session.ts'
import { ensureRecent } from './step-up.ts'

interface Layer {
  readonly epoch: number
  readonly bytes: string
}

interface Reply {
  readonly tip: string
  readonly recipient: string
  readonly wrapped: Layer | null
  readonly inner: Layer | null
  readonly sealed: string | null
}

const status = document.querySelector<HTMLElement>('[data-status]')
const say = (text: string): void => {
  if (status) status.textContent = text
}
const gone = (): Error => new Error('这笔转账已经处理过了，请刷新页面。')

async function roleKey(role: KeyRole, epoch: number): Promise<RoleIdentity> {
  const owner = ownerOf(role)
  const key = (await wakeDepartmentKeys())?.find((held) => held.department === owner && held.epoch === epoch)
  if (!key)
    throw new Error(
      '这个标签页里没有这把钥匙。请退出后重新登录；还没有的，请同一角色的同事在“成员”页授予您。',
    )
  return { owner, epoch, identity: key.identity }
}

async function fetchPayee(id: string): Promise<Reply> {
  await ensureRecent()
  return getJson<Reply>(`/api/v1/staff/rewards/${id}/payee`)
}

async function release(id: string): Promise<void> {
  const { tip, wrapped } = await fetchPayee(id)
  if (!wrapped) throw gone()
  const key = await roleKey('approver', wrapped.epoch)
  const inner = await stripOuter({ purpose: 'tip.payee', tip }, key, bytes(wrapped.bytes))
  await postJson(`/api/v1/staff/rewards/${id}/payee/release`, { inner: toBase64Url(inner) })
  location.reload()
}

/** Shows where to pay, in this page only. */
async function show(id: string, box: HTMLElement): Promise<void> {
  const { tip, recipient, inner, sealed } = await fetchPayee(id)
  if (!inner || sealed === null) throw gone()
  const address = { purpose: 'tip.payee', tip } as const
  const { identity } = await openInner(
    address,
    await roleKey('finance', inner.epoch),
    bytes(inner.bytes),
    recipient,
  )
  const opened = await openPart({ ...address, part: 0, identity, sealed: bytes(sealed) })
  const payee = JSON.parse(fromUtf8(opened)) as Payee
  for (const field of ['name', 'bank', 'account'] as const) {
    const cell = box.querySelector(`[data-${field}]`)
    if (cell) cell.textContent = payee[field]
  }
  box.hidden = false
}

document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest('button') : null
  if (!button) return
  const { dataset } = button
  const box = button.closest('li')?.querySelector<HTMLElement>('[data-payee]')
  const work = dataset['release']
    ? release(dataset['release'])
    : dataset['show'] && box
      ? show(dataset['show'], box)
      : null
  if (!work) return
  say('正在打开……')
  work
    .then(() => {
      say('')
    })
    .catch((error: unknown) => {
      say(error instanceof Error ? error.message : '没有成功，请重试。')
    })
})
