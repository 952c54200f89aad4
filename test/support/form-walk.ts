/** A browser without JavaScript, as far as the tip-off form goes: it keeps cookies and sends the token of the page. */
export interface FormWalk {
  readonly cookie: string
  get(path: string): Promise<{ readonly status: number; readonly html: string; readonly reply: Response }>
  /** Sends a form that was opened before; a redirect is answered, not followed. */
  post(path: string, token: string, fields: FormWalkFields, photos?: readonly Uint8Array[]): Promise<Response>
  /** Opens the page, then sends its form. */
  send(path: string, fields: FormWalkFields, photos?: readonly Uint8Array[]): Promise<Response>
}

export type FormWalkFields = Readonly<Record<string, string | readonly string[]>>

/**
 * @param at the address, or who tells it before each request (a server that comes back has another)
 * @param headers sent with every request, e.g. what a proxy would add
 */
export function startWalk(
  at: string | (() => string),
  headers: Readonly<Record<string, string>> = {},
): FormWalk {
  const address = typeof at === 'string' ? () => at : at
  const jar = new Map<string, string>()
  const cookieHeader = () => [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
  const keep = (reply: Response): void => {
    for (const line of reply.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/max-age=0/i.test(line)) jar.delete(name)
      else jar.set(name, value)
    }
  }
  const get: FormWalk['get'] = async (path) => {
    const reply = await fetch(`${address()}${path}`, {
      headers: { ...headers, cookie: cookieHeader() },
      redirect: 'manual',
    })
    keep(reply)
    return { status: reply.status, html: await reply.text(), reply }
  }
  const post: FormWalk['post'] = async (path, token, fields, photos = []) => {
    const form = new FormData()
    form.append('token', token)
    for (const [name, values] of Object.entries(fields)) {
      for (const value of typeof values === 'string' ? [values] : values) form.append(name, value)
    }
    for (const photo of photos) form.append('photos', new File([photo.slice()], 'IMG_0001.jpg'))
    const url = address()
    const reply = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { ...headers, cookie: cookieHeader(), origin: url },
      body: form,
      redirect: 'manual',
    })
    keep(reply)
    return reply
  }
  return {
    get cookie() {
      return cookieHeader()
    },
    get,
    post,
    send: async (path, fields, photos) => post(path, tokenOf((await get(path)).html), fields, photos),
  }
}

/** The signed token of the first form that has one. */
export function tokenOf(html: string): string {
  const token = /name="token" value="([^"]+)"/.exec(html)?.[1]
  if (token === undefined) throw new Error('the page has no form token')
  return token
}

/** What the form asks before it shows the whole tip; each step must be taken as it is. */
export async function fillForm(
  walk: FormWalk,
  tip: {
    readonly description: string
    readonly place: string
    readonly callback: string
    readonly named?: { readonly name: string; readonly contact: string }
  },
  photos: readonly Uint8Array[] = [],
): Promise<void> {
  const steps: [string, Record<string, string>, readonly Uint8Array[], string][] = [
    ['/report/', { category: 'boiler-coal' }, [], '/report/where/'],
    [
      '/report/where/',
      { area: '410102001', place: tip.place, when: 'now', urgency: 'soon' },
      [],
      '/report/what/',
    ],
    ['/report/what/', { description: tip.description }, photos, '/report/contact/'],
    [
      '/report/contact/',
      { callback: tip.callback, ...(tip.named ? { identity: 'named', ...tip.named } : {}) },
      [],
      '/report/check/',
    ],
  ]
  for (const [path, fields, files, next] of steps) {
    const reply = await walk.send(path, fields, files)
    const location = reply.headers.get('location')
    if (reply.status !== 303 || location !== next) {
      throw new Error(`${path} answered ${reply.status} to ${String(location)}, not 303 to ${next}`)
    }
  }
}

/** The receipt code that a page shows, group by group. */
export function receiptCodeOf(html: string): string {
  const block = /<p class="code receipt-code"[^>]*>(.*?)<\/p>/s.exec(html)?.[1] ?? ''
  const groups = [...block.matchAll(/>\s*([0-9A-Z]{4})\s*</g)].map(([, group]) => group)
  if (groups.length !== 6) throw new Error('the page shows no receipt code')
  return groups.join('-')
}
