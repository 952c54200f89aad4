/** One of the form's pages as the server wrote it. */
export interface ReportPage {
  /** Where it was found, after redirects. */
  readonly address: string
  readonly document: Document
  readonly root: HTMLElement
}

const PAGE_MS = 60_000
/** Nine large photos over a slow line take their time. */
const UPLOAD_MS = 15 * 60_000

/**
 * Asks for a page of the form. XMLHttpRequest, since it parses a page where Trusted Types forbid strings as markup, and
 * since it alone tells how much of a photo has been sent.
 * @throws {Error} when nothing came back, or something that is not a page of the form
 */
export function request(
  address: string,
  body: FormData | null,
  onSent?: (share: number) => void,
): Promise<ReportPage> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    const failed = (): void => reject(new Error('no page of the form came back'))
    xhr.open(body ? 'POST' : 'GET', address)
    xhr.responseType = 'document'
    xhr.timeout = onSent ? UPLOAD_MS : PAGE_MS
    xhr.onerror = xhr.ontimeout = xhr.onabort = failed
    xhr.onload = () => {
      const page = xhr.response as Document | null
      const root = page?.querySelector<HTMLElement>('[data-report]')
      // Parsed as if nobody ran scripts here.
      for (const only of page?.querySelectorAll('noscript') ?? []) only.remove()
      if (page && root) resolve({ address: xhr.responseURL, document: page, root })
      else failed()
    }
    if (onSent) {
      xhr.upload.onprogress = ({ lengthComputable, loaded, total }) => {
        if (lengthComputable) onSent(loaded / total)
      }
    }
    xhr.send(body)
  })
}
