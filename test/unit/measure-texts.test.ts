import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { MEASURE_TEXTS, type MeasureText } from '../../src/content/measures/index.ts'
import {
  CHECKLISTS,
  PLAN_DOCUMENT,
  PLAN_TARGETS,
  PUBLICATION_DUTIES,
  SAFEGUARDS,
  SECTION_INTROS,
} from '../../src/content/plan-texts.ts'

interface Row {
  no: number
  item: number | null
  section: string
  title: string
  item_title?: string
  lead: string[]
  responsible: string[]
  deadlines: { date: string; what: string }[]
  targets: { what: string; value: number; unit: string }[]
  source_lines: [number, number]
}
interface Goals {
  document: { title: string; number: string; issuer: string; date: string; addressees: string[] }
  targets: { what: string; op: string; value: number; unit: string }[]
  safeguards: { id: string; title: string }[]
  explicit_publication_duties: { ref: string; text: string }[]
}

const seed = (name: string) =>
  readFileSync(new URL(`../../db/seed/plan-2017/${name}`, import.meta.url), 'utf8')
const rows = JSON.parse(seed('measures.json')) as Row[]
const goals = JSON.parse(seed('goals.json')) as Goals
const units = JSON.parse(seed('units.json')) as { name: string; aliases?: string[]; in_source?: boolean }[]
const categories = JSON.parse(seed('routing.json')) as { id: string; measures: string[] }[]
const source = seed('source.txt')
const sourceLines = source.split('\n')

const rowsOf = (no: number) => rows.filter((row) => row.no === no)
const measureNos = [...new Set(rows.map((row) => row.no))]
const texts = [...MEASURE_TEXTS.values()]
const noOf = (text: MeasureText) => Number(text.id.slice('2017-'.length))

/** Every string a page shows of a measure, the note and the items included. */
const stringsOf = (text: MeasureText): string[] => [
  text.summary,
  ...text.asks,
  text.whom,
  text.byWhen,
  text.resident,
  text.reportable,
  ...text.terms.flatMap(({ term, meaning }) => [term, meaning]),
  ...(text.note === null ? [] : [text.note]),
  ...text.items.map((item) => item.text),
]
const planStrings: string[] = [
  PLAN_DOCUMENT.text,
  ...PLAN_TARGETS.flatMap(({ text, note }) => (note === null ? [text] : [text, note])),
  ...SAFEGUARDS.map(({ text }) => text),
  ...PUBLICATION_DUTIES.map(({ text }) => text),
  ...SECTION_INTROS.map(({ text }) => text),
  ...CHECKLISTS.flatMap(({ question, items }) => [question, ...items.map(({ label }) => label)]),
]
const allStrings = [...texts.flatMap(stringsOf), ...planStrings]

/** Letters and digits only, so that line breaks and half-width punctuation of the source do not matter. */
const bare = (text: string) => text.replace(/[^\p{L}\p{N}]/gu, '')
const bareSource = bare(source)

/** What may be quoted at any length: exact names of units and titles. Longest first, so 区大气办各成员单位 goes whole. */
const quotable = [
  ...new Set([
    ...units.flatMap(({ name, aliases }) => [name, ...(aliases ?? [])]),
    ...rows.flatMap((row) => [row.title, row.item_title ?? '']),
    PLAN_DOCUMENT.title,
    ...[...source.replace(/\s/g, '').matchAll(/《([^》]+)》/g)].map((found) => found[1] ?? ''),
  ]),
]
  .map(bare)
  .filter((name) => name !== '')
  .sort((a, b) => b.length - a.length)

const LONGEST_RUN = 21
/** The first run of more than 21 characters taken over from the source, or null. */
function copiedRun(text: string): string | null {
  const own = quotable.reduce((rest, name) => rest.replaceAll(name, '\n'), bare(text))
  for (const part of own.split('\n')) {
    for (let at = 0; at + LONGEST_RUN < part.length; at += 1) {
      const run = part.slice(at, at + LONGEST_RUN + 1)
      if (bareSource.includes(run)) return run
    }
  }
  return null
}

/** Digits of a text that state a fact: references to rows, names of particles and item numbers do not. */
const figuresIn = (text: string): string[] => [
  ...new Set(
    text
      .replace(/措施\d+/g, '')
      .replace(/第(\(\d\))+项/g, '')
      .replace(/PM(10|2\.5)/g, '')
      .match(/\d+(?:\.\d+)?/g),
  ),
]
/** A measure's own words and data, where its figures must come from. */
function groundOf(no: number): string {
  const own = rowsOf(no)
  const from = Math.min(...own.map((row) => row.source_lines[0]))
  const to = Math.max(...own.map((row) => row.source_lines[1]))
  const printed = sourceLines
    .slice(from - 1, to)
    .join('')
    .replace(/\s/g, '')
  return [printed, ...own.map((row) => JSON.stringify([row.deadlines, row.targets]))].join('\n')
}
/** A figure stands by itself: 30 is not found in 130 or 30.5. */
const states = (ground: string, figure: string) =>
  new RegExp(`(?<![\\d.])0*${figure.replace('.', '\\.')}(?![\\d]|\\.\\d)`).test(ground)

describe('the explanations of the measures', () => {
  it('cover the 47 measures and their 43 items, in the order of the plan', () => {
    expect([...MEASURE_TEXTS.keys()]).toEqual(measureNos.map((no) => `2017-${no}`))
    expect(texts.map((text) => text.items.map((item) => item.id))).toEqual(
      measureNos.map((no) =>
        rowsOf(no)
          .filter((row) => row.item !== null)
          .map((row) => `2017-${no}.${row.item}`),
      ),
    )
    expect(texts).toHaveLength(47)
    expect(texts.flatMap((text) => text.items)).toHaveLength(43)
  })

  it('leave nothing empty and keep to their lengths', () => {
    for (const text of texts) {
      expect(text.asks.length, text.id).toBeGreaterThanOrEqual(1)
      expect(text.asks.length, text.id).toBeLessThanOrEqual(3)
      expect([...text.summary].length, text.id).toBeLessThanOrEqual(60)
      expect(text.summary.match(/[。！？]/g), text.id).toEqual(['。'])
      for (const part of stringsOf(text)) expect(part.trim().length, text.id).toBeGreaterThan(1)
    }
    expect(new Set(texts.map((text) => text.summary)).size).toBe(47)
  })

  it('are fullest on the five topics that safeguard 四(六) names', () => {
    const lengthOf = (text: MeasureText) => [text.resident, text.reportable, ...text.asks].join('').length
    const five = new Set(['2017-5', '2017-17', '2017-20', '2017-34', '2017-38'])
    const others = texts
      .filter((text) => !five.has(text.id))
      .map(lengthOf)
      .sort((a, b) => a - b)
    const median = others[Math.floor(others.length / 2)] ?? Infinity
    for (const id of five) {
      const text = MEASURE_TEXTS.get(id)
      if (!text) throw new Error(`${id} has no text`)
      expect(lengthOf(text), id).toBeGreaterThan(1.5 * median)
    }
  })

  it('name every lead unit exactly, and the responsible ones where nobody leads', () => {
    for (const text of texts) {
      for (const row of rowsOf(noOf(text))) {
        const named = row.lead.length > 0 ? row.lead : row.responsible
        for (const unit of named) expect(text.whom, `${text.id} ${row.item ?? ''}`).toContain(unit)
      }
    }
  })

  it('say in words that nobody leads, where the plan names no lead unit', () => {
    for (const text of texts) {
      if (rowsOf(noOf(text)).some((row) => row.lead.length === 0)) {
        expect(text.note, text.id).toMatch(/没有牵头单位/)
      }
    }
    expect(MEASURE_TEXTS.get('2017-1')?.note).toMatch(/没有责任单位/)
  })

  it('take every figure from the measure itself', () => {
    for (const text of texts) {
      // The plan is of 2017 throughout, so the year needs no line of its own.
      const ground = `${groundOf(noOf(text))}\n2017`
      for (const part of stringsOf(text)) {
        for (const figure of figuresIn(part)) {
          expect(states(ground, figure), `${text.id}: ${figure} in ${part}`).toBe(true)
        }
      }
    }
  })

  it('give every month of a deadline in byWhen, and no month that is none', () => {
    for (const text of texts) {
      const due = new Set(
        rowsOf(noOf(text))
          .flatMap((row) => row.deadlines)
          .filter(
            (deadline) => /^\d{4}-\d{2}-\d{2}$/.test(deadline.date) && !deadline.what.includes('未写月日'),
          )
          .map((deadline) => `${Number(deadline.date.slice(0, 4))}年${Number(deadline.date.slice(5, 7))}月`),
      )
      const told = new Set(text.byWhen.match(/\d{4}年\d{1,2}月/g))
      expect([...told].sort(), text.id).toEqual([...due].sort())
      // "X月底前" is what the plan prints for all of them.
      for (const month of told) expect(text.byWhen, text.id).toContain(`${month}底前`)
    }
  })

  it('say so where the plan gives no date, and never speak of 2017 as to come', () => {
    for (const text of texts) {
      if (rowsOf(noOf(text)).every((row) => row.deadlines.length === 0)) {
        expect(text.byWhen, text.id).toMatch(/没有|原文写“按国家要求”/)
      }
    }
    for (const text of allStrings) expect(text).not.toMatch(/将于|将在|届时|即将/)
  })

  it('say where the season of a measure has no printed start and end', () => {
    expect(MEASURE_TEXTS.get('2017-17')?.byWhen).toContain('原文未给')
    expect(MEASURE_TEXTS.get('2017-27')?.byWhen).toContain('原文没有给')
  })

  it('show the conversion slips of the source only in a note that gives the reading', () => {
    const slips = /[栺栻栿]/
    for (const text of texts) {
      for (const part of stringsOf(text)) {
        if (part !== text.note) expect(part, text.id).not.toMatch(slips)
      }
      if (text.note !== null && slips.test(text.note)) expect(text.note).toMatch(/应读作“国[ⅠⅡⅢ]”/)
    }
    for (const text of planStrings) expect(text).not.toMatch(slips)
    // The measures whose source lines carry a slip must explain it.
    const slipped = texts.filter((text) => slips.test(groundOf(noOf(text)))).map((text) => text.id)
    expect(slipped).toEqual(['2017-18', '2017-19'])
    for (const id of slipped) expect(MEASURE_TEXTS.get(id)?.note).toMatch(slips)
  })

  it('refer only to measures that exist', () => {
    for (const text of allStrings) {
      for (const [, no] of text.matchAll(/措施(\d+)/g)) expect(measureNos, text).toContain(Number(no))
    }
  })

  it('name only units the plan names', () => {
    // What is left of a unit's name once the known ones are taken out: 区某局 at the start of a word.
    const unknown = /(?:^|[^\p{Script=Han}]|[是和由归给到向])区\p{Script=Han}{1,5}(?:局|办|室|中心)/u
    const known = units
      .filter((unit) => unit.in_source !== false)
      .flatMap((unit) => [unit.name, ...(unit.aliases ?? [])])
    known.sort((a, b) => b.length - a.length)
    for (const text of allStrings) {
      expect(known.reduce((rest, name) => rest.replaceAll(name, '·'), text)).not.toMatch(unknown)
    }
    expect('牵头单位是区生态局。').toMatch(unknown)
  })
})

describe('all texts', () => {
  it('are in our own words: no run of 22 characters is the plan’s', () => {
    expect(allStrings.map(copiedRun).filter((run) => run !== null)).toEqual([])
  })

  it('would be caught copying: a sentence of the source is found', () => {
    expect(copiedRun('企业是大气污染治理的责任主体，要按照环保规范要求，加强内部管理。')).not.toBeNull()
  })

  it('carry no telephone number, web address or half-width comma', () => {
    for (const text of allStrings) expect(text).not.toMatch(/\d{5,}|\d{3,4}-\d{7,8}|https?:|,|;/)
  })

  it('use full-width marks in pairs', () => {
    for (const text of allStrings) {
      for (const [open, close] of ['“”', '（）', '《》', '〔〕'].map((pair) => [...pair])) {
        expect(text.split(open ?? '').length, text).toBe(text.split(close ?? '').length)
      }
    }
  })
})

describe('the texts about the plan', () => {
  it('quote the document as the data has it', () => {
    const { text, ...document } = PLAN_DOCUMENT
    const { title, number, issuer, date, addressees } = goals.document
    expect(document).toEqual({ title, number, issuer, date, addressees })
    expect(text).toContain('2017年2月27日')
  })

  it('quote the three targets as the data has them', () => {
    expect(PLAN_TARGETS.map(({ what, op, value, unit }) => ({ what, op, value, unit }))).toEqual(
      goals.targets.slice(0, 3).map(({ what, op, value, unit }) => ({ what, op, value, unit })),
    )
    for (const { text, value } of PLAN_TARGETS) expect(text).toContain(String(value))
    expect(PLAN_TARGETS.at(-1)?.note).toContain('HJ 633-2012')
  })

  it('cover the seven safeguards and the eight duties to publish', () => {
    expect(SAFEGUARDS.map(({ id, title }) => ({ id, title }))).toEqual(
      goals.safeguards.map(({ id, title }) => ({ id, title })),
    )
    expect(PUBLICATION_DUTIES.map(({ ref, duty }) => ({ ref, text: duty }))).toEqual(
      goals.explicit_publication_duties,
    )
    for (const { ref, measure, item, safeguard } of PUBLICATION_DUTIES) {
      if (measure === null) expect(SAFEGUARDS.find(({ id }) => id === safeguard)?.ref).toBe(ref)
      else {
        expect(safeguard).toBeNull()
        expect((item ?? measure).replace('2017-', '').replace(/\.(\d)$/, '($1)')).toBe(ref)
      }
    }
  })

  it('take the figures of the safeguards from the source', () => {
    const printed = source.replace(/\s/g, '')
    for (const { text } of SAFEGUARDS) {
      for (const figure of figuresIn(text)) expect(states(printed, figure), text).toBe(true)
    }
    expect(printed).toContain('2017年2月28日前')
    expect(printed).toContain('每月24日前')
  })

  it('introduce the eight sections', () => {
    expect(SECTION_INTROS.map(({ no }) => no)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(new Set(rows.map((row) => row.section)).size).toBe(8)
  })
})

describe('the checklists', () => {
  it('belong to categories and rows that exist, and each category rests on that measure', () => {
    const rowIds = new Set(
      rows.map((row) => (row.item === null ? `2017-${row.no}` : `2017-${row.no}.${row.item}`)),
    )
    for (const { id, categories: shownFor, measure, item } of CHECKLISTS) {
      expect(MEASURE_TEXTS.has(measure), id).toBe(true)
      if (item !== null) {
        expect(rowIds, id).toContain(item)
        expect(item.startsWith(`${measure}.`), id).toBe(true)
      }
      for (const category of shownFor) {
        const rests = categories.find((known) => known.id === category)?.measures ?? []
        const short = `m${measure.slice('2017-'.length).padStart(2, '0')}`
        expect(
          rests.map((ref) => ref.split('-')[0]),
          `${id} ${category}`,
        ).toContain(short)
      }
    }
  })

  it('have ids of their own, and at most one list for a category', () => {
    expect(new Set(CHECKLISTS.map(({ id }) => id)).size).toBe(CHECKLISTS.length)
    const shown = CHECKLISTS.flatMap((list) => list.categories)
    expect(new Set(shown).size).toBe(shown.length)
    for (const { id, items } of CHECKLISTS) {
      expect(new Set(items.map((item) => item.id)).size, id).toBe(items.length)
      expect(new Set(items.map((item) => item.label)).size, id).toBe(items.length)
    }
  })

  it('quote the six hundred percents and the two bans in the order of the plan', () => {
    const printed = source.replace(/\s/g, '')
    const quoted = (CHECKLISTS.find(({ id }) => id === 'building-site')?.items ?? []).map(
      ({ label }) => /（(.+)）/.exec(label)?.[1] ?? '',
    )
    expect(quoted.filter((name) => name.includes('百分之百'))).toHaveLength(6)
    expect(quoted.filter((name) => name.startsWith('禁止'))).toHaveLength(2)
    const places = quoted.map((name) => printed.indexOf(name))
    expect(Math.min(...places)).toBeGreaterThan(0)
    expect(places).toEqual([...places].sort((a, b) => a - b))
  })

  it('keep the figures of a demolition site', () => {
    const labels = JSON.stringify(CHECKLISTS.find(({ id }) => id === 'demolition-site'))
    for (const target of rowsOf(24).flatMap((row) => row.targets)) {
      if (target.unit === '米' || target.unit === '立方米')
        expect(labels).toContain(`${target.value}${target.unit}`)
    }
  })
})
