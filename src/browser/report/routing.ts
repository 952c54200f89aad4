import type { FilingPromise } from '../../services/tips.ts'
import { foretaste, promiseWords } from './words.ts'

interface Named {
  readonly id: string
  readonly name: string
}

async function get<T>(path: string): Promise<T> {
  const reply = await fetch(path)
  if (!reply.ok) throw new Error(`${path} answered ${reply.status}`)
  return (await reply.json()) as T
}

let names: Promise<ReadonlyMap<string, string>> | null = null

function departmentNames(): Promise<ReadonlyMap<string, string>> {
  names ??= get<{ items: readonly Named[] }>('/api/v1/departments?limit=200').then(
    ({ items }) => new Map(items.map(({ id, name }) => [id, name])),
  )
  names.catch(() => (names = null))
  return names
}

const promised = (facts: Readonly<Record<string, string>>): Promise<FilingPromise> =>
  get(`/api/v1/routing?${new URLSearchParams(Object.entries(facts).filter(([, value]) => value !== ''))}`)

const asked = new WeakMap<HTMLElement, number>()

/**
 * Says in a live region who would get the tip. It only foretells: when it cannot, it stays silent, and the check page
 * says it for certain.
 * @param somewhere any street, to see whether the street matters; '' once it is known
 */
export async function foretell(
  region: HTMLElement,
  facts: Readonly<Record<'category' | 'answer' | 'accused' | 'area', string>>,
  somewhere = '',
): Promise<void> {
  const turn = (asked.get(region) ?? 0) + 1
  asked.set(region, turn)
  let words = ''
  try {
    const [known, promise, elsewhere] = await Promise.all([
      departmentNames(),
      promised(facts),
      somewhere === '' ? null : promised({ ...facts, area: somewhere }),
    ])
    const name = known.get(promise.department) ?? promise.department
    words = elsewhere ? foretaste(promise, elsewhere, name) : promiseWords(promise, name)
  } catch {
    // Offline, or an answer is missing: nothing to foretell.
  }
  // A later choice has asked meanwhile.
  if (asked.get(region) === turn) region.textContent = words
}

/** Foretells as soon as the street is chosen. */
export function watchArea(root: HTMLElement): void {
  const holder = root.querySelector<HTMLElement>('[data-routing]')
  const area = root.querySelector<HTMLSelectElement>('#area')
  if (!holder || !area) return
  const { category = '', answer = '', accused = '' } = holder.dataset
  holder.className = 'foretold'
  holder.setAttribute('role', 'status')
  const tell = (): void => {
    if (area.value === '') holder.textContent = ''
    else void foretell(holder, { category, answer, accused, area: area.value })
  }
  area.addEventListener('change', tell)
  tell()
}
