/** The page as the server wrote it. */
export interface TrackPage {
  readonly document: Document
  readonly root: HTMLElement
}

/** What of the page changes; null in a document that is not this page. */
export const mainOf = (page: Document): HTMLElement | null =>
  page.querySelector('[data-track]')?.closest('main') ?? null

const PAGE_MS = 60_000

/**
 * Asks for the page, or posts one of its forms. XMLHttpRequest, since it parses a page where Trusted Types forbid
 * strings as markup.
 * @throws {Error} when nothing came back
 */
export function requestPage(body: FormData | null = null): Promise<TrackPage> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    const failed = (): void =>
      reject(new Error('网络断了，或者本站没有回答。您填写的都还在这一页，请再试一次。'))
    xhr.open(body ? 'POST' : 'GET', '/track/')
    xhr.responseType = 'document'
    xhr.timeout = PAGE_MS
    xhr.onerror = xhr.ontimeout = xhr.onabort = failed
    xhr.onload = () => {
      const page = xhr.response as Document | null
      const root = page && mainOf(page)
      if (page && root) resolve({ document: page, root })
      else failed()
    }
    xhr.send(body)
  })
}

/** The server said no; the message is for the person. */
export class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Asks the API. @throws {Refusal} */
export async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  const reply = await fetch(`/api/v1/receipts/${path}`, init).catch(() => {
    throw new Refusal(0, '网络断了，或者本站没有回答。您填写的都还在这一页，请再试一次。')
  })
  if (reply.ok) return (await reply.json()) as T
  const problem = (await reply.json().catch(() => ({}))) as { detail?: string; title?: string }
  throw new Refusal(reply.status, problem.detail ?? problem.title ?? '没有成功，请再试一次。')
}
