import {
  OVERDUE,
  type DueStep,
  type NoticeItem,
  type NoticeKind,
  type NoticeStage,
} from '../domain/notice.ts'

/** What a mail is made of. Of a case only its number: no place, no category, no words, no time of day (D§5.1). */
export interface NoticeFacts {
  readonly kind: NoticeKind
  /** Name of the department it goes to. */
  readonly department: string
  readonly items: readonly NoticeItem[]
  readonly siteName: string
  /** Address of the site without a trailing slash. */
  readonly siteUrl: string
}

export interface NoticeText {
  readonly subject: string
  readonly text: string
  readonly html: string
}

/** More than this many numbers make no mail that anybody reads; the rest is counted. */
export const MAX_LISTED = 100

const STEPS: Readonly<Record<DueStep, string>> = { accept: '受理', arbitrate: '裁定', conclude: '办结' }
const STAGES: Readonly<Record<NoticeStage, string>> = {
  50: '期限已过一半',
  80: '期限已过八成',
  100: '期限已到',
  [OVERDUE]: '已超过期限',
}

const SUBJECTS: Readonly<Record<NoticeKind, (count: number) => string>> = {
  arrivals: (count) => `新到举报 ${count} 件`,
  due: (count) => `期限提醒：举报 ${count} 件`,
  overdue: (count) => `超期提醒：举报 ${count} 件`,
}

const OPENINGS: Readonly<Record<NoticeKind, string>> = {
  arrivals: '下列举报件已派到贵单位，请登录工作台受理。',
  due: '下列举报件的期限将到或已到，请登录工作台办理。',
  overdue: '下列举报件已超过期限，请登录工作台督办。',
}
const CLOSING = '邮件里只有受理编号和链接，举报内容只能在工作台里打开。这封邮件由系统发出，请勿回复。'

interface Group {
  /** Null where all cases of the mail are alike. */
  readonly heading: string | null
  readonly caseNos: readonly string[]
}

/** Cases under what is said of them, the furthest first; numbers in their own order, which tells nothing. */
function groupsOf(items: readonly NoticeItem[]): Group[] {
  const groups = new Map<string, { rank: number; caseNos: string[] }>()
  for (const { caseNo, step, stage } of items) {
    const heading = step === null || stage === null ? '' : `${STEPS[step]}${STAGES[stage]}`
    const group = groups.get(heading) ?? { rank: stage ?? 0, caseNos: [] }
    group.caseNos.push(caseNo)
    groups.set(heading, group)
  }
  return [...groups]
    .sort(([a, one], [b, other]) => other.rank - one.rank || (a < b ? -1 : 1))
    .map(([heading, { caseNos }]) => ({ heading: heading === '' ? null : heading, caseNos: caseNos.sort() }))
}

function firstOf(groups: readonly Group[], limit: number): Group[] {
  let left = limit
  return groups.flatMap(({ heading, caseNos }) => {
    const listed = caseNos.slice(0, left)
    left -= listed.length
    return listed.length === 0 ? [] : [{ heading, caseNos: listed }]
  })
}

/** What ends a line anywhere would end a header. */
const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escape = (text: string): string => text.replace(/[&<>"]/g, (sign) => ENTITIES[sign] ?? sign)

/** The mail in words, the same for the same facts. */
export function noticeText(facts: NoticeFacts): NoticeText {
  const { kind, items } = facts
  const department = oneLine(facts.department)
  const siteName = oneLine(facts.siteName)
  const count = new Set(items.map(({ caseNo }) => caseNo)).size
  const groups = firstOf(groupsOf(items), MAX_LISTED)
  const rest = items.length - groups.reduce((sum, { caseNos }) => sum + caseNos.length, 0)
  const more = rest === 0 ? null : `另有 ${rest} 条没有列出，请在工作台的队列里查看。`
  const link = (caseNo: string): string => `${facts.siteUrl}/staff/cases/${caseNo}/`
  const queue = `${facts.siteUrl}/staff/queue/`

  const text = [
    `${department}：`,
    '',
    OPENINGS[kind],
    ...groups.flatMap(({ heading, caseNos }) => [
      '',
      ...(heading === null ? [] : [`${heading}：`]),
      ...caseNos.map((caseNo) => `${caseNo}  ${link(caseNo)}`),
    ]),
    ...(more === null ? [] : ['', more]),
    '',
    `队列：${queue}`,
    '',
    CLOSING,
    siteName,
    '',
  ].join('\n')

  const html = [
    '<!doctype html>',
    `<html lang="zh-CN"><head><meta charset="utf-8"><title>${escape(SUBJECTS[kind](count))}</title></head><body>`,
    `<p>${escape(department)}：</p>`,
    `<p>${OPENINGS[kind]}</p>`,
    ...groups.flatMap(({ heading, caseNos }) => [
      ...(heading === null ? [] : [`<h2>${heading}</h2>`]),
      '<ul>',
      ...caseNos.map((caseNo) => `<li><a href="${escape(link(caseNo))}">${escape(caseNo)}</a></li>`),
      '</ul>',
    ]),
    ...(more === null ? [] : [`<p>${more}</p>`]),
    `<p><a href="${escape(queue)}">打开队列</a></p>`,
    `<p>${CLOSING}</p>`,
    `<p>${escape(siteName)}</p>`,
    '</body></html>',
    '',
  ].join('\n')

  return { subject: `${SUBJECTS[kind](count)}（${siteName}）`, text, html }
}
