import { describe, expect, it } from 'vitest'
import { loadPlan } from '../../db/seed/plan.ts'
import { refusalBeforeSending } from '../../src/browser/report/photo-check.ts'
import {
  countWords,
  foretaste,
  foundWords,
  promiseWords,
  withPhotoWords,
} from '../../src/browser/report/words.ts'
import {
  answersOn,
  firstUnfinished,
  problemsOf,
  progressOf,
  stepAfter,
  stepBefore,
  STEPS,
} from '../../src/components/report/steps.ts'
import {
  narrativeOf,
  reporterOf,
  SEALED_FIELD_NAMES,
  SEALED_FIELDS,
  type SealedField,
} from '../../src/domain/tip.ts'
import { tipPlain } from '../../src/schemas/tip.ts'
import type { FilingPromise } from '../../src/services/tips.ts'
import { isoMedia, jpegWithExif, png, textAsJpg, webp } from '../support/images.ts'

const plan = loadPlan()
const MIB = 1024 * 1024
const NONE = { count: 0, bytes: 0 }
const head = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, 256)

const PROMISE: FilingPromise = {
  department: 'qu-jianshe',
  hotline: '0371-1',
  rule: 'construction-dust',
  reason: '',
  measureRefs: [],
  coDepartments: [],
  readers: ['qu-jianshe', 'qu-daqiban'],
  derived: false,
  ambiguityNote: null,
  category: 'construction-dust',
  accept: { day: '2026-11-27', count: 2, unit: 'working' },
  conclude: { day: '2026-12-16', count: 15, unit: 'working' },
}

describe('photos before they are sent', () => {
  it('lets the three kinds pass whatever they are called', async () => {
    for (const bytes of [await jpegWithExif(), await png(), await webp()]) {
      expect(refusalBeforeSending({ size: bytes.length, head: head(bytes) }, NONE)).toBeNull()
    }
  })

  it('tells HEIC, video, text and nothing apart', () => {
    const refusal = (bytes: Uint8Array) =>
      refusalBeforeSending({ size: bytes.length, head: head(bytes) }, NONE)
    expect(refusal(isoMedia('heic', 'mif1'))).toBe('heic')
    expect(refusal(isoMedia('isom', 'mp42'))).toBe('video')
    expect(refusal(textAsJpg())).toBe('unknown')
    expect(refusal(new Uint8Array())).toBe('empty')
  })

  it('stops exactly at the limits', async () => {
    const jpeg = head(await jpegWithExif())
    const refusal = (size: number, held: { count: number; bytes: number }) =>
      refusalBeforeSending({ size, head: jpeg }, held)
    expect(refusal(15 * MIB, NONE)).toBeNull()
    expect(refusal(15 * MIB + 1, NONE)).toBe('too-large')
    expect(refusal(1, { count: 8, bytes: 8 })).toBeNull()
    expect(refusal(1, { count: 9, bytes: 9 })).toBe('too-many')
    expect(refusal(MIB, { count: 4, bytes: 59 * MIB })).toBeNull()
    expect(refusal(MIB + 1, { count: 4, bytes: 59 * MIB })).toBe('total-too-large')
  })
})

describe('words beside the form', () => {
  it('says who, by which line and until when', () => {
    expect(promiseWords(PROMISE, '区建设局')).toBe(
      '会派给区建设局，热线 0371-1；最晚 2026-11-27 受理，最晚 2026-12-16 办结。',
    )
  })

  it('gives the count where the calendar is not known yet, and no line where there is none', () => {
    const open = { ...PROMISE, hotline: null, accept: { ...PROMISE.accept, day: null } }
    expect(promiseWords(open, '区建设局')).toBe('会派给区建设局；2 个工作日内受理，最晚 2026-12-16 办结。')
  })

  it('names nobody while the street decides', () => {
    expect(foretaste(PROMISE, PROMISE, '区建设局')).toContain('区建设局')
    expect(foretaste(PROMISE, { ...PROMISE, department: 'jd-1' }, '区建设局')).not.toContain('区建设局')
  })

  it('counts signs as people do, and turns at the limit', () => {
    expect(countWords('𠮷尘', 2)).toEqual({ words: '已写 2 字，还可以写 0 字', over: false })
    expect(countWords('尘尘尘', 2)).toEqual({ words: '超出 1 字，请删减。', over: true })
  })

  it('says when a search finds nothing', () => {
    expect(foundWords(0)).toContain('没有找到')
    expect(foundWords(3)).toBe('找到 3 个类别')
  })
})

describe('the way through the form', () => {
  const fields = (given: Record<string, string[]>) => new Map(Object.entries(given))

  it('asks a question only where the category has one, and only once', () => {
    const asking = { category: ['cooking-fume'] }
    const plain = { category: ['boiler-coal'] }
    expect(stepAfter('', plan, asking, false)).toBe('question')
    expect(stepAfter('', plan, asking, true)).toBe('where')
    expect(stepAfter('', plan, plain, false)).toBe('where')
    expect(stepBefore('where', plan, asking)).toBe('question')
    expect(stepBefore('where', plan, plain)).toBe('')
    expect(stepBefore('', plan, plain)).toBe('')
  })

  it('asks a complaint about inaction whom it is about', () => {
    expect(stepAfter('', plan, { category: ['department-inaction'] }, false)).toBe('question')
  })

  it('takes from a page what the page asks for, and the question together with the category', () => {
    const sent = fields({ category: ['cooking-fume'], answer: ['open'], callback: ['1'] })
    expect(answersOn('', sent, { category: ['cooking-fume'] })).toEqual({
      category: ['cooking-fume'],
      answer: ['open'],
    })
  })

  it('forgets what was answered to another category', () => {
    const before = { category: ['cooking-fume'], answer: ['open'], checklist: ['a/b'] }
    expect(answersOn('', fields({ category: ['road-dust'] }), before)).toEqual({
      category: ['road-dust'],
      answer: [],
      accused: [],
      checklist: [],
    })
  })

  it('keeps a text that was not on the page, and empties a list in which nothing is ticked', () => {
    expect(answersOn('what', fields({}), { description: ['烟'], checklist: ['a/b'] })).toEqual({
      checklist: [],
    })
  })

  it('leads back to the first page that is not finished', () => {
    const answers = {
      category: ['road-dust'],
      area: ['unsure'],
      when: ['now'],
      description: ['路上尘土飞扬，没有洒水。'],
    }
    expect(firstUnfinished(answers)).toBeUndefined()
    expect(firstUnfinished({ ...answers, description: [''] })).toBe('what')
    expect(firstUnfinished({ ...answers, description: [''], category: [] })).toBe('')
  })
})

describe('progress', () => {
  it('counts the same number of steps all the way', () => {
    const all = STEPS.map((step) => progressOf(step))
    expect(all.map((progress) => progress?.at)).toEqual([1, 1, 2, 3, 4, 5, undefined])
    expect(new Set(all.flatMap((progress) => progress?.of ?? []))).toEqual(new Set([5]))
  })
})

describe('the fields that are sealed', () => {
  const base = { category: 'road-dust', area: 'unsure', when: 'now', description: '尘土飞扬。' }

  it('are all of the narrative, and who tells it', () => {
    const closed = ['category', 'area', 'answer', 'accused', 'when', 'urgency']
    expect([...closed, ...SEALED_FIELD_NAMES].sort()).toEqual(Object.keys(tipPlain.shape).sort())
  })

  it.each<[SealedField, string]>([
    ['description', ''],
    ['description', ' 四个字呢 '],
    ['description', '够五个字。'],
    ['description', '长'.repeat(3001)],
    ['description', '🌫'.repeat(3000)],
    ['place', ''],
    ['place', '路'.repeat(301)],
    ['place', '\u202e路\r\n口 '],
    ['callback', ''],
    ['callback', '139'],
    ['callback', '１３９ １２３４ ５６７８'],
    ['callback', '(0371) 6789-0123'],
    ['name', ' 张三\u202e '],
    ['name', '名'.repeat(41)],
    ['contact', 'a'.repeat(101)],
    ['contact', '13900001111'],
  ])('are judged and read by the browser as by the server: %s %j', (name, typed) => {
    const parsed = tipPlain.safeParse({ ...base, [name]: typed })
    expect(SEALED_FIELDS[name].problem([typed])).toBe(parsed.success ? null : parsed.error.issues[0]?.message)
    const read = { ...narrativeOf({ [name]: [typed] }), ...reporterOf({ [name]: [typed] }) }
    if (parsed.success) expect(read[name] || null).toEqual(parsed.data[name] || null)
  })

  it('are not missed in a draft whose browser keeps them', () => {
    const answers = { category: ['road-dust'], area: ['unsure'], when: ['now'] }
    expect(firstUnfinished(answers)).toBe('what')
    expect(firstUnfinished(answers, 'browser')).toBeUndefined()
    expect(problemsOf('where', {}, 'browser').map(({ field }) => field)).toEqual(['area', 'when'])
  })

  it('end with what the chosen photos tell', () => {
    const narrative = narrativeOf({ description: ['尘土飞扬。'] })
    const photos = [
      { told: false, words: 'A' },
      { told: true, words: 'B' },
      { told: true, words: null },
    ]
    expect(withPhotoWords(narrative, photos).description).toBe('尘土飞扬。\n\n照片里记着的：\n第 2 张：B')
    expect(withPhotoWords(narrative, photos.slice(0, 1))).toBe(narrative)
  })
})
