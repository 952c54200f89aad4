import { leaks } from '../../domain/leak.ts'
import type { Narrative } from '../../domain/tip.ts'
import { fromUtf8, utf8 } from '../../sealing/bytes.ts'
import { openPart, sealPart, type PartPurpose } from '../../sealing/envelope.ts'
import { unwrapTipKey, wrapTipKey } from '../../sealing/tip-keys.ts'
import { bytes, getJson, post, postJson, toBase64Url, unlock, wakeDepartmentKeys } from './session.ts'

interface Tip {
  readonly id: string
  readonly caseNo: string
  readonly recipient: string
  readonly photoCount: number
  readonly wrap: { readonly department: string; readonly epoch: number; readonly wrapped: string } | null
  readonly narrative: string | null
  readonly notes: readonly {
    readonly purpose: PartPurpose
    readonly sealed: string
    readonly author: string
  }[]
}

const root = document.querySelector<HTMLElement>('[data-case]')
const caseNo = root?.dataset['case'] ?? ''
const base = `/api/v1/staff/cases/${caseNo}`
const status = document.querySelector<HTMLElement>('[data-status]')
const sealedBox = document.querySelector<HTMLElement>('[data-sealed]')
const unlockForm = document.querySelector<HTMLFormElement>('[data-unlock]')

let tips: readonly Tip[] = []
/** The secret of each tip that was opened in this page. */
const secrets = new Map<string, string>()
const reporterWords: string[] = []

const say = (text: string): void => {
  if (status) status.textContent = text
}
const tell = (error: unknown): void => {
  say(error instanceof Error ? error.message : '没有成功，请重试。')
}

function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  text = '',
  parent?: Element,
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name)
  made.textContent = text
  parent?.append(made)
  return made
}

/** Decoded and drawn anew: what is shown is our own picture, whatever the file was. */
async function redraw(picture: Uint8Array<ArrayBuffer>): Promise<Blob> {
  const bitmap = await createImageBitmap(new Blob([picture], { type: 'image/jpeg' }))
  const canvas = document.createElement('canvas')
  canvas.width = bitmap.width
  canvas.height = bitmap.height
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0)
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob) resolve(blob)
      else reject(new Error('照片无法显示。'))
    }, 'image/jpeg')
  })
}

async function fetchPart(
  tip: Tip,
  identity: string,
  purpose: PartPurpose,
  part: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const reply = await fetch(`${base}/photos/${tip.id}/${purpose}/${part}`)
  if (!reply.ok) throw new Error('照片取不到。')
  const sealed = new Uint8Array(await reply.arrayBuffer())
  return new Uint8Array(await openPart({ identity, purpose, tip: tip.id, part, sealed }))
}

async function showPhoto(tip: Tip, identity: string, part: number, box: Element): Promise<void> {
  const figure = element('figure', '', box)
  const image = element('img', '', figure)
  image.alt = `举报照片 ${part + 1}`
  image.src = URL.createObjectURL(await redraw(await fetchPart(tip, identity, 'tip.photo', part)))
  const original = element('button', '下载原片（含拍摄地点等信息，勿外传）', figure)
  original.type = 'button'
  original.className = 'button-secondary'
  original.addEventListener('click', () => {
    fetchPart(tip, identity, 'tip.original', part)
      .then((picture) => {
        const link = document.createElement('a')
        link.href = URL.createObjectURL(new Blob([picture], { type: 'application/octet-stream' }))
        link.download = `${tip.caseNo}-${part + 1}.bin`
        link.click()
      })
      .catch(tell)
  })
}

async function showTip(tip: Tip, identity: string): Promise<void> {
  if (!sealedBox || tip.narrative === null) return
  const opened = await openPart({
    identity,
    purpose: 'tip.narrative',
    tip: tip.id,
    part: 0,
    sealed: bytes(tip.narrative),
  })
  const narrative = JSON.parse(fromUtf8(opened)) as Narrative
  reporterWords.push(narrative.description, narrative.place, narrative.callback ?? '')
  const card = element('div', '', sealedBox)
  card.className = 'card'
  const list = element('dl', '', card)
  list.className = 'facts'
  const fact = (name: string, value: string): void => {
    element('dt', name, list)
    const cell = element('dd', '', list)
    for (const line of value.split('\n')) element('p', line, cell)
  }
  if (tips.length > 1) fact('举报', tip.caseNo)
  fact('情况', narrative.description)
  fact('地点', narrative.place === '' ? '没有写' : narrative.place)
  if (narrative.checklist.length > 0) {
    const label = (id: string): string =>
      document.querySelector(`[data-labels] [data-id="${CSS.escape(id)}"]`)?.textContent ?? id
    fact('勾选', narrative.checklist.map(label).join('\n'))
  }
  fact('电话', narrative.callback ?? '不留')
  for (const note of tip.notes) {
    const text = await openPart({
      identity,
      purpose: note.purpose,
      tip: tip.id,
      part: 0,
      sealed: bytes(note.sealed),
    })
    fact(`${note.author} 的记录`, fromUtf8(text))
  }
  const photos = element('div', '', card)
  photos.className = 'case-photos'
  for (let part = 0; part < tip.photoCount; part += 1)
    await showPhoto(tip, identity, part, photos).catch(tell)
}

/** Opens everything that this member's keys open. */
async function open(): Promise<void> {
  const keys = await wakeDepartmentKeys()
  if (!keys) {
    unlockForm?.removeAttribute('hidden')
    return
  }
  unlockForm?.setAttribute('hidden', '')
  tips = (await getJson<{ tips: readonly Tip[] }>(base)).tips
  for (const tip of tips) {
    const key = keys.find((held) => held.department === tip.wrap?.department && held.epoch === tip.wrap.epoch)
    if (!tip.wrap || !key) continue
    const address = { tip: tip.id, department: tip.wrap.department, epoch: tip.wrap.epoch }
    const identity = await unwrapTipKey(address, bytes(tip.wrap.wrapped), key.identity)
    secrets.set(tip.id, identity)
    await showTip(tip, identity)
  }
  if (secrets.size === 0) say('您还没有本单位的钥匙。请同事在“成员”页面授予您。')
}

/** Each opened tip's secret, wrapped for another department. */
async function wrapsFor(department: string): Promise<{ tipId: string; epoch: number; wrapped: string }[]> {
  const recipients =
    await getJson<Record<string, { epoch: number; recipient: string }>>('/api/v1/staff/recipients')
  const target = recipients[department]
  if (!target) throw new Error('请选择接收的单位。')
  if (secrets.size === 0) throw new Error('请先解锁，再把密封内容的钥匙交给接收单位。')
  return Promise.all(
    [...secrets].map(async ([tipId, identity]) => ({
      tipId,
      epoch: target.epoch,
      wrapped: toBase64Url(
        await wrapTipKey({ tip: tipId, department, epoch: target.epoch }, identity, target.recipient),
      ),
    })),
  )
}

/** Free text, sealed to the first tip's own recipient: whoever may open the tip may read it. */
async function sealed(text: string, purpose: 'tip.note' | 'tip.reason'): Promise<object> {
  if (tips.length === 0) tips = (await getJson<{ tips: readonly Tip[] }>(base)).tips
  const [tip] = tips
  if (!tip) throw new Error('没有可以记录的举报。')
  const envelope = await sealPart({
    recipients: [tip.recipient],
    purpose,
    tip: tip.id,
    part: 0,
    bytes: utf8(text),
  })
  return { tipId: tip.id, purpose, sealed: toBase64Url(envelope) }
}

async function act(action: string, more: object = {}): Promise<void> {
  say('正在保存……')
  await postJson(`${base}/actions`, { version: Number(root?.dataset['version']), action, ...more })
  location.reload()
}

/** True when the statement may go on: nothing suspicious, or the officer has looked. */
function isChecked(form: HTMLFormElement, statement: string): boolean {
  const box = form.querySelector<HTMLElement>('[data-leaks]')
  const list = box?.querySelector('ul')
  const found = leaks(statement, { reporterWords })
  if (!box || !list || found.length === 0 || form.querySelector<HTMLInputElement>('#checked')?.checked)
    return true
  const names = { phone: '电话号码', 'id-number': '身份证号', 'repeats-words': '和举报人的原话相同' } as const
  list.replaceChildren()
  for (const leak of found) element('li', `${names[leak.kind]}：${leak.excerpt}`, list)
  box.hidden = false
  box.querySelector('input')?.focus()
  return false
}

async function submit(form: HTMLFormElement): Promise<void> {
  const action = form.dataset['form'] ?? ''
  const data = new FormData(form)
  const text = (name: string): string => {
    const value = data.get(name)
    return typeof value === 'string' ? value.trim() : ''
  }
  switch (action) {
    case 'return':
    case 'hand_over':
    case 'decide_arbitration': {
      const target = text('target')
      if (target === '') throw new Error('请选择接收的单位。')
      const stays = target === root?.dataset['holder']
      return act(action, {
        target,
        ...(action === 'return' ? { reason: text('reason') } : {}),
        ...(stays ? {} : { wraps: await wrapsFor(target) }),
      })
    }
    case 'note':
      return act(action, { note: await sealed(text('note'), 'tip.note') })
    case 'extend':
    case 'send_back':
    case 'audit_reopen':
      return act(action, { note: await sealed(text('note'), 'tip.reason') })
    case 'attach':
      return act(action, { attachTo: text('attachTo').toUpperCase() })
    case 'conclude': {
      const statement = text('statement')
      if (!isChecked(form, statement)) return
      const outcome = text('outcome')
      return act(action, {
        ...(outcome === '' ? {} : { outcome }),
        statement,
        ...(outcome === 'outside' ? { competentBody: text('competentBody') } : {}),
      })
    }
    case 'publish':
      return act(action, { hideArea: data.has('hideArea'), hideCategory: data.has('hideCategory') })
  }
}

for (const button of document.querySelectorAll<HTMLButtonElement>('[data-act]')) {
  button.addEventListener('click', () => void act(button.dataset['act'] ?? '').catch(tell))
}
for (const form of document.querySelectorAll<HTMLFormElement>('[data-form]')) {
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    submit(form).catch(tell)
  })
}
for (const button of document.querySelectorAll<HTMLButtonElement>('[data-remove-proof]')) {
  button.addEventListener('click', () => {
    postJson(`${base}/proofs/${button.dataset['removeProof'] ?? ''}/remove`, {})
      .then(() => {
        location.reload()
      })
      .catch(tell)
  })
}
document.querySelector<HTMLFormElement>('[data-proof-photo]')?.addEventListener('submit', (event) => {
  event.preventDefault()
  say('正在上传……')
  post(`${base}/proofs`, new FormData(event.currentTarget as HTMLFormElement))
    .then(() => {
      location.reload()
    })
    .catch(tell)
})
document.querySelector<HTMLFormElement>('[data-proof-text]')?.addEventListener('submit', (event) => {
  event.preventDefault()
  postJson(`${base}/proofs`, Object.fromEntries(new FormData(event.currentTarget as HTMLFormElement)))
    .then(() => {
      location.reload()
    })
    .catch(tell)
})
document.querySelector('[data-rewrap]')?.addEventListener('click', () => {
  wrapsFor(root?.dataset['holder'] ?? '')
    .then((wraps) => postJson(`${base}/wraps`, { wraps }))
    .then(() => {
      location.reload()
    })
    .catch(tell)
})
document.querySelector('[data-print]')?.addEventListener('click', () => {
  print()
})
unlockForm?.addEventListener('submit', (event) => {
  event.preventDefault()
  const field = unlockForm.querySelector<HTMLInputElement>('input')
  say('正在解锁……')
  unlock(root?.dataset['username'] ?? '', field?.value ?? '')
    .then(() => {
      say('')
      return open()
    })
    .catch(tell)
})
open().catch(tell)
