import { createReceiptCode, formatReceiptCode } from '../../domain/receipt.ts'
import { ownerOf, type KeyRole } from '../../domain/roles.ts'
import { fromUtf8 } from '../../sealing/bytes.ts'
import { openPart } from '../../sealing/envelope.ts'
import { isVouched, type Vouched } from '../../sealing/member-voucher.ts'
import type { SealedIdentity } from '../../sealing/outgoing.ts'
import { deriveReceipt, tipRecipientMac } from '../../sealing/receipt-keys.ts'
import { signReissued } from '../../sealing/reissued.ts'
import { openInner, passOn, stripOuter, type RoleIdentity } from '../../sealing/two-layer.ts'
import { clearErrors, showErrors } from './form-errors.ts'
import { sealForRoles } from './seal-for-roles.ts'
import { bytes, getJson, postJson, random, Refused, toBase64Url, wakeDepartmentKeys } from './session.ts'
import { signedKeys } from './signed-keys.ts'
import { ensureRecent } from './step-up.ts'

interface Layer {
  readonly epoch: number
  readonly bytes: string
}

interface Request {
  readonly id: string
  readonly tip: string
  readonly sealedReason: string
  readonly recipient: string
  readonly wrapped: Layer | null
  readonly inner: Layer | null
  readonly department: string
  readonly askedFor: Vouched | null
  readonly sealed: string | null
}

const root = document.querySelector<HTMLElement>('[data-request]')
const status = document.querySelector<HTMLElement>('[data-status]')
const base = `/api/v1/staff/identity/${root?.dataset['request'] ?? ''}`
const say = (text: string): void => {
  if (status) status.textContent = text
}
/** The tip's recipient as its reporter sealed it beside the name; null in tips from before it was put there. */
let toldRecipient: string | null = null
const fetchRequest = (): Promise<Request> => getJson<Request>(base)
const addressOf = ({ tip }: Request) => ({ purpose: 'tip.identity', tip }) as const

/** The keys of a role at hand in this tab, newest first. */
async function roleKeys(role: KeyRole): Promise<RoleIdentity[]> {
  const owner = ownerOf(role)
  const held = (await wakeDepartmentKeys())?.filter(({ department }) => department === owner) ?? []
  return held.map(({ epoch, identity }) => ({ owner, epoch, identity })).sort((a, b) => b.epoch - a.epoch)
}

async function roleKey(role: KeyRole, epoch: number): Promise<RoleIdentity> {
  const key = (await roleKeys(role)).find((held) => held.epoch === epoch)
  if (!key)
    throw new Error(
      '这个标签页里没有这把钥匙。请退出后重新登录；还没有的，请同一角色的同事在“成员”页授予您。',
    )
  return key
}

/** Why somebody asks; whoever holds the key of either role can read it. */
async function showReason(): Promise<void> {
  const box = document.querySelector<HTMLElement>('[data-reason]')
  if (!box) return
  const { tip, sealedReason } = await fetchRequest()
  const keys = [...(await roleKeys('approver')), ...(await roleKeys('custodian'))]
  for (const { identity } of keys) {
    const text = await openPart({
      identity,
      purpose: 'tip.request',
      tip,
      part: 0,
      sealed: bytes(sealedReason),
    })
      .then(fromUtf8)
      .catch(() => null)
    if (text === null) continue
    box.textContent = text
    return
  }
  box.textContent = keys.length === 0 ? '密封着；这里没有打开它的钥匙。' : '打不开：它封给了以前的钥匙。'
}

async function strip(): Promise<void> {
  await ensureRecent()
  const request = await fetchRequest()
  if (!request.wrapped) throw new Error('这个申请已经处理过了，请刷新页面。')
  const key = await roleKey('approver', request.wrapped.epoch)
  const inner = await stripOuter(addressOf(request), key, bytes(request.wrapped.bytes))
  await postJson(`${base}/strip`, { inner: toBase64Url(inner) })
}

/** Opens the inner layer here. */
async function openHere(): Promise<{ request: Request; identity: string }> {
  const request = await fetchRequest()
  if (!request.inner) throw new Error('这个申请已经处理过了，请刷新页面。')
  const key = await roleKey('custodian', request.inner.epoch)
  const { identity } = await openInner(addressOf(request), key, bytes(request.inner.bytes), request.recipient)
  return { request, identity }
}

async function pass(): Promise<void> {
  await ensureRecent()
  const { request, identity } = await openHere()
  if (!request.askedFor) throw new Error('这个申请已经处理过了，请刷新页面。')
  const { memberId: member, recipient } = request.askedFor
  const present = (await signedKeys()).newest.get(request.department)
  if (!present || !isVouched(present, request.askedFor)) {
    throw new Error(
      '申请人登记的钥匙没有经过其单位的同事核对，或者和核对过的不一样，没有转交。请申请人让同事在“成员”页核对指纹，之后再转交。',
    )
  }
  const passed = await passOn({ ...addressOf(request), request: request.id, member }, identity, recipient)
  await postJson(`${base}/pass`, { passed: toBase64Url(passed) })
}

/** Shows whom the custodian has to make out before a new code is made. */
async function look(): Promise<void> {
  await ensureRecent()
  const { request, identity } = await openHere()
  const box = document.querySelector<HTMLElement>('[data-person]')
  if (!request.sealed || !box) throw new Error('这个申请已经处理过了，请刷新页面。')
  const opened = await openPart({ ...addressOf(request), part: 0, identity, sealed: bytes(request.sealed) })
  const { name, contact, tipRecipient = null } = JSON.parse(fromUtf8(opened)) as SealedIdentity
  toldRecipient = tipRecipient
  for (const [field, text] of Object.entries({ name, contact })) {
    const cell = box.querySelector(`[data-${field}]`)
    if (cell) cell.textContent = text
  }
  box.hidden = false
  box.querySelector('textarea')?.focus()
}

/** Makes the new code here; the server gets what it finds it by, and never the code. */
async function reissue(form: HTMLFormElement): Promise<void> {
  clearErrors(form)
  const note = new FormData(form).get('note')
  if (typeof note !== 'string' || note.trim() === '') {
    throw new Refused(422, '请写明怎么核对的。', [{ field: 'note', message: '请写明怎么核对的。' }])
  }
  await ensureRecent()
  const { tip } = await fetchRequest()
  const code = createReceiptCode(random)
  const { auth, recipient, macKey } = await deriveReceipt(code)
  const [key] = await roleKeys('custodian')
  if (!key) throw new Error('这个标签页里没有身份保管人的钥匙。请退出后重新登录。')
  const sealedNote = await sealForRoles(tip, note.trim(), [])
  await postJson(`${base}/reissue`, {
    auth,
    recipient,
    recipientMac: toldRecipient === null ? null : tipRecipientMac(macKey, tip, toldRecipient),
    // Officers' browsers take the new recipient in the place of the one sealed into the tip for this signature alone.
    signature: signReissued({ tip, recipient }, key.identity),
    sealedNote: toBase64Url(sealedNote),
  })
  const box = document.querySelector<HTMLElement>('[data-new-code]')
  const shown = box?.querySelector('[data-code]')
  if (!box || !shown) return
  shown.textContent = formatReceiptCode(code)
  box.hidden = false
  document.querySelector('[data-person]')?.remove()
  for (const step of document.querySelectorAll('[data-steps]')) step.remove()
  const state = document.querySelector<HTMLElement>('[data-now]')
  if (state) state.textContent = state.dataset['done'] ?? ''
  box.focus()
}

function run(button: HTMLButtonElement | null, doing: string, work: () => Promise<void>, stay = false): void {
  if (button) button.disabled = true
  say(doing)
  work()
    .then(() => {
      say('')
      if (!stay) location.reload()
    })
    .catch((error: unknown) => {
      say(error instanceof Error ? error.message : '没有成功，请重试。')
      const form = document.querySelector<HTMLFormElement>('form[data-reissue]')
      if (form && error instanceof Refused) showErrors(form, error.fields)
    })
    .finally(() => {
      if (button) button.disabled = false
    })
}

document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest('button') : null
  if (!button) return
  const { dataset } = button
  if ('strip' in dataset) run(button, '正在打开外层……', strip)
  else if ('pass' in dataset) run(button, '正在转交……', pass)
  else if ('look' in dataset) run(button, '正在打开……', look, true)
  else if ('refuse' in dataset) {
    run(button, '正在拒绝……', async () => {
      await postJson(`${base}/refuse`, {})
    })
  }
})
document.addEventListener('submit', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || form.dataset['reissue'] === undefined) return
  event.preventDefault()
  run(form.querySelector('button'), '正在补办……', () => reissue(form), true)
})
showReason().catch((error: unknown) => {
  say(error instanceof Error ? error.message : '理由没有打开，请刷新页面。')
})
