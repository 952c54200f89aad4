import { leaks } from '../../domain/leak.ts'
import { pairOf } from '../../sealing/age-identity.ts'
import { fromUtf8, utf8 } from '../../sealing/bytes.ts'
import { openPart, sealPart, type PartPurpose } from '../../sealing/envelope.ts'
import { EnvelopeError, type EnvelopeErrorCode } from '../../sealing/envelope-error.ts'
import type { SealedNarrative } from '../../sealing/outgoing.ts'
import { unwrapTipKey, wrapTipKey } from '../../sealing/tip-keys.ts'
import { element } from './element.ts'
import { fetchPage } from './fetch-page.ts'
import { clearErrors, showErrors } from './form-errors.ts'
import { postWithPhotos, sealForm, showThread, type Correspondence, type SealedMessage } from './messages.ts'
import { canUsePasskeys, unlockWithPasskey } from './passkey.ts'
import { asJpeg, redrawn } from './picture.ts'
import { redact, type Redacted } from './redaction.ts'
import {
  bytes,
  fetchKeys,
  getJson,
  post,
  postJson,
  Refused,
  toBase64Url,
  unlock,
  wakeDepartmentKeys,
} from './session.ts'

interface Tip extends Correspondence {
  readonly caseNo: string
  readonly recipient: string
  readonly photoParts: readonly number[]
  readonly wrap: { readonly department: string; readonly epoch: number; readonly wrapped: string } | null
  readonly narrative: string | null
  readonly notes: readonly {
    readonly purpose: PartPurpose
    readonly sealed: string
    readonly author: string
  }[]
}

/** The case as last fetched; {@link refresh} puts a newer one in its place, so nothing below keeps hold of it. */
const root = (): HTMLElement | null => document.querySelector<HTMLElement>('[data-case]')
const find = <E extends HTMLElement = HTMLElement>(selector: string): E | null =>
  root()?.querySelector<E>(selector) ?? null
const caseNo = root()?.dataset['case'] ?? ''
const base = `/api/v1/staff/cases/${caseNo}`
const status = document.querySelector<HTMLElement>('[data-status]')
const QUEUE = '/staff/queue/'

let tips: readonly Tip[] = []
/** The secret of each tip that was opened in this page. */
const secrets = new Map<string, string>()
const narratives = new Map<string, SealedNarrative>()
const reporterWords: string[] = []

const say = (text: string): void => {
  if (status) status.textContent = text
}
const UNOPENED: Readonly<Record<EnvelopeErrorCode, string>> = {
  'wrong-key': '不是封给这把钥匙的。',
  damaged: '密封的内容损坏了，打不开。',
  mismatch: '密封的内容和这里对不上，可能被人调换过。',
}
const messageOf = (error: unknown): string => {
  if (error instanceof EnvelopeError) return UNOPENED[error.code]
  return error instanceof Error ? error.message : '没有成功，请重试。'
}
const tell = (error: unknown): void => {
  say(messageOf(error))
}
const refuseField = (field: string, message: string): Refused =>
  new Refused(422, message, [{ field, message }])

async function fetchPart(
  tip: Tip,
  identity: string,
  purpose: PartPurpose,
  part: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const reply = await fetch(`${base}/photos/${tip.id}/${purpose}/${part}`)
  if (reply.status === 404 && purpose === 'tip.original') throw new Error('举报人没有留原片。')
  if (!reply.ok) throw new Error('照片取不到。')
  const sealed = new Uint8Array(await reply.arrayBuffer())
  return new Uint8Array(await openPart({ identity, purpose, tip: tip.id, part, sealed }))
}

async function showPhoto(
  tip: Tip,
  identity: string,
  part: number,
  ordinal: number,
  box: Element,
): Promise<void> {
  const figure = element('figure', '', box)
  const name = `举报照片 ${ordinal}`
  let picture: Uint8Array<ArrayBuffer> | null = null
  try {
    picture = await fetchPart(tip, identity, 'tip.photo', part)
    const image = document.createElement('img')
    image.alt = name
    image.src = URL.createObjectURL(await asJpeg(await redrawn(picture)))
    figure.append(image)
  } catch (error) {
    picture = null
    element('p', `${name}没有显示：${messageOf(error)}`, figure).className = 'notice notice-warn'
  }
  // Only who may add proofs is shown the form for them.
  const shown = picture
  if (shown && find('[data-proof-photo]')) {
    const prove = element('button', '遮挡后作为佐证', figure)
    prove.type = 'button'
    prove.className = 'button-secondary no-print'
    prove.addEventListener('click', () => {
      provePhotos(null, [{ bytes: shown, name }], '').catch(tell)
    })
  }
  const original = element('button', '下载证据原件（含拍摄地点，勿外传）', figure)
  original.type = 'button'
  original.className = 'button-secondary no-print'
  original.addEventListener('click', () => {
    fetchPart(tip, identity, 'tip.original', part)
      .then((picture) => {
        const link = document.createElement('a')
        link.href = URL.createObjectURL(new Blob([picture], { type: 'application/octet-stream' }))
        link.download = `${tip.caseNo}-${ordinal}.bin`
        link.click()
      })
      .catch(tell)
  })
}

async function showTip(tip: Tip, identity: string, sealedBox: Element): Promise<void> {
  if (tip.narrative === null) return
  const opened = await openPart({
    identity,
    purpose: 'tip.narrative',
    tip: tip.id,
    part: 0,
    sealed: bytes(tip.narrative),
  })
  const narrative = JSON.parse(fromUtf8(opened)) as SealedNarrative
  narratives.set(tip.id, narrative)
  reporterWords.push(narrative.description, narrative.place, narrative.callback ?? '')
  const card = element('div', '', sealedBox)
  card.className = 'card'
  const list = element('dl', '', card)
  list.className = 'facts'
  const fact = (name: string, value: string): void => {
    const row = element('div', '', list)
    if (name === '电话') row.className = 'no-print'
    element('dt', name, row)
    const cell = element('dd', '', row)
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
  fact('电话', narrative.callback ?? '没有留')
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
  for (const [index, part] of tip.photoParts.entries())
    await showPhoto(tip, identity, part, index + 1, photos).catch(tell)
}

/** Shows the form that unlocks, with the reason when it is not the usual one. */
async function askToUnlock(why: string | null): Promise<void> {
  const form = find('[data-unlock]')
  const text = form?.querySelector('[data-unlock-why]')
  if (text && why !== null) text.textContent = why
  form?.removeAttribute('hidden')
  const { passkeys } = await fetchKeys()
  const usable = passkeys.length > 0 && canUsePasskeys()
  form?.querySelector('[data-unlock-passkey]')?.toggleAttribute('hidden', !usable)
}

/** Opens everything that this member's keys open. */
async function open(): Promise<void> {
  const box = find('[data-sealed]')
  if (!box) return
  const keys = await wakeDepartmentKeys()
  box.replaceChildren()
  find('[data-unlock]')?.setAttribute('hidden', '')
  if (!keys) return askToUnlock(null)
  tips = (await getJson<{ tips: readonly Tip[] }>(base)).tips
  let granted: readonly { departmentId: string; epoch: number }[] | null = null
  let isDamaged = false
  for (const tip of tips) {
    const { wrap } = tip
    if (!wrap) continue
    const key = keys.find((held) => held.department === wrap.department && held.epoch === wrap.epoch)
    if (!key) {
      granted ??= (await fetchKeys()).grants
      const isNew = granted.some((one) => one.departmentId === wrap.department && one.epoch === wrap.epoch)
      if (isNew) return askToUnlock('本单位的钥匙换过了，请再输入一次口令，取得新的钥匙。')
      continue
    }
    const address = { tip: tip.id, department: wrap.department, epoch: wrap.epoch }
    try {
      const identity = await unwrapTipKey(address, bytes(wrap.wrapped), key.identity)
      secrets.set(tip.id, identity)
      await showTip(tip, identity, box)
      const thread = find(`[data-thread="${tip.id}"]`)
      if (thread) reporterWords.push(...(await showThread(thread, base, tip, identity)))
    } catch (error) {
      // The others are shown all the same.
      isDamaged = true
      element('p', `${tip.caseNo} 没有显示：${messageOf(error)}`, box).className = 'notice notice-warn'
    }
  }
  if (secrets.size === 0 && !isDamaged)
    element('p', '您还没有本单位的钥匙。请同事在“成员”页面授予您。', box).className = 'notice notice-warn'
}

/** What was typed goes over into the newer page, field by field; what has no field there any more is shown to copy. */
function keepTyped(old: HTMLElement, next: HTMLElement, forget: HTMLFormElement | null): void {
  const lost: string[] = []
  for (const form of old.querySelectorAll<HTMLFormElement>('form[data-form]')) {
    if (form === forget) continue
    const name = form.dataset['form'] ?? ''
    const target = next.querySelector<HTMLFormElement>(`form[data-form="${name}"]`)
    for (const control of form.querySelectorAll<HTMLInputElement>('[name]')) {
      const same = target?.querySelector<HTMLInputElement>(
        control.type === 'radio' ? `#${CSS.escape(control.id)}` : `[name="${CSS.escape(control.name)}"]`,
      )
      if (control.type === 'radio' || control.type === 'checkbox') {
        if (same) same.checked = control.checked
      } else if (control.type === 'file') {
        if (same) same.files = control.files
      } else if (control.value !== control.defaultValue && control.value.trim() !== '') {
        if (same) same.value = control.value
        else if (control.tagName !== 'SELECT') lost.push(control.value)
      }
    }
    const box = target?.closest('details')
    if (box && form.closest('details')?.open) box.open = true
  }
  const kept = document.querySelector<HTMLElement>('[data-kept]')
  kept?.replaceChildren()
  if (!kept || lost.length === 0) return
  const notice = element('div', '', kept)
  notice.className = 'notice notice-warn'
  element('p', '您刚才写的没有保存，要用请从这里复制：', notice)
  for (const text of lost) element('p', text, notice)
}

/** The page as it stands now, in the place of the one shown. False when the case is no longer ours to see. */
async function refresh(forget: HTMLFormElement | null): Promise<boolean> {
  const fresh = await fetchPage(location.href)
  const next = fresh?.querySelector<HTMLElement>('[data-case]')
  const old = root()
  if (!next || !old) return false
  keepTyped(old, next, forget)
  old.replaceWith(document.adoptNode(next))
  secrets.clear()
  narratives.clear()
  reporterWords.length = 0
  tips = []
  await open()
  return true
}

/** Each opened tip's secret, wrapped for another department. */
async function wrapsFor(department: string): Promise<{ tipId: string; epoch: number; wrapped: string }[]> {
  const recipients =
    await getJson<Record<string, { epoch: number; recipient: string }>>('/api/v1/staff/recipients')
  const target = recipients[department]
  if (!target) throw refuseField('target', '请选择接收的单位。')
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
  // From the tip's own secret where it is at hand, else as the server tells it.
  const identity = secrets.get(tip.id)
  const { recipient } = identity === undefined ? tip : await pairOf(identity)
  const envelope = await sealPart({
    recipients: [recipient],
    purpose,
    tip: tip.id,
    part: 0,
    bytes: utf8(text),
  })
  return { tipId: tip.id, purpose, sealed: toBase64Url(envelope) }
}

const DONE: Readonly<Record<string, string>> = {
  accept: '已受理。',
  work: '已开始办理。',
  note: '记录已保存。',
  return: '已退单。',
  decide_arbitration: '已裁定。',
  hand_over: '已转办。',
  attach: '已并入。',
  ask_reporter: '已密封发出，期限暂停，等举报人答复。',
  extend: '已延期。',
  mark_complex: '已列为复杂件。',
  conclude: '已办结，等发布员公开。',
  publish: '已公开。',
  send_back: '已退回补办。',
  audit_reopen: '已重办。',
}

let running: Promise<void> = Promise.resolve()
const waiting = new Set<unknown>()

/**
 * Runs one request at a time and says how it went; the page then shows what is true, with the rest of the forms kept.
 * What is pressed while another request runs waits for its turn; the same thing pressed twice counts once.
 */
function save(
  form: HTMLFormElement | null,
  done: string,
  request: () => Promise<unknown>,
  pressed: unknown = form ?? request,
): Promise<void> {
  if (waiting.has(pressed)) return running
  waiting.add(pressed)
  running = running.then(() => saveNow(form, done, request)).finally(() => waiting.delete(pressed))
  return running
}

async function saveNow(
  form: HTMLFormElement | null,
  done: string,
  request: () => Promise<unknown>,
): Promise<void> {
  say('正在保存……')
  try {
    if (form) clearErrors(form)
    await request()
    if (await refresh(form)) say(done)
    else location.assign(`${QUEUE}?done=${caseNo}`)
  } catch (error) {
    if (error instanceof Refused && error.status === 409 && (await refresh(null))) {
      say(`${messageOf(error)}已换成最新的内容，您写的还在。`)
    } else {
      tell(error)
      if (form && error instanceof Refused) {
        showErrors(form, error.fields)
        return
      }
    }
  }
  status?.focus()
}

/**
 * Lets the officer cover each picture and decide, then sends what came of it, one request a picture. Giving up on one
 * sends none.
 */
async function provePhotos(
  form: HTMLFormElement | null,
  photos: readonly { bytes: Uint8Array<ArrayBuffer>; name: string }[],
  caption: string,
): Promise<void> {
  const decided: Redacted[] = []
  for (const { bytes: picture, name } of photos) {
    const redacted = await redact(picture, { caption, title: `公开前先遮挡：${name}` })
    if (!redacted) return say('没有上传。')
    decided.push(redacted)
  }
  return save(form, '照片已上传。', async () => {
    for (const { picture, review, caption: words } of decided) {
      const body = new FormData()
      body.set('review', review)
      body.set('caption', words)
      body.set('photo', picture, 'photo.jpg')
      await post(`${base}/proofs`, body)
    }
  })
}

async function proveFiles(form: HTMLFormElement): Promise<void> {
  const files = form.querySelector<HTMLInputElement>('input[type=file]')?.files ?? []
  const photos = await Promise.all(
    [...files].map(async (file, index) => ({
      bytes: new Uint8Array(await file.arrayBuffer()),
      name: files.length > 1 ? `第 ${index + 1} 张，共 ${files.length} 张` : '检查照片',
    })),
  )
  return provePhotos(form, photos, form.querySelector<HTMLInputElement>('[name=caption]')?.value ?? '')
}

const act = (
  form: HTMLFormElement | null,
  action: string,
  more: () => Promise<{ readonly photos?: readonly Blob[]; readonly [part: string]: unknown }>,
): Promise<void> =>
  save(
    form,
    DONE[action] ?? '已保存。',
    async () => {
      const { photos = [], ...rest } = await more()
      const body = { ...rest, version: Number(root()?.dataset['version']), action }
      return postWithPhotos(`${base}/actions`, body, photos)
    },
    form ?? action,
  )

/** True when what would be published may go on: nothing suspicious, or the officer has looked. */
function isChecked(form: HTMLFormElement, texts: readonly string[]): boolean {
  const box = form.querySelector<HTMLElement>('[data-leaks]')
  const list = box?.querySelector('ul')
  const names = { phone: '电话号码', 'id-number': '身份证号', 'repeats-words': '和举报人的原话相同' } as const
  const found = leaks(texts.join('\n'), { reporterWords }).map(
    (leak) => `${names[leak.kind]}：${leak.excerpt}`,
  )
  if (secrets.size === 0) found.push('没有解锁密封的内容，无法核对是不是照抄了举报人的话。')
  if (!box || !list || found.length === 0 || form.querySelector<HTMLInputElement>('#checked')?.checked)
    return true
  list.replaceChildren()
  for (const text of found) element('li', text, list)
  box.hidden = false
  box.querySelector('input')?.focus()
  return false
}

async function submit(form: HTMLFormElement): Promise<void> {
  const action = 'tip' in form.dataset ? 'message' : (form.dataset['form'] ?? '')
  const data = new FormData(form)
  const text = (name: string): string => {
    const value = data.get(name)
    return typeof value === 'string' ? value.trim() : ''
  }
  const required = (name: string, message: string): string => {
    const value = text(name)
    if (value === '') throw refuseField(name, message)
    return value
  }
  switch (action) {
    case 'return':
    case 'hand_over':
    case 'decide_arbitration':
      return act(form, action, async () => {
        const target = required('target', '请选择接收的单位。')
        const stays = target === root()?.dataset['holder']
        return {
          target,
          ...(action === 'return' ? { reason: text('reason') } : {}),
          ...(stays ? {} : { wraps: await wrapsFor(target) }),
        }
      })
    case 'note':
      return act(form, action, async () => ({
        note: await sealed(required('note', '请写下记录。'), 'tip.note'),
      }))
    case 'extend':
    case 'send_back':
    case 'audit_reopen':
      return act(form, action, async () => ({
        note: await sealed(required('note', '请写明理由。'), 'tip.reason'),
      }))
    case 'message': {
      const seal = (): Promise<SealedMessage> => {
        const tip = tips.find(({ id }) => id === form.dataset['tip'])
        const identity = tip && secrets.get(tip.id)
        const narrative = tip && narratives.get(tip.id)
        if (!tip || identity === undefined || !narrative) {
          throw new Error('请先解锁，再给举报人留言。')
        }
        return sealForm(form, tip, { identity, narrative })
      }
      if (data.has('ask')) return act(form, 'ask_reporter', async () => ({ ...(await seal()) }))
      return save(form, '已密封发出。', async () => {
        const { message, photos } = await seal()
        return postWithPhotos(`${base}/messages`, message, photos)
      })
    }
    case 'attach':
      return act(form, action, () => Promise.resolve({ attachTo: text('attachTo') }))
    case 'conclude': {
      const statement = text('statement')
      const outcome = text('outcome')
      const competentBody = outcome === 'outside' ? text('competentBody') : ''
      const captions = [...document.querySelectorAll('[data-caption]')].map((one) => one.textContent)
      if (!isChecked(form, [statement, competentBody, ...captions])) return
      return act(form, action, () =>
        Promise.resolve({
          ...(outcome === '' ? {} : { outcome }),
          statement,
          ...(outcome === 'outside' ? { competentBody } : {}),
        }),
      )
    }
    case 'publish':
      return act(form, action, () =>
        Promise.resolve({ hideArea: data.has('hideArea'), hideCategory: data.has('hideCategory') }),
      )
  }
}

/** The preview follows what the publisher chooses to hide. */
async function preview(form: HTMLFormElement): Promise<void> {
  const query = new URLSearchParams()
  for (const name of new FormData(form).keys()) query.set(name, '1')
  const fresh = await fetchPage(`${location.pathname}?${query.toString()}`)
  const next = fresh?.querySelector('[data-preview]')
  if (!next) throw new Error('预览取不到，请刷新页面。')
  find('[data-preview]')?.replaceWith(document.adoptNode(next))
}

async function unlockHere(work: () => Promise<void>): Promise<void> {
  say('正在解锁……')
  await work()
  say('')
  await open()
}

const unlockByPassphrase = (form: HTMLFormElement) => (): Promise<void> =>
  unlock(root()?.dataset['username'] ?? '', form.querySelector('input')?.value ?? '')

document.addEventListener('submit', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || !form.closest('[data-case]')) return
  event.preventDefault()
  if ('unlock' in form.dataset) unlockHere(unlockByPassphrase(form)).catch(tell)
  else if ('proofPhoto' in form.dataset) {
    proveFiles(form).catch(tell)
  } else if ('proofText' in form.dataset) {
    void save(form, '佐证已增加。', () => postJson(`${base}/proofs`, Object.fromEntries(new FormData(form))))
  } else submit(form).catch(tell)
})
document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest('button') : null
  const data = button?.dataset
  if (!data) return
  if (data['act']) void act(null, data['act'], () => Promise.resolve({}))
  else if ('unlockPasskey' in data) unlockHere(unlockWithPasskey).catch(tell)
  else if (data['removeProof']) {
    const id = data['removeProof']
    void save(null, '已去掉。', () => postJson(`${base}/proofs/${id}/remove`, {}), id)
  } else if ('rewrap' in data) {
    void save(
      null,
      '钥匙已转交。',
      async () => postJson(`${base}/wraps`, { wraps: await wrapsFor(root()?.dataset['holder'] ?? '') }),
      'rewrap',
    )
  } else if ('print' in data) print()
})
document.addEventListener('input', (event) => {
  const form = event.target instanceof Element ? event.target.closest<HTMLFormElement>('form') : null
  if (form?.dataset['form'] === 'publish') preview(form).catch(tell)
  if (form) delete form.dataset['key']
  // What was looked at has changed: it is looked at anew.
  const checked = form?.querySelector<HTMLInputElement>('#checked')
  if (checked && event.target !== checked) {
    checked.checked = false
    checked.closest<HTMLElement>('[data-leaks]')?.setAttribute('hidden', '')
  }
})
// Another script of this page changed something.
document.addEventListener('case-changed', () => {
  refresh(null).catch(tell)
})
open().catch(tell)
