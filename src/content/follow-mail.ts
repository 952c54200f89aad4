/** The whole mail to a reporter. It says nothing of any case, and leads nowhere: whoever reads it learns no more. */
export function followText(siteName: string): {
  readonly subject: string
  readonly text: string
  readonly html: string
} {
  const name = siteName.replace(/[\p{Cc}\p{Zl}\p{Zp}<>&"]+/gu, ' ').trim()
  const lines = [
    '您关注的内容有变化。要看的话，请自己打开网站，在“查进度”里输入查询码。',
    '这封邮件里没有链接，也不会问您要查询码；要的都是骗子。不想再收，在“查进度”里删除邮箱。请勿回复。',
    name,
  ]
  return {
    subject: `有变化（${name}）`,
    text: `${lines.join('\n\n')}\n`,
    html: [
      '<!doctype html>',
      `<html lang="zh-CN"><head><meta charset="utf-8"><title>有变化</title></head><body>`,
      ...lines.map((line) => `<p>${line}</p>`),
      '</body></html>',
      '',
    ].join('\n'),
  }
}
