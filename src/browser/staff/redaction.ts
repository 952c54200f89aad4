import {
  movedBy,
  onGrain,
  photoReviewText,
  squareOf,
  stepFor,
  type Cover,
  type CoverKind,
} from '../../domain/redaction.ts'
import { asJpeg, penOf, redrawn } from './picture.ts'

/** What the officer made of a picture: the only thing that is sent. */
export interface Redacted {
  readonly picture: Blob
  /** The decision, as a request carries it. */
  readonly review: string
  readonly caption: string
}

const dialog = document.querySelector<HTMLDialogElement>('[data-redaction]')

function within<E extends HTMLElement = HTMLElement>(selector: string): E {
  const found = dialog?.querySelector<E>(selector)
  if (!found) throw new Error('请刷新页面后重试。')
  return found
}

/** Everything under the cover becomes one colour, or few squares of one colour each. */
function draw(canvas: HTMLCanvasElement, cover: Cover): void {
  const pen = penOf(canvas)
  const { x, y, width, height } = cover
  if (cover.kind === 'box') {
    pen.fillStyle = '#000'
    pen.fillRect(x, y, width, height)
    return
  }
  const side = squareOf(cover)
  for (let top = y; top < y + height; top += side)
    for (let left = x; left < x + width; left += side) {
      const across = Math.min(side, x + width - left)
      const down = Math.min(side, y + height - top)
      pen.fillStyle = meanOf(pen.getImageData(left, top, across, down).data)
      pen.fillRect(left, top, across, down)
    }
}

function meanOf(data: Uint8ClampedArray): string {
  const sums = [0, 0, 0]
  for (let at = 0; at < data.length; at += 4)
    for (const channel of [0, 1, 2]) sums[channel] = (sums[channel] ?? 0) + (data[at + channel] ?? 0)
  return `rgb(${sums.map((sum) => Math.round((sum * 4) / data.length)).join(' ')})`
}

/**
 * Lets the officer cover parts of a picture, by pointer or keyboard, and see what will be public.
 * @returns null when the officer gives up
 * @throws {Error} with words for the officer, when the picture cannot be decoded
 */
export async function redact(
  bytes: Uint8Array<ArrayBuffer>,
  { caption, title }: { caption: string; title: string },
): Promise<Redacted | null> {
  if (!dialog) throw new Error('请刷新页面后重试。')
  const source = await redrawn(bytes)
  const { width, height } = source
  const shown = within<HTMLCanvasElement>('[data-canvas]')
  const result = within<HTMLImageElement>('[data-result]')
  const list = within('[data-covers]')
  const template = within<HTMLTemplateElement>('[data-cover]')
  const confirm = within<HTMLButtonElement>('[data-confirm]')
  const undo = within<HTMLButtonElement>('[data-undo]')
  const isClean = within<HTMLInputElement>('[data-checked]')
  const problem = within('[data-problem]')
  const words = within<HTMLInputElement>('#redaction-caption')
  const step = stepFor(width, height)

  let covers: readonly Cover[] = []
  const before: (readonly Cover[])[] = []
  /** Being drawn by the pointer. */
  let draft: Cover | null = null
  let picture: Blob | null = null
  let round = 0

  const say = (text: string): void => {
    within('[data-said]').textContent = text
  }

  function paint(): void {
    const pen = penOf(shown)
    pen.drawImage(source, 0, 0)
    for (const cover of draft ? [...covers, draft] : covers) {
      draw(shown, cover)
      pen.strokeStyle = '#ffbf2e'
      pen.lineWidth = Math.max(2, width / 300)
      pen.strokeRect(cover.x, cover.y, cover.width, cover.height)
    }
  }

  /** Makes the picture that is sent, and shows that very picture. */
  async function make(): Promise<void> {
    round += 1
    const mine = round
    picture = null
    confirm.disabled = true
    const canvas = document.createElement('canvas')
    canvas.width = width
    canvas.height = height
    penOf(canvas).drawImage(source, 0, 0)
    for (const cover of covers) draw(canvas, cover)
    const made = await asJpeg(canvas)
    if (mine !== round) return
    picture = made
    confirm.disabled = false
    URL.revokeObjectURL(result.src)
    result.src = URL.createObjectURL(made)
  }

  function fill(item: Element, cover: Cover, ordinal: number): void {
    const legend = item.querySelector('legend')
    if (legend) legend.textContent = `框 ${ordinal}`
    item.querySelector('[data-move]')?.setAttribute('aria-label', `移动框 ${ordinal}`)
    item.querySelector('[data-drop]')?.setAttribute('aria-label', `去掉框 ${ordinal}`)
    const kind = item.querySelector<HTMLSelectElement>('[data-kind]')
    if (kind) kind.value = cover.kind
    for (const side of ['x', 'y', 'width', 'height'] as const) {
      const input = item.querySelector<HTMLInputElement>(`[data-side="${side}"]`)
      if (input) input.value = String(cover[side])
    }
  }

  function show(): void {
    while (list.children.length > covers.length) list.lastElementChild?.remove()
    while (list.children.length < covers.length) list.append(template.content.cloneNode(true))
    for (const [index, cover] of covers.entries()) {
      const item = list.children[index]
      if (item) fill(item, cover, index + 1)
    }
    undo.disabled = before.length === 0
    within('[data-clean]').hidden = covers.length > 0
    problem.textContent = ''
    paint()
    make().catch((error: unknown) => {
      problem.textContent = error instanceof Error ? error.message : '照片画不出来。'
    })
  }

  function change(next: readonly Cover[]): void {
    before.push(covers)
    covers = next
    // What was looked at has changed: it is looked at anew.
    isClean.checked = false
    show()
  }

  const replace = (index: number, cover: Cover): void =>
    change(covers.map((one, at) => (at === index ? cover : one)))
  const indexOf = (target: EventTarget | null): number => {
    const item = target instanceof Element ? target.closest('li') : null
    return item ? [...list.children].indexOf(item) : -1
  }

  function back(): void {
    covers = before.pop() ?? []
    isClean.checked = false
    show()
    say(`已撤销，现在有 ${covers.length} 个框。`)
  }

  const ARROWS: Readonly<Record<string, readonly [right: number, down: number]>> = {
    ArrowLeft: [-step, 0],
    ArrowRight: [step, 0],
    ArrowUp: [0, -step],
    ArrowDown: [0, step],
  }
  function byKey(event: KeyboardEvent): void {
    if ((event.ctrlKey || event.metaKey) && event.key === 'z' && before.length > 0) {
      event.preventDefault()
      back()
      return
    }
    const arrow = ARROWS[event.key]
    const index = indexOf(event.target)
    const cover = covers[index]
    if (!arrow || !cover || !(event.target instanceof Element && event.target.closest('[data-move]'))) return
    event.preventDefault()
    const [right, down] = arrow
    const next = event.shiftKey
      ? onGrain({ ...cover, width: cover.width + right, height: cover.height + down }, width, height)
      : movedBy(cover, right, down, width, height)
    replace(index, next)
    say(`左 ${next.x}，上 ${next.y}，宽 ${next.width}，高 ${next.height}`)
  }

  function add(): void {
    const middle = { x: width * 0.375, y: height * 0.375, width: width / 4, height: height / 4 }
    change([...covers, onGrain({ kind: 'box', ...middle }, width, height)])
    list.lastElementChild?.querySelector<HTMLElement>('[data-move]')?.focus()
    say(`加了框 ${covers.length}。`)
  }

  function byClick(event: Event): void {
    const target = event.target instanceof Element ? event.target : null
    if (target?.closest('[data-add]')) add()
    else if (target?.closest('[data-undo]')) {
      back()
      if (undo.disabled) within('[data-add]').focus()
    } else if (target?.closest('[data-drop]')) {
      const index = indexOf(target)
      change(covers.filter((_, at) => at !== index))
      within('[data-add]').focus()
    } else if (target?.closest('[data-cancel]')) dialog?.close()
  }

  function byField(event: Event): void {
    const index = indexOf(event.target)
    const cover = covers[index]
    const control = event.target
    if (!cover) return
    if (control instanceof HTMLSelectElement) replace(index, { ...cover, kind: control.value as CoverKind })
    else if (control instanceof HTMLInputElement) {
      const side = control.dataset['side'] ?? ''
      replace(index, onGrain({ ...cover, [side]: Math.max(0, control.valueAsNumber || 0) }, width, height))
    }
  }

  /** Where the pointer is, in pixels of the picture. */
  const at = (event: PointerEvent): readonly [x: number, y: number] => {
    const seen = shown.getBoundingClientRect()
    return [
      ((event.clientX - seen.left) * width) / seen.width,
      ((event.clientY - seen.top) * height) / seen.height,
    ]
  }
  let start: readonly [x: number, y: number] | null = null
  function byPointer(event: PointerEvent): void {
    if (event.type === 'pointerdown' && event.button === 0) {
      start = at(event)
      shown.setPointerCapture(event.pointerId)
      event.preventDefault()
    }
    if (!start) return
    const [x, y] = start
    const [toX, toY] = at(event)
    const drawn = {
      x: Math.min(x, toX),
      y: Math.min(y, toY),
      width: Math.abs(toX - x),
      height: Math.abs(toY - y),
    }
    const isMeant = Math.max(drawn.width, drawn.height) >= step / 2
    draft = isMeant ? onGrain({ kind: 'box', ...drawn }, width, height) : null
    if (event.type === 'pointermove') return paint()
    if (event.type === 'pointerdown') return
    const done = event.type === 'pointerup' ? draft : null
    start = null
    draft = null
    if (done) change([...covers, done])
    else paint()
  }

  const listening = new AbortController()
  const { signal } = listening
  return new Promise((resolve) => {
    let decided: Redacted | null = null
    dialog.addEventListener('keydown', byKey, { signal })
    dialog.addEventListener('click', byClick, { signal })
    list.addEventListener('change', byField, { signal })
    for (const kind of ['pointerdown', 'pointermove', 'pointerup', 'pointercancel'] as const)
      shown.addEventListener(kind, byPointer, { signal })
    within<HTMLFormElement>('[data-decide]').addEventListener(
      'submit',
      (event) => {
        event.preventDefault()
        if (covers.length === 0 && !isClean.checked) {
          problem.textContent = '请先遮挡；确实没有要遮的，请勾选“已检查，无需遮挡”。'
          isClean.focus()
        } else if (picture) {
          decided = { picture, review: photoReviewText(covers.length), caption: words.value.trim() }
          dialog.close()
        }
      },
      { signal },
    )
    dialog.addEventListener(
      'close',
      () => {
        listening.abort()
        round += 1
        // No picture stays in the page behind the closed editor.
        URL.revokeObjectURL(result.src)
        result.removeAttribute('src')
        shown.width = 0
        resolve(decided)
      },
      { signal },
    )
    shown.width = width
    shown.height = height
    words.value = caption
    isClean.checked = false
    within('#redaction-title').textContent = title
    show()
    dialog.showModal()
    within('#redaction-title').focus()
  })
}
