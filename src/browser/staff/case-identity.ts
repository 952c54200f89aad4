import type { NamedReporter } from '../../domain/identity.ts'
import { fromUtf8 } from '../../sealing/bytes.ts'
import { openPart } from '../../sealing/envelope.ts'
import { openPassed } from '../../sealing/two-layer.ts'
import { clearErrors, showErrors } from './form-errors.ts'
import { sealForRoles } from './seal-for-roles.ts'
import { bytes, postJson, Refused, toBase64Url, wakeOwnIdentity } from './session.ts'
import { ensureRecent } from './step-up.ts'

interface Passed {
  readonly tip: string
  readonly memberId: string
  readonly passed: string
  readonly recipient: string
  readonly sealed: string
}

const status = document.querySelector<HTMLElement>('[data-status]')
const say = (text: string): void => {
  if (status) status.textContent = text
}
const textOf = (data: FormData, name: string): string => {
  const value = data.get(name)
  return typeof value === 'string' ? value.trim() : ''
}

async function ask(form: HTMLFormElement): Promise<void> {
  const data = new FormData(form)
  const missing = [
    ['reason', '请选择理由。'],
    ['why', '请写明为什么需要。'],
  ] as const
  const fields = missing.flatMap(([field, message]) =>
    textOf(data, field) === '' ? [{ field, message }] : [],
  )
  if (fields[0]) throw new Refused(422, fields[0].message, fields)
  await ensureRecent()
  const { tip = '', recipient = '', caseNo = '' } = form.dataset
  const reason = textOf(data, 'reason')
  const sealedReason = await sealForRoles(tip, textOf(data, 'why'), [recipient])
  await postJson('/api/v1/staff/identity', {
    caseNo,
    tipId: tip,
    kind: reason === 'lost-code' ? 'reissue' : 'read',
    reason,
    sealedReason: toBase64Url(sealedReason),
  })
  form.reset()
  document.dispatchEvent(new Event('case-changed'))
  say('已申请，等审批人和身份保管人。')
}

/** Shows who it is, in this page only. */
async function openIdentity(button: HTMLButtonElement): Promise<void> {
  await ensureRecent()
  const request = button.dataset['openIdentity'] ?? ''
  const { tip, memberId, passed, recipient, sealed } = await postJson<Passed>(
    `/api/v1/staff/identity/${request}/open`,
    {},
  )
  const address = { purpose: 'tip.identity', tip } as const
  const { identity } = await openPassed(
    { ...address, request, member: memberId },
    bytes(passed),
    await wakeOwnIdentity(),
    recipient,
  )
  const opened = await openPart({ ...address, part: 0, identity, sealed: bytes(sealed) })
  const { name, contact } = JSON.parse(fromUtf8(opened)) as NamedReporter
  const box = button.closest('li')?.querySelector<HTMLElement>('[data-who]')
  if (!box) return
  box.textContent = `姓名：${name}；联系方式：${contact}`
  box.hidden = false
  button.hidden = true
}

const tell = (form: HTMLFormElement | null) => (error: unknown) => {
  say(error instanceof Error ? error.message : '没有成功，请重试。')
  if (form && error instanceof Refused) showErrors(form, error.fields)
}

document.addEventListener('submit', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || form.dataset['askIdentity'] === undefined) return
  event.preventDefault()
  clearErrors(form)
  say('正在申请……')
  ask(form).catch(tell(form))
})
document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest('button') : null
  if (button?.dataset['openIdentity'] === undefined) return
  say('')
  openIdentity(button).catch(tell(null))
})
