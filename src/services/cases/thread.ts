import type { CaseRow } from '../../db/cases.ts'
import type { Tx } from '../../db/connect.ts'
import { insertMessage, sentNumber, threadSize } from '../../db/messages.ts'
import { tipIdsOf } from '../../db/tips.ts'
import type { Day } from '../../domain/day.ts'
import { DomainError } from '../../domain/errors.ts'
import { isPhotoId, MAX_MESSAGE_PHOTOS, MAX_THREAD, MAX_THREAD_PHOTOS } from '../../domain/message.ts'
import { noSuchCase, type Reader } from '../case-access.ts'
import { hashOf } from '../tokens.ts'
import type { NewMessage } from './request.ts'
import { isAge } from './wraps.ts'

/** Bytes of a sealed message: the largest bucket that 3000 characters can need, with what age adds. */
export const MAX_SEALED_BYTES = 70_000

/** Who writes, and about which case: it is locked, so that numbers follow one another. */
export interface Writing {
  readonly row: CaseRow
  readonly now: Date
  readonly today: Day
  /** Null: the reporter. */
  readonly reader: Pick<Reader, 'memberId'> | null
  readonly asks: boolean
}

const unsealed = (): DomainError =>
  new DomainError('invalid-input', '留言没有封好，请重试。', [{ field: 'text', message: '无法保存。' }])

/**
 * The number of the next message about a tip.
 * @throws {DomainError} `invalid-input` when there are as many as there may be
 */
export async function nextNumber(tx: Tx, tipId: string, photos: number): Promise<number> {
  const size = await threadSize(tx, tipId)
  if (size.messages >= MAX_THREAD || size.photos + photos > MAX_THREAD_PHOTOS) {
    throw new DomainError(
      'invalid-input',
      `这件举报的留言已经到上限（${MAX_THREAD} 条、${MAX_THREAD_PHOTOS} 张照片），不能再发。有新情况请重新举报。`,
      [{ field: 'text', message: '已到上限。' }],
    )
  }
  return size.messages + 1
}

/**
 * Appends a message to the thread of one of the case's tips.
 * @returns whether it is new; false when the same form has sent it before
 * @throws {DomainError} `stale-version` when another message came in between: it is to be sealed for the next number
 */
export async function storeMessage(
  tx: Tx,
  message: NewMessage,
  { row, now, today, reader, asks }: Writing,
): Promise<boolean> {
  const { tipId, number, photos } = message
  if (!(await tipIdsOf(tx, row.id)).includes(tipId)) throw noSuchCase()
  if (
    !isAge(message.sealed) ||
    message.sealed.length > MAX_SEALED_BYTES ||
    photos.length > MAX_MESSAGE_PHOTOS ||
    !photos.every(({ id }) => isPhotoId(id))
  ) {
    throw unsealed()
  }
  const sendKey = hashOf(message.key)
  if ((await sentNumber(tx, tipId, sendKey)) !== undefined) return false
  if ((await nextNumber(tx, tipId, photos.length)) !== number) {
    throw new DomainError('stale-version', '对方刚刚也写了一条，请看过以后再发。')
  }
  await insertMessage(tx, {
    tipId,
    number,
    side: reader === null ? 'reporter' : 'officer',
    asks,
    day: today,
    sealed: message.sealed,
    sendKey,
    author: reader && { id: reader.memberId, at: now },
    photos,
  })
  return true
}
