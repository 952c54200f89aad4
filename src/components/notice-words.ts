import type { MailFault, NoticeKind } from '../domain/notice.ts'

export const NOTICE_LABELS: Readonly<Record<NoticeKind, string>> = {
  arrivals: '新到举报',
  due: '期限提醒',
  overdue: '超期提醒',
}

/** Why a mail did not go out, and what to do about it. */
export const FAULT_TEXTS: Readonly<Record<MailFault, string>> = {
  unreachable: '连不上发信服务器，或连接中断',
  timeout: '发信服务器没有按时回应',
  busy: '发信服务器暂时不收，或已到限额',
  credentials: '发信服务器不认账号，请检查密钥或口令',
  tls: '发信服务器不支持加密连接',
  refused: '发信服务器拒收，请核对单位信箱',
  'no-mailbox': '单位没有可用的信箱，请先填写',
  interrupted: '发送时程序停止或出错',
}
