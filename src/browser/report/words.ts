import type { Narrative } from '../../domain/tip.ts'
import type { FilingPromise } from '../../services/tips.ts'

type Due = FilingPromise['accept']

const until = (due: Due, what: string): string =>
  due.day === null
    ? `${due.count} 个${due.unit === 'working' ? '工作日' : '自然日'}内${what}`
    : `最晚 ${due.day} ${what}`

/** Who will get it and until when, in one sentence. */
export function promiseWords(promise: FilingPromise, name: string): string {
  const hotline = promise.hotline === null ? '' : `，热线 ${promise.hotline}`
  return `会派给${name}${hotline}；${until(promise.accept, '受理')}，${until(promise.conclude, '办结')}。`
}

/** The same before the street is known, when every street leads to the same department or each to its own. */
export function foretaste(unsure: FilingPromise, somewhere: FilingPromise, name: string): string {
  return unsure.department === somewhere.department
    ? promiseWords(unsure, name)
    : '由所在街道决定派给谁：下一步选了街道就能看到。'
}

/** What a search among the categories found. */
export function foundWords(count: number): string {
  return count === 0 ? '没有找到。换个词试试，或者清空后选“其他或不清楚”。' : `找到 ${count} 个类别`
}

/** How much may still be written; the tone changes at the end. */
export function countWords(text: string, limit: number): { readonly words: string; readonly over: boolean } {
  const length = Array.from(text).length
  return length > limit
    ? { words: `超出 ${length - limit} 字，请删减。`, over: true }
    : { words: `已写 ${length} 字，还可以写 ${limit - length} 字`, over: false }
}

/** What the reporter has its photos tell, as the end of the description. */
export function withPhotoWords(
  narrative: Narrative,
  photos: readonly { readonly told: boolean; readonly words: string | null }[],
): Narrative {
  const lines = photos.flatMap(({ told, words }, index) =>
    told && words !== null ? [`第 ${index + 1} 张：${words}`] : [],
  )
  if (lines.length === 0) return narrative
  return { ...narrative, description: [narrative.description, '', '照片里记着的：', ...lines].join('\n') }
}
