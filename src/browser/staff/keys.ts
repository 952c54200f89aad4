import { pairOf } from '../../sealing/age-identity.ts'
import { grantDepartmentKey } from '../../sealing/department-keys.ts'
import type { UnlockedKey } from '../../sealing/half-key.ts'
import { fingerprintOf } from '../../sealing/recipient-list.ts'
import { makeEpoch, rewrap, vouch, type ListPlace } from '../../sealing/rotation.ts'
import type { TwoLayerPurpose } from '../../sealing/two-layer.ts'
import { bytes, getJson, keepKey, postJson, toBase64Url, wakeDepartmentKeys } from './session.ts'
import { ensureRecent } from './step-up.ts'

const status = document.querySelector<HTMLElement>('[data-status]')
const say = (text: string): void => {
  if (status) status.textContent = text
}

async function keysOf(department: string): Promise<readonly UnlockedKey[]> {
  const keys = (await wakeDepartmentKeys())?.filter((held) => held.department === department) ?? []
  if (keys.length === 0) throw new Error('这个标签页里没有这把钥匙，请退出后重新登录。')
  return keys
}

/** Every generation that this member holds: the colleague shall read older cases too. */
async function grant({ grant: memberId = '', recipient = '', department = '' }: DOMStringMap): Promise<void> {
  const keys = await keysOf(department)
  const grants = await Promise.all(
    keys.map(async ({ epoch, identity }) => ({
      epoch,
      wrapped: toBase64Url(await grantDepartmentKey({ department, epoch }, identity, recipient)),
    })),
  )
  await postJson('/api/v1/staff/grants', { owner: department, memberId, grants })
}

interface Ceremony {
  readonly departmentId: string
  readonly epoch: number
  readonly holders: readonly { readonly memberId: string; readonly recipient: string }[]
  readonly escrow: string
  readonly place: ListPlace
}

interface Batch {
  readonly epoch: number
  readonly recipient: string
  readonly tips: readonly {
    readonly purpose: 'tip.key' | TwoLayerPurpose
    readonly tipId: string
    readonly epoch: number
    readonly wrapped: string
  }[]
}

/** Makes the next key here; the server gets it only wrapped. */
async function rotate(owner: string): Promise<void> {
  await ensureRecent()
  const {
    departmentId: department,
    epoch,
    holders,
    escrow,
    place,
  } = await getJson<Ceremony>(`/api/v1/staff/rotation?owner=${owner}`)
  const present = (await keysOf(department)).find((held) => held.epoch === epoch - 1)
  if (!present) throw new Error('您没有现在这一把钥匙，请持有它的同事来更换。')
  const made = await makeEpoch(
    { department, epoch },
    holders.map(({ recipient }) => recipient),
    escrow,
  )
  await postJson('/api/v1/staff/rotation', {
    owner,
    epoch,
    recipient: made.recipient,
    grants: holders.map(({ memberId }, index) => ({
      memberId,
      wrapped: toBase64Url(made.grants[index] ?? new Uint8Array()),
    })),
    escrow: toBase64Url(made.escrow),
    voucher: vouch({ department, epoch }, made, present.identity, place),
  })
  await keepKey({ department, epoch, identity: made.identity })
}

/** Moves the open tips to the newest key, some at a time; can be broken off and taken up again by anybody who holds it. */
async function moveTips(department: string): Promise<void> {
  const keys = await keysOf(department)
  for (;;) {
    const { tips, ...to } = await getJson<Batch>(`/api/v1/staff/rotation/tips?owner=${department}`)
    if (tips.length === 0) return
    const wraps = []
    for (const { purpose, tipId, epoch, wrapped } of tips) {
      const key = keys.find((held) => held.epoch === epoch)
      if (!key) throw new Error('有的举报还用更早的钥匙封着，您没有那一把，请持有它的同事来完成。')
      const address = { purpose, tip: tipId, owner: department }
      const moved = await rewrap(address, key, to, bytes(wrapped))
      wraps.push({ purpose, tipId, epoch: to.epoch, wrapped: toBase64Url(moved) })
    }
    const { left } = await postJson<{ left: number }>('/api/v1/staff/rotation/tips', {
      owner: department,
      wraps,
    })
    say(left > 0 ? `正在转封未办完的举报，还有 ${left} 份……` : '')
  }
}

/** What this member holds, to be compared with what is published: not what the server says, but what is at hand. */
async function showFingerprint(): Promise<void> {
  const place = document.querySelector<HTMLElement>('[data-fingerprint]')
  if (!place) return
  const { fingerprint: department, epoch } = place.dataset
  const key = (await wakeDepartmentKeys())?.find(
    (held) => held.department === department && String(held.epoch) === epoch,
  )
  if (key)
    place.textContent = `您手里这一把的指纹：${fingerprintOf((await pairOf(key.identity)).recipient)}。`
}
void showFingerprint()

function run(button: HTMLButtonElement, doing: string, work: () => Promise<void>): void {
  button.disabled = true
  say(doing)
  work()
    .then(() => {
      location.reload()
    })
    .catch((error: unknown) => {
      say(error instanceof Error ? error.message : '没有成功，请重试。')
      button.disabled = false
    })
}

document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest('button') : null
  if (!button) return
  const { dataset } = button
  if (dataset['grant']) run(button, '正在授予……', () => grant(dataset))
  else if (dataset['rotate']) {
    const department = dataset['rotate']
    run(button, '正在更换钥匙……', async () => {
      await rotate(department)
      await moveTips(department)
    })
  } else if (dataset['moveTips']) {
    const department = dataset['moveTips']
    run(button, '正在转封……', () => moveTips(department))
  }
})
