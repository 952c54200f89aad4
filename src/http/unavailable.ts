/** Telephone lines shown when nothing else works; null while the operator has not filled them in. */
export interface Hotlines {
  readonly district: string | null
}

const escape = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)

/** The page for a database that does not answer. It needs nothing but this function. */
export function unavailablePage(hotlines: Hotlines, headers: Record<string, string>): Response {
  const district = hotlines.district ? `本区热线：${escape(hotlines.district)}。` : ''
  const body = `<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>系统暂时不可用</title></head>
<body><main><h1>系统暂时不可用</h1>
<p>数据库没有回应，我们正在恢复。刚才的操作如果没有显示受理编号，就是没有提交成功，请稍后重试。</p>
<p>着急的话请打电话：${district}全国政务服务热线 12345；危及生命安全请拨 110。</p>
<p><a href="/">返回首页</a></p></main></body></html>`
  return new Response(body, {
    status: 503,
    headers: {
      ...headers,
      'content-type': 'text/html; charset=utf-8',
      'retry-after': '30',
      'cache-control': 'no-store',
    },
  })
}
