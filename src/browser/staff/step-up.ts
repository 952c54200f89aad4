import { canUsePasskeys, showPasskey } from './passkey.ts'
import { getJson, postJson, Refused, whenFactorIsRequired } from './session.ts'

type RequestOptions = Parameters<typeof showPasskey>[0]

interface Recent {
  readonly recent: boolean
  readonly totp: boolean
  readonly passkey: boolean
}

const dialog = document.querySelector<HTMLDialogElement>('[data-step-up-dialog]')
const within = <E extends HTMLElement>(selector: string): E | null =>
  dialog?.querySelector<E>(selector) ?? null

let asking: Promise<void> | null = null

/** Asks for the second factor until it is shown. @throws {Refused} when the member gives up */
function ask({ totp, passkey }: Recent): Promise<void> {
  const form = within<HTMLFormElement>('form')
  const code = within<HTMLInputElement>('[name="code"]')
  const button = within<HTMLButtonElement>('[data-passkey]')
  const status = within<HTMLElement>('[data-step-up-status]')
  if (!dialog || !form || !code || !button || !status) return Promise.reject(new Error('请刷新页面后重试。'))
  for (const part of dialog.querySelectorAll('[data-code]')) part.toggleAttribute('hidden', !totp)
  button.hidden = !passkey || !canUsePasskeys()
  status.textContent = ''
  code.value = ''
  return new Promise((resolve, reject) => {
    const controller = new AbortController()
    const { signal } = controller
    const attempt = (work: () => Promise<unknown>): void => {
      status.textContent = '正在验证……'
      work()
        .then(() => {
          controller.abort()
          dialog.close()
          resolve()
        })
        .catch((error: unknown) => {
          status.textContent = error instanceof Error ? error.message : '没有通过，请重试。'
          code.select()
        })
    }
    form.addEventListener(
      'submit',
      (event) => {
        event.preventDefault()
        attempt(() => postJson('/api/v1/staff/recent/code', { code: code.value }))
      },
      { signal },
    )
    button.addEventListener(
      'click',
      () => {
        attempt(async () => {
          const options = await postJson<RequestOptions>('/api/v1/staff/recent/passkey-options', {})
          await postJson('/api/v1/staff/recent/passkey', { response: await showPasskey(options) })
        })
      },
      { signal },
    )
    dialog.addEventListener(
      'close',
      () => {
        controller.abort()
        reject(new Refused(401, '没有验证第二因素，所以没有保存。'))
      },
      { signal },
    )
    within('[data-cancel]')?.addEventListener('click', () => dialog.close(), { signal })
    dialog.showModal()
    if (totp) code.focus()
    else button.focus()
  })
}

/** Resolves once the second factor was shown within the last minutes; asks when it was not. One dialog at a time. */
export function ensureRecent(): Promise<void> {
  asking ??= getJson<Recent>('/api/v1/staff/recent')
    .then((state) => (state.recent ? undefined : ask(state)))
    .finally(() => {
      asking = null
    })
  return asking
}

/** Puts the question before requests of scripts, and before forms whose button says `data-step-up`. */
export function guardChanges(): void {
  whenFactorIsRequired(ensureRecent)
  const proven = new WeakSet<HTMLElement>()
  document.addEventListener('submit', (event) => {
    const { submitter } = event
    const form = event.target
    if (!(form instanceof HTMLFormElement) || submitter?.dataset['stepUp'] === undefined) return
    if (proven.delete(submitter)) return
    event.preventDefault()
    ensureRecent()
      .then(() => {
        proven.add(submitter)
        form.requestSubmit(submitter)
      })
      .catch((error: unknown) => {
        const status = document.querySelector<HTMLElement>('[data-status]')
        if (status && error instanceof Error) status.textContent = error.message
      })
  })
}
