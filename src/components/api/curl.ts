/** What an example needs of an operation. */
export interface Call {
  readonly method: string
  /** With the examples filled in. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  readonly cookies: 'keep' | 'send' | null
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** The lines of a curl command, to copy as they are. */
export function curlOf({ method, url, headers, body, cookies }: Call): string {
  const parts = [
    ...(method !== 'get' && (method !== 'post' || body === undefined) ? [`-X ${method.toUpperCase()}`] : []),
    ...(cookies === null ? [] : [cookies === 'keep' ? '-c cookies.txt' : '-b cookies.txt']),
    ...Object.entries(headers).map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`),
    ...(body === undefined
      ? []
      : [`-H ${quote('content-type: application/json')}`, `-d ${quote(JSON.stringify(body))}`]),
  ]
  return [`curl ${quote(url)}`, ...parts].join(' \\\n  ')
}
