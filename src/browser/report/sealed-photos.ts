import { photoRefusal } from '../../domain/photo.ts'
import type { TipSecrets } from '../../sealing/outgoing.ts'
import { element } from './dom.ts'
import { HEAD_BYTES, refusalBeforeSending } from './photo-check.ts'
import { SealingError, type SealJob } from './seal-jobs.ts'
import { createUpload, removeUpload, UploadRefusedError, type Upload } from './upload.ts'
import type { HeldPhoto } from './vault.ts'

/** The photos of the page that is shown. */
export interface PhotoField {
  /** Waits for what is under way; false when a photo failed and somebody has to decide about it. */
  settle(): Promise<boolean>
}

/** What the photos of a tip need of the rest of it. */
export interface PhotoKeeper {
  readonly seal: SealJob
  readonly secrets: TipSecrets
  /** Pictures that this page has, by the photo's number; after a reload there are none. */
  readonly previews: Map<number, string>
  /** Files as chosen, as long as the page has them. */
  readonly files: Map<number, File>
  photos(): readonly HeldPhoto[]
  /** Gives out a number that no other photo of the tip has had. */
  number(): Promise<number>
  change(edit: (photos: readonly HeldPhoto[]) => readonly HeldPhoto[]): Promise<void>
  /** Sealing is not to be had. */
  fail(error: SealingError): void
}

interface Pending {
  readonly file: File
  readonly row: HTMLElement
  /** Begun uploads, which go on after a break. */
  copy?: Upload
  original?: Upload
  part?: number
  words?: string | null
  device?: string | null
}

/** A photo's preview, or its number in words. */
export function pictureOf(previews: ReadonlyMap<number, string>, part: number, ordinal: number): HTMLElement {
  const preview = previews.get(part)
  return preview === undefined
    ? element('span', { class: 'photo-sealed' }, `第 ${ordinal} 张照片（已密封）`)
    : element('img', { src: preview, alt: `第 ${ordinal} 张照片` })
}

/** Seals photos one by one as they are chosen, and sends what is sealed. */
export function watchPhotos(page: HTMLElement, keeper: PhotoKeeper): PhotoField | null {
  const input = page.querySelector<HTMLInputElement>('[data-photo-input]')
  const box = page.querySelector<HTMLElement>('[data-photos]')
  if (!input || !box) return null
  const list = element('ul', { class: 'photo-list' })
  const rows = element('ul', { class: 'photo-list' })
  const problems = element('ul', { class: 'photo-problems', role: 'alert' })
  const status = element('p', { class: 'visually-hidden', role: 'status' })
  box.replaceChildren(list)
  box.after(rows, status)
  input.before(problems)
  const waiting = new Set<Pending>()
  let queue: Promise<void> = Promise.resolve()

  const complain = (name: string, reason: string): void => {
    problems.append(element('li', {}, element('strong', {}, name), `：${reason}`))
  }
  const enqueue = (job: () => Promise<void>): void => {
    queue = queue.then(job).catch((error: unknown) => {
      if (error instanceof SealingError) keeper.fail(error)
      else complain('没有做成', '网络断了，请再试一次。')
    })
  }
  const held = () => {
    const sizes = [...keeper.photos(), ...[...waiting].map(({ file }) => ({ bytes: file.size }))]
    return { count: sizes.length, bytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0) }
  }
  const edit = (part: number, change: Partial<HeldPhoto>): Promise<void> =>
    keeper.change((photos) => photos.map((photo) => (photo.part === part ? { ...photo, ...change } : photo)))

  function choice(
    id: string,
    words: string,
    checked: boolean,
    onChange: (checked: boolean) => void,
  ): HTMLElement {
    const box = element('input', { type: 'checkbox', id })
    box.checked = checked
    box.addEventListener('change', () => onChange(box.checked))
    return element('div', { class: 'choice' }, box, element('label', { for: id }, words))
  }

  function rowOf(photo: HeldPhoto, ordinal: number): HTMLElement {
    const { part, words, device, told, original } = photo
    const row = element('li', { 'data-part': String(part), 'data-bytes': String(photo.bytes) })
    row.append(pictureOf(keeper.previews, part, ordinal))
    const tells = [words, device === null ? null : `设备 ${device}`].filter((text) => text !== null)
    const facts = tells.join('，').split(/(?<=，)/)
    row.append(
      tells.length > 0
        ? element(
            'p',
            { class: 'hint' },
            '照片里记着：',
            ...facts.map((fact) => element('span', { class: 'whole' }, fact)),
            '。',
          )
        : element('p', { class: 'hint' }, '照片里没有记时间、地点和设备。'),
    )
    if (words !== null) {
      row.append(
        choice(`tell-${part}`, '把这个时间和地点写进举报（一起密封）', told, (checked) =>
          enqueue(() => edit(part, { told: checked })),
        ),
      )
    }
    if (original !== null || keeper.files.has(part)) {
      row.append(
        choice(
          `original-${part}`,
          '原片也密封留给承办人员（带着照片里记的信息）',
          original !== null,
          (checked) => enqueue(() => (checked ? addOriginal(photo) : dropOriginal(photo))),
        ),
      )
    }
    const away = element('button', { class: 'button-secondary', type: 'button' }, '去掉')
    away.append(element('span', { class: 'visually-hidden' }, `第 ${ordinal} 张照片`))
    away.addEventListener('click', () => enqueue(() => remove(photo)))
    row.append(away)
    return row
  }

  function show(): void {
    list.replaceChildren(...keeper.photos().map((photo, index) => rowOf(photo, index + 1)))
  }

  async function sealed(file: File, part: number): Promise<Upload> {
    const bytes = new Uint8Array(await file.arrayBuffer())
    return createUpload(
      await keeper.seal('photo', { secrets: keeper.secrets, purpose: 'tip.original', part, bytes }),
    )
  }

  async function addOriginal({ part }: HeldPhoto): Promise<void> {
    const file = keeper.files.get(part)
    if (!file) return
    await edit(part, { original: await (await sealed(file, part)).run(() => {}) })
    show()
  }

  async function dropOriginal({ part }: HeldPhoto): Promise<void> {
    const now = keeper.photos().find((photo) => photo.part === part)
    await edit(part, { original: null })
    if (now?.original) await removeUpload(now.original)
    show()
  }

  async function remove({ part }: HeldPhoto): Promise<void> {
    const gone = keeper.photos().find((photo) => photo.part === part)
    await keeper.change((photos) => photos.filter((photo) => photo.part !== part))
    const preview = keeper.previews.get(part)
    if (preview !== undefined) URL.revokeObjectURL(preview)
    keeper.previews.delete(part)
    keeper.files.delete(part)
    show()
    status.textContent = `已经去掉，还有 ${keeper.photos().length} 张。`
    input?.focus()
    if (gone) await Promise.all([gone.copy, gone.original].filter((id) => id !== null).map(removeUpload))
  }

  function drop(pending: Pending): void {
    waiting.delete(pending)
    pending.row.remove()
  }

  /** Looks at the photo, strips and seals it. Answers false when it is refused. */
  async function prepare(pending: Pending): Promise<boolean> {
    const { file } = pending
    const bytes = new Uint8Array(await file.arrayBuffer())
    const looked = await keeper.seal('look', { bytes })
    const refuse = (reason: string): false => {
      complain(file.name, reason)
      drop(pending)
      return false
    }
    if ('refused' in looked) return refuse(looked.refused)
    const preview = URL.createObjectURL(new Blob([looked.working], { type: `image/${looked.kind}` }))
    const image = element('img', { src: preview, alt: '' })
    try {
      await image.decode()
    } catch {
      URL.revokeObjectURL(preview)
      return refuse(photoRefusal('damaged'))
    }
    const part = await keeper.number()
    const address = { secrets: keeper.secrets, part }
    const [copy, original] = [
      await keeper.seal('photo', { ...address, purpose: 'tip.photo', bytes: looked.working }),
      await keeper.seal('photo', { ...address, purpose: 'tip.original', bytes }),
    ]
    keeper.previews.set(part, preview)
    keeper.files.set(part, file)
    Object.assign(pending, {
      part,
      words: looked.words,
      device: looked.device,
      copy: createUpload(copy),
      original: createUpload(original),
    } satisfies Partial<Pending>)
    return true
  }

  async function send(pending: Pending): Promise<void> {
    const { file, row } = pending
    row.replaceChildren(`${file.name} 正在密封…`)
    if (pending.part === undefined && !(await prepare(pending))) return
    const { part = 0, copy, original, words = null, device = null } = pending
    if (!copy || !original) return
    const bar = element('progress', { max: '1', value: '0', 'aria-label': `${file.name} 上传进度` })
    row.replaceChildren(pictureOf(keeper.previews, part, held().count), bar)
    try {
      const copyId = await copy.run((share) => (bar.value = share / 2))
      const originalId = await original.run((share) => (bar.value = (1 + share) / 2))
      drop(pending)
      await keeper.change((photos) => [
        ...photos,
        { part, bytes: file.size, copy: copyId, original: originalId, words, device, told: false },
      ])
      show()
      status.textContent = `${file.name} 已经密封传好，现在一共 ${keeper.photos().length} 张。`
    } catch (error) {
      if (error instanceof UploadRefusedError) {
        drop(pending)
        complain(file.name, error.message)
        return
      }
      const again = element('button', { class: 'button-secondary', type: 'button' }, '重试')
      const away = element('button', { class: 'button-secondary', type: 'button' }, '不传了')
      again.addEventListener('click', () => enqueue(() => send(pending)))
      away.addEventListener('click', () => {
        drop(pending)
        input?.focus()
      })
      row.replaceChildren(
        pictureOf(keeper.previews, part, held().count),
        element(
          'p',
          { class: 'error', role: 'alert' },
          `${file.name} 没有传上：网络断了。已经传到的不用重传。`,
        ),
        again,
        away,
      )
    }
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
      const pending: Pending = { file, row: element('li', {}, `${file.name} 等待密封`) }
      rows.append(pending.row)
      waiting.add(pending)
      enqueue(() => send(pending))
    }
  }

  let choosing: Promise<void> = Promise.resolve()
  input.addEventListener('change', (event) => {
    // The choice itself is nothing to keep.
    event.stopPropagation()
    const files = [...(input.files ?? [])]
    input.value = ''
    choosing = choosing.then(() => choose(files))
  })
  input.disabled = false
  show()

  return {
    async settle() {
      await choosing
      await queue
      const [failed] = waiting
      failed?.row.querySelector('button')?.focus()
      return failed === undefined
    },
  }
}
