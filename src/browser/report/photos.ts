import { photoRefusal } from '../../domain/photo.ts'
import { element } from './dom.ts'
import { HEAD_BYTES, refusalBeforeSending } from './photo-check.ts'
import { request, type ReportPage } from './request.ts'

/** The photos of the page that is shown. */
export interface PhotoField {
  /** Waits for what is under way; false when a photo failed and somebody has to decide about it. */
  settle(): Promise<boolean>
  /** Lets go of the previews. */
  leave(): void
}

interface Pending {
  readonly file: File
  readonly row: HTMLElement
  readonly preview: string
}

/** Sends photos one by one as they are chosen, each with a preview made here and a bar of its own. */
export function watchPhotos(root: HTMLElement): PhotoField | null {
  const input = root.querySelector<HTMLInputElement>('[data-photo-input]')
  const form = input?.form
  if (!input || !form) return null
  const kept = (): HTMLElement | null => root.querySelector('[data-photos]')
  const waiting = new Set<Pending>()
  /** Previews of what was sent from this page, by part. */
  const previews = new Map<string, string>()
  const rows = element('ul', { class: 'photo-list' })
  const problems = element('ul', { class: 'photo-problems', role: 'alert' })
  const status = element('p', { class: 'visually-hidden', role: 'status' })
  kept()?.after(rows, status)
  input.before(problems)
  const upload = root.querySelector<HTMLElement>('button[name="upload"]')
  if (upload) upload.hidden = true
  let queue: Promise<void> = Promise.resolve()

  const parts = (): string[] =>
    [...root.querySelectorAll<HTMLElement>('[data-part]')].map((item) => item.dataset['part'] ?? '')
  const held = () => {
    const sizes = [...root.querySelectorAll<HTMLElement>('[data-bytes]')].map((item) =>
      Number(item.dataset['bytes']),
    )
    sizes.push(...[...waiting].map(({ file }) => file.size))
    return { count: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
  }
  const complain = (name: string, reason: string): void => {
    problems.append(element('li', {}, element('strong', {}, name), `：${reason}`))
  }
  /** What else is on the page goes along, so that it is kept too. */
  const bodyWith = (name: string, value: string): FormData => {
    const body = new FormData(form)
    body.delete('photos')
    body.append(name, value)
    return body
  }
  const refresh = (page: ReportPage): boolean => {
    const fresh = page.root.querySelector<HTMLElement>('[data-photos]')
    if (!fresh) return false
    for (const item of fresh.querySelectorAll<HTMLElement>('[data-part]')) {
      const preview = previews.get(item.dataset['part'] ?? '')
      if (preview) item.querySelector('img')?.setAttribute('src', preview)
    }
    kept()?.replaceWith(document.adoptNode(fresh))
    return true
  }

  function drop(pending: Pending): void {
    waiting.delete(pending)
    pending.row.remove()
    URL.revokeObjectURL(pending.preview)
  }

  async function send(pending: Pending): Promise<void> {
    const { file, row, preview } = pending
    const bar = element('progress', { max: '1', value: '0', 'aria-label': `${file.name} 上传进度` })
    row.replaceChildren(element('img', { src: preview, alt: '' }), bar)
    try {
      const before = parts()
      const body = bodyWith('upload', '1')
      body.append('photos', file)
      const page = await request(form?.action ?? '', body, (share) => {
        bar.value = share
      })
      const sent = [...page.root.querySelectorAll<HTMLElement>('[data-part]')]
        .map((item) => item.dataset['part'] ?? '')
        .find((part) => !before.includes(part))
      if (sent !== undefined) previews.set(sent, preview)
      const errors = [...page.root.querySelectorAll('.error-summary li')].map((item) => item.textContent)
      refresh(page)
      waiting.delete(pending)
      row.remove()
      if (sent === undefined) {
        URL.revokeObjectURL(preview)
        complain(file.name, errors[0] ?? '没有保存，请重新选择。')
      } else {
        status.textContent = `${file.name} 已经传好，现在一共 ${parts().length} 张。`
      }
    } catch {
      const again = element('button', { class: 'button-secondary', type: 'button' }, '重试')
      const away = element('button', { class: 'button-secondary', type: 'button' }, '不传了')
      again.addEventListener('click', () => enqueue(() => send(pending)))
      away.addEventListener('click', () => {
        drop(pending)
        input?.focus()
      })
      row.replaceChildren(
        element('img', { src: preview, alt: '' }),
        element('p', { class: 'error', role: 'alert' }, `${file.name} 没有传上：网络断了。`),
        again,
        away,
      )
    }
  }

  async function remove(part: string): Promise<void> {
    try {
      const page = await request(form?.action ?? '', bodyWith('remove', part))
      if (!refresh(page)) throw new Error('the draft is gone')
      status.textContent = `已经去掉，还有 ${parts().length} 张。`
      const preview = previews.get(part)
      if (preview) URL.revokeObjectURL(preview)
      previews.delete(part)
      input?.focus()
    } catch {
      complain('没有去掉', '网络断了，请再按一次“去掉”。')
    }
  }

  const enqueue = (job: () => Promise<void>): void => {
    queue = queue.then(job)
  }

  async function choose(files: readonly File[]): Promise<void> {
    problems.replaceChildren()
    for (const file of files) {
      const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer())
      const refusal = refusalBeforeSending({ size: file.size, head }, held())
      if (refusal !== null) {
        complain(file.name, photoRefusal(refusal))
        continue
      }
      const pending: Pending = { file, row: element('li'), preview: URL.createObjectURL(file) }
      pending.row.append(element('img', { src: pending.preview, alt: '' }), '等待上传')
      rows.append(pending.row)
      waiting.add(pending)
      enqueue(() => send(pending))
    }
  }

  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])]
    input.value = ''
    enqueueChoice(files)
  })
  let choosing: Promise<void> = Promise.resolve()
  const enqueueChoice = (files: readonly File[]): void => {
    choosing = choosing.then(() => choose(files))
  }
  root.addEventListener('click', (event) => {
    const button = event.target instanceof Element ? event.target.closest('button') : null
    if (button?.name !== 'remove') return
    event.preventDefault()
    enqueue(() => remove(button.value))
  })

  return {
    async settle() {
      await choosing
      await queue
      const failed = [...waiting][0]
      failed?.row.querySelector('button')?.focus()
      return failed === undefined
    },
    leave() {
      for (const pending of waiting) URL.revokeObjectURL(pending.preview)
      for (const preview of previews.values()) URL.revokeObjectURL(preview)
    },
  }
}
