import type { Problem } from '../../api/problem.ts'
import { checkProblems } from '../../domain/check-page.ts'
import { parseClaimPin } from '../../domain/claim-pin.ts'
import type { FieldError } from '../../domain/errors.ts'
import { namedProblems } from '../../domain/identity.ts'
import { formatReceiptCode } from '../../domain/receipt.ts'
import {
  isSealedField,
  narrativeOf,
  reporterOf,
  SEALED_FIELD_NAMES,
  SEALED_FIELDS,
  type SealedAnswers,
  type SealedField,
} from '../../domain/tip.ts'
import type { TipSecrets } from '../../sealing/outgoing.ts'
import { qrPath } from '../qr.ts'
import { element } from './dom.ts'
import { loadRecipients } from '../recipients.ts'
import { withPhotoWords } from './words.ts'
import { request, type ReportPage } from './request.ts'
import { createSealJob, SealingError } from './seal-jobs.ts'
import { pictureOf, watchPhotos, type PhotoField } from './sealed-photos.ts'
import { createVault, type Held, type Vault } from './vault.ts'

/** The site refused the sealed tip; the words are its own. */
export class RefusedError extends Error {
  readonly errors: readonly FieldError[]
  constructor(message: string, errors: readonly FieldError[] = []) {
    super(message)
    this.errors = errors
  }
}

/** Holds what the form asks in confidence, and seals it at the end. */
export interface Sealer {
  /**
   * Fills a page with what is held and opens its fields.
   * @throws {SealingError}
   */
  enter(page: HTMLElement): Promise<void>
  /** Takes in the sealed fields of a page. Answers what is wrong with them. */
  take(form: HTMLFormElement): Promise<readonly FieldError[]>
  /** Waits for photos under way; false when somebody has to decide about one. */
  settle(): Promise<boolean>
  leave(): void
  /**
   * Seals and sends the tip, then forgets all but the code.
   * @returns null, or the check page anew when the route has changed meanwhile
   * @throws {SealingError}, {RefusedError}, and others when nothing came back
   */
  send(page: HTMLElement): Promise<ReportPage | null>
}

type Control = HTMLInputElement | HTMLTextAreaElement

const SEND_MS = 60_000
/** So long after the last key what was typed is put to rest. */
const TYPING_PAUSE_MS = 400
const STALE = '/problems/stale-recipients/'
const CHANGED = '刚才没有提交：承办单位变了。请看下面现在由谁来办，再提交。'

const fieldOn = (page: HTMLElement, name: string): string =>
  page.querySelector<HTMLInputElement>(`input[name="${name}"]`)?.value ?? ''

/** The departments that shall be able to open the tip. */
const readersOn = (page: HTMLElement): string[] =>
  (page.querySelector<HTMLElement>('[data-readers]')?.dataset['readers'] ?? '').split(' ').filter(Boolean)

/** Whether the check page is that of somebody who gives a name. */
const isNamedOn = (page: HTMLElement): boolean => page.querySelector('[data-named]') !== null

const controlsOf = (page: HTMLElement): Control[] =>
  [...page.querySelectorAll<Control>('input[name], textarea[name]')].filter(({ name }) => isSealedField(name))

const isTick = (control: Control): control is HTMLInputElement => control.type === 'checkbox'

/** The sealed fields that a page has, with what they say now. */
function valuesOf(page: HTMLElement): SealedAnswers {
  const values: Partial<Record<SealedField, string[]>> = {}
  for (const control of controlsOf(page)) {
    if (!isSealedField(control.name)) continue
    const of = (values[control.name] ??= [])
    if (!isTick(control)) of.push(control.value)
    else if (control instanceof HTMLInputElement && control.checked) of.push(control.value)
  }
  return values
}

function fillFields(page: HTMLElement, answers: SealedAnswers): void {
  for (const control of controlsOf(page)) {
    const values = (isSealedField(control.name) ? answers[control.name] : undefined) ?? []
    if (control instanceof HTMLInputElement && isTick(control))
      control.checked = values.includes(control.value)
    else control.value = values[0] ?? ''
    control.disabled = false
    // So that what counts the words counts these.
    control.dispatchEvent(new Event('input'))
  }
}

function fillReceipt(page: HTMLElement, code: string): void {
  const receipt = page.querySelector('[data-receipt]')
  if (!receipt) return
  const text = formatReceiptCode(code)
  const groups = text.split('-')
  for (const [index, span] of [...receipt.querySelectorAll('.receipt-code span')].entries())
    span.textContent = groups[index] ?? ''
  const { path, size } = qrPath(text)
  const svg = receipt.querySelector('svg')
  svg?.setAttribute('viewBox', `0 0 ${size} ${size}`)
  svg?.querySelector('path')?.setAttribute('d', path)
}

/** The ticked items that the check page knows: a list of another category is not told. */
function tickedOn(page: HTMLElement, answers: SealedAnswers): string[] {
  return (answers.checklist ?? []).filter((id) => page.querySelector(`[data-tick="${CSS.escape(id)}"]`))
}

function fillCheck(
  page: HTMLElement,
  { answers, photos }: Held,
  previews: ReadonlyMap<number, string>,
): void {
  const put = (name: string, ...nodes: (Node | string)[]): void =>
    page.querySelector(`[data-held="${name}"]`)?.replaceChildren(...nodes)
  const { description, place, callback } = narrativeOf(answers)
  put('description', ...description.split('\n').map((line) => element('p', {}, line)))
  put('place', place)
  put('callback', callback ?? '不留')
  const { name, contact } = reporterOf(answers)
  put('reporter', `${name}，${contact}`)
  const pictures = photos.map(({ part, told, words, original }, index) =>
    element(
      'li',
      {},
      pictureOf(previews, part, index + 1),
      element(
        'p',
        { class: 'hint' },
        [told ? words : null, original === null ? '不留原片' : '原片密封'].filter(Boolean).join('；'),
      ),
    ),
  )
  put(
    'photos',
    `${photos.length} 张`,
    ...(photos.length > 0 ? [element('ul', { class: 'photo-list' }, ...pictures)] : []),
  )
  const ticked = tickedOn(page, answers)
  for (const row of page.querySelectorAll<HTMLElement>('[data-held-row="checklist"]'))
    row.hidden = ticked.length === 0
  for (const item of page.querySelectorAll<HTMLElement>('[data-tick]'))
    item.hidden = !ticked.includes(item.dataset['tick'] ?? '')
}

/** What is wrong with some sealed fields, in the order of the form. */
function problemsOf(answers: SealedAnswers, names: readonly SealedField[]): FieldError[] {
  return SEALED_FIELD_NAMES.filter((name) => names.includes(name)).flatMap((field) => {
    const message = SEALED_FIELDS[field].problem(answers[field] ?? [])
    return message === null ? [] : [{ field, message }]
  })
}

function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

/** @param fail told when sealing turns out not to be had in the midst of a page */
export function createSealer(fail: (error: SealingError) => void): Sealer {
  const seal = createSealJob()
  let half = ''
  let vault: Vault | null = null
  let held: Held | null = null
  let photos: PhotoField | null = null
  /** The page whose fields say what is held. */
  let shown: HTMLElement | null = null
  let pause = 0
  const previews = new Map<number, string>()
  const files = new Map<number, File>()

  async function keep(next: Held): Promise<void> {
    held = next
    await vault?.keep(next)
  }

  /** Keeps what the fields say by now, so that neither “back” nor a reload loses it. */
  function takeIn(): void {
    if (!shown || !held?.secrets) return
    keep({ ...held, answers: { ...held.answers, ...valuesOf(shown) } }).catch(() => {
      // It is held in memory; what seals it is asked again before anything is sent.
    })
  }

  /** Of this draft and no other: a new draft begins with nothing. */
  async function hold(page: HTMLElement): Promise<void> {
    const given = page.dataset['half'] ?? ''
    if (given === half && held) return
    half = given
    for (const preview of previews.values()) URL.revokeObjectURL(preview)
    previews.clear()
    files.clear()
    vault = given === '' ? null : createVault(given, seal)
    held = (await vault?.open()) ?? null
  }

  async function begin(): Promise<Held & { readonly secrets: TipSecrets }> {
    const secrets = await seal('begin', null)
    const begun = { secrets, receiptCode: secrets.receiptCode, answers: {}, photos: [], nextPart: 0 }
    await keep(begun)
    return begun
  }

  const mustHold = (): { held: Held; secrets: TipSecrets } => {
    if (!held?.secrets) throw new SealingError('nothing is held')
    return { held, secrets: held.secrets }
  }

  /** @param told the check page that says to whom it goes; another than the one shown when that was out of date */
  async function post(page: HTMLElement, told = page): Promise<Problem | null> {
    const { held: now, secrets } = mustHold()
    const recipients = await loadRecipients(told)
    const readers = readersOn(told)
    if (readers.length === 0) throw new SealingError('the page names no readers')
    const answers = { ...now.answers, checklist: tickedOn(page, now.answers) }
    const narrative = withPhotoWords(narrativeOf(answers), now.photos)
    const named = isNamedOn(told) ? reporterOf(answers) : null
    const sealed = await seal('seal', { secrets, narrative, named, recipients, readers })
    const { identity } = sealed
    const facts = JSON.parse(
      told.querySelector<HTMLElement>('[data-facts]')?.dataset['facts'] ?? '{}',
    ) as Readonly<Record<string, string | null>>
    const reply = await fetch('/api/v1/tips', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': secrets.idempotencyKey },
      body: JSON.stringify({
        gate: fieldOn(page, 'gate'),
        trap: fieldOn(page, 'website'),
        sealed: {
          id: secrets.tip,
          recipient: secrets.recipient,
          auth: secrets.auth,
          reporterRecipient: secrets.reporterRecipient,
          recipientMac: secrets.recipientMac,
          ...facts,
          claimPin: parseClaimPin(fieldOn(page, 'pin')),
          callback: narrative.callback !== null,
          narrative: toBase64(sealed.narrative),
          identity: identity && {
            recipient: identity.recipient,
            sealed: toBase64(identity.sealed),
            keeperEpoch: identity.keeperEpoch,
            approverEpoch: identity.approverEpoch,
            wrapped: toBase64(identity.wrapped),
          },
          wraps: sealed.wraps.map((wrap) => ({ ...wrap, wrapped: toBase64(wrap.wrapped) })),
          photos: now.photos.map(({ part, copy, original }) => ({ part, copy, original })),
        },
      }),
      signal: AbortSignal.timeout(SEND_MS),
    })
    return reply.ok ? null : ((await reply.json()) as Problem)
  }

  return {
    async enter(page) {
      await hold(page)
      if (page.dataset['report'] === 'sent') {
        if (held) fillReceipt(page, held.receiptCode)
        // Another tab, or one that was closed in between: the code is not here, and nowhere else to be had.
        else page.querySelector('[data-receipt]')?.remove()
        // The words and the key are sent; the code stays until the tab or the session ends.
        if (held?.secrets) await keep({ ...held, secrets: null, answers: {}, photos: [] })
        return
      }
      held = held?.secrets ? held : await begin()
      fillFields(page, held.answers)
      fillReceipt(page, held.receiptCode)
      fillCheck(page, held, previews)
      photos = watchPhotos(page, {
        seal,
        secrets: held.secrets ?? (await begin()).secrets,
        previews,
        files,
        photos: () => held?.photos ?? [],
        async number() {
          const { held: now } = mustHold()
          await keep({ ...now, nextPart: now.nextPart + 1 })
          return now.nextPart
        },
        async change(edit) {
          const { held: now } = mustHold()
          await keep({ ...now, photos: edit(now.photos) })
        },
        fail,
      })
      page.querySelector('[data-sealing-wait]')?.remove()
      shown = page
      page.addEventListener('change', takeIn)
      page.addEventListener('input', () => {
        clearTimeout(pause)
        pause = window.setTimeout(takeIn, TYPING_PAUSE_MS)
      })
    },

    async take(form) {
      const { held: before } = mustHold()
      const typed = valuesOf(form)
      await keep({ ...before, answers: { ...before.answers, ...typed } })
      const chosen = new FormData(form).get('identity') === 'named'
      return [
        ...(chosen ? namedProblems(reporterOf(typed)) : []),
        ...problemsOf(typed, Object.keys(typed).filter(isSealedField)),
      ]
    },

    settle: async () => (await photos?.settle()) ?? true,
    leave() {
      takeIn()
      clearTimeout(pause)
      shown = null
      photos = null
    },

    async send(page) {
      const { held: now } = mustHold()
      const problems = [
        ...problemsOf(now.answers, SEALED_FIELD_NAMES),
        ...(isNamedOn(page) ? namedProblems(reporterOf(now.answers)) : []),
        ...checkProblems({ retype: fieldOn(page, 'retype'), pin: fieldOn(page, 'pin') }, now.receiptCode),
      ]
      if (problems.length > 0) throw new RefusedError('有几处需要修改', problems)
      let problem = await post(page)
      if (problem?.type === STALE) {
        // A key or the route changed while the page lay open. The same readers: sealed to their new keys without asking.
        const fresh = await request('/report/check/', null)
        if (readersOn(fresh.root).join() !== readersOn(page).join()) {
          fresh.root
            .querySelector('h1')
            ?.after(element('p', { class: 'notice notice-warn', role: 'alert' }, CHANGED))
          return fresh
        }
        problem = await post(page, fresh.root)
      }
      if (problem === null) return null
      throw new RefusedError(problem.detail ?? problem.title)
    },
  }
}
