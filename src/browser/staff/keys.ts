import { pairOf } from '../../sealing/age-identity.ts'
import { grantDepartmentKey } from '../../sealing/department-keys.ts'
import type { UnlockedKey } from '../../sealing/half-key.ts'
import { divideHolders, vouchForMember, type Vouched } from '../../sealing/member-voucher.ts'
import { fingerprintOf, verifierOf, type RecipientEntry } from '../../sealing/recipient-list.ts'
import { makeEpoch, rewrap, vouch, type ListPlace } from '../../sealing/rotation.ts'
import type { TwoLayerPurpose } from '../../sealing/two-layer.ts'
import {
  bytes,
  getJson,
  keepKey,
  postJson,
  toBase64Url,
  wakeDepartmentKeys,
  wakeOwnIdentity,
} from './session.ts'
import { signedKeys } from './signed-keys.ts'
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

/** What the signed list says of an owner's newest key, and that key, which is at hand here. */
async function presentKey(
  department: string,
): Promise<{ readonly present: RecipientEntry; readonly identity: string }> {
  const present = (await signedKeys()).newest.get(department)
  const key = (await keysOf(department)).find(({ epoch }) => epoch === present?.epoch)
  if (!present || !key || verifierOf(key.identity) !== present.verifier) {
    throw new Error('您没有现在这一把钥匙，请持有它的同事来办。')
  }
  return { present, identity: key.identity }
}

const ownRecipient = async (): Promise<string> => (await pairOf(await wakeOwnIdentity())).recipient

/**
 * Every generation that this member holds: the colleague shall read older cases too. With it goes that the recipient is
 * the colleague's own, once somebody has compared; the own one needs nobody.
 */
async function grant(
  { grant: memberId = '', recipient = '', department = '' }: DOMStringMap,
  compared: HTMLInputElement | null,
): Promise<void> {
  if (compared?.checked !== true && recipient !== (await ownRecipient())) {
    compared?.focus()
    throw new Error('还没有授予：请先与同事当面或电话核对指纹，再勾选。')
  }
  const { present, identity } = await presentKey(department)
  const grants = await Promise.all(
    (await keysOf(department)).map(async (key) => ({
      epoch: key.epoch,
      wrapped: toBase64Url(
        await grantDepartmentKey({ department, epoch: key.epoch }, key.identity, recipient),
      ),
    })),
  )
  const voucher = vouchForMember({ department, epoch: present.epoch }, { memberId, recipient }, identity)
  await postJson('/api/v1/staff/grants', { owner: department, memberId, grants, voucher })
}

interface Ceremony {
  readonly departmentId: string
  readonly epoch: number
  readonly holders: readonly (Vouched & { readonly username: string; readonly displayName: string })[]
  readonly escrow: string
  readonly place: ListPlace
}

interface Batch {
  readonly tips: readonly {
    readonly purpose: 'tip.key' | TwoLayerPurpose
    readonly tipId: string
    readonly epoch: number
    readonly wrapped: string
  }[]
}

/** Who was given no next key; told after the page has loaded again. */
const LEFT_OUT = 'lantian.left-out'

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
  const { present, identity } = await presentKey(department)
  const own = await ownRecipient()
  const { given, leftOut } = divideHolders(present, holders, own)
  if (!given.some(({ recipient }) => recipient === own)) {
    throw new Error('登记的不是您手里的钥匙，没有更换。请立即告诉管理员。')
  }
  const made = await makeEpoch({ department, epoch }, given, escrow)
  await postJson('/api/v1/staff/rotation', {
    owner,
    epoch,
    recipient: made.recipient,
    grants: made.grants.map((one) => ({ ...one, wrapped: toBase64Url(one.wrapped) })),
    escrow: toBase64Url(made.escrow),
    voucher: vouch({ department, epoch }, made, identity, place),
  })
  await keepKey({ department, epoch, identity: made.identity })
  const names = leftOut.map(({ displayName, username }) => `${displayName}（${username}）`)
  if (names.length > 0) sessionStorage.setItem(LEFT_OUT, names.join('、'))
}

/** Moves the open tips to the newest key, some at a time; can be broken off and taken up again by anybody who holds it. */
async function moveTips(department: string): Promise<void> {
  const keys = await keysOf(department)
  const { present: to } = await presentKey(department)
  for (;;) {
    const { tips } = await getJson<Batch>(`/api/v1/staff/rotation/tips?owner=${department}`)
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

/** What is compared is what a press of the button beside it wraps to. */
function showTheirFingerprints(): void {
  for (const button of document.querySelectorAll<HTMLElement>('[data-grant]')) {
    const place = button.closest('li')?.querySelector('[data-their-fingerprint]')
    if (place) place.textContent = fingerprintOf(button.dataset['recipient'] ?? '')
  }
}
showTheirFingerprints()

function tellLeftOut(): void {
  const names = sessionStorage.getItem(LEFT_OUT)
  const box = document.querySelector<HTMLElement>('[data-left-out]')
  if (names === null || !box) return
  sessionStorage.removeItem(LEFT_OUT)
  box.textContent = `新钥匙已经换好，没有给：${names}。他们登记的钥匙没有经过核对，或者和核对过的不一样。请与本人核对指纹，再在下面重新授予。`
  box.hidden = false
}
tellLeftOut()

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
  if (dataset['grant']) {
    const compared = button.closest('li')?.querySelector('input') ?? null
    run(button, '正在授予……', () => grant(dataset, compared))
  } else if (dataset['rotate']) {
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
