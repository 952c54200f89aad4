/** Telephone lines shown when nothing else works; null while the operator has not filled them in. */
export interface Hotlines {
  readonly district: string | null
}

const escape = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)

const RETRY = { 'retry-after': '30', 'cache-control': 'no-store' }

function html(title: string, what: string, district: string): string {
  return `<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title></head>
<body><main><h1>${title}</h1>
<p>${what}</p>
<p>着急的话请打电话：${district}全国政务服务热线 12345；危及生命安全请拨 110。</p>
<p><a href="/">返回首页</a></p></main></body></html>`
}

/** The page for a database that does not answer. It needs nothing but this function. */
export function unavailablePage(hotlines: Hotlines): Response {
  const body = html(
    '系统暂时不可用',
    '数据库没有回应，我们正在恢复。刚才的操作如果没有显示受理编号，就是没有提交成功，请稍后重试。',
    hotlines.district ? `本区热线：${escape(hotlines.district)}。` : '',
  )
  return new Response(body, {
    status: 503,
    headers: { ...RETRY, 'content-type': 'text/html; charset=utf-8' },
  })
}

/** What is answered when the app could not: a request that is none, a failure past its own handling. Nothing of why. */
export function brokenReply(status: number): {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
} {
  return {
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
    body: status >= 500 ? '系统出错了，请稍后再试。' : '请求有误。',
  }
}

/** What an upload is told that does not come to its end before the program does: a 503, nothing was kept. */
export function closingReply(path: string): {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
} {
  const title = '系统正在重新启动'
  const what = '这次提交没有传完，什么都没有保存。请过一分钟再提交一次。'
  return path.startsWith('/api/')
    ? {
        headers: { ...RETRY, 'content-type': 'application/problem+json; charset=utf-8' },
        body: JSON.stringify({ type: '/problems/intake-closed/', title, status: 503, detail: what }),
      }
    : {
        headers: { ...RETRY, 'content-type': 'text/html; charset=utf-8' },
        body: html(title, what, ''),
      }
}
