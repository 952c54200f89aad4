import { describe, expect, it } from 'vitest'
import { MAX_LISTED, noticeText, type NoticeFacts } from '../../src/content/notice-mail.ts'
import { NOTICE_KINDS, OVERDUE, type NoticeItem } from '../../src/domain/notice.ts'

const item = (caseNo: string, part: Partial<NoticeItem> = {}): NoticeItem => ({
  caseNo,
  step: null,
  stage: null,
  ...part,
})
const facts = (part: Partial<NoticeFacts> = {}): NoticeFacts => ({
  kind: 'arrivals',
  department: '区环保局',
  items: [item('ZY-2611-7QK3F'), item('ZY-2611-0AB2C')],
  siteName: '蓝天',
  siteUrl: 'https://lantian.example.gov.cn',
  ...part,
})
const many = (count: number): NoticeItem[] =>
  Array.from({ length: count }, (_, index) => item(`ZY-2611-${String(index).padStart(5, '0')}`))

describe('a mail to a department', () => {
  it('says how many came, and gives each number with its link', () => {
    const { subject, text, html } = noticeText(facts())
    expect(subject).toBe('新到举报 2 件（蓝天）')
    for (const caseNo of ['ZY-2611-7QK3F', 'ZY-2611-0AB2C']) {
      const link = `https://lantian.example.gov.cn/staff/cases/${caseNo}/`
      expect(text).toContain(`${caseNo}  ${link}`)
      expect(html).toContain(`<a href="${link}">${caseNo}</a>`)
    }
  })

  it('lists numbers in their own order, whichever came first', () => {
    const { items } = facts()
    expect(noticeText(facts({ items: items.toReversed() }))).toEqual(noticeText(facts({ items: [...items] })))
    const { text } = noticeText(facts())
    expect(text.indexOf('ZY-2611-0AB2C')).toBeLessThan(text.indexOf('ZY-2611-7QK3F'))
  })

  it('groups terms by how far they are, the furthest first', () => {
    const { text } = noticeText(
      facts({
        kind: 'due',
        items: [
          item('ZY-2611-AAAAA', { step: 'conclude', stage: 50 }),
          item('ZY-2611-BBBBB', { step: 'accept', stage: 100 }),
          item('ZY-2611-CCCCC', { step: 'conclude', stage: 80 }),
        ],
      }),
    )
    const order = ['受理期限已到：', 'BBBBB', '办结期限已过八成：', 'CCCCC', '办结期限已过一半：', 'AAAAA']
    expect(order.map((word) => text.indexOf(word))).toEqual(
      order.map((word) => text.indexOf(word)).toSorted((a, b) => a - b),
    )
    expect(order.every((word) => text.includes(word))).toBe(true)
  })

  it('counts a case once that two terms of are told', () => {
    const items = [
      item('ZY-2611-AAAAA', { step: 'accept', stage: OVERDUE }),
      item('ZY-2611-AAAAA', { step: 'conclude', stage: OVERDUE }),
    ]
    expect(noticeText(facts({ kind: 'overdue', items })).subject).toBe('超期提醒：举报 1 件（蓝天）')
  })

  it('lists no more than anybody reads, and says how many it left out', () => {
    const { text, html } = noticeText(facts({ items: many(MAX_LISTED + 7) }))
    expect(text.match(/\/staff\/cases\//g)).toHaveLength(MAX_LISTED)
    expect(html.match(/<li>/g)).toHaveLength(MAX_LISTED)
    expect(text).toContain('另有 7 条没有列出')
    expect(noticeText(facts({ items: many(MAX_LISTED) })).text).not.toContain('没有列出')
  })

  it.each(NOTICE_KINDS)(
    'holds nothing else: no time of day, no date, no address but the site (%s)',
    (kind) => {
      const { subject, text, html } = noticeText(facts({ kind }))
      for (const part of [subject, text, html]) {
        expect(part).not.toMatch(/\d{1,2}[:：]\d{2}/)
        expect(part).not.toMatch(/\d{4}-\d{2}-\d{2}|\d+月|\d+日/)
      }
      const addresses = [...`${text}${html}`.matchAll(/[a-z]+:\/\/[^\s"<]+/g)].map(
        ([address]) => new URL(address),
      )
      expect(new Set(addresses.map(({ origin }) => origin))).toEqual(
        new Set(['https://lantian.example.gov.cn']),
      )
      expect(html).not.toMatch(/<(?:img|script|link|style|iframe)|src=|style=/)
    },
  )

  it('keeps names that mean harm to one line of the subject and to text in the page', () => {
    const evil = '局\r\nBcc: evil@example.com\u2028<script>alert("1")</script>&'
    const { subject, html } = noticeText(facts({ department: evil, siteName: evil }))
    expect(subject).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
    expect(html).not.toContain('<script')
    expect(html).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;')
  })
})
